"""The classifier of digits that comes with the package."""

import hashlib
import struct

import pytest
import safetensors.torch
import torch

from mmgan_lite.datasets import MNISTDataset
from mmgan_lite.evaluation import Comparison, FrechetDistance, MNISTClassifier, Samples
from mmgan_lite.evaluation.extractors import mnist_classifier
from mmgan_lite.evaluation.extractors.mnist_classifier import WEIGHTS, DigitNetwork
from mmgan_lite.registry import MODELS


def test_accuracy(mnist_root):
    dataset = MNISTDataset(mnist_root, 'test')
    logits = MNISTClassifier().extract(dataset.images).logits
    assert (logits.argmax(1) == dataset.labels).double().mean() >= 0.993


def test_file_is_small_and_is_the_one_in_the_code():
    content = WEIGHTS.read_bytes()
    assert len(content) < 1_000_000
    assert hashlib.sha256(content).hexdigest() == mnist_classifier.WEIGHTS_SHA256
    assert MNISTClassifier().fingerprint == mnist_classifier.WEIGHTS_SHA256
    header = content[8 : 8 + struct.unpack('<Q', content[:8])[0]]
    assert b'test_accuracy' in header


def test_channels_are_read_one_by_one():
    extractor = MODELS.build(dict(type='MNISTClassifier'))
    images = torch.randint(0, 256, (4, 3, 28, 28), dtype=torch.uint8)
    stacked = extractor(images)
    singles = [extractor(images[:, [channel]]) for channel in range(3)]
    features = torch.cat([single.features for single in singles], dim=1)
    torch.testing.assert_close(stacked.features, features, rtol=1e-4, atol=1e-5)
    red, green, blue = (single.logits for single in singles)
    # Class 100 r + 10 g + b has the sum of the three logits.
    for r, g, b in ((4, 0, 7), (9, 9, 9), (0, 1, 0)):
        expected = red[:, r] + green[:, g] + blue[:, b]
        found = stacked.logits[:, 100 * r + 10 * g + b]
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('shape', [(2, 1, 32, 32), (2, 2, 28, 28), (2, 4, 28, 28), (2, 1, 28, 27)])
def test_other_images(shape):
    with pytest.raises(ValueError, match=r'MNISTClassifier takes images \(N, C, 28, 28\)'):
        MNISTClassifier()(torch.zeros(shape, dtype=torch.uint8))


def test_padding_is_cut_off():
    images = torch.randint(0, 256, (2, 1, 28, 28), dtype=torch.uint8)
    padded = torch.nn.functional.pad(images, (2, 2, 2, 2), value=255)
    extractor = MNISTClassifier(padding=2)
    torch.testing.assert_close(extractor(padded).features, MNISTClassifier()(images).features)
    assert extractor.resizing == 'cropped by 2 pixels at each edge'
    with pytest.raises(ValueError, match=r'takes images \(N, C, 32, 32\) of gray digits'):
        extractor(images)


def test_weights_of_ones_own(tmp_path):
    path = tmp_path / 'mine.safetensors'
    path.write_bytes(safetensors.torch.save(DigitNetwork().state_dict()))
    mine = MNISTClassifier(path)
    assert mine.fingerprint == hashlib.sha256(path.read_bytes()).hexdigest()
    assert mine.fingerprint != MNISTClassifier().fingerprint


def test_bad_weights(tmp_path, monkeypatch):
    path = tmp_path / 'weights.safetensors'
    with pytest.raises(FileNotFoundError, match='weights must be a file, got .* train-extractor'):
        MNISTClassifier(path)
    path.write_bytes(b'nothing')
    with pytest.raises(ValueError, match='must hold the weights of DigitNetwork'):
        MNISTClassifier(path)
    path.write_bytes(safetensors.torch.save({'x': torch.zeros(1)}))
    with pytest.raises(ValueError, match='must hold the weights of DigitNetwork'):
        MNISTClassifier(path)
    monkeypatch.setattr(mnist_classifier, 'WEIGHTS', path)
    with pytest.raises(ValueError, match='must have the sha256 .* Install mmgan-lite again'):
        MNISTClassifier()


def test_features_of_real_images_lie_close_together(mnist_root):
    """The distance of 10,000 training images to the test images, as docs/evaluation.md has it."""
    classifier = MNISTClassifier()
    train, test = (
        Samples(*classifier.extract(MNISTDataset(mnist_root, split, indices=10_000).images))
        for split in ('train', 'test')
    )
    assert 0.1 < FrechetDistance().compute(Comparison(train, test))['FID'] < 0.4
