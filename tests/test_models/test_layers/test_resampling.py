"""Twice and half the size."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import ndimage, signal

from mmgan_lite.models.layers import BlurPool, FilteredDownsample, FilteredUpsample, LowPass


def test_filter_is_that_of_the_paper():
    taps = np.convolve([1, 2, 1], [1, 1])
    kernel = np.outer(taps, taps) / np.outer(taps, taps).sum()
    torch.testing.assert_close(FilteredDownsample().kernel[0, 0].numpy(), np.float32(kernel))
    torch.testing.assert_close(FilteredUpsample().kernel[0, 0].numpy(), np.float32(4 * kernel))


def test_upsampling_is_linear_interpolation_away_from_the_edge():
    features = torch.randn(2, 3, 5, 6)
    expected = F.interpolate(features, scale_factor=2, mode='bilinear', align_corners=False)
    out = FilteredUpsample()(features)
    assert out.shape == (2, 3, 10, 12)
    torch.testing.assert_close(out[..., 1:-1, 1:-1], expected[..., 1:-1, 1:-1])


def test_upsampling_is_the_transpose_of_downsampling_times_four():
    small, large = torch.randn(1, 2, 4, 5), torch.randn(1, 2, 8, 10)
    left = (FilteredUpsample()(small) * large).sum()
    right = 4 * (small * FilteredDownsample()(large)).sum()
    torch.testing.assert_close(left, right)


def test_downsampling_matches_a_loop():
    image = torch.randn(6, 8)
    taps = np.array([1, 3, 3, 1]) / 8
    padded = np.pad(image.numpy(), 1)
    expected = np.array(
        [[taps @ padded[y : y + 4, x : x + 4] @ taps for x in (0, 2, 4, 6)] for y in (0, 2, 4)]
    )
    out = FilteredDownsample()(image[None, None])[0, 0]
    torch.testing.assert_close(out.double(), torch.from_numpy(expected), atol=1e-6, rtol=1e-5)


def test_kernel_is_in_no_checkpoint():
    assert not FilteredUpsample().state_dict()
    assert not BlurPool().state_dict()


def test_low_pass_matches_scipy():
    image = torch.randn(5, 6)
    taps = np.array([1, 3, 3, 1]) / 8
    for padding in (1, 2):
        padded = np.pad(image.numpy(), padding)
        expected = 4 * signal.convolve2d(padded, np.outer(taps, taps), mode='valid')
        out = LowPass(padding, gain=4)(image[None, None])[0, 0]
        torch.testing.assert_close(out.double(), torch.from_numpy(expected), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize('sides', [(6, 8), (5, 2)])
def test_blur_pool_matches_scipy(sides):
    """Every second pixel of the blurred image, from the first; the edge pixel is not repeated."""
    image = torch.randn(sides, dtype=torch.float64)
    taps = np.array([1, 2, 1]) / 4
    blurred = ndimage.convolve(image.numpy(), np.outer(taps, taps), mode='mirror')
    out = BlurPool()(image.float()[None, None])[0, 0]
    expected = torch.from_numpy(blurred[::2, ::2].copy())
    torch.testing.assert_close(out.double(), expected, atol=1e-6, rtol=1e-5)


def test_features_keep_their_dtype():
    for layer in (FilteredUpsample(), FilteredDownsample(), LowPass(1), BlurPool()):
        assert layer(torch.ones(1, 1, 4, 4).bfloat16()).dtype == torch.bfloat16
