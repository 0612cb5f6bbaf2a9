"""Inception score; its mathematics is tested in test_torch_fidelity_adapter.py."""

import pytest
import torch

from mmgan_lite.evaluation import Comparison, InceptionScore, Samples


def test_as_many_classes_as_there_are():
    samples = Samples(torch.zeros(50, 1), logits=100 * torch.eye(5).repeat(10, 1))
    scores = InceptionScore(splits=1).compute(Comparison(samples, samples))
    assert scores == pytest.approx({'IS': 5, 'IS_std': 0})


def test_fewer_images_than_splits():
    samples = Samples(torch.zeros(9, 1), logits=torch.eye(9))
    with pytest.raises(ValueError, match='InceptionScore needs at least 10 fake images, got 9'):
        InceptionScore().compute(Comparison(samples, samples))
