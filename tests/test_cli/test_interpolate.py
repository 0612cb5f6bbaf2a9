"""Ways between images from the command line."""

import sys

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image

from mmgan_lite.cli import interpolate
from mmgan_lite.inference import GANInferencer
from mmgan_lite.models import GAN


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    """A conditional GAN on 1x4x4 images, as training writes it."""
    networks = dict(image_shape=(1, 4, 4), num_classes=3)
    model = dict(
        generator=dict(type='MLPGenerator', latent_dim=6, hidden_dims=(8, 8), **networks),
        discriminator=dict(type='MLPDiscriminator', hidden_dims=(8,), **networks),
        loss=dict(type='NonSaturatingGANLoss'),
    )
    torch.manual_seed(1)
    state = GAN(**model).state_dict()
    text = Config(dict(model=dict(type='GAN', **model))).pretty_text
    meta = dict(cfg=text, iter=7, dataset_meta=dict(classes=('zero', 'one', 'two')))
    path = tmp_path_factory.mktemp('run') / 'iter_7.pth'
    torch.save(dict(state_dict=state, meta=meta), path)
    return path


@pytest.fixture
def run(checkpoint, tmp_path, monkeypatch):
    """Run the command on the checkpoint; returns the folder it wrote to."""

    def run(*arguments):
        out = tmp_path / 'out'
        command = ['interpolate', str(checkpoint), '--out', str(out), '--device', 'cpu']
        monkeypatch.setattr(sys, 'argv', [*command, *map(str, arguments)])
        interpolate.main()
        return out

    return run


def frames(path):
    """Grey frames of an animation, and for how many milliseconds each is shown."""
    with Image.open(path) as gif:
        shown = []
        for index in range(gif.n_frames):
            gif.seek(index)
            shown.append((np.asarray(gif.convert('L')), gif.info['duration']))
    return shown


def test_from_image_to_image_there_and_back(run, checkpoint):
    out = run('--points', '2,0', '--steps', 3, '--seed', 5)
    assert sorted(path.name for path in out.iterdir()) == ['latents.gif', 'latents.png']
    assert Image.open(out / 'latents.png').size == (4 * 6 + 2, 6 + 2)
    shown = frames(out / 'latents.gif')
    assert len(shown) == 6  # 0 1 2 3 2 1
    assert {duration for _, duration in shown} == {80}
    images = GANInferencer(weights=checkpoint, device='cpu')(3, seed=5)['predictions']['images']
    for index, image in ((0, images[2]), (3, images[0])):
        # An image of 4 pixels is shown at 96.
        expected = image[0].numpy().repeat(24, axis=0).repeat(24, axis=1)
        assert np.array_equal(shown[index][0], expected)


def test_classes_round(run):
    out = run('--classes', 'two,0', '--num', 2, '--steps', 4, '--loop', '--scale', 1)
    shown = frames(out / 'classes.gif')
    assert len(shown) == 8  # two ways of 4, the last frame being the first
    assert shown[0][0].shape == (6 + 2, 2 * 6 + 2)
    assert Image.open(out / 'classes.png').size == (5 * 6 + 2, 2 * 2 * 6 + 2)


def test_truncations(run):
    out = run('--truncations', '0,.5,1', '--labels', 'all', '--num', 3)
    assert Image.open(out / 'truncations.png').size == (3 * 6 + 2, 3 * 6 + 2)
    assert [duration for _, duration in frames(out / 'truncations.gif')] == [500] * 4


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--points', '0,x'], "--points must be numbers like 0,1, got '0,x'"),
        (['--points', '0'], 'points must be at least two ints'),
        (['--classes', '0,5'], r'labels must lie in \[0, 3\), got 0 to 5'),
        (['--classes', '0,1', '--labels', '2'], '--labels cannot be combined with --classes'),
        (['--truncations', '0,1', '--loop'], '--loop cannot be combined with --truncations'),
        (['--truncations', '0,2'], r'truncation must lie in \[0, 1\], got 2.0'),
        (['--steps', '0'], 'steps must be an int of at least 1, got 0'),
        (['--scale', '0'], 'scale must be an int of at least 1, got 0'),
        (['--frame-ms', '0'], 'frame_ms must be at least 20, got 0'),
        (['--cfg-options', 'model.x=1'], '--cfg-options changes a config'),
    ],
)
def test_bad_arguments(run, arguments, message):
    with pytest.raises(SystemExit, match=f'^error: {message}'):
        run(*arguments)


def test_one_way_at_a_time(run, capsys):
    with pytest.raises(SystemExit):
        run('--points', '0,1', '--classes', '0,1')
    assert 'not allowed with argument' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('option', 'told'),
    [
        (('--frame-ms', 0), 'frame_ms must be at least 20, got 0'),
        (('--scale', 0), 'scale must be an int of at least 1, got 0'),
        (('--steps', 0), 'steps must be an int of at least 1, got 0'),
    ],
)
def test_nothing_is_written_after_an_error(run, tmp_path, option, told):
    with pytest.raises(SystemExit) as error:
        run(*option)
    assert told in str(error.value)
    assert list(tmp_path.iterdir()) == []
