"""MS-SSIM, against the formulas in numpy, closed forms and torchmetrics."""

import numpy as np
import pytest
import scipy.ndimage
import torch
from scipy.signal import convolve
from torchmetrics.functional.image import structural_similarity_index_measure

from mmgan_lite.evaluation import MSSSIM, Comparison, Samples
from mmgan_lite.evaluation.metrics.ms_ssim import ms_ssim

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


def smooth(shape, seed):
    stream = np.random.default_rng(seed)
    images = scipy.ndimage.gaussian_filter(stream.random(shape), (0, 0, 2, 2))
    images = (images - images.min()) / np.ptp(images) * 255
    return torch.from_numpy(images.astype(np.uint8))


def window(size):
    """11x11 pixels of a deviation of 1.5, or smaller in proportion."""
    places = np.arange(size) - (size - 1) / 2
    taps = np.exp(-0.5 * (places / (1.5 * size / 11)) ** 2)
    return np.outer(taps, taps)[None] / taps.sum() ** 2


def reference(left, right):
    """Of two images ``(C, H, W)``, in float64."""
    c1, c2, value = (0.01 * 255) ** 2, (0.03 * 255) ** 2, 1.0
    for scale, weight in enumerate(WEIGHTS):
        kernel = window(min(11, *left.shape[1:]))

        def blur(image, kernel=kernel):
            return convolve(image, kernel, mode='valid', method='direct')

        means = blur(left), blur(right)
        variances = blur(left**2) - means[0] ** 2 + blur(right**2) - means[1] ** 2
        covariance = blur(left * right) - means[0] * means[1]
        windows = (2 * covariance + c2) / (variances + c2)
        if scale == 4:
            squares = means[0] ** 2 + means[1] ** 2
            windows = windows * (2 * means[0] * means[1] + c1) / (squares + c1)
        height, width = (side // 2 * 2 for side in left.shape[1:])
        value *= max(windows.mean(), 0) ** weight
        left, right = (
            sum(image[:, i:height:2, j:width:2] for i in (0, 1) for j in (0, 1)) / 4
            for image in (left, right)
        )
    return value


@pytest.mark.parametrize('shape', [(1, 28, 28), (3, 32, 32), (2, 17, 40), (3, 180, 176)])
def test_agrees_with_numpy(shape):
    left, right = smooth((3, *shape), 0), smooth((3, *shape), 1)
    right[1] = left[1] // 2 + right[1] // 2
    right[2] = 255 - left[2]  # of negative structure
    found = ms_ssim(left, right).tolist()
    expected = [
        reference(*(image.numpy().astype(np.float64) for image in pair))
        for pair in zip(left, right, strict=True)
    ]
    assert found == pytest.approx(expected, abs=2e-5)
    assert found[2] == 0
    assert 0.3 < found[1] < 1


def test_agrees_with_torchmetrics():
    """Its own MS-SSIM has the mirrored edges in the last scale; these are cut off here."""
    left, right = smooth((2, 3, 192, 180), 0).double(), smooth((2, 3, 192, 180), 1).double()
    right = (left + right) / 2
    expected, pair = torch.ones(2), (left, right)
    for scale, weight in enumerate(WEIGHTS):
        options = dict(reduction='none', data_range=255.0)
        _, term = structural_similarity_index_measure(
            *pair, return_contrast_sensitivity=True, **options
        )
        if scale == 4:
            _, full = structural_similarity_index_measure(*pair, return_full_image=True, **options)
            term = full[:, :, 5:-5, 5:-5].mean((1, 2, 3))
        expected = expected * term**weight
        pair = tuple(torch.nn.functional.avg_pool2d(image, 2) for image in pair)
    torch.testing.assert_close(ms_ssim(left, right), expected.float(), atol=1e-4, rtol=0)


def test_constant_images_differ_in_luminance():
    left, right = (torch.full((1, 1, 16, 16), value, dtype=torch.uint8) for value in (50, 200))
    luminance = (2 * 50 * 200 + 6.5025) / (50**2 + 200**2 + 6.5025)
    assert ms_ssim(left, right).item() == pytest.approx(luminance**0.1333, rel=1e-4)


def compute(images, labels=None, **settings):
    samples = Samples(labels=labels, images=images)
    return MSSSIM(**settings).compute(Comparison(samples, samples))['MS-SSIM']


def test_equal_images():
    assert compute(smooth((1, 3, 16, 16), 0).expand(6, -1, -1, -1)) == pytest.approx(1, abs=1e-6)


def test_mean_of_neighbors_in_a_circle():
    images = smooth((5, 1, 20, 20), 0)
    expected = [ms_ssim(images[[i]], images[[(i + 1) % 5]]).item() for i in range(5)]
    assert compute(images) == pytest.approx(np.mean(expected), rel=1e-5)
    assert compute(images, num_images=2) == pytest.approx(expected[0], rel=1e-5)


def test_pairs_within_classes():
    """Classes in each of which all images are equal; the one of a single image has no pair."""
    kinds = smooth((3, 1, 16, 16), 0)
    labels = torch.tensor([4, 9, 4, 0, 9, 9])
    images = kinds[[0, 1, 0, 2, 1, 1]]
    assert compute(images, labels) == pytest.approx(1, abs=1e-6)
    assert compute(images) < 0.9


def test_too_few():
    images = smooth((3, 1, 16, 16), 0)
    with pytest.raises(ValueError, match='MSSSIM needs at least 2 fake images, got 1'):
        compute(images[:1])
    with pytest.raises(
        ValueError, match='needs at least 2 fake images of one class, got 3 of as many classes'
    ):
        compute(images, torch.arange(3))


def test_small_images():
    with pytest.raises(
        ValueError, match=r'sides of at least 16 pixels, got \(15, 20\). Leave it out'
    ):
        compute(smooth((3, 1, 15, 20), 0))
