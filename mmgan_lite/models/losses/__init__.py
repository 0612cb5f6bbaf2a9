"""Objectives of the two players."""

from mmgan_lite.models.losses.adversarial import AdversarialLoss, NonSaturatingGANLoss

__all__ = ['AdversarialLoss', 'NonSaturatingGANLoss']
