"""Images with alpha and of seven bands, not square: trained, drawn, scored and sampled."""

import math
import sys

import numpy as np
import pytest
from mmengine.runner import Runner
from PIL import Image

from mmgan_lite.cli import interpolate, sample
from mmgan_lite.visualization import RunLog, write_page

NETWORKS = dict(
    MLP=(dict(hidden_dims=(8, 8)), dict(hidden_dims=(8,))),
    R3GAN=(dict(channels=8, cardinality=2, blocks_per_stage=1),) * 2,
    ResizeConv=(dict(channels=(8, 6)), dict(channels=(6, 8))),
)
DIFFERENTIABLE = dict(type='DiffAugment')
ADAPTIVE = dict(type='AdaptiveAugment', p=0.9)


@pytest.fixture
def train(repo, shrunk_config):
    """Train two iterations on images of a shape, with a validation; returns the Runner."""

    def train(image_shape, networks, augmentation):
        cfg = shrunk_config(repo / 'configs/gan/gan_mlp_digits-28x28_conditional.py')
        generator, discriminator = NETWORKS[networks]
        common = dict(image_shape=image_shape, num_classes=10)
        cfg.model = dict(
            type='GAN',
            generator=dict(type=f'{networks}Generator', latent_dim=4, **common, **generator),
            discriminator=dict(type=f'{networks}Discriminator', **common, **discriminator),
            loss=dict(type='RelativisticPairingGANLoss'),
            regularizers=[dict(type='R1Regularizer', weight=0.1)],
            augmentation=augmentation,
            ema=dict(type='ExponentialMovingAverage', momentum=0.1),
        )
        cfg.merge_from_dict({'default_hooks.health.interval': 1, 'train_cfg.val_interval': 2})
        dataset = dict(type='TinyDataset', image_shape=image_shape)
        cfg.train_dataloader.dataset = cfg.val_dataloader.dataset = dataset
        cfg.val_evaluator = dict(
            type='GANEvaluator',
            extractor=dict(type='ModuleExtractor', name='tiny', module=dict(type='TinyClassifier')),
            metrics=[
                dict(type='FrechetDistance'),
                dict(type='KernelDistance', subsets=2, subset_size=5),
                dict(type='PrecisionRecall'),
            ],
        )
        runner = Runner.from_cfg(cfg)
        runner.train()
        return runner

    return train


@pytest.mark.parametrize(
    ('image_shape', 'networks', 'augmentation'),
    [
        ((2, 16, 10), 'MLP', ADAPTIVE),
        ((4, 24, 16), 'ResizeConv', DIFFERENTIABLE),
        ((4, 24, 40), 'R3GAN', ADAPTIVE),
        ((7, 32, 16), 'R3GAN', DIFFERENTIABLE),
        ((7, 16, 24), 'ResizeConv', ADAPTIVE),
    ],
)
def test_from_training_to_samples(
    train, tmp_path, monkeypatch, image_shape, networks, augmentation
):
    runner = train(image_shape, networks, augmentation)
    scalars = runner.message_hub.log_scalars
    for name in ('train/loss_disc', 'train/loss_gen', 'train/loss_r1', 'val/FID[tiny]'):
        assert math.isfinite(scalars[name].current()), name
    assert all(bool(value.isfinite().all()) for value in runner.model.state_dict().values())

    channels, height, width = image_shape
    scale = 96 // max(height, width)
    # A row for each of ten classes, and as many columns as the hook gives them.
    grid = Image.open(tmp_path / 'work' / 'samples' / 'samples_iter-00000002.png')
    assert grid.mode == 'RGB'
    assert grid.height == 10 * (scale * height + 2) + 2
    assert (grid.width - 2) % (scale * width + 2) == 0
    assert Image.open(tmp_path / 'work' / 'samples' / 'real.png').size == grid.size
    with Image.open(tmp_path / 'work' / 'samples' / 'training.gif') as gif:
        assert (gif.n_frames, gif.size) == (2, grid.size)
    page = write_page(RunLog(tmp_path / 'work'), tmp_path / 'report.html').read_text()
    assert page.count('data:image/png') == 3  # two grids and the real images

    def run(command, *arguments):
        checkpoint = str(tmp_path / 'work' / 'iter_2.pth')
        out = str(tmp_path / 'out')
        monkeypatch.setattr(sys, 'argv', ['x', checkpoint, '--device', 'cpu', '--out', out])
        sys.argv += arguments
        command.main()
        return tmp_path / 'out'

    run(interpolate, '--points', '0,1', '--steps', '2')
    out = run(sample, '--num', '3', '--format', 'npz')
    with np.load(out / 'samples.npz') as arrays:
        assert arrays['images'].shape == (3, height, width, channels)
        images = arrays['images']
    if channels > 4:
        with pytest.raises(SystemExit, match=r'1 to 4 channels, got an image of 7\. .*format npz'):
            run(sample, '--num', '3')
    else:
        png = Image.open(run(sample, '--num', '3') / '00002.png')
        assert png.mode == {2: 'LA', 4: 'RGBA'}[channels]
        assert np.array_equal(np.asarray(png), images[2])
