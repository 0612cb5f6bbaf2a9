"""Models that translate images from one domain to another."""

from mmgan_lite.models.translation.base import TranslationModel
from mmgan_lite.models.translation.cut import CUT
from mmgan_lite.models.translation.cyclegan import CycleGAN
from mmgan_lite.models.translation.image_pool import ImagePool
from mmgan_lite.models.translation.pix2pix import Pix2Pix

__all__ = ['CUT', 'CycleGAN', 'ImagePool', 'Pix2Pix', 'TranslationModel']
