"""Training the classifier of digits, from the command line and in its parts."""

import errno
import hashlib
import re

import pytest
import torch

from mmgan_lite.cli import train_extractor
from mmgan_lite.cli.train_extractor import accuracy, train, warp
from mmgan_lite.datasets import DigitsDataset
from mmgan_lite.evaluation import MNISTClassifier


def test_file_that_the_extractor_takes(tool, tiny_mnist_root, tmp_path):
    out = tmp_path / 'new' / 'weights.safetensors'
    options = ('--data-root', tiny_mnist_root, '--epochs', 1, '--batch-size', 10, '--device', 'cpu')
    result = tool('train_extractor', '--out', out, *options)
    assert 'epoch 1/1: loss' in result.stdout
    sha256 = hashlib.sha256(out.read_bytes()).hexdigest()
    assert f'has sha256 {sha256}' in result.stdout
    assert MNISTClassifier(out).fingerprint == sha256


def test_no_space_left_at_the_end(tiny_mnist_root, tmp_path, monkeypatch):
    def refuse(path):
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(train_extractor, 'atomic_write', refuse)
    options = ['--epochs', '1', '--batch-size', '10', '--device', 'cpu']
    out = ['--out', str(tmp_path / 'weights.safetensors')]
    monkeypatch.setattr('sys.argv', ['', *out, '--data-root', str(tiny_mnist_root), *options])
    with pytest.raises(SystemExit, match='error: --out must be a writable path, got'):
        train_extractor.main()


def test_learns(capsys):
    digits = DigitsDataset()
    network = train(digits.images[:1000], digits.labels[:1000], 3, 50)
    losses = [float(loss) for loss in re.findall(r'loss (\S+),', capsys.readouterr().out)]
    assert len(losses) == 3
    assert losses[-1] < losses[0] / 2
    assert accuracy(network, digits.images[1000:], digits.labels[1000:]) > 0.8


def test_warped_images_stay_images():
    images = torch.full((64, 1, 28, 28), -1.0)
    assert torch.equal(warp(images), images)  # no ink, none added
    images[:, :, 10:18, 10:18] = 1
    warped = warp(images)
    assert warped.min() >= -1
    assert warped.max() <= 1
    # The ink stays within 1.3 of the square's area, give or take the shear.
    ink = (warped + 1).sum((1, 2, 3)) / 2
    assert (ink > 64 / 1.5).all()
    assert (ink < 64 * 1.5).all()
    assert not torch.equal(warped[0], warped[1])


@pytest.mark.parametrize(
    ('option', 'value', 'error'),
    [
        ('--epochs', 0, "argument --epochs: must be an int of at least 1, got '0'"),
        ('--batch-size', 1, '--batch-size must be'),
    ],
)
def test_bad_numbers(tool, option, value, error):
    result = tool('train_extractor', '--out', 'x', option, value, check=False)
    assert error in result.stderr
