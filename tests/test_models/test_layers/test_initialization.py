"""Weights at the start."""

import pytest
import torch
from torch import nn

from mmgan_lite.models.layers import init_fan_in, init_normal, init_orthogonal, init_xavier


def test_normal_reaches_every_layer_and_leaves_norms():
    network = nn.Sequential(
        nn.Conv2d(8, 64, 3), nn.BatchNorm2d(64), nn.ConvTranspose2d(64, 64, 4), nn.Linear(100, 100)
    )
    init_normal(network, std=0.02)
    for layer in (network[0], network[2], network[3]):
        assert layer.weight.std().item() == pytest.approx(0.02, rel=0.05)
        assert abs(layer.weight.mean().item()) < 1e-3
        assert not layer.bias.any()
    assert (network[1].weight == 1).all()


def test_normal_reaches_norms_where_asked():
    network = nn.Sequential(nn.BatchNorm2d(2000), nn.InstanceNorm2d(2000))
    init_normal(network, std=0.05, norms=True)
    assert network[0].weight.mean().item() == pytest.approx(1, abs=0.005)
    assert network[0].weight.std().item() == pytest.approx(0.05, rel=0.1)
    assert not network[0].bias.any()


def test_fan_in_keeps_the_variance():
    # Grouped: an output sees 8 of 32 channels, so the fan-in is 8 * 3 * 3.
    layer = init_fan_in(nn.Conv2d(32, 64, 3, groups=4), gain=1.5)
    assert layer.weight.std().item() == pytest.approx(1.5 / 72**0.5, rel=0.05)
    assert not layer.bias.any()
    out = init_fan_in(nn.Linear(256, 256, bias=False))(torch.randn(400, 256))
    assert out.var().item() == pytest.approx(1, rel=0.1)


def test_xavier_has_the_variance_of_its_formula():
    layer = init_xavier(nn.Linear(300, 100), gain=2**0.5)
    assert layer.weight.var().item() == pytest.approx(2 * 2 / 400, rel=0.05)
    assert not layer.bias.any()


def test_orthogonal_rows_or_columns():
    network = nn.Sequential(nn.Conv2d(3, 5, 3), nn.Embedding(10, 4), nn.BatchNorm2d(5))
    init_orthogonal(network)
    rows, columns = network[0].weight.flatten(1), network[1].weight.T
    for matrix in (rows, columns):
        torch.testing.assert_close(matrix @ matrix.T, torch.eye(len(matrix)), atol=1e-5, rtol=0)
    assert not network[0].bias.any()
    assert (network[2].weight == 1).all()
