"""The GAN, its networks, its losses, and the way of a batch into it."""

from mmgan_lite.models.averaged_model import ExponentialMovingAverage
from mmgan_lite.models.data_preprocessor import ImageBatchPreprocessor
from mmgan_lite.models.discriminators import MLPDiscriminator
from mmgan_lite.models.distributed import GANDistributedDataParallel
from mmgan_lite.models.gan import GAN
from mmgan_lite.models.generators import MLPGenerator
from mmgan_lite.models.losses import AdversarialLoss, NonSaturatingGANLoss

__all__ = [
    'GAN',
    'AdversarialLoss',
    'ExponentialMovingAverage',
    'GANDistributedDataParallel',
    'ImageBatchPreprocessor',
    'MLPDiscriminator',
    'MLPGenerator',
    'NonSaturatingGANLoss',
]
