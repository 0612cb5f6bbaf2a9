"""Fréchet distance; its mathematics is tested in test_torch_fidelity_adapter.py."""

import pytest
import torch

from mmgan_lite.evaluation import Comparison, FrechetDistance, Samples


def compute(fake, real):
    return FrechetDistance().compute(Comparison(Samples(fake), Samples(real)))


def test_shift():
    features = torch.randn(200, 5)
    assert compute(features + 2, features)['FID'] == pytest.approx(5 * 2**2, rel=1e-4)


@pytest.mark.parametrize(('fakes', 'reals'), [(1, 5), (5, 1)])
def test_one_image_has_no_covariance(fakes, reals):
    with pytest.raises(
        ValueError, match='FrechetDistance needs at least 2 (fake|real) images, got'
    ):
        compute(torch.zeros(fakes, 3), torch.zeros(reals, 3))


def test_fewer_images_than_features_warn(monkeypatch):
    found = []
    monkeypatch.setattr(
        'mmgan_lite.evaluation.metrics.frechet_distance.print_log',
        lambda message, *args: found.append(message),
    )
    assert torch.tensor(compute(torch.randn(8, 8), torch.randn(90, 8))['FID']).isfinite()
    (message,) = found
    assert message == (
        'FID of 8 features from 8 images against 90 is far too high, because the covariance of so '
        'few is singular. Use more than 8 of each.'
    )
    compute(torch.randn(9, 8), torch.randn(90, 8))
    assert len(found) == 1
