"""Conditional accuracy."""

import pytest
import torch

from mmgan_lite.evaluation import Comparison, ConditionalAccuracy, Samples


def compute(labels):
    logits = torch.tensor([[2.0, 0.0, -1.0], [0.0, 0.1, 0.0], [-5.0, -6.0, -4.0], [3.0, 2.0, 1.0]])
    samples = Samples(torch.zeros(4, 1), logits, torch.tensor(labels))
    return ConditionalAccuracy().compute(Comparison(samples, samples))


def test_share_that_agrees():
    assert compute([0, 1, 2, 0]) == {'accuracy': 1}
    assert compute([0, 1, 2, 1]) == {'accuracy': 0.75}
    assert compute([1, 2, 0, 1]) == {'accuracy': 0}


@pytest.mark.parametrize(('labels', 'got'), [([0, 1, 2, 3], '0 to 3'), ([0, 1, 2, -1], '-1 to 2')])
def test_label_that_the_extractor_does_not_know(labels, got):
    with pytest.raises(ValueError, match=rf'labels must lie in \[0, 3\), .* got {got}'):
        compute(labels)
