"""Moments and bounds of the latents, from closed forms; the draws of a seeded generator."""

import math

import pytest
import torch

from mmgan_lite.models import NormalLatents, TruncatedNormalLatents, UniformLatents
from mmgan_lite.registry import MODELS

NAMES = ['NormalLatents', 'UniformLatents', 'TruncatedNormalLatents']


def build(name):
    arguments = dict(threshold=0.7) if name == 'TruncatedNormalLatents' else {}
    return MODELS.build(dict(type=name, **arguments))


def truncated_moments(threshold):
    """Variance and fourth moment of N(0, 1) given that it lies in [-threshold, threshold]."""
    density = math.exp(-(threshold**2) / 2) / math.sqrt(2 * math.pi)
    ratio = 2 * density / math.erf(threshold / math.sqrt(2))
    variance = 1 - threshold * ratio
    return variance, 3 * variance - threshold**3 * ratio


@pytest.mark.parametrize(
    ('latents', 'variance', 'fourth_moment'),
    [
        (NormalLatents(), 1, 3),
        (UniformLatents(), 1 / 3, 1 / 5),
        (TruncatedNormalLatents(0.5), *truncated_moments(0.5)),
        (TruncatedNormalLatents(2.0), *truncated_moments(2.0)),
        (TruncatedNormalLatents(8), *truncated_moments(8)),
    ],
)
def test_moments(latents, variance, fourth_moment):
    drawn = latents(1000, 300).double()
    num = drawn.numel()
    assert abs(drawn.mean()) < 4 * (variance / num) ** 0.5
    square = drawn.square()
    assert abs(square.mean() - variance) < 4 * ((fourth_moment - variance**2) / num) ** 0.5
    # Neighbors, along both axes, know nothing of one another.
    assert abs((drawn[1:] * drawn[:-1]).mean()) < 4 * variance / num**0.5
    assert abs((drawn[:, 1:] * drawn[:, :-1]).mean()) < 4 * variance / num**0.5


def test_the_variance_that_the_docstring_tells():
    assert truncated_moments(2.0)[0] == pytest.approx(0.774, abs=5e-4)


@pytest.mark.parametrize(
    ('latents', 'bound'),
    [(UniformLatents(), 1), (TruncatedNormalLatents(0.5), 0.5), (TruncatedNormalLatents(2.0), 2)],
)
def test_bounds_are_kept_and_neared(latents, bound):
    drawn = latents(1000, 300)
    assert 0.99 * bound < drawn.max() <= bound
    assert -bound <= drawn.min() < -0.99 * bound


@pytest.mark.parametrize('threshold', [1e-3, 4.0, 6.0, 1000.0])
def test_uniform_draws_at_the_ends_stay_finite(threshold, monkeypatch):
    ends = torch.tensor([[0.0, 0.5, 1 - 2**-24]])
    monkeypatch.setattr(torch, 'rand', lambda *args, **kwargs: ends.clone())
    drawn = TruncatedNormalLatents(threshold)(1, 3)
    assert bool(drawn.isfinite().all())
    assert drawn.abs().max() <= threshold
    assert drawn[0, 1] == 0


@pytest.mark.parametrize('name', NAMES)
def test_a_seeded_generator_gives_the_same_again(name):
    latents = build(name)
    global_state = torch.get_rng_state()
    first = latents(5, 3, generator=torch.Generator().manual_seed(7))
    again = latents(5, 3, generator=torch.Generator().manual_seed(7), device='cpu')
    assert torch.equal(first, again)
    assert torch.equal(torch.get_rng_state(), global_state)
    assert not torch.equal(first, latents(5, 3, generator=torch.Generator().manual_seed(8)))


@pytest.mark.parametrize('name', NAMES)
def test_device_and_dtype(name):
    latents = build(name)
    # The generator's draws are made on its device, then moved.
    assert latents(2, 3, torch.Generator(), 'meta').device.type == 'meta'
    assert latents(2, 3, device='meta').device.type == 'meta'
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        assert latents(2, 3).dtype == torch.float32
    finally:
        torch.set_default_dtype(default)


@pytest.mark.parametrize('name', NAMES)
def test_sizes_out_of_range(name):
    with pytest.raises(ValueError, match='num must be an int of at least 1, got 0'):
        build(name)(0, 3)
    with pytest.raises(ValueError, match='dim must be an int of at least 1, got 2.5'):
        build(name)(1, 2.5)


@pytest.mark.parametrize('threshold', [0, -1.0, math.inf, math.nan, '2'])
def test_threshold_out_of_range(threshold):
    message = rf'threshold must be a positive, finite number, got {threshold!r}\. Pass threshold'
    with pytest.raises(ValueError, match=message):
        TruncatedNormalLatents(threshold)


def test_repr_tells_the_threshold():
    assert repr(TruncatedNormalLatents(2.0)) == 'TruncatedNormalLatents(threshold=2.0)'
