"""Differentiable changes of what the discriminator sees, the same for real images and fakes."""

from mmgan_lite.models.augmentation.adaptive import AdaptiveAugment
from mmgan_lite.models.augmentation.diff_augment import DiffAugment

__all__ = ['AdaptiveAugment', 'DiffAugment']
