"""Density and coverage."""

import numpy as np
import pytest
import torch

from mmgan_lite.evaluation import Comparison, DensityCoverage, Samples
from mmgan_lite.evaluation.metrics import density_coverage


def compute(fake, real, neighbors=5):
    return DensityCoverage(neighbors).compute(Comparison(Samples(fake), Samples(real)))


def reference(fake, real, neighbors):
    """Ball by ball."""
    fake, real = fake.double().numpy(), real.double().numpy()
    inside_count, covered = 0, 0
    for center in real:
        radius = sorted(np.linalg.norm(real - center, axis=1))[neighbors]
        inside = int((np.linalg.norm(fake - center, axis=1) <= radius).sum())
        inside_count += inside
        covered += inside > 0
    return {'density': inside_count / neighbors / len(fake), 'coverage': covered / len(real)}


def test_matches_hand_computation():
    real = torch.tensor([[0.0], [1.0], [3.0]])  # radii for one neighbor: 1, 1, 2
    fake = torch.tensor([[0.5], [9.0]])
    # 0.5 lies in the balls [-1, 1] and [0, 2], and not in [1, 5]; 9 lies in none.
    assert compute(fake, real, 1) == {'density': 1.0, 'coverage': pytest.approx(2 / 3)}


@pytest.mark.parametrize('neighbors', [1, 5])
@pytest.mark.parametrize('block', [7, 1000])
def test_matches_ball_by_ball(neighbors, block, monkeypatch):
    monkeypatch.setattr(density_coverage, '_BLOCK', block)
    fake, real = torch.randn(40, 4) + 20.5, 1.3 * torch.randn(60, 4) + 20
    assert compute(fake, real, neighbors) == pytest.approx(reference(fake, real, neighbors))


def test_perfect_fakes():
    scores = compute(torch.randn(2000, 4), torch.randn(2000, 4))
    assert scores['density'] == pytest.approx(1, abs=0.05)
    assert scores['coverage'] == pytest.approx(1 - 0.5**5, abs=0.02)  # the paper's equation 9


def test_outliers_do_not_help():
    real = torch.cat([torch.randn(100, 2), torch.full((1, 2), 1000.0)])
    assert compute(torch.full((50, 2), 500.0), real)['density'] <= 0.2


def test_too_few():
    with pytest.raises(ValueError, match='DensityCoverage needs at least 6 real images, got 5'):
        compute(torch.zeros(1, 2), torch.zeros(5, 2))
