"""Images of 16 bits: from files through a training to samples in files, with their low bytes."""

import sys

import cv2
import numpy as np
import pytest
import torch
from mmengine.runner import Runner

from mmgan_lite import GANInferencer
from mmgan_lite.cli import interpolate, publish_model, sample
from mmgan_lite.datasets import ImageFolderDataset
from mmgan_lite.models import ImageBatchPreprocessor
from mmgan_lite.visualization import save_png

# What PNG files hold: gray, RGB, RGB and alpha.
CHANNELS = {'L': 1, 'RGB': 3, 'RGBA': 4}


def read(path):
    """Pixels of a PNG file as they are, ``(H, W, C)``."""
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if pixels.ndim == 2:
        return pixels[:, :, None]
    return pixels[:, :, [2, 1, 0, 3][: pixels.shape[2]]]  # it has blue first


@pytest.fixture
def folder(tmp_path):
    """Write files whose pixels differ in the low byte alone; the last has 8 bits."""

    def write(channels):
        (tmp_path / 'images').mkdir()
        stream = np.random.default_rng(0)
        for number in range(9):
            shape = (8, 6, CHANNELS[channels])
            pixels = (0x8000 + stream.integers(0, 256, shape)).astype(np.uint16)
            if number == 8:
                pixels = stream.integers(0, 256, shape, dtype=np.uint8)
            cv2.imwrite(str(tmp_path / 'images' / f'{number}.png'), pixels)
        return tmp_path / 'images'

    return write


@pytest.mark.parametrize('channels', CHANNELS)
def test_files_come_back_as_they_were(folder, tmp_path, channels):
    path = folder(channels)
    dataset = ImageFolderDataset(path, channels=channels, bit_depth=16)
    batch = dataset.collate_fn([dataset[index] for index in range(9)])
    preprocessor = ImageBatchPreprocessor(bit_depth=16)
    images = preprocessor(batch)['inputs']
    stored = [read(path / f'{number}.png').astype(np.float64) for number in range(9)]
    stored[8] *= 257
    expected = np.stack(stored).transpose(0, 3, 1, 2) / 32767.5 - 1
    np.testing.assert_allclose(images, expected, rtol=0, atol=6e-8)
    for number, image in enumerate(preprocessor.to_uint16(images)):
        save_png(image, tmp_path / 'out.png')
        found = read(tmp_path / 'out.png')
        assert found.dtype == np.uint16
        assert np.array_equal(found, stored[number])


@pytest.fixture
def train(repo, shrunk_config, folder):
    """Train two iterations on such files, with a validation."""

    def train(channels, dtype):
        cfg = shrunk_config(repo / 'configs/gan/gan_mlp_digits-28x28.py')
        shape = (CHANNELS[channels], 8, 6)
        cfg.model.generator.update(image_shape=shape, hidden_dims=(8, 8))
        cfg.model.discriminator.update(image_shape=shape, hidden_dims=(8,))
        cfg.model.data_preprocessor = dict(type='ImageBatchPreprocessor', bit_depth=16)
        dataset = dict(type='ImageFolderDataset', data_root=str(folder(channels)))
        dataset.update(channels=channels, bit_depth=16, image_size=(8, 6))
        cfg.train_dataloader.dataset = cfg.val_dataloader.dataset = dataset
        cfg.val_dataloader.sampler = dict(type='DefaultSampler', shuffle=False)
        for network in ('generator', 'discriminator'):
            cfg.optim_wrapper[network].dtype = dtype
        cfg.merge_from_dict({'default_hooks.health.interval': 1, 'train_cfg.val_interval': 2})
        cfg.val_evaluator = dict(
            type='GANEvaluator',
            extractor=dict(type='ModuleExtractor', name='tiny', module=dict(type='TinyClassifier')),
            metrics=[dict(type='FrechetDistance')],
        )
        runner = Runner.from_cfg(cfg)
        runner.train()
        return runner

    return train


@pytest.mark.parametrize(('channels', 'dtype'), [('L', None), ('RGB', 'bfloat16'), ('RGBA', None)])
def test_from_training_to_samples(train, tmp_path, monkeypatch, channels, dtype):
    runner = train(channels, dtype)
    work, out = tmp_path / 'work', tmp_path / 'out'
    assert '(16 bits rounded to 8' in runner.val_loop.evaluator.report.protocol()
    for name in ('real', 'samples_iter-00000002'):
        assert read(work / 'samples' / f'{name}.png').dtype == np.uint8

    def run(command, *arguments):
        monkeypatch.setattr(sys, 'argv', ['x', *map(str, arguments), '--device', 'cpu'])
        command.main()

    checkpoint = work / 'iter_2.pth'
    run(sample, checkpoint, '--num', 5, '--out', out)
    run(sample, checkpoint, '--num', 5, '--format', 'npz', '--out', out)
    images = np.load(out / 'samples.npz')['images']
    assert images.dtype == np.uint16
    assert (images % 257 != 0).any()  # as all of 8 bits would be
    for number, image in enumerate(images):
        assert np.array_equal(read(out / f'{number:05d}.png'), image)
    assert read(out / 'grid.png').dtype == np.uint8
    inferencer = GANInferencer(weights=checkpoint, device='cpu')
    result = inferencer(5)
    assert np.array_equal(result['predictions']['images'].permute(0, 2, 3, 1), images)
    assert result['visualization'].dtype == np.uint8
    floats = inferencer.model.sample(5, latents=result['predictions']['latents'])
    expected = (floats.double() + 1) * 32767.5
    found = torch.from_numpy(images.astype(np.float64)).permute(0, 3, 1, 2)
    torch.testing.assert_close(found, expected, rtol=0, atol=1)
    run(interpolate, checkpoint, '--points', '0,1', '--steps', 2, '--out', out)
    assert read(out / 'latents.png').dtype == np.uint8

    run(publish_model, checkpoint, tmp_path / 'published')
    (published,) = (tmp_path / 'published').iterdir()
    run(sample, published, '--num', 5, '--out', tmp_path / 'again')
    assert np.array_equal(read(tmp_path / 'again' / '00004.png'), images[4])
