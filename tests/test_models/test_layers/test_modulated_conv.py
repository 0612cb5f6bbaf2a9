"""Convolutions with a weight of its own for each image."""

import math

import pytest
import torch
import torch.nn.functional as F
from scipy import signal

from mmgan_lite.models.layers import ModulatedConv2d, StyledConv2d, StyledToImage


def weights_of(layer, styles):
    """Equations 1 and 3 of the paper, image by image."""
    scales = styles @ layer.affine.weight.T / math.sqrt(styles.shape[1]) + 1
    weights = scales[:, None, :, None, None] * layer.weight * layer.scale
    if layer.demodulate:
        weights = weights / weights.square().sum((2, 3, 4), keepdim=True).sqrt()
    return weights


@torch.no_grad()
@pytest.mark.parametrize('grouped', [True, False])
@pytest.mark.parametrize('demodulate', [True, False])
def test_matches_the_equations(grouped, demodulate):
    layer = ModulatedConv2d(6, 4, 3, 5, demodulate=demodulate, gain=2.0)
    features, styles, bias = torch.randn(3, 6, 7, 5), torch.randn(3, 5), torch.randn(4)
    expected = torch.cat(
        [
            F.conv2d(image[None], weight, padding=1)
            for image, weight in zip(features, weights_of(layer, styles), strict=True)
        ]
    )
    out = layer(features, styles, bias, grouped)
    torch.testing.assert_close(out, 2 * expected + bias[:, None, None], atol=1e-5, rtol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize('grouped', [True, False])
def test_upsampling_puts_zeros_between_convolves_and_filters(grouped):
    layer = ModulatedConv2d(2, 1, 3, 5, up=True)
    features, styles = torch.randn(1, 2, 4, 4), torch.randn(1, 5)
    taps = torch.tensor([1.0, 3, 3, 1]) / 4
    kernel = torch.outer(taps, taps).numpy()
    expected = 0
    for channel, weight in zip(features[0], weights_of(layer, styles)[0, 0], strict=True):
        sparse = torch.zeros(7, 7)
        sparse[::2, ::2] = channel
        full = signal.convolve2d(signal.convolve2d(sparse, weight), kernel)
        expected = expected + torch.from_numpy(full[2:-2, 2:-2])
    torch.testing.assert_close(layer(features, styles, grouped=grouped)[0, 0], expected)


@torch.no_grad()
def test_demodulation_keeps_the_variance_under_any_style():
    layer = ModulatedConv2d(64, 64, 3, 8)
    for factor in (0.1, 10.0):
        out = layer(torch.randn(4, 64, 16, 16), factor * torch.randn(4, 8))
        assert out[..., 1:-1, 1:-1].std().item() == pytest.approx(1, rel=0.1)


@pytest.mark.parametrize('grouped', [True, False])
def test_float16_does_not_overflow(grouped):
    layer = ModulatedConv2d(512, 4, 3, 8)
    features = torch.full((2, 512, 4, 4), 256.0)
    styles = torch.full((2, 8), 1e5)
    with torch.no_grad():
        expected = layer(features, styles)
        out = layer(features.half(), styles, grouped=grouped)
    assert out.dtype == torch.float16
    torch.testing.assert_close(out.float(), expected, atol=0.05, rtol=0.02)


@torch.no_grad()
def test_styled_convolution_adds_noise_and_bias():
    layer = StyledConv2d(3, 4, 5, (6, 6), gain=0.5, clamp=2.0)
    torch.nn.init.normal_(layer.bias)
    torch.nn.init.constant_(layer.noise_strength, 3.0)
    features, styles = torch.randn(2, 3, 6, 6), torch.randn(2, 5)
    before = layer.conv(features, styles) / math.sqrt(2) / 0.5
    before = before + 3 * layer.noise_const + layer.bias[:, None, None]
    expected = (F.leaky_relu(before, 0.2) * math.sqrt(2) * 0.5).clamp(-1, 1)  # 2 * 0.5
    torch.testing.assert_close(layer(features, styles, 'const'), expected)
    first, second = (layer(features, styles, 'random') for _ in range(2))
    assert (first - second).abs().mean() > 0.1
    without = layer(features, styles, 'none')
    torch.nn.init.zeros_(layer.noise_strength)
    torch.testing.assert_close(without, layer(features, styles, 'random'))


@torch.no_grad()
def test_image_is_not_demodulated():
    layer = StyledToImage(4, 3, 5, clamp=0.5)
    torch.nn.init.normal_(layer.bias, std=0.1)
    features, styles = torch.randn(2, 4, 6, 6), torch.randn(2, 5)
    weights = weights_of(layer.conv, styles)[..., 0, 0]
    expected = torch.einsum('noi,nihw->nohw', weights, features) + layer.bias[:, None, None]
    assert expected.abs().max() > 0.5
    torch.testing.assert_close(layer(features, styles), expected.clamp(-0.5, 0.5))
