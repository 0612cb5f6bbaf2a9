"""Metrics of generated images."""

from mmgan_lite.evaluation.metrics.base import Comparison, GANMetric, Samples
from mmgan_lite.evaluation.metrics.conditional_accuracy import ConditionalAccuracy
from mmgan_lite.evaluation.metrics.density_coverage import DensityCoverage
from mmgan_lite.evaluation.metrics.frechet_distance import FrechetDistance
from mmgan_lite.evaluation.metrics.inception_score import InceptionScore
from mmgan_lite.evaluation.metrics.kernel_distance import KernelDistance
from mmgan_lite.evaluation.metrics.memorization import Memorization
from mmgan_lite.evaluation.metrics.mode_coverage import ModeCoverage
from mmgan_lite.evaluation.metrics.ms_ssim import MSSSIM
from mmgan_lite.evaluation.metrics.paired_image_metric import PairedImageMetric
from mmgan_lite.evaluation.metrics.perceptual_path_length import PerceptualPathLength
from mmgan_lite.evaluation.metrics.precision_recall import PrecisionRecall
from mmgan_lite.evaluation.metrics.sliced_wasserstein_distance import SlicedWassersteinDistance

__all__ = [
    'MSSSIM',
    'Comparison',
    'ConditionalAccuracy',
    'DensityCoverage',
    'FrechetDistance',
    'GANMetric',
    'InceptionScore',
    'KernelDistance',
    'Memorization',
    'ModeCoverage',
    'PairedImageMetric',
    'PerceptualPathLength',
    'PrecisionRecall',
    'Samples',
    'SlicedWassersteinDistance',
]
