"""Parts of another project in our configs, each named by its prefix."""

from collections import defaultdict

import numpy as np
import pytest
import torch
from mmengine.runner import Runner
from PIL import Image
from torch.optim.optimizer import register_optimizer_step_post_hook


@pytest.fixture(params=['', '_conditional'], ids=['unconditional', 'conditional'])
def cfg(request, otherproject, repo, shrunk_config):
    cfg = shrunk_config(repo / f'configs/gan/gan_mlp_digits-28x28{request.param}.py')
    cfg._num_classes = cfg.model.generator.get('num_classes')
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None  # of our data
    return cfg


def their_dataset(**kwargs):
    return dict(type='otherproject.EvenBlobs', size=28, **kwargs)


def parts_of(gan):
    return {k: v.clone() for k, v in gan.state_dict().items() if not k.startswith('generator_ema')}


@pytest.mark.parametrize('gt_label', ['tensor', 'int'])
@pytest.mark.parametrize('collate', ['pseudo_collate', 'mmgan_lite.image_collate'])
def test_dataset(cfg, gt_label, collate):
    cfg.train_dataloader.dataset = their_dataset(answer=gt_label)
    cfg.train_dataloader.collate_fn = dict(type=collate)
    cfg.default_hooks.samples.num_samples = 10
    runner = Runner.from_cfg(cfg)
    seen = []
    runner.model.discriminator.register_forward_pre_hook(lambda _, args: seen.append(args))
    runner.train()

    images, labels = seen[0]  # the first pass of an iteration: real images, then as many fakes
    assert images.shape == (16, 1, 28, 28)
    real_images = images[:8]
    greys = (real_images[:, 0, 14, 14] * 127.5 + 127.5).round().long()
    torch.testing.assert_close(
        real_images, (greys / 127.5 - 1).view(8, 1, 1, 1).expand(8, 1, 28, 28)
    )
    assert len(greys.unique()) > 1
    if cfg._num_classes is None:
        assert labels is None
    else:  # an image of class k is grey of value 20 * k
        assert torch.equal(greys, 20 * labels[:8])
        assert torch.equal(labels[:8], labels[8:])
    assert type(runner.train_dataloader.dataset).__module__ == 'otherproject.parts'
    assert runner.iter == 2


def test_samples_hook_lays_their_images_out_by_class(cfg, tmp_path):
    cfg.train_dataloader.dataset = their_dataset(answer='tensor')
    cfg.train_dataloader.collate_fn = dict(type='pseudo_collate')
    cfg.default_hooks.samples.num_samples = 10
    Runner.from_cfg(cfg).train()
    real = np.asarray(Image.open(tmp_path / 'work' / 'samples' / 'real.png'))[:, :, 0]
    corners = real[2::86, 2::86]  # 3 * 28 pixels and 2 between
    if cfg._num_classes:
        assert corners.tolist() == [[20 * label] for label in range(10)]
    else:
        assert corners.shape == (3, 4)  # ten images and two black cells
        assert corners.flatten()[10:].tolist() == [0, 0]
        assert (corners % 20 == 0).all()
        assert len(np.unique(corners)) > 2


def test_too_few_classes_for_their_dataset_are_found_before_training(cfg):
    if cfg._num_classes is None:
        pytest.skip('labels have no part in it')
    cfg.train_dataloader.dataset = their_dataset(answer='tensor')
    cfg.train_dataloader.collate_fn = dict(type='pseudo_collate')
    cfg.model.generator.num_classes = cfg.model.discriminator.num_classes = 4
    runner = Runner.from_cfg(cfg)
    with pytest.raises(ValueError, match='got 4 for 10 classes'):
        runner.train()


def test_dataset_with_classes_unknown(cfg):
    # MMPretrain's datasets say classes=None where nobody told them the names.
    cfg.train_dataloader.dataset = their_dataset(answer='tensor', metainfo=dict(classes=None))
    cfg.train_dataloader.collate_fn = dict(type='pseudo_collate')
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert runner.iter == 2


def test_backbone_as_trunk_of_the_discriminator(cfg):
    cfg.model.discriminator = dict(
        type='TrunkDiscriminator',
        backbone=dict(
            type='otherproject.TinyBackbone',
            init_cfg=dict(type='Constant', layer='Conv2d', val=0.25),
        ),
        num_classes=cfg._num_classes,
    )
    cfg.optim_wrapper.generator.optimizer.lr = 0.0
    runner = Runner.from_cfg(cfg)
    runs = defaultdict(int)
    gan = runner.model
    backbone = gan.discriminator.backbone
    backbone.register_forward_hook(lambda *args: runs.update({'all': runs['all'] + 1}))
    generator = {k: v.clone() for k, v in gan.generator.named_parameters()}
    runner.train()

    assert type(backbone).__module__ == 'otherproject.parts'
    assert runs['all'] == 6  # real, fake, and the generator's: three an iteration
    # Their init_cfg was obeyed; Adam's first step is of at most lr = 6e-4, the second, with betas
    # of (0, 0.99), of at most sqrt(2) times that.
    weight = backbone.conv.weight
    assert 0 < (weight - 0.25).abs().max() <= 2.42 * 6e-4
    assert all(torch.equal(generator[k], v) for k, v in gan.generator.named_parameters())
    # In the generator's turn their weights are frozen, and afterwards trainable again.
    assert all(p.requires_grad for p in backbone.parameters())


def test_gradient_of_the_generator_stays_out_of_their_backbone(cfg):
    cfg.model.discriminator = dict(
        type='TrunkDiscriminator',
        backbone=dict(type='otherproject.TinyBackbone'),
        num_classes=cfg._num_classes,
    )
    cfg.optim_wrapper.discriminator.optimizer = dict(type='SGD', lr=0.0)
    runner = Runner.from_cfg(cfg)
    weights = [p.detach().clone() for p in runner.model.discriminator.parameters()]
    before = parts_of(runner.model.generator)
    own = []  # gradients of the discriminator in its last step, before the generator's

    def keep(optimizer, *_):
        if isinstance(optimizer, torch.optim.SGD):
            own[:] = [p.grad.clone() for p in runner.model.discriminator.parameters()]

    handle = register_optimizer_step_post_hook(keep)
    runner.train()
    handle.remove()
    after = runner.model.generator.state_dict()
    assert any(not torch.equal(before[k], after[k]) for k in before)
    parameters = runner.model.discriminator.parameters()
    for old, new, gradient in zip(weights, parameters, own, strict=True):
        assert torch.equal(old, new)
        assert torch.equal(new.grad, gradient)


def test_hook(cfg):
    cfg.custom_hooks = [dict(type='otherproject.LogKeysHook')]
    runner = Runner.from_cfg(cfg)
    runner.train()
    (hook,) = (hook for hook in runner.hooks if type(hook).__module__ == 'otherproject.parts')
    assert hook.keys == [['fake_logits', 'loss_disc', 'loss_gen', 'real_logits']] * 2


def test_visualizer(cfg):
    cfg.visualizer = dict(type='otherproject.RecordingVisualizer')
    cfg.default_hooks.samples.num_samples = 10
    runner = Runner.from_cfg(cfg)
    runner.train()
    # Ten rows of one, or three of four columns, with 2 pixels around each image of 84.
    shape = (862, 88, 3) if cfg._num_classes else (260, 346, 3)
    assert runner.visualizer.images == [
        ('real', 0, shape, 'uint8'),
        ('samples', 0, shape, 'uint8'),
        ('samples', 2, shape, 'uint8'),
    ]


@pytest.mark.parametrize('for_one', [False, True])
def test_param_scheduler(cfg, for_one):
    cfg.train_cfg.max_iters = 3  # MMEngine ends a schedule one step before the training
    halving = [dict(type='otherproject.HalvingLR', by_epoch=False)]
    constant = [dict(type='ConstantLR', factor=1.0, by_epoch=False)]
    cfg.param_scheduler = dict(generator=halving, discriminator=constant) if for_one else halving
    runner = Runner.from_cfg(cfg)
    runner.train()
    lr = {name: values[0] for name, values in runner.optim_wrapper.get_lr().items()}
    untouched = 6e-4 if for_one else 6e-4 / 4
    expected = {'generator.lr': 6e-4 / 4, 'discriminator.lr': untouched}
    assert {name: lr[name] for name in expected} == pytest.approx(expected)


def test_optimizer(cfg):
    cfg.train_cfg.max_iters = 1
    cfg.param_scheduler = []
    cfg.optim_wrapper.generator.optimizer = dict(_delete_=True)
    cfg.optim_wrapper.generator.optimizer = dict(type='otherproject.SignSGD', lr=0.125)
    runner = Runner.from_cfg(cfg)
    gan = runner.model
    before = {k: v.detach().clone() for k, v in gan.generator.named_parameters()}
    runner.train()
    steps = torch.cat(
        [(v.detach() - before[k]).abs().flatten() for k, v in gan.generator.named_parameters()]
    )
    moved = steps > 1e-3
    assert moved.float().mean() > 0.5
    torch.testing.assert_close(steps[moved], torch.full((int(moved.sum()),), 0.125))
    assert steps[~moved].max() == 0 if (~moved).any() else True
    assert type(runner.optim_wrapper['discriminator'].optimizer).__name__ == 'Adam'
