"""Models that translate train by a config under the default runtime, and are resumed bit by bit."""

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import DATASETS
from mmengine.runner import Runner
from PIL import Image

import mmgan_lite
from mmgan_lite.config_validation import check_config

ITERATIONS, CUT = 6, 4
RESNET = dict(type='ResNetTranslator', base_channels=2, num_blocks=1)
PATCHES = dict(type='PatchDiscriminator', base_channels=2, num_layers=1)
MODELS = dict(
    pix2pix=dict(
        type='Pix2Pix',
        generator=dict(type='UNetTranslator', base_channels=2, levels=3),
        discriminator=dict(PATCHES, in_channels=6),
        loss=dict(type='NonSaturatingGANLoss'),
        regularizers=[dict(type='R1Regularizer', interval=2)],
        augmentation=dict(type='AdaptiveAugment', interval=1),
        ema=dict(type='ExponentialMovingAverage', momentum=0.1),
    ),
    cyclegan=dict(  # with pools that are full before the cut
        type='CycleGAN',
        generator=RESNET,
        discriminator=PATCHES,
        loss=dict(type='LeastSquaresGANLoss'),
        pool_size=3,
    ),
    cut=dict(
        type='CUT',
        generator=RESNET,
        discriminator=PATCHES,
        loss=dict(type='LeastSquaresGANLoss'),
        layers=(0, 4),
        num_patches=16,
        flip_equivariance=True,
    ),
)


@DATASETS.register_module()
class TwoColors(torch.utils.data.Dataset):
    """Images of noise, and their negatives."""

    def __len__(self):
        return 16

    def __getitem__(self, index):
        stream = torch.Generator().manual_seed(index)
        source = torch.randint(256, (3, 16, 16), generator=stream, dtype=torch.uint8)
        return dict(source=source, target=255 - source)


class Interruption(Hook):
    priority = 'LOWEST'

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter + 1 == CUT:
            raise KeyboardInterrupt


@pytest.fixture
def make_config(tmp_path):
    def make(name, run):
        adam = dict(optimizer=dict(type='Adam', lr=1e-3, betas=(0.5, 0.999)))
        cfg = Config.fromfile(mmgan_lite.config_path('_base_/default_runtime.py'))
        cfg.merge_from_dict(
            dict(
                model=MODELS[name],
                train_dataloader=dict(
                    batch_size=2,
                    dataset=dict(type='mmengine.TwoColors'),
                    sampler=dict(type='InfiniteSampler', shuffle=True),
                    collate_fn=dict(type='default_collate'),
                ),
                train_cfg=dict(by_epoch=False, max_iters=ITERATIONS),
                optim_wrapper=dict(
                    constructor='MultiOptimWrapperConstructor', generator=adam, discriminator=adam
                ),
                work_dir=str(tmp_path / run),
                experiment_name=f'{name}_{run}',
                resume=True,
            )
        )
        cfg.default_hooks.checkpoint.interval = 1
        return cfg

    return make


def weights(work_dir):
    return torch.load(work_dir / f'iter_{ITERATIONS}.pth', weights_only=True)['state_dict']


@pytest.mark.parametrize('name', MODELS)
def test_trains_and_goes_on(name, make_config, tmp_path):
    assert [str(finding) for finding in check_config(make_config(name, 'checked'))] == []
    Runner.from_cfg(make_config(name, 'complete')).train()
    cut = Runner.from_cfg(make_config(name, 'cut'))
    cut.register_hook(Interruption())
    with pytest.raises(KeyboardInterrupt):
        cut.train()
    Runner.from_cfg(make_config(name, 'cut')).train()
    complete, resumed = (weights(tmp_path / run) for run in ('complete', 'cut'))
    start = Runner.from_cfg(make_config(name, 'start')).model.state_dict()
    assert complete.keys() == resumed.keys() == start.keys()
    for key, value in complete.items():
        assert torch.equal(value, resumed[key]), key
    kept = {'augmentation'}  # its probability stays 0 at first
    trained = {key.partition('.')[0] for key in start if not torch.equal(start[key], complete[key])}
    assert {key.partition('.')[0] for key in start} - trained <= kept


@pytest.mark.parametrize('kind', ['PairedImageDataset', 'UnpairedImageDataset'])
def test_random_targets_crops_and_flips_of_workers_go_on(kind, make_config, tmp_path):
    stream = np.random.default_rng(0)
    for number in range(10):
        path = tmp_path / 'ab'[number % 2] / f'{number // 2}.png'
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(stream.integers(0, 256, (20, 20, 3), dtype=np.uint8)).save(path)

    def build(run):
        cfg = make_config('cyclegan', run)
        cfg.train_dataloader = dict(
            batch_size=2,
            num_workers=2,
            sampler=dict(type='InfiniteSampler', shuffle=True),
            dataset=dict(
                type=kind,
                data_root=str(tmp_path),
                source='a',
                target='b',
                image_size=16,
                load_size=18,
                flip=True,
            ),
        )
        cfg.randomness = dict(seed=3)
        return Runner.from_cfg(cfg)

    build('complete').train()
    cut = build('cut')
    cut.register_hook(Interruption())
    with pytest.raises(KeyboardInterrupt):
        cut.train()
    build('cut').train()
    resumed = weights(tmp_path / 'cut')
    for key, value in weights(tmp_path / 'complete').items():
        assert torch.equal(value, resumed[key]), key
