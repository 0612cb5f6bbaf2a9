"""Improved precision and recall; the mathematics is tested in test_torch_fidelity_adapter.py."""

import pytest
import torch

from mmgan_lite.evaluation import Comparison, PrecisionRecall, Samples


def compute(fake, real, **settings):
    return PrecisionRecall(**settings).compute(Comparison(Samples(fake), Samples(real)))


def test_which_is_which():
    """Good fakes of one of two clusters: all precise, half of the reals not covered."""
    clusters = torch.cat([torch.randn(50, 3), torch.randn(50, 3) + 100])
    assert compute(clusters[:50], clusters) == {'precision': 1.0, 'recall': 0.5}
    assert compute(clusters, clusters[:50]) == {'precision': 0.5, 'recall': 1.0}


def test_too_few():
    with pytest.raises(ValueError, match='PrecisionRecall needs at least 4 real images, got 3'):
        compute(torch.zeros(9, 2), torch.zeros(3, 2))
    with pytest.raises(ValueError, match='PrecisionRecall needs at least 6 fake images, got 5'):
        compute(torch.zeros(5, 2), torch.zeros(9, 2), neighbors=5)
