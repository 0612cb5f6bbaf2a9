"""The three changes of DiffAugment, read off images on which each can be told from the others."""

import itertools
import re

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from mmgan_lite.models import DiffAugment
from mmgan_lite.registry import MODELS

POLICIES = [('color',), ('translation',), ('cutout',), ('color', 'translation', 'cutout')]


def assert_uniform(draws, low, high):
    """Bounds, mean and variance of a uniform distribution, to four standard errors."""
    assert low <= draws.min() <= draws.max() <= high
    width, num = high - low, len(draws)
    assert abs(draws.mean() - (low + high) / 2) < 4 * width / (12 * num) ** 0.5
    # The fourth central moment is width^4 / 80.
    error = width**2 * ((1 / 80 - 1 / 144) / num) ** 0.5
    assert abs(draws.var() - width**2 / 12) < 4 * error


def test_brightness():
    # Contrast and saturation act about the mean, so one value everywhere knows only brightness.
    changed = DiffAugment(['color'])(torch.full((4000, 3, 2, 2), 0.25))
    assert changed.flatten(1).std(1).max() < 1e-6
    assert_uniform(changed[:, 0, 0, 0] - 0.25, -0.5, 0.5)


def test_contrast():
    image = torch.tensor([[-1.0, 1.0]]).expand(4000, 1, 1, 2)
    changed = DiffAugment(['color'])(image)
    assert_uniform((changed[..., 1] - changed[..., 0]).flatten() / 2, 0.5, 1.5)


def test_saturation():
    # Left the color (1, 0, -1), right black and white to the same mean: the difference of the
    # channels is scaled by saturation and contrast, that of the two pixels by contrast alone.
    image = torch.tensor([[2.0, 0.0], [1.0, 0.0], [0.0, 0.0]])[:, None].expand(4000, 3, 1, 2)
    changed = DiffAugment(['color'])(image)
    contrast = changed.mean(1)[:, 0, 0] - changed.mean(1)[:, 0, 1]
    chroma = (changed[:, 0, 0, 0] - changed[:, 2, 0, 0]) / 2
    assert_uniform(contrast, 0.5, 1.5)
    assert_uniform(chroma / contrast, -1e-5, 2 + 1e-5)


def seeded(augment, images):
    torch.manual_seed(5)
    return augment(images)


@pytest.mark.parametrize('colors', [1, 3])
@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float32])
def test_color_leaves_alpha(colors, dtype):
    images, alpha = torch.rand(6, colors, 4, 5, dtype=dtype), torch.rand(6, 1, 4, 5, dtype=dtype)
    augment = DiffAugment(['color'])
    changed = seeded(augment, torch.cat([images, alpha], 1))
    assert torch.equal(changed[:, colors:], alpha)
    torch.testing.assert_close(changed[:, :colors], seeded(augment, images))


def test_color_of_gray_with_alpha_by_hand():
    # Black and white with other alpha: brightness and contrast about the mean, no saturation.
    image = torch.tensor([[[[-1.0, 1.0]], [[0.3, -0.9]]]])
    brightness, _, contrast = seeded(lambda _: torch.rand(3), None).tolist()
    changed = seeded(DiffAugment(['color']), image)
    mean, half = brightness - 0.5, contrast + 0.5
    expected = torch.tensor([[[[mean - half, mean + half]], [[0.3, -0.9]]]])
    torch.testing.assert_close(changed, expected)


def test_saturation_of_bands_is_about_their_mean():
    image = torch.tensor([2.0, 1.0, 0.0, 0.0, -3.0]).view(1, 5, 1, 1)
    brightness, saturation, contrast = seeded(lambda _: torch.rand(3), None).tolist()
    changed = seeded(DiffAugment(['color']), image)
    # Bands of mean 0; contrast too is about the mean.
    expected = 2 * saturation * (contrast + 0.5) * image + brightness - 0.5
    torch.testing.assert_close(changed, expected)


def test_place_changes_alpha_too():
    images = torch.rand(50, 3, 8, 8).add(0.1)
    for policy in ('translation', 'cutout'):
        changed = seeded(DiffAugment([policy]), torch.cat([images, images[:, :1]], 1))
        assert torch.equal(changed[:, :3], seeded(DiffAugment([policy]), images))
        assert torch.equal(changed[:, 3], changed[:, 0])
        assert (changed[:, 3] == 0).any()


def test_translation_is_one_of_all_shifts():
    image = np.random.default_rng(0).random((3, 8, 12)).astype(np.float32)
    # 1/8 of the sides: 1 and 1.5, which is rounded up.
    padded = np.pad(image, ((0, 0), (1, 1), (2, 2)))
    shifted = {
        padded[:, y : y + 8, x : x + 12].tobytes(): (y, x)
        for y, x in itertools.product(range(3), range(5))
    }
    changed = DiffAugment(['translation'])(torch.from_numpy(image).expand(600, -1, -1, -1))
    seen = [shifted[moved.numpy().tobytes()] for moved in changed]
    assert len(set(seen)) == 15
    # 40 expected of each, with a standard deviation of 6.1.
    assert all(10 < seen.count(place) < 70 for place in shifted.values())


def test_cutout_is_half_the_sides_and_may_be_cut_off():
    changed = DiffAugment(['cutout'])(torch.ones(2000, 3, 8, 5))
    assert torch.equal(changed[:, 0], changed[:, 2])
    holes = changed[:, 0] == 0
    assert torch.equal(changed[:, 0], 1 - holes.float())
    rows, columns = holes.any(2), holes.any(1)
    # What is cut out is a rectangle: rows times columns.
    assert torch.equal(holes, rows[:, :, None] & columns[:, None, :])
    # 4 of 8 rows about 9 places: 2 and 3 are left of those at either end.
    counts = torch.bincount(rows.sum(1), minlength=5)
    assert torch.equal(counts > 0, torch.tensor([False, False, True, True, True]))
    # 2, 2, 3, 3 and five times 4, with a variance of 0.67.
    assert abs(rows.sum(1).float().mean() - 30 / 9) < 4 * (0.67 / 2000) ** 0.5
    # 3 of 5 columns about 5 places.
    assert set(columns.sum(1).tolist()) == {2, 3}


@pytest.mark.parametrize('channels', [1, 2, 3, 4, 5])
@pytest.mark.parametrize('policy', POLICIES)
def test_differentiable_twice(policy, channels):
    augment = DiffAugment(policy)
    images = torch.randn(1, channels, 3, 4, dtype=torch.float64, requires_grad=True)

    def seeded(images):
        torch.manual_seed(3)
        return augment(images).square()

    assert gradcheck(seeded, (images,))
    assert gradgradcheck(seeded, (images,))


@pytest.mark.parametrize('policy', POLICIES)
def test_draws_anew_for_each_image_and_call(policy):
    augment = DiffAugment(policy)
    images = torch.rand(1, 3, 16, 16).expand(8, -1, -1, -1)
    first, second = augment(images), augment(images)
    assert not torch.equal(first, second)
    assert len({image.numpy().tobytes() for image in first}) > 1


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float32])
def test_keeps_shape_and_dtype_under_autocast(dtype):
    images = torch.rand(2, 3, 8, 8, dtype=dtype)
    with torch.autocast('cpu', torch.bfloat16):
        changed = DiffAugment()(images)
    assert changed.shape == images.shape
    assert changed.dtype == dtype


def test_autocast_costs_no_precision():
    images = torch.rand(4, 3, 8, 8)
    torch.manual_seed(1)
    expected = DiffAugment()(images)
    torch.manual_seed(1)
    with torch.autocast('cpu', torch.bfloat16):
        assert torch.equal(DiffAugment()(images), expected)


def test_asks_the_device_for_no_number():
    # A meta tensor has none to give.
    assert DiffAugment()(torch.empty(2, 3, 8, 8, device='meta')).shape == (2, 3, 8, 8)


@pytest.mark.parametrize('policy', [(), 'color', ('colors',), ('cutout', 'cutout')])
def test_policy_of_another_kind(policy):
    message = (
        "policy must be one or more of 'color', 'translation', 'cutout', each once, got "
        f'{policy!r}. Pass policy='
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        DiffAugment(policy)


def test_built_by_a_gan_and_trained_through(make_gan, make_batch, make_optim_wrapper):
    gan = make_gan(
        augmentation=dict(type='DiffAugment'), regularizers=[dict(type='R1Regularizer', weight=1.0)]
    )
    log = gan.train_step(make_batch(8), make_optim_wrapper(gan))
    assert all(bool(value.isfinite()) for value in log.values())
    assert repr(MODELS.build(dict(type='DiffAugment', policy=['cutout']))) == (
        "DiffAugment(policy=('cutout',))"
    )
