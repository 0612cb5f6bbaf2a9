"""ADA: each transform read off images made to show it, and the controller on simulated logits."""

import math
import re

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from mmgan_lite.models import AdaptiveAugment
from mmgan_lite.models.augmentation.adaptive import _Resample, _sampling_grid
from mmgan_lite.registry import MODELS

POLICIES = [('blit',), ('geometry',), ('color',), ('blit', 'geometry', 'color')]


def fixed(p, *policy):
    return AdaptiveAugment(p=p, target=None, policy=policy or ('blit', 'geometry', 'color'))


def assert_normal(draws, std):
    """Mean 0 and the given deviation, to four standard errors."""
    num = len(draws)
    assert abs(draws.mean()) < 4 * std / num**0.5
    assert abs(draws.std() - std) < 4 * std / (2 * num) ** 0.5


def assert_uniform_angles(angles):
    """Spread evenly over the circle: no mean direction, to four standard errors."""
    for order in (1, 2):
        assert abs((order * angles).cos().mean()) < 4 / (2 * len(angles)) ** 0.5
        assert abs((order * angles).sin().mean()) < 4 / (2 * len(angles)) ** 0.5


def test_blit_moves_whole_pixels():
    image = np.random.default_rng(0).random((1, 8, 8)).astype(np.float32)
    # Each of the 8 ways to turn and mirror, at each of the 9 shifts by at most a pixel.
    ways = []
    for flipped in (image, image[:, :, ::-1]):
        for turns in range(4):
            padded = np.pad(np.rot90(flipped, turns, (1, 2)), ((0, 0), (1, 1), (1, 1)), 'symmetric')
            ways += [padded[:, y : y + 8, x : x + 8] for y in range(3) for x in range(3)]
    ways = torch.from_numpy(np.stack(ways)).flatten(1)
    changed = fixed(1.0, 'blit')(torch.from_numpy(image).expand(3000, -1, -1, -1)).flatten(1)
    distances = torch.cdist(changed, ways, p=math.inf)
    assert distances.min(1).values.max() < 1e-5
    counts = torch.bincount(distances.argmin(1), minlength=72).reshape(2, 4, 3, 3)
    # Uniform in [-1, 1], rounded: a quarter each to the left and to the right.
    shifts = torch.tensor([0.25, 0.5, 0.25])
    expected = 3000 / 8 * shifts[:, None] * shifts
    assert ((counts - expected).abs() < 5 * expected.sqrt()).all()


def test_blit_of_images_that_are_not_square():
    # Turned by 180 degrees they are still the same pixels, and all values are of the image.
    image = torch.arange(4 * 10.0).reshape(1, 1, 4, 10)
    changed = fixed(1.0, 'blit')(image.expand(500, -1, -1, -1))
    assert changed.shape == (500, 1, 4, 10)
    # A quarter turn puts the centers of pixels onto those of others if the sides differ evenly.
    torch.testing.assert_close(changed, changed.round(), rtol=0, atol=1e-3)


def ramps(num, size=128):
    """Images whose first two channels are x and y in pixels from the center."""
    places = torch.arange(size) - (size - 1) / 2
    x, y = places.expand(size, size), places[:, None].expand(size, size)
    return torch.stack([x, y, torch.zeros(size, size)]).expand(num, -1, -1, -1)


def read_matrices(changed):
    """The affine map (N, 2, 3), in pixels, that sampled ``ramps``, read at the center."""
    middle = changed.shape[2] // 2
    center = changed[:, :2, middle - 1 : middle + 1, middle - 1 : middle + 1]
    along_x = center[..., 0, 1] - center[..., 0, 0]
    along_y = center[..., 1, 0] - center[..., 0, 0]
    return torch.stack([along_x, along_y, center.mean((2, 3))], 2)


def test_geometry_has_the_distribution_of_the_paper():
    matrices = read_matrices(fixed(1.0, 'geometry')(ramps(2000)))
    # A reflected border is far off: three standard deviations of a shift, at a usual scale.
    linear, shift = matrices[:, :, :2], matrices[:, :, 2]
    singular = torch.linalg.svdvals(linear)
    far = shift.norm(dim=1) > 55
    assert far.float().mean() < 0.02
    linear, singular = linear[~far], singular[~far]
    # Both singular values carry the scale; their ratio is the squared stretch.
    assert (torch.linalg.det(linear) > 0).all()
    assert_normal(torch.linalg.det(linear).log2() / 2, 0.2)
    stretch = (singular[:, 0] / singular[:, 1]).log2() / 2
    assert abs(stretch.square().mean().sqrt() - 0.2) < 4 * 0.2 / (2 * len(stretch)) ** 0.5
    assert_uniform_angles(
        torch.atan2(linear[:, 1, 0] - linear[:, 0, 1], linear[:, 0, 0] + linear[:, 1, 1])
    )
    # The shift is N(0, (128 / 8)^2) along each axis of an image that is then scaled by the rest.
    relative = torch.linalg.solve(linear, shift[~far])
    assert abs(relative.std() - 16) < 1


@pytest.mark.parametrize('p', [0.3, 0.8])
def test_probability_of_no_geometry(p):
    changed = fixed(p, 'geometry')(ramps(2000, 16))
    same = (changed == ramps(2000, 16)).flatten(1).all(1).float().mean()
    # Scale, rotation (by the first, the second, or both), stretch, shift.
    expected = (1 - p) ** 4
    assert abs(same - expected) < 4 * (expected / 2000) ** 0.5


def read_color(changed):
    """The affine map of colors: linear (N, 3, 3) and offset (N, 3), of ``unit_colors``."""
    offset = changed[:, :, 0, 0]
    return changed[:, :, 0, 1:] - offset[:, :, None], offset


def unit_colors(num):
    """Four pixels: black, red, green, blue, where black is 0."""
    return torch.cat([torch.zeros(3, 1), torch.eye(3)], 1)[None, :, None].expand(num, -1, -1, -1)


def test_color_has_the_distribution_of_the_paper():
    linear, offset = read_color(fixed(1.0, 'color')(unit_colors(3000).double()))
    gray = linear.sum(2)
    # Gray stays gray.
    torch.testing.assert_close(gray, gray[:, :1].expand_as(gray))
    torch.testing.assert_close(offset, offset[:, :1].expand_as(offset))
    luma = gray[:, 0]
    assert_normal(offset[:, 0] / luma, 0.2)  # brightness
    assert_normal(luma.abs().log2(), 0.5)  # contrast
    assert abs((luma < 0).double().mean() - 0.5) < 4 * 0.5 / 3000**0.5  # luma flip
    # Across the gray axis: a rotation, times one factor along both axes of the plane.
    basis = torch.tensor([[2.0, -1.0, -1.0], [0.0, 3**0.5, -(3**0.5)]], dtype=torch.float64)
    basis = basis / 6**0.5
    plane = basis @ linear @ basis.T
    chroma = torch.linalg.det(plane).sqrt()
    torch.testing.assert_close(
        plane @ plane.mT, chroma[:, None, None] ** 2 * torch.eye(2).double().expand_as(plane)
    )
    assert_normal(chroma.log2() - luma.abs().log2(), 1.0)  # saturation
    assert_uniform_angles(torch.atan2(plane[:, 1, 0], plane[:, 0, 0]))  # hue


def test_color_of_gray_images():
    image = torch.tensor([[0.0, 1.0]]).expand(3000, 1, 1, 2)
    changed = fixed(1.0, 'color')(image)
    luma = (changed[..., 1] - changed[..., 0]).flatten()
    assert_normal(changed[..., 0].flatten() / luma, 0.2)
    assert_normal(luma.abs().log2(), 0.5)
    assert abs((luma < 0).float().mean() - 0.5) < 4 * 0.5 / 3000**0.5


def test_probability_of_no_color():
    changed = fixed(0.5, 'color')(torch.full((4000, 1, 1, 1), 0.5))
    # Brightness and contrast half of the time, light and dark exchanged a quarter of it.
    expected = 0.5 * 0.5 * 0.75
    assert abs((changed == 0.5).float().mean() - expected) < 4 * (expected / 4000) ** 0.5


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize('channels', [1, 2, 3, 4, 7])
@pytest.mark.parametrize('policy', POLICIES)
def test_probability_zero_leaves_images_as_they_are(policy, channels, dtype):
    images = torch.randn(3, channels, 9, 7, dtype=dtype)
    assert torch.equal(fixed(0.0, *policy)(images), images)


def test_untouched_images_of_a_batch_stay_bit_by_bit():
    images = torch.rand(500, 3, 8, 8)
    changed = fixed(0.2)(images)
    same = (changed == images).flatten(1).all(1)
    close = (changed - images).flatten(1).abs().max(1).values < 1e-4
    assert 0 < same.sum() < 500
    assert torch.equal(same, close)


def test_resampling_agrees_with_scipy():
    scipy_ndimage = pytest.importorskip('scipy.ndimage')
    image = torch.rand(1, 1, 9, 6, dtype=torch.float64)
    matrix = torch.tensor([[0.8, -0.5, 1.3], [0.4, 1.1, -2.6], [0.0, 0.0, 1.0]]).double()
    ours = _Resample.apply(image, _sampling_grid(matrix[None], 9, 6))[0, 0]
    # scipy counts rows first, and from the corner.
    linear = matrix[:2, :2].flip(0, 1).numpy()
    center = np.array([4.0, 2.5])
    offset = matrix[:2, 2].flip(0).numpy() + center - linear @ center
    theirs = scipy_ndimage.affine_transform(
        image[0, 0].numpy(), linear, offset, order=1, mode='reflect'
    )
    np.testing.assert_allclose(ours.numpy(), theirs, atol=1e-12)


def test_half_a_pixel_is_the_mean_of_two():
    image = torch.tensor([[[[1.0, 3.0, 7.0]]]])
    matrix = torch.tensor([[[1.0, 0.0, 0.5], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]])
    sampled = _Resample.apply(image, _sampling_grid(matrix, 1, 3))
    # The last one is between the border and its reflection.
    torch.testing.assert_close(sampled, torch.tensor([[[[2.0, 5.0, 7.0]]]]))


@pytest.mark.parametrize('channels', [1, 2, 3, 4, 5])
@pytest.mark.parametrize('policy', POLICIES)
def test_differentiable_twice(policy, channels):
    augment = fixed(1.0, *policy)
    images = torch.randn(1, channels, 3, 4, dtype=torch.float64, requires_grad=True)

    def seeded(images):
        torch.manual_seed(3)
        return augment(images).square()

    assert gradcheck(seeded, (images,))
    assert gradgradcheck(seeded, (images,))


def test_draws_anew_for_each_image_and_call():
    augment = fixed(1.0)
    images = torch.rand(1, 3, 16, 16).expand(8, -1, -1, -1)
    first, second = augment(images), augment(images)
    assert not torch.equal(first, second)
    assert len({image.numpy().tobytes() for image in first}) == 8


def test_autocast_costs_no_precision():
    images = torch.rand(4, 3, 8, 8)
    torch.manual_seed(1)
    expected = fixed(1.0)(images)
    torch.manual_seed(1)
    with torch.autocast('cpu', torch.bfloat16):
        changed = fixed(1.0)(images)
    assert torch.equal(changed, expected)


def test_asks_the_device_for_no_number():
    # A meta tensor has none to give.
    augment = AdaptiveAugment().to('meta')
    assert augment(torch.empty(2, 3, 8, 8, device='meta')).shape == (2, 3, 8, 8)
    augment.observe(torch.empty(2, device='meta'))


def test_changes_every_interval_by_the_images_seen():
    augment = AdaptiveAugment(interval=4, ramp_images=1000)
    real_logits = torch.tensor([0.3, 2.0, 5.0, 9.0, 1.0])
    seen = []
    for _ in range(8):
        augment.observe(real_logits)
        seen.append(float(augment.p))
    # 4 batches of 5 images: 20 of 1000.
    assert seen == pytest.approx([0, 0, 0, 0.02, 0.02, 0.02, 0.02, 0.04])


def test_goes_from_0_to_1_in_ramp_images():
    augment = AdaptiveAugment(interval=1, ramp_images=640)
    for _ in range(9):
        augment.observe(torch.ones(64))
    assert float(augment.p) == pytest.approx(0.9)
    for _ in range(3):
        augment.observe(torch.ones(64))
    assert float(augment.p) == 1
    # 50 of 64 are recognized: a mean sign of 0.5625, below 0.6.
    augment.observe(torch.ones(64).index_fill(0, torch.arange(14), -1.0))
    assert float(augment.p) == pytest.approx(0.9)


def simulate(augment, mean_sign, steps=1500):
    """Observe logits whose signs have a mean of ``mean_sign(p)``; gives p after each step."""
    history = []
    for _ in range(steps):
        recognized = (1 + mean_sign(float(augment.p))) / 2
        signs = torch.where(torch.rand(64) < recognized, 1.0, -1.0)
        augment.observe(signs * torch.rand(64).add(0.1))
        history.append(float(augment.p))
    return history


def test_controller_reaches_its_target():
    # Overfitting is 0.9 without augmentation and falls with it: 0.6 at p = 0.375.
    history = simulate(AdaptiveAugment(ramp_images=50_000), lambda p: 0.9 - 0.8 * p)
    assert np.mean(history[-500:]) == pytest.approx(0.375, abs=0.02)


def test_controller_does_nothing_without_overfitting():
    assert max(simulate(AdaptiveAugment(ramp_images=50_000), lambda p: 0.1)) == 0


def test_fixed_probability_stays_and_takes_what_a_schedule_writes():
    augment = AdaptiveAugment(p=0.25, target=None)
    for _ in range(8):
        augment.observe(torch.ones(64))
    assert float(augment.p) == 0.25
    augment.p.fill_(0.0)
    images = torch.rand(4, 3, 8, 8)
    assert torch.equal(augment(images), images)


def test_state_goes_on_from_a_checkpoint():
    whole, first, second = (AdaptiveAugment(ramp_images=1000) for _ in range(3))
    for number in range(10):
        whole.observe(torch.ones(7))
        (first if number < 6 else second).observe(torch.ones(7))
        if number == 5:
            second.load_state_dict(first.state_dict())
    assert float(whole.p) == pytest.approx(2 * 28 / 1000)
    assert second.state_dict() == whole.state_dict()


def test_processes_agree_on_the_probability(torchrun, tmp_path):
    script = tmp_path / 'observe.py'
    script.write_text(
        'import torch\n'
        'import torch.distributed as dist\n'
        'from mmgan_lite.models import AdaptiveAugment\n'
        "dist.init_process_group('gloo')\n"
        'augment = AdaptiveAugment(p=0.5, interval=1, ramp_images=100)\n'
        # Alone the first would raise p and the second lower it; together the mean sign is 0.5.
        'num_right = (10, 5)[dist.get_rank()]\n'
        'augment.observe(torch.ones(10).index_fill(0, torch.arange(10 - num_right), -1.0))\n'
        "print(f'p={float(augment.p):.2f}')\n"
        'dist.destroy_process_group()\n'
    )
    # 20 images of 100, downwards.
    assert re.findall(r'p=\d\.\d\d', torchrun(script)) == ['p=0.30', 'p=0.30']


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(p=1.5), 'p must be a number in [0, 1], got 1.5. Pass p=0.0 to begin with.'),
        (dict(p=math.nan), 'p must be a number in [0, 1], got nan.'),
        (dict(target=1.0), 'target must be a number in (-1, 1) or None, got 1.0. Pass target=0.6'),
        (dict(interval=0), 'interval must be an int of at least 1, got 0.'),
        (dict(ramp_images=0.5), 'ramp_images must be an int of at least 1, got 0.5.'),
        (dict(policy='blit'), "'geometry', 'color', each once, got 'blit'. Pass policy=('blit', "),
        (dict(policy=['blit', 'blit']), "each once, got ['blit', 'blit']."),
    ],
)
def test_arguments_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        AdaptiveAugment(**arguments)


def seeded(augment, images):
    torch.manual_seed(5)
    return augment(images)


@pytest.mark.parametrize('colors', [1, 3])
@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float32])
def test_color_leaves_alpha(colors, dtype):
    images, alpha = torch.rand(6, colors, 4, 5, dtype=dtype), torch.rand(6, 1, 4, 5, dtype=dtype)
    changed = seeded(fixed(0.8, 'color'), torch.cat([images, alpha], 1))
    assert torch.equal(changed[:, colors:], alpha)
    torch.testing.assert_close(changed[:, :colors], seeded(fixed(0.8, 'color'), images))


@pytest.mark.parametrize('channels', [2, 4, 7])
def test_every_channel_moves_alike(channels):
    images = torch.rand(6, 1, 8, 12)
    augment = fixed(1.0, 'blit', 'geometry')
    changed = seeded(augment, images.expand(-1, channels, -1, -1))
    torch.testing.assert_close(
        changed, seeded(augment, images).expand(-1, channels, -1, -1), rtol=0, atol=1e-6
    )


def test_color_of_bands():
    """Black, and each of five bands alone: an affine map of the gray axis and what lies across."""
    pixels = torch.cat([torch.zeros(5, 1), torch.eye(5)], 1).double()
    changed = fixed(1.0, 'color')(pixels[None, :, None].expand(3000, -1, -1, -1))[:, :, 0]
    offset, linear = changed[:, 0, 0], changed[:, :, 1:] - changed[:, :, :1]
    luma, chroma = linear.sum(2)[:, 0], linear[:, 0, 0] - linear[:, 0, 1]
    gray = torch.full((5, 5), 0.2).double()
    luma, chroma, offset = luma[:, None, None], chroma[:, None, None], offset[:, None, None]
    expected = torch.cat(
        [offset.expand(-1, 5, 1), offset + luma * gray + chroma * (torch.eye(5) - gray)], 2
    )
    torch.testing.assert_close(changed, expected)
    assert_normal((offset / luma).flatten(), 0.2)  # brightness
    assert_normal(luma.abs().log2().flatten(), 0.5)  # contrast
    assert abs((luma < 0).double().mean() - 0.5) < 4 * 0.5 / 3000**0.5  # luma flip
    assert_normal((chroma / luma.abs()).log2().flatten(), 1.0)  # saturation, and no hue


@pytest.mark.parametrize('open_gate', range(5))
def test_which_draws_change_bands(open_gate, monkeypatch):
    def gate(self, *shape):
        return torch.zeros(shape).index_fill(0, torch.tensor(open_gate), 1.0)

    monkeypatch.setattr(AdaptiveAugment, '_gate', gate)
    images = torch.rand(64, 6, 2, 2)
    same = (fixed(0.5, 'color')(images) - images).flatten(1).abs().max(1).values < 1e-5
    # Light and dark are exchanged one time in two; hue is not turned.
    shares = [0, 0, 0.5, 1, 0]
    assert abs(same.float().mean() - shares[open_gate]) < (0.25 if open_gate == 2 else 0.05)
    if open_gate == 3:
        assert torch.equal(fixed(0.5, 'color')(images), images)


def test_built_by_a_gan_and_trained_through(make_gan, make_batch, make_optim_wrapper):
    gan = make_gan(
        augmentation=dict(type='AdaptiveAugment', p=0.5),
        regularizers=[dict(type='R1Regularizer', weight=1.0)],
    )
    log = gan.train_step(make_batch(8), make_optim_wrapper(gan))
    assert all(bool(value.isfinite()) for value in log.values())
    assert int(gan.augmentation.num_batches) == 1
    assert int(gan.augmentation.num_images) == 8
    assert 'augmentation.p' in gan.state_dict()
    assert repr(MODELS.build(dict(type='AdaptiveAugment', policy=['blit']))) == (
        "AdaptiveAugment(target=0.6, interval=4, policy=('blit',))"
    )
