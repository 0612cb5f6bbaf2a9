"""Objectives of the two players, and their regularizers."""

from mmgan_lite.models.losses.adversarial import (
    AdversarialLoss,
    HingeGANLoss,
    LeastSquaresGANLoss,
    NonSaturatingGANLoss,
    RelativisticAverageGANLoss,
    RelativisticPairingGANLoss,
    SaturatingGANLoss,
    WassersteinGANLoss,
)
from mmgan_lite.models.losses.auxiliary import AuxiliaryClassifierLoss, AuxiliaryLoss
from mmgan_lite.models.losses.contrastive import PatchNCELoss, PatchProjector
from mmgan_lite.models.losses.path_length import PathLengthRegularizer
from mmgan_lite.models.losses.reconstruction import ReconstructionRegularizer
from mmgan_lite.models.losses.regularizers import (
    BalancedConsistencyRegularizer,
    ConsistencyRegularizer,
    DRAGANRegularizer,
    DriftRegularizer,
    GradientPenalty,
    LeCamRegularizer,
    OrthogonalRegularizer,
    PenaltyBatch,
    R1Regularizer,
    R2Regularizer,
    Regularizer,
)

__all__ = [
    'AdversarialLoss',
    'AuxiliaryClassifierLoss',
    'AuxiliaryLoss',
    'BalancedConsistencyRegularizer',
    'ConsistencyRegularizer',
    'DRAGANRegularizer',
    'DriftRegularizer',
    'GradientPenalty',
    'HingeGANLoss',
    'LeCamRegularizer',
    'LeastSquaresGANLoss',
    'NonSaturatingGANLoss',
    'OrthogonalRegularizer',
    'PatchNCELoss',
    'PatchProjector',
    'PathLengthRegularizer',
    'PenaltyBatch',
    'R1Regularizer',
    'R2Regularizer',
    'ReconstructionRegularizer',
    'Regularizer',
    'RelativisticAverageGANLoss',
    'RelativisticPairingGANLoss',
    'SaturatingGANLoss',
    'WassersteinGANLoss',
]
