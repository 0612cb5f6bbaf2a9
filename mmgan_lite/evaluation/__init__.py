"""Metrics of generated images, their evaluator, and feature extractors."""

from mmgan_lite.evaluation import extractors, metrics
from mmgan_lite.evaluation.cache import FeatureCache
from mmgan_lite.evaluation.evaluator import GANEvaluator
from mmgan_lite.evaluation.extractors import *  # noqa: F403
from mmgan_lite.evaluation.metrics import *  # noqa: F403
from mmgan_lite.evaluation.report import Report, Score
from mmgan_lite.evaluation.sampler import RepeatingSampler, SpreadSampler
from mmgan_lite.evaluation.scoring import score_images

__all__ = [
    *extractors.__all__,
    *metrics.__all__,
    'FeatureCache',
    'GANEvaluator',
    'RepeatingSampler',
    'Report',
    'Score',
    'SpreadSampler',
    'score_images',
]
