"""The residual block of R3GAN."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mmgan_lite.models.layers import R3GANBlock


def test_is_the_identity_at_first():
    features = torch.randn(2, 8, 5, 5)
    assert torch.equal(R3GANBlock(8, 2, 4, num_blocks=3)(features), features)


def test_matches_the_formula():
    block = R3GANBlock(4, 2, 2, num_blocks=3)
    first, grouped, last = (layer for layer in block.layers if isinstance(layer, nn.Conv2d))
    for parameter in block.parameters():
        nn.init.normal_(parameter)
    features = torch.randn(2, 4, 5, 5)
    inner = torch.einsum('oi,nihw->nohw', first.weight[:, :, 0, 0], features)
    inner = F.leaky_relu(inner + first.bias[:, None, None], 0.2)
    halves = [
        F.conv2d(half, weight, padding=1)
        for half, weight in zip(inner.chunk(2, 1), grouped.weight.chunk(2), strict=True)
    ]
    inner = F.leaky_relu(torch.cat(halves, 1) + grouped.bias[:, None, None], 0.2)
    out = features + torch.einsum('oi,nihw->nohw', last.weight[:, :, 0, 0], inner)
    assert last.bias is None
    torch.testing.assert_close(block(features), out, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize('num_blocks', [1, 16])
def test_variance_inside_falls_with_depth(num_blocks):
    """Each layer multiplies the mean square by L^(-1/2): LeakyReLU's loss is made up for."""
    block = R3GANBlock(32, 2, 4, num_blocks)
    features = torch.randn(64, 32, 12, 12)
    squares = []
    for index in (1, 3):
        inner = block.layers[: index + 1](features.clone())[..., 2:-2, 2:-2]  # away from the zeros
        squares.append(inner.square().mean().item())
    factor = 1 / math.sqrt(num_blocks)
    assert squares == pytest.approx([factor, factor**2], rel=0.15)


def test_cardinality_must_divide():
    message = r'cardinality must divide expansion \* channels, got 6 for 2 \* 8 = 16. Pass card'
    with pytest.raises(ValueError, match=message):
        R3GANBlock(8, 2, 6, num_blocks=1)
