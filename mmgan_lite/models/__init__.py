"""Adversarial models, their networks and losses, and the preprocessing of a batch."""

from mmgan_lite.models import losses, networks, translation
from mmgan_lite.models.adversarial_model import AdversarialModel, Player
from mmgan_lite.models.augmentation import AdaptiveAugment, DiffAugment
from mmgan_lite.models.averaging import ExponentialMovingAverage, HalfLifeMovingAverage
from mmgan_lite.models.data_preprocessor import ImageBatchPreprocessor, TrainingBatch
from mmgan_lite.models.distributed import GANDistributedDataParallel
from mmgan_lite.models.gan import GAN
from mmgan_lite.models.growing_gan import GrowingGAN
from mmgan_lite.models.latents import NormalLatents, TruncatedNormalLatents, UniformLatents
from mmgan_lite.models.losses import *  # noqa: F403
from mmgan_lite.models.networks import *  # noqa: F403
from mmgan_lite.models.translation import *  # noqa: F403

__all__ = [
    *losses.__all__,
    *networks.__all__,
    *translation.__all__,
    'GAN',
    'AdaptiveAugment',
    'AdversarialModel',
    'DiffAugment',
    'ExponentialMovingAverage',
    'GANDistributedDataParallel',
    'GrowingGAN',
    'HalfLifeMovingAverage',
    'ImageBatchPreprocessor',
    'NormalLatents',
    'Player',
    'TrainingBatch',
    'TruncatedNormalLatents',
    'UniformLatents',
]
