"""Sliced Wasserstein distance, against scipy and closed forms."""

import math

import numpy as np
import pytest
import scipy.ndimage
import scipy.stats
import torch

from mmgan_lite.evaluation import Comparison, Samples, SlicedWassersteinDistance
from mmgan_lite.evaluation.metrics import sliced_wasserstein_distance as module


def compute(fake, real, **settings):
    comparison = Comparison(Samples(images=fake), Samples(images=real))
    return SlicedWassersteinDistance(**settings).compute(comparison)


def blobs(num, shape, scale, seed):
    """Smooth uint8 images."""
    stream = np.random.default_rng(seed)
    noise = stream.standard_normal((num, *shape))
    smooth = scipy.ndimage.gaussian_filter(noise, (0, 0, scale, scale))
    smooth += 0.2 * stream.random((num, 1, 1, 1)) * noise
    images = 128 + 60 * smooth / smooth.std()
    return torch.from_numpy(images.clip(0, 255).astype(np.uint8))


FILTER = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1])[None, None] / 256


def pyramid(images, num_levels):
    """By scipy; the last level is what remains of the images."""
    images, levels = images.numpy().astype(np.float64), []
    for _ in range(num_levels - 1):
        half = scipy.ndimage.convolve(images, FILTER, mode='mirror')[:, :, ::2, ::2]
        doubled = np.zeros_like(images)
        doubled[:, :, ::2, ::2] = half
        levels.append(images - scipy.ndimage.convolve(doubled, 4 * FILTER, mode='mirror'))
        images = half
    return [*levels, images]


def patches_of(level, stream):
    """128 of each image, by loops, normalized in each channel."""
    num, channels, height, width = level.shape
    patches = np.empty((num, 128, channels, 7, 7))
    for index in range(num):
        for place in range(128):
            row, column = stream.integers(height - 6), stream.integers(width - 6)
            patches[index, place] = level[index, :, row : row + 7, column : column + 7]
    patches -= patches.mean((0, 1, 3, 4), keepdims=True)
    patches /= patches.std((0, 1, 3, 4), keepdims=True)
    return patches.reshape(num * 128, -1)


def sliced(left, right, directions):
    """Mean over directions, each by scipy."""
    return np.mean(
        [scipy.stats.wasserstein_distance(left @ theta, right @ theta) for theta in directions]
    )


@pytest.mark.parametrize(
    ('shape', 'names'),
    [((3, 32, 32), ['32', '16']), ((1, 28, 28), ['28', '14']), ((2, 25, 30), ['25x30', '13x15'])],
)
def test_agrees_with_the_definition(shape, names):
    """Of other random patches and directions."""
    fake, real = blobs(48, shape, 0.7, 0), blobs(48, shape, 1.2, 1)
    stream = np.random.default_rng(7)
    directions = stream.standard_normal((100, 49 * shape[0]))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    expected = {}
    levels = zip(names, pyramid(fake, len(names)), pyramid(real, len(names)), strict=True)
    for name, *pair in levels:
        patches = [patches_of(level, stream) for level in pair]
        expected[f'SWD_{name}'] = 1000 * sliced(*patches, directions)
    expected['SWD'] = np.mean(list(expected.values()))
    scores = compute(fake, real)
    assert [*scores] == [*expected]
    assert scores == pytest.approx(expected, rel=0.12)
    assert scores['SWD'] > 20  # of equal sets the noise is about 5


def test_levels_agree_with_scipy():
    images = blobs(3, (2, 48, 33), 1, 0)
    for level, expected in zip((48, 24, 12), pyramid(images, 3), strict=True):
        size = expected.shape[2:]
        patches, halves = module._cut_level(images)
        assert images.shape[2] == level
        assert (halves is None) == (min(size) < 24)
        if halves is None:
            break
        smaller = images.float() - module._double(halves, list(size))
        np.testing.assert_allclose(smaller.numpy(), expected, atol=1e-4)
        assert patches.mean() == pytest.approx(0, abs=1e-4)
        assert patches.std() == pytest.approx(1, abs=1e-4)
        images = halves


def test_levels_of_many_sizes():
    names = {
        64: ['64', '32', '16'],
        28: ['28', '14'],
        24: ['24', '12'],
        23: ['23'],
        16: ['16'],
        7: ['7'],
    }
    for side, levels in names.items():
        images = torch.randint(0, 256, (2, 1, side, side), dtype=torch.uint8)
        assert [*compute(images, images)] == [*[f'SWD_{level}' for level in levels], 'SWD']


def test_patches_of_images_of_the_size_of_a_patch():
    """There is one place; normalized, they are the images."""
    images = torch.randint(0, 256, (5, 3, 7, 7), dtype=torch.uint8)
    patches, _ = module._cut_level(images)
    whole = images.double().numpy()
    whole = (whole - whole.mean((0, 2, 3), keepdims=True)) / whole.std((0, 2, 3), keepdims=True)
    expected = np.repeat(whole.reshape(5, 1, -1), 128, axis=1).reshape(5 * 128, -1)
    np.testing.assert_allclose(patches.numpy(), expected, atol=1e-5)


def test_all_places_are_taken_alike():
    """Of 9x8 pixels each of the six places in a sixth of the patches."""
    images = torch.arange(72, dtype=torch.uint8).view(1, 1, 9, 8).expand(40, -1, -1, -1)
    patches = torch.empty(40, 128, 1, 7, 7)
    module._cut_patches(images.float(), patches, torch.Generator().manual_seed(0))
    corners, counts = patches[:, :, 0, 0, 0].unique(return_counts=True)
    assert corners.tolist() == [0, 1, 8, 9, 16, 17]
    assert (counts / 5120 - 1 / 6).abs().max() < 0.02
    assert torch.equal(patches[0, 0] - patches[0, 0, 0, 0, 0], images[0, :, :7, :7].float())


def test_one_dimension_agrees_with_scipy():
    left, right = torch.randn(500, 1), 1.5 * torch.randn(500, 1) + 0.3
    expected = scipy.stats.wasserstein_distance(left[:, 0].numpy(), right[:, 0].numpy())
    assert module.sliced_distance(left, right) == pytest.approx(expected, rel=1e-5)


def test_shift_of_a_gaussian():
    """In each direction the distance is the shift's part in it: |m| E |theta_1|."""
    dim, points = 49, torch.randn(4000, 49)
    shift = torch.randn(dim)
    log_ratio = math.lgamma(dim / 2) - math.lgamma((dim + 1) / 2)
    expected = float(shift.norm()) * math.exp(log_ratio) / math.sqrt(math.pi)
    # 512 directions, each of a deviation of three quarters of the mean.
    assert module.sliced_distance(points, points + shift) == pytest.approx(expected, rel=0.1)


def test_equal_sets():
    images = torch.randint(0, 256, (9, 3, 32, 32), dtype=torch.uint8)
    assert compute(images, images.clone()) == {'SWD_32': 0, 'SWD_16': 0, 'SWD': 0}


def test_brightness_and_contrast_do_not_count():
    """Patches are normalized."""
    images = torch.randint(0, 100, (9, 1, 16, 16), dtype=torch.uint8)
    assert compute(images * 2 + 30, images)['SWD'] == pytest.approx(0, abs=1e-2)


def test_as_many_of_both():
    images = torch.randint(0, 256, (12, 1, 16, 16), dtype=torch.uint8)
    assert compute(images, images[:7])['SWD'] == 0
    assert compute(images.roll(5, 0), images.roll(5, 0), num_images=5)['SWD'] == 0
    assert compute(images, torch.cat([images[:4], 255 - images[4:]]), num_images=4)['SWD'] == 0


def test_blocks_change_nothing(monkeypatch):
    fake, real = blobs(10, (1, 28, 28), 1, 0), blobs(10, (1, 28, 28), 2, 1)
    expected = compute(fake, real)
    monkeypatch.setattr(module, '_BLOCK', 512)
    assert compute(fake, real) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ('fake', 'real'), [((2, 1, 6, 16), (2, 1, 6, 16)), ((2, 1, 16, 16), (2, 3, 16, 16))]
)
def test_other_shapes(fake, real):
    with pytest.raises(
        ValueError, match='one shape, with sides of at least 7 pixels, got .* Leave it out'
    ):
        compute(torch.zeros(fake, dtype=torch.uint8), torch.zeros(real, dtype=torch.uint8))


@pytest.mark.parametrize(('fakes', 'reals', 'kind'), [(1, 9, 'fake'), (9, 1, 'real')])
def test_too_few(fakes, reals, kind):
    images = torch.zeros(9, 1, 16, 16, dtype=torch.uint8)
    with pytest.raises(ValueError, match=f'Distance needs at least 2 {kind} images, got 1'):
        compute(images[:fakes], images[:reals])
