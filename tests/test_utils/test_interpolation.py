"""Straight and spherical interpolation, against hand values and scipy."""

import math

import numpy as np
import pytest
import torch
from scipy.spatial import geometric_slerp

from mmgan_lite.utils.interpolation import lerp, slerp


def test_lerp_by_hand():
    start, end = torch.tensor([0.0, 4.0]), torch.tensor([8.0, 0.0])
    assert lerp(start, end, 0.25).tolist() == [2.0, 3.0]
    assert lerp(start, end, torch.tensor([[0.0], [1.0]])).tolist() == [[0.0, 4.0], [8.0, 0.0]]


def test_slerp_by_hand():
    # A third of a right angle: cos and sin of 30 degrees; the length from 1 to 4 grows to 2.
    between = slerp(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 4.0]), 1 / 3)
    torch.testing.assert_close(between, 2 * torch.tensor([math.sqrt(0.75), 0.5]))


@pytest.mark.parametrize('dim', [2, 3, 100])
def test_slerp_matches_scipy_on_the_unit_sphere(dim):
    start, end = torch.nn.functional.normalize(torch.randn(2, dim, dtype=torch.float64), dim=1)
    t = torch.linspace(0, 1, 9, dtype=torch.float64)
    expected = geometric_slerp(start.numpy(), end.numpy(), t.numpy())
    np.testing.assert_allclose(slerp(start, end, t[:, None]).numpy(), expected, atol=1e-14)


@pytest.mark.parametrize('angle', [1e-3, 1e-6, 1e-9, 0.0, math.pi - 1e-3, math.pi - 1e-6, math.pi])
def test_slerp_is_exact_near_parallel_and_opposite(angle):
    start = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)
    end = torch.tensor([math.cos(angle), math.sin(angle), 0.0], dtype=torch.float64)
    half = slerp(start, end, 0.5)
    expected = torch.tensor([math.cos(angle / 2), math.sin(angle / 2), 0.0], dtype=torch.float64)
    # At pi the way is free, but it must be a great circle of constant speed.
    if angle == math.pi:
        assert abs(float(half @ start)) < 1e-9
        assert float(half.norm()) == pytest.approx(1, abs=1e-12)
        assert float(slerp(start, end, 0.25) @ half) == pytest.approx(math.sqrt(0.5), abs=1e-9)
    else:
        torch.testing.assert_close(half, expected, atol=1e-9, rtol=0)


def test_slerp_of_exact_opposites_in_float32():
    start = torch.randn(3, 64)
    half = slerp(start, -start, 0.5)
    torch.testing.assert_close(half.norm(dim=1), start.norm(dim=1))
    torch.testing.assert_close((half * start).sum(dim=1), torch.zeros(3), atol=1e-4, rtol=0)


def test_slerp_of_parallel_vectors_is_lerp():
    start = torch.randn(5, 7)
    t = torch.rand(5, 1)
    torch.testing.assert_close(slerp(start, 3 * start, t), lerp(start, 3 * start, t))


def test_slerp_with_zeros_is_lerp():
    zero, other = torch.zeros(4), torch.tensor([0.0, 2.0, 0.0, -2.0])
    torch.testing.assert_close(slerp(zero, other, 0.25), 0.25 * other)
    torch.testing.assert_close(slerp(other, zero, 0.25), 0.75 * other)
    assert slerp(zero, zero, 0.5).tolist() == [0.0] * 4


def test_slerp_ends_are_the_points_to_the_bit():
    start, end = torch.randn(2, 4, 100)
    assert torch.equal(slerp(start, end, 0.0), start)
    assert torch.equal(slerp(start, end, 1.0), end)


def test_slerp_keeps_the_length_where_lerp_does_not():
    start, end = torch.randn(2, 512)
    assert float(slerp(start, end, 0.5).norm()) == pytest.approx(
        float((start.norm() + end.norm()) / 2), rel=1e-5
    )
    assert float(lerp(start, end, 0.5).norm()) < 0.8 * float(start.norm())
