"""Metrics of generated images, their evaluator, and feature extractors."""

from mmgan_lite.evaluation.cache import FeatureCache
from mmgan_lite.evaluation.collector import Collected, FeatureCollector
from mmgan_lite.evaluation.evaluator import GANEvaluator
from mmgan_lite.evaluation.extractors import (
    DigitNetwork,
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
    'Collected',
    'Comparison',
    'ConditionalAccuracy',
    'DensityCoverage',
    'DigitNetwork',
    'Extracted',
    'FeatureCache',
    'FeatureCollector',
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
