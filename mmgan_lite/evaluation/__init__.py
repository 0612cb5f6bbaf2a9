"""Metrics of generated images, and the networks that they see them through."""

from mmgan_lite.evaluation.evaluator import GANEvaluator
from mmgan_lite.evaluation.extractors import (
    Extracted,
    FeatureExtractor,
    InceptionV3,
    MNISTClassifier,
    ModuleExtractor,
)
from mmgan_lite.evaluation.metrics import (
    Comparison,
    ConditionalAccuracy,
    DensityCoverage,
    FrechetDistance,
    GANMetric,
    InceptionScore,
    KernelDistance,
    Memorization,
    ModeCoverage,
    PrecisionRecall,
    Samples,
)
from mmgan_lite.evaluation.report import Report, Score
from mmgan_lite.evaluation.sampler import RepeatingSampler, SpreadSampler
from mmgan_lite.evaluation.scoring import score

__all__ = [
    'Comparison',
    'ConditionalAccuracy',
    'DensityCoverage',
    'Extracted',
    'FeatureExtractor',
    'FrechetDistance',
    'GANEvaluator',
    'GANMetric',
    'InceptionScore',
    'InceptionV3',
    'KernelDistance',
    'MNISTClassifier',
    'Memorization',
    'ModeCoverage',
    'ModuleExtractor',
    'PrecisionRecall',
    'RepeatingSampler',
    'Report',
    'Samples',
    'Score',
    'SpreadSampler',
    'score',
]
