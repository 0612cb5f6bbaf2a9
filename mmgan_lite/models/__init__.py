"""The GAN, its networks, its losses, and the way of a batch into it."""

from mmgan_lite.models.augmentations import AdaptiveAugment, DiffAugment
from mmgan_lite.models.averaged_model import ExponentialMovingAverage, HalfLifeMovingAverage
from mmgan_lite.models.data_preprocessor import ImageBatchPreprocessor
from mmgan_lite.models.discriminators import (
    DCGANDiscriminator,
    MLPDiscriminator,
    R3GANDiscriminator,
    ResizeConvDiscriminator,
    ResNetDiscriminator,
)
from mmgan_lite.models.distributed import GANDistributedDataParallel
from mmgan_lite.models.gan import GAN
from mmgan_lite.models.generators import (
    DCGANGenerator,
    MLPGenerator,
    R3GANGenerator,
    ResizeConvGenerator,
    ResNetGenerator,
)
from mmgan_lite.models.latents import NormalLatents, TruncatedNormalLatents, UniformLatents
from mmgan_lite.models.losses import (
    AdversarialLoss,
    AuxiliaryClassifierLoss,
    BalancedConsistencyRegularizer,
    ConsistencyRegularizer,
    DRAGANRegularizer,
    DriftRegularizer,
    GradientPenalty,
    HingeGANLoss,
    LeastSquaresGANLoss,
    LeCamRegularizer,
    NonSaturatingGANLoss,
    PenaltyBatch,
    R1Regularizer,
    R2Regularizer,
    Regularizer,
    RelativisticAverageGANLoss,
    RelativisticPairingGANLoss,
    SaturatingGANLoss,
    WassersteinGANLoss,
)

__all__ = [
    'GAN',
    'AdaptiveAugment',
    'AdversarialLoss',
    'AuxiliaryClassifierLoss',
    'BalancedConsistencyRegularizer',
    'ConsistencyRegularizer',
    'DCGANDiscriminator',
    'DCGANGenerator',
    'DRAGANRegularizer',
    'DiffAugment',
    'DriftRegularizer',
    'ExponentialMovingAverage',
    'GANDistributedDataParallel',
    'GradientPenalty',
    'HalfLifeMovingAverage',
    'HingeGANLoss',
    'ImageBatchPreprocessor',
    'LeCamRegularizer',
    'LeastSquaresGANLoss',
    'MLPDiscriminator',
    'MLPGenerator',
    'NonSaturatingGANLoss',
    'NormalLatents',
    'PenaltyBatch',
    'R1Regularizer',
    'R2Regularizer',
    'R3GANDiscriminator',
    'R3GANGenerator',
    'Regularizer',
    'RelativisticAverageGANLoss',
    'RelativisticPairingGANLoss',
    'ResNetDiscriminator',
    'ResNetGenerator',
    'ResizeConvDiscriminator',
    'ResizeConvGenerator',
    'SaturatingGANLoss',
    'TruncatedNormalLatents',
    'UniformLatents',
    'WassersteinGANLoss',
]
