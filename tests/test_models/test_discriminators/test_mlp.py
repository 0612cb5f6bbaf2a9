"""The fully connected discriminator."""

import pytest
import torch
from torch import nn

from mmgan_lite.models import MLPDiscriminator


@pytest.mark.parametrize('shape', [(1, 28, 28), (3, 8, 12), (1, 1, 1)])
@pytest.mark.parametrize('num_classes', [None, 10])
def test_one_raw_logit_an_image(shape, num_classes):
    discriminator = MLPDiscriminator(shape, num_classes=num_classes)
    labels = None if num_classes is None else torch.arange(4)
    assert discriminator(torch.zeros(4, *shape), labels).shape == (4,)
    # A sigmoid anywhere would hold this below 1.
    assert discriminator(1e4 * torch.ones(4, *shape), labels).abs().max() > 1


def test_parameter_count_of_the_tutorial():
    widths = [784, 512, 256, 1]
    expected = sum(i * o + o for i, o in zip(widths, widths[1:], strict=False))
    assert sum(p.numel() for p in MLPDiscriminator().parameters()) == expected == 533_505


def test_every_parameter_gets_a_gradient():
    discriminator = MLPDiscriminator((1, 4, 4), (8,), num_classes=3)
    discriminator(torch.randn(6, 1, 4, 4), torch.tensor([0, 1, 2, 0, 1, 2])).sum().backward()
    assert [n for n, p in discriminator.named_parameters() if not p.grad.abs().sum() > 0] == []


def test_label_changes_the_logit():
    discriminator = MLPDiscriminator((1, 4, 4), (8,), num_classes=3)
    logits = discriminator(torch.zeros(3, 1, 4, 4), torch.arange(3))
    assert len(set(logits.tolist())) == 3


def test_matches_the_network_written_by_hand():
    discriminator = MLPDiscriminator(image_shape=(1, 2, 2), hidden_dims=(5, 6))
    by_hand = nn.Sequential(
        nn.Linear(4, 5), nn.LeakyReLU(0.2), nn.Linear(5, 6), nn.LeakyReLU(0.2), nn.Linear(6, 1)
    )
    by_hand.load_state_dict(discriminator.layers.state_dict())
    images = torch.randn(7, 1, 2, 2)
    torch.testing.assert_close(discriminator(images), by_hand(images.flatten(1))[:, 0])
