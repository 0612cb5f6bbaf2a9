"""Objectives against hand values and PyTorch's own binary cross-entropy."""

import math

import torch
import torch.nn.functional as F

from mmgan_lite.models import NonSaturatingGANLoss
from mmgan_lite.registry import MODELS

REAL = torch.tensor([2.0, -1.0, 0.0])
FAKE = torch.tensor([-3.0, 0.5, 0.0])


def test_non_saturating_matches_hand_computation():
    loss = MODELS.build(dict(type='NonSaturatingGANLoss'))
    real = sum(math.log1p(math.exp(-x)) for x in (2.0, -1.0, 0.0)) / 3
    fake = sum(math.log1p(math.exp(x)) for x in (-3.0, 0.5, 0.0)) / 3
    torch.testing.assert_close(loss.discriminator(REAL, FAKE), torch.tensor(real + fake))
    generator = sum(math.log1p(math.exp(-x)) for x in (-3.0, 0.5, 0.0)) / 3
    torch.testing.assert_close(loss.generator(FAKE), torch.tensor(generator))


def test_non_saturating_is_binary_cross_entropy():
    loss = NonSaturatingGANLoss()
    expected = F.binary_cross_entropy_with_logits(
        REAL, torch.ones(3)
    ) + F.binary_cross_entropy_with_logits(FAKE, torch.zeros(3))
    torch.testing.assert_close(loss.discriminator(REAL, FAKE), expected)


def test_gradient_does_not_vanish_at_extreme_logits():
    """At 200 a sigmoid rounds to 1, and a logarithm after it has gradient 0."""
    logits = torch.tensor([200.0], requires_grad=True)
    NonSaturatingGANLoss().discriminator(torch.zeros(1), logits).backward()
    torch.testing.assert_close(logits.grad, torch.tensor([1.0]))
    logits = torch.tensor([-200.0], requires_grad=True)
    NonSaturatingGANLoss().generator(logits).backward()
    torch.testing.assert_close(logits.grad, torch.tensor([-1.0]))


def test_gradcheck():
    loss = NonSaturatingGANLoss()
    real, fake = (x.double().requires_grad_() for x in (REAL, FAKE))
    assert torch.autograd.gradcheck(loss.discriminator, (real, fake))
    assert torch.autograd.gradcheck(loss.generator, (fake,))


def test_generator_side_needs_no_real_logits():
    assert NonSaturatingGANLoss().needs_real_logits is False
