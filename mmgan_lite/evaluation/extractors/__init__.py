"""Networks that extract the features of images for metrics."""

from mmgan_lite.evaluation.extractors.base import Extracted, FeatureExtractor
from mmgan_lite.evaluation.extractors.inception import InceptionV3
from mmgan_lite.evaluation.extractors.mnist_classifier import DigitNetwork, MNISTClassifier
from mmgan_lite.evaluation.extractors.module import ModuleExtractor

__all__ = [
    'DigitNetwork',
    'Extracted',
    'FeatureExtractor',
    'InceptionV3',
    'MNISTClassifier',
    'ModuleExtractor',
]
