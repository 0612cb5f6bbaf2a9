"""Spectral norm on many layers at once."""

import torch
from torch import nn

from mmgan_lite.models.layers import add_spectral_norm


def test_largest_singular_value_becomes_1_in_layers_of_all_kinds():
    layers = [nn.Conv2d(3, 4, 3), nn.Linear(5, 6), nn.Embedding(7, 8)]
    weights = [layer.weight.detach().clone() for layer in layers]
    norm = nn.BatchNorm2d(4)
    add_spectral_norm(nn.Sequential(layers[0], norm), *layers[1:])
    assert torch.equal(norm.weight, torch.ones(4))
    for layer, weight in zip(layers, weights, strict=True):
        for _ in range(100):
            _ = layer.weight  # in train mode, a step of the power iteration
        largest = torch.linalg.svdvals(weight.flatten(1))[0]
        torch.testing.assert_close(layer.weight, weight / largest, atol=1e-3, rtol=1e-3)
