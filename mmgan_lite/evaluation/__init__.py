"""Metrics of generated images, their evaluator, and feature extractors."""

# The two packages list their names in __all__, and this one lists them again.
# ruff: noqa: F403, F405

from mmgan_lite.evaluation.cache import FeatureCache
from mmgan_lite.evaluation.evaluator import GANEvaluator
from mmgan_lite.evaluation.extractors import *
from mmgan_lite.evaluation.metrics import *
from mmgan_lite.evaluation.report import Report, Score
from mmgan_lite.evaluation.sampler import RepeatingSampler, SpreadSampler
from mmgan_lite.evaluation.scoring import score

__all__ = [
    'Comparison',
    'ConditionalAccuracy',
    'DensityCoverage',
    'DigitNetwork',
    'Extracted',
    'FeatureCache',
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
