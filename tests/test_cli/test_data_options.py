"""``mmgan-lite train --data``: images in place of a config."""

import sys

import numpy as np
import pytest
import torch
from PIL import Image

from mmgan_lite.cli import train


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Twenty images of 8x8 pixels."""
    folder = tmp_path_factory.mktemp('data') / 'tiles'
    folder.mkdir()
    stream = np.random.default_rng(0)
    for number in range(20):
        pixels = stream.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f'{number}.png')
    return folder


def test_plan_train_and_go_on(tool, folder, tmp_path):
    work_dir = tmp_path / 'work'
    arguments = ('--data', folder, '--size', 8, '--work-dir', work_dir)
    done = tool('train', *arguments, '--budget', '1s')
    assert f'{folder}: 20 images\n  size          8x8: --size' in done.stdout
    assert 'Training tiles-8' in done.stdout
    config = work_dir / 'tiles-8.py'
    written = config.read_text()
    assert written.startswith('# Written by mmgan-lite train --data.')  # not Runner's form of it
    assert f'More: mmgan-lite sample {work_dir}/iter_20.pth --num 64' in done.stdout
    assert (work_dir / 'samples' / 'training.gif').is_file()

    tool('train', *arguments, '--resume', '--cfg-options', 'train_cfg.max_iters=42')
    assert torch.load(work_dir / 'iter_42.pth')['meta']['iter'] == 42
    assert config.read_text() == written


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ((), 'pass a config, or --data FOLDER to train on images of your own'),
        (('x.py', '--data', 'y'), "--data goes without config, got 'x.py'"),
        (('--data', 'y', '--data-root', 'z'), "--data goes without data-root, got 'z'"),
        (('x.py', '--size', '8'), '--size goes with --data; a config has its own'),
        (('x.py', '--no-labels'), '--labels goes with --data; a config has its own'),
        (('--data', 'y', '--budget', 'soon'), '--budget: must be a time such as 90s, 5m or 2h, go'),
        (('--data', 'y', '--size', '1', '2', '3'), '--size must be one number or two, got 3'),
        (('--data', 'y', '--size', '0'), "argument --size: must be an int of at least 1, got '0'"),
        (('--data', 'y', '--launcher', 'pytorch'), '--launcher needs a config: plan by --data'),
    ],
)
def test_options_that_do_not_fit_together(arguments, message, monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', ['train', *arguments])
    with pytest.raises(SystemExit) as error:
        train.main()
    assert error.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (('--data', 'nowhere'), "error: There must be a folder or zip of images at 'nowhere'"),
        (('--size', '30'), 'error: --size must have a shorter side of 4, 5, 6 or 7 times a power'),
        (('--resume',), "error: --resume needs a plan, got no 'work_dirs/tiles-16/tiles-16.py'"),
        (
            ('--bit-depth', 'a', 'b'),
            "error: --bit-depth must be 'scale', 16 or two numbers, got",
        ),
        (('--channels', 'CMYK'), "error: channels must be 'L', 'RGB', 'RGBA' or a number"),
        (('--labels', 'no.csv'), "error: labels must be a .csv or .json file in '"),
    ],
)
def test_data_that_cannot_be_used(arguments, message, folder, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, 'argv', ['train', '--data', str(folder), *arguments])
    with pytest.raises(SystemExit) as error:
        train.main()
    assert str(error.value.code).startswith(message)
    assert list(tmp_path.iterdir()) == []
