"""Networks that metrics see images through."""

from mmgan_lite.evaluation.extractors.base import Extracted, FeatureExtractor
from mmgan_lite.evaluation.extractors.inception import InceptionV3
from mmgan_lite.evaluation.extractors.mnist_classifier import MNISTClassifier
from mmgan_lite.evaluation.extractors.module import ModuleExtractor

__all__ = ['Extracted', 'FeatureExtractor', 'InceptionV3', 'MNISTClassifier', 'ModuleExtractor']
