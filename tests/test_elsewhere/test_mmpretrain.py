"""The real MMPretrain: our parts in its configs, and its parts in ours."""

from pathlib import Path

import pytest
import torch
from mmengine.runner import Runner
from torch import nn

pytestmark = pytest.mark.slow

GENERATOR = dict(type='MLPGenerator', latent_dim=8, image_shape=(1, 28, 28), num_classes=10)


@pytest.fixture(autouse=True)
def mmpretrain():
    reason = (
        'MMPretrain cannot be imported; CONTRIBUTING.md says how to install it beside mmcv-lite'
    )
    return pytest.importorskip('mmpretrain', reason=reason, exc_type=ImportError)


@pytest.fixture
def their_mnist(tiny_mnist_root):
    """MMPretrain's dataset on 20 images, with the types as they are written in its scope."""
    return dict(
        type='MNIST',
        data_root=str(Path(tiny_mnist_root) / 'MNIST' / 'raw'),
        split='train',
        download=False,
        pipeline=[dict(type='PackInputs')],
    )


def loader(dataset, batch_size, shuffle=True, collate='default_collate'):
    return dict(
        batch_size=batch_size,
        num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=shuffle),
        collate_fn=dict(type=collate),
        dataset=dataset,
    )


def module_of(part):
    return type(part).__module__


@pytest.mark.parametrize(
    ('collate', 'pack'),
    [('default_collate', 'mmpretrain.PackInputs'), ('pseudo_collate', 'PackInputs')],
)
def test_their_classifier_learns_our_digits(tmp_path, collate, pack):
    digits = dict(type='mmgan_lite.DigitsDataset', image_size=32)
    pipeline = [dict(type=pack)]
    runner = Runner.from_cfg(
        dict(
            default_scope='mmpretrain',
            model=dict(
                type='ImageClassifier',
                backbone=dict(type='LeNet5', num_classes=10),
                head=dict(type='ClsHead', loss=dict(type='CrossEntropyLoss')),
            ),
            data_preprocessor=dict(mean=[127.5], std=[127.5], num_classes=10),
            train_dataloader=loader(
                dict(digits, pipeline=pipeline, indices=1500), 50, collate=collate
            ),
            val_dataloader=loader(
                dict(digits, pipeline=pipeline, indices=-297), 99, False, collate
            ),
            train_cfg=dict(by_epoch=True, max_epochs=5, val_interval=5),
            val_cfg=dict(),
            val_evaluator=dict(type='Accuracy', topk=(1,)),
            optim_wrapper=dict(optimizer=dict(type='Adam', lr=2e-3)),
            default_hooks=dict(
                checkpoint=dict(type='CheckpointHook', interval=5),
                safe=dict(type='mmgan_lite.SafeCheckpointHook'),
            ),
            randomness=dict(seed=0),
            work_dir=str(tmp_path),
            experiment_name=f'classifier_{collate}',
        )
    )
    runner.train()
    assert module_of(runner.model) == 'mmpretrain.models.classifiers.image'
    assert module_of(runner.train_dataloader.dataset) == 'mmgan_lite.datasets.digits'
    # Chance is 10 %: images and labels arrived as pairs.
    assert runner.message_hub.get_scalar('val/accuracy/top1').current() > 75
    assert torch.load(tmp_path / 'epoch_5.pth', weights_only=True)['meta']['epoch'] == 5


def test_our_gan_in_their_scope_on_their_data(tmp_path, their_mnist):
    runner = Runner.from_cfg(
        dict(
            default_scope='mmpretrain',
            model=dict(
                type='mmgan_lite.GAN',
                generator=GENERATOR,
                discriminator=dict(type='MLPDiscriminator', num_classes=10),
                loss=dict(type='NonSaturatingGANLoss'),
                ema=dict(type='ExponentialMovingAverage'),
            ),
            train_dataloader=loader(their_mnist, 10),
            train_cfg=dict(by_epoch=False, max_iters=2),
            optim_wrapper=dict(
                constructor='mmgan_lite.MultiOptimWrapperConstructor',
                generator=dict(optimizer=dict(type='Lamb', lr=1e-3)),
                discriminator=dict(optimizer=dict(type='mmpretrain.Lamb', lr=1e-3)),
            ),
            visualizer=dict(
                type='UniversalVisualizer', vis_backends=[dict(type='LocalVisBackend')]
            ),
            default_hooks=dict(
                samples=dict(type='mmgan_lite.SampleVisualizationHook', num_samples=20),
                check=dict(type='mmgan_lite.SetupCheckHook'),
                safe=dict(type='mmgan_lite.SafeCheckpointHook'),
                checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=2),
                visualization=dict(type='VisualizationHook', enable=False),
            ),
            custom_hooks=[dict(type='ClassNumCheckHook')],
            randomness=dict(seed=0),
            work_dir=str(tmp_path),
            experiment_name='gan_in_mmpretrain',
        )
    )
    before = {k: v.clone() for k, v in runner.model.state_dict().items()}
    runner.train()
    after = runner.model.state_dict()
    moved = {k.split('.')[0] for k in after if not torch.equal(before[k], after[k])}
    assert moved == {'generator', 'discriminator', 'generator_ema'}
    assert module_of(runner.model.generator) == 'mmgan_lite.models.networks.mlp'
    assert module_of(runner.train_dataloader.dataset) == 'mmpretrain.datasets.mnist'
    assert module_of(runner.visualizer) == 'mmpretrain.visualization.visualizer'
    for network in ('generator', 'discriminator'):
        assert module_of(runner.optim_wrapper[network].optimizer).startswith('mmpretrain.')
    assert (tmp_path / 'samples' / 'training.gif').is_file()
    assert len(list(tmp_path.glob('*/vis_data/vis_image/samples_*.png'))) == 2


def test_our_networks_and_loss_build_in_their_registry():
    from mmpretrain.registry import MODELS

    generator = MODELS.build(dict(GENERATOR, type='mmgan_lite.MLPGenerator'))
    images = generator(torch.zeros(2, 8), torch.tensor([0, 1]))
    assert images.shape == (2, 1, 28, 28)
    loss = MODELS.build(dict(type='mmgan_lite.NonSaturatingGANLoss'))
    assert loss.discriminator(torch.zeros(3), torch.zeros(3)).item() == pytest.approx(1.386294)


@pytest.mark.parametrize('num_classes', [None, 10])
def test_their_dataset_trunk_hook_visualizer_and_optimizer_here(
    repo, shrunk_config, their_mnist, tmp_path, num_classes
):
    suffix = '_conditional' if num_classes else ''
    cfg = shrunk_config(repo / f'configs/gan/gan_mlp_digits-28x28{suffix}.py')
    cfg.model.discriminator = dict(
        type='TrunkDiscriminator',
        backbone=dict(type='mmpretrain.ResNet', depth=18, in_channels=1),
        features=512,
        num_classes=num_classes,
    )
    pipeline = [
        dict(type='mmpretrain.RandomCrop', crop_size=28, padding=2),
        dict(type='mmpretrain.PackInputs'),
    ]
    cfg.train_dataloader.dataset = dict(their_mnist, type='mmpretrain.MNIST', pipeline=pipeline)
    cfg.train_dataloader.collate_fn = dict(type='pseudo_collate')
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None  # of other images
    cfg.optim_wrapper.discriminator.optimizer = dict(type='mmpretrain.Lamb', lr=1e-3)
    cfg.visualizer.type = 'mmpretrain.UniversalVisualizer'
    if num_classes:  # the hook compares every num_classes with the dataset's
        cfg.custom_hooks = [dict(type='mmpretrain.ClassNumCheckHook')]
    runner = Runner.from_cfg(cfg)
    seen = []
    runner.model.discriminator.register_forward_pre_hook(lambda _, args: seen.append(args))
    trunk = runner.model.discriminator.backbone
    before = trunk.conv1.weight.detach().clone()
    runner.train()
    assert runner.iter == 2
    assert module_of(trunk) == 'mmpretrain.models.backbones.resnet'
    assert not torch.equal(before, trunk.conv1.weight)
    # Random cropping shifts an image by up to two pixels; it stays in range.
    images, labels = seen[0]
    assert images.shape == (8, 1, 28, 28)
    assert images.min() >= -1
    assert images.max() <= 1
    assert images.std() > 0.3
    assert (labels is None) == (num_classes is None)
    assert len(list((tmp_path / 'work').glob('*/vis_data/vis_image/samples_*.png'))) == 2


def test_lenet_as_trunk_for_our_digits(repo, shrunk_config):
    cfg = shrunk_config(repo / 'configs/gan/gan_mlp_digits-28x28.py')
    cfg.train_dataloader.dataset.image_size = 32
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None  # of other images
    cfg.model.generator.image_shape = (1, 32, 32)
    cfg.model.discriminator = dict(
        type='TrunkDiscriminator', backbone=dict(type='mmpretrain.LeNet5'), features=120
    )
    runner = Runner.from_cfg(cfg)
    (first,) = (
        m for m in list(runner.model.discriminator.modules())[:5] if isinstance(m, nn.Conv2d)
    )
    before = first.weight.detach().clone()
    runner.train()
    assert module_of(runner.model.discriminator.backbone) == 'mmpretrain.models.backbones.lenet'
    assert not torch.equal(before, first.weight)
    logits = runner.message_hub.get_scalar('train/real_logits')
    assert logits.data[0].shape == (2,)
