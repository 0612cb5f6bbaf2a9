"""Draw images from a trained model, or translate images by one, and publish its generators."""

from mmgan_lite.inference.inferencer import GANInferencer, Inputs
from mmgan_lite.inference.interpolation import lerp, slerp
from mmgan_lite.inference.loading import LoadedModel
from mmgan_lite.inference.model import get_model, load_model
from mmgan_lite.inference.pictures import Picture, open_pictures
from mmgan_lite.inference.publishing import (
    PublishedGenerator,
    PublishedTranslator,
    publish_generator,
    publish_loaded,
    read_published,
)
from mmgan_lite.inference.sampling import draw_images
from mmgan_lite.inference.standing_statistics import set_standing_statistics
from mmgan_lite.inference.translation import Translated, Translation
from mmgan_lite.inference.translation_inferencer import TranslationInferencer

__all__ = [
    'GANInferencer',
    'Inputs',
    'LoadedModel',
    'Picture',
    'PublishedGenerator',
    'PublishedTranslator',
    'Translated',
    'Translation',
    'TranslationInferencer',
    'draw_images',
    'get_model',
    'lerp',
    'load_model',
    'open_pictures',
    'publish_generator',
    'publish_loaded',
    'read_published',
    'set_standing_statistics',
    'slerp',
]
