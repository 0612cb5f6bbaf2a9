"""One transposed convolution stands for upsampling and a convolution."""

import pytest
import torch
import torch.nn.functional as F

from mmgan_lite.models.layers import ResizeConv2d


@pytest.mark.parametrize('size', [(7, 7), (1, 1), (3, 5)])
def test_same_as_upsampling_and_convolution(size):
    layer = ResizeConv2d(3, 5).double()
    features = torch.randn(2, 3, *size, dtype=torch.double, requires_grad=True)
    doubled = F.interpolate(features, scale_factor=2, mode='nearest')
    expected = F.conv2d(doubled, layer.weight, padding=1)
    found = layer(features)
    torch.testing.assert_close(found, expected)
    direction = torch.randn_like(expected)
    inputs = (features, layer.weight)
    ours = torch.autograd.grad((found * direction).sum(), inputs)
    theirs = torch.autograd.grad((expected * direction).sum(), inputs)
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other)


def test_second_derivative():
    layer = ResizeConv2d(2, 2).double()
    features = torch.randn(1, 2, 3, 3, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda x: layer(x).tanh(), features)
