"""The small discriminator for a CPU."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mmgan_lite.models import ResizeConvDiscriminator


def count(network):
    return sum(parameter.numel() for parameter in network.parameters())


def test_parameter_count():
    # 3x3 to 24, 4x4 to 48 and 96, 3x3 on 96 and the deviation, linear from 7x7.
    convolutions = (9 * 24 + 24) + (16 * 24 * 48 + 48) + (16 * 48 * 96 + 96) + (9 * 97 * 96 + 96)
    assert count(ResizeConvDiscriminator()) == convolutions + 96 * 49 + 1 == 181_153
    # A vector of the features' length for each label.
    assert count(ResizeConvDiscriminator(num_classes=10)) == 181_153 + 10 * 96 * 49


def test_matches_the_network_written_by_hand():
    network = ResizeConvDiscriminator((2, 8, 12), channels=(5, 6))
    first, second, third = (m for m in network.layers if isinstance(m, nn.Conv2d))
    images = torch.randn(4, 2, 8, 12)
    features = F.leaky_relu(F.conv2d(images, first.weight, first.bias, padding=1), 0.2)
    features = F.conv2d(features, second.weight, second.bias, stride=2, padding=1)
    features = F.leaky_relu(features, 0.2)
    deviation = features.std(0, unbiased=False).mean()
    features = torch.cat([features, torch.full((4, 1, 4, 6), deviation.item())], 1)
    features = F.leaky_relu(F.conv2d(features, third.weight, third.bias, padding=1), 0.2)
    linear = network.head.linear
    expected = (features.reshape(4, -1) @ linear.weight.T + linear.bias)[:, 0]
    torch.testing.assert_close(network(images), expected, atol=1e-5, rtol=1e-4)


def test_sees_that_images_are_alike():
    """By design: the same image has another logit among copies of itself."""
    network = ResizeConvDiscriminator((1, 16, 16), (4, 4)).eval()
    images = torch.randn(4, 1, 16, 16)
    among_others = network(images)[0]
    among_copies = network(images[:1].expand(4, -1, -1, -1))[0]
    assert (among_others - among_copies).abs() > 1e-4


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match=r'sides of 16 times 4, 5, 6, ... pixels for 4 halvings'):
        ResizeConvDiscriminator(channels=(8, 8, 8, 8, 8))
