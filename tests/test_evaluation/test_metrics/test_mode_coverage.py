"""Mode coverage."""

import math

import pytest
import torch

from mmgan_lite.datasets import StackedMNISTDataset
from mmgan_lite.evaluation import Comparison, MNISTClassifier, ModeCoverage, Samples


def compute(classes, num_classes):
    logits = torch.eye(num_classes)[classes] + 5
    samples = Samples(torch.zeros(len(logits), 1), logits)
    return ModeCoverage().compute(Comparison(samples, samples))


def test_matches_hand_computation():
    even = compute([0, 1, 2, 3], 4)
    assert even == {'modes': 4, 'mode_kl': 0}
    assert compute([2] * 7, 4) == {'modes': 1, 'mode_kl': pytest.approx(math.log(4))}
    # 3/4 ln(3/4 * 4) + 1/4 ln(1/4 * 4)
    uneven = compute([0, 0, 0, 3], 4)
    assert uneven == {'modes': 2, 'mode_kl': pytest.approx(0.75 * math.log(3))}


def test_perfect_sampler_of_a_thousand_modes():
    """By chance alone about (K - 1) / 2 N = 0.0192."""
    scores = compute(torch.randint(1000, (26_000,)), 1000)
    assert scores['modes'] == 1000
    assert scores['mode_kl'] == pytest.approx(0.0192, abs=0.003)


def test_real_stacks(mnist_root):
    """26,000 stacks of real digits: all modes, and the unevenness of MNIST's own classes."""
    dataset = StackedMNISTDataset(mnist_root, num_images=26_000)
    digits = dataset.images.digits[:, None]
    # Each digit is read once: a stack's logits are sums of its digits' logits.
    used, rows = dataset.images.rows.unique(return_inverse=True)
    classes = MNISTClassifier().extract(digits[used]).logits.argmax(1)[rows]
    scores = compute(classes @ torch.tensor([100, 10, 1]), 1000)
    assert scores['modes'] == 1000
    assert 0.02 < scores['mode_kl'] < 0.03
