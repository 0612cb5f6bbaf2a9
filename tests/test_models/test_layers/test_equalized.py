"""Layers that scale their weights when they use them."""

import math

import pytest
import torch
import torch.nn.functional as F

from mmgan_lite.models.layers import EqualizedConv2d, EqualizedEmbedding, EqualizedLinear


def test_linear_matches_the_formula():
    layer = EqualizedLinear(9, 4, bias_init=2.0, lr_multiplier=0.5, gain=3.0, bias_gain=7.0)
    # As little is seen of a bias of 2 as of 4 at half the rate, before the gain of 7.
    torch.testing.assert_close(layer.bias.detach(), torch.full((4,), 4.0))
    features = torch.randn(2, 9)
    expected = features @ layer.weight.T * 0.5 / 3 * 3.0 + 2.0 * 7.0
    torch.testing.assert_close(layer(features), expected)


def test_convolution_matches_the_formula():
    layer = EqualizedConv2d(4, 5, 3, stride=2, padding=1, gain=6.0, bias_gain=2.0)
    torch.nn.init.normal_(layer.bias)
    features = torch.randn(2, 4, 8, 8)
    expected = F.conv2d(features, layer.weight, stride=2, padding=1) * 6 / math.sqrt(4 * 9)
    expected += 2 * layer.bias[:, None, None]
    torch.testing.assert_close(layer(features), expected)
    assert EqualizedConv2d(4, 5, 1, bias=False).bias is None
    assert layer(features.bfloat16()).dtype == torch.bfloat16


@pytest.mark.parametrize('lr_multiplier', [1.0, 0.01])
def test_weights_are_as_large_in_every_layer(lr_multiplier):
    for width in (16, 1024):
        std = EqualizedLinear(width, 256, lr_multiplier=lr_multiplier).weight.std().item()
        assert std == pytest.approx(1 / lr_multiplier, rel=0.1)
    for layer in (EqualizedConv2d(8, 64, 3), EqualizedConv2d(64, 64, 3)):
        assert layer.weight.std().item() == pytest.approx(1, rel=0.1)
        assert not layer.bias.any()


def test_embedding_is_a_linear_layer_on_one_hot_labels():
    layer = EqualizedEmbedding(5, 3)
    torch.nn.init.normal_(layer.bias)
    labels = torch.tensor([4, 0, 4])
    expected = F.one_hot(labels, 5).float() @ layer.weight / math.sqrt(5) + layer.bias
    torch.testing.assert_close(layer(labels), expected)
