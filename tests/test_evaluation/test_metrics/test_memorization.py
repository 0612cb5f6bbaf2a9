"""Memorization."""

import numpy as np
import pytest
import scipy.stats
import torch

from mmgan_lite.evaluation import Comparison, Memorization, Samples
from mmgan_lite.evaluation.metrics import memorization


def compute(fake, real, train):
    return Memorization().compute(Comparison(Samples(fake), Samples(real), Samples(train)))[
        'memorization'
    ]


def nearest(points, train):
    points, train = points.double().numpy(), train.double().numpy()
    return np.array([min(np.linalg.norm(train - point, axis=1)) for point in points])


@pytest.mark.parametrize('block', [7, 250])
def test_is_the_share_of_mann_whitneys_u(block, monkeypatch):
    monkeypatch.setattr(memorization, '_BLOCK', block)
    fake, real, train = torch.randn(30, 3) * 0.8, torch.randn(40, 3), torch.randn(50, 3)
    test = scipy.stats.mannwhitneyu(nearest(real, train), nearest(fake, train))
    assert compute(fake, real, train) == pytest.approx(test.statistic / (30 * 40))


def test_copies_and_new_images():
    train = torch.randn(300, 3)
    assert compute(train[:100], torch.randn(200, 3), train) == 1
    assert compute(torch.randn(100, 3) + 50, torch.randn(200, 3), train) == 0
    assert compute(torch.randn(900, 3), torch.randn(900, 3), train) == pytest.approx(0.5, abs=0.05)


def test_ties_count_half():
    points = torch.ones(5, 2)
    assert compute(points, points, torch.zeros(3, 2)) == 0.5


def test_real_score_is_one_half():
    samples = Samples(torch.randn(5, 2))
    assert Memorization().compute_real_score(Comparison(samples, samples, samples)) == {
        'memorization': 0.5
    }
