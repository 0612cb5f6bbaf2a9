"""Kernel distance; its mathematics is tested in test_torch_fidelity_adapter.py."""

import pytest
import torch

from mmgan_lite.evaluation import Comparison, KernelDistance, Samples


def test_same_distribution_is_about_zero():
    comparison = Comparison(Samples(torch.randn(500, 4)), Samples(torch.randn(500, 4)))
    scores = KernelDistance(subsets=10, subset_size=400).compute(comparison)
    assert abs(scores['KID']) < 0.05
    shifted = Comparison(Samples(torch.randn(500, 4) + 1), comparison.real)
    assert KernelDistance(10, 400).compute(shifted)['KID'] > 1


def test_subsets_are_no_larger_than_the_sets():
    comparison = Comparison(Samples(torch.randn(6, 4)), Samples(torch.randn(9, 4)))
    assert set(KernelDistance().compute(comparison)) == {'KID', 'KID_std'}


def test_subset_of_one():
    with pytest.raises(ValueError, match='subset_size must be at least 2, got 1'):
        KernelDistance(subset_size=1)
