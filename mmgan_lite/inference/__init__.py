"""Draw images from a trained model, interpolate between them, and publish its generator."""

from mmgan_lite.inference.inferencer import GANInferencer, Inputs
from mmgan_lite.inference.interpolation import lerp, slerp
from mmgan_lite.inference.model import get_model
from mmgan_lite.inference.publishing import PublishedGenerator, publish_generator, read_published
from mmgan_lite.inference.sampling import draw_images
from mmgan_lite.inference.standing_statistics import set_standing_statistics

__all__ = [
    'GANInferencer',
    'Inputs',
    'PublishedGenerator',
    'draw_images',
    'get_model',
    'lerp',
    'publish_generator',
    'read_published',
    'set_standing_statistics',
    'slerp',
]
