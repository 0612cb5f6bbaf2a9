"""Mapping networks, the mean style and mixed styles."""

import math

import pytest
import torch
import torch.nn.functional as F

from mmgan_lite.models.layers import StyleMapping, TrackedStyleMapping


@torch.no_grad()
def test_matches_the_formula():
    """Rates of 0.01, gains of sqrt(2), unit mean squares of latents and of the label's vector."""
    mapping = StyleMapping(4, 6, num_layers=2, num_classes=3)
    for layer in mapping.layers:
        torch.nn.init.normal_(layer.bias, std=100)
    latents, labels = 5 * torch.randn(2, 4), torch.tensor([2, 0])
    vectors = mapping.embedding(labels)
    parts = [v / v.square().mean(1, keepdim=True).sqrt() for v in (latents, vectors)]
    expected = torch.cat(parts, 1)
    for layer, width in zip(mapping.layers, (10, 6), strict=True):
        expected = expected @ layer.weight.T * 0.01 / math.sqrt(width) + 0.01 * layer.bias
        expected = math.sqrt(2) * F.leaky_relu(expected, 0.2)
    torch.testing.assert_close(mapping(latents, labels), expected)
    assert StyleMapping(0, 6, 1, num_classes=3)(None, labels).shape == (2, 6)


def tracked(**settings):
    return TrackedStyleMapping(4, 6, num_layers=1, num_ws=8, **settings)


def test_mean_style_follows_in_training_only():
    mapping = tracked(style_mixing=0.0, average_decay=0.75)
    latents = torch.randn(5, 4)
    with torch.autocast('cpu', torch.bfloat16):
        ws = mapping(latents)
    assert ws.dtype == torch.float32
    expected = 0.25 * ws[:, 0].mean(0)
    torch.testing.assert_close(mapping.w_avg, expected.detach())
    mapping(latents)
    torch.testing.assert_close(mapping.w_avg, (0.75 * expected + expected).detach())
    before = mapping.w_avg.clone()
    mapping.eval()(latents)
    mapping.train().track_running_stats = False
    mapping(latents)
    assert torch.equal(mapping.w_avg, before)


def test_styles_are_mixed_in_training():
    """0.7 of the images, each from a layer of 1 to 7 on, and never the first layer."""
    mapping = tracked(style_mixing=0.7)
    latents = torch.randn(4000, 4)
    ws, own = mapping(latents), mapping.eval()(latents)
    assert (own == own[:, :1]).all()
    is_own = (ws == own).all(2)
    kept = is_own.sum(1)
    assert ((kept == 8).float().mean() - 0.3).abs() < 0.03
    counts = kept.bincount(minlength=9)
    assert counts[0] == 0
    # Each of 7 places 400 times, with a standard deviation of 19.
    assert (counts[1:8] - 400).abs().max() < 80
    # The first layers keep their own style, and all that follow have one other.
    assert torch.equal(is_own, torch.arange(8) < kept[:, None])
    mixed = ws[kept == 3]
    assert (mixed[:, 3:] == mixed[:, 3:4]).all()
    # The mean style is that of the given latents alone.
    torch.testing.assert_close(mapping.w_avg, (0.005 * own[:, 0].mean(0)).detach())


@pytest.mark.parametrize('style_mixing', [0.0, 1.0])
def test_all_or_none_are_mixed(style_mixing):
    mapping = tracked(style_mixing=style_mixing)
    latents = torch.randn(50, 4)
    same = (mapping(latents)[:, -1] == mapping.eval()(latents)[:, -1]).all(1)
    assert same.all() if style_mixing == 0 else not same.any()


def test_one_layer_cannot_be_mixed():
    mapping = TrackedStyleMapping(4, 6, num_layers=1, num_ws=1, style_mixing=1.0)
    assert mapping(torch.randn(2, 4)).shape == (2, 1, 6)
