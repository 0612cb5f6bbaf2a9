"""A quick look at fakes without a Runner."""

import pytest
import torch
from torch import nn

from mmgan_lite.datasets import DigitsDataset, MNISTDataset
from mmgan_lite.evaluation import ModuleExtractor, score
from mmgan_lite.models import GAN


def make_gan(num_classes):
    network = dict(image_shape=(1, 28, 28), hidden_dims=(8,), num_classes=num_classes)
    return GAN(
        generator=dict(type='MLPGenerator', latent_dim=4, **network),
        discriminator=dict(type='MLPDiscriminator', **network),
        loss=dict(type='NonSaturatingGANLoss'),
    )


def test_real_images_against_themselves():
    digits = DigitsDataset()
    result = score(digits.images, digits.images, digits.labels)
    assert abs(result['FID[mnist-classifier]']) < 1e-3
    assert sum(result['classes']) == pytest.approx(1)
    # Another hand's digits, enlarged from 8x8: most are known all the same.
    assert result['accuracy'] > 0.8
    assert len(result['accuracy_by_class']) == 10


def test_gans():
    reals = DigitsDataset(indices=300).images
    result = score(make_gan(10), reals, num=20)
    assert result['FID[mnist-classifier]'] > 10
    assert result['accuracy'] == pytest.approx(sum(result['accuracy_by_class']) / 10)
    assert set(score(make_gan(None), reals, num=20)) == {'FID[mnist-classifier]', 'classes'}


def test_extractor_without_classes():
    images = torch.randint(0, 256, (9, 3, 2, 2), dtype=torch.uint8)
    assert set(score(images, images, extractor=ModuleExtractor(nn.Flatten(), 'px'))) == {'FID[px]'}


@pytest.mark.parametrize('num', [0, 1])
def test_too_few(num):
    reals = DigitsDataset(indices=5).images
    with pytest.raises(ValueError, match=f'needs at least 2 fake images, got {num}'):
        score(reals[:num], reals)
    with pytest.raises(ValueError, match=f'needs at least 2 real images, got {num}'):
        score(reals, reals[:num])


def test_real_mnist(mnist_root):
    test = MNISTDataset(mnist_root, 'test')
    train = MNISTDataset(mnist_root, 'train', indices=10_000)
    result = score(train.images, test.images, train.labels)
    assert 0.1 < result['FID[mnist-classifier]'] < 0.4
    assert result['accuracy'] > 0.995
