"""Generators: latents (N, Z), and labels where conditional, to images (N, C, H, W) in [-1, 1]."""

from mmgan_lite.models.generators.dcgan import DCGANGenerator
from mmgan_lite.models.generators.mlp import MLPGenerator
from mmgan_lite.models.generators.r3gan import R3GANGenerator
from mmgan_lite.models.generators.resize_conv import ResizeConvGenerator
from mmgan_lite.models.generators.resnet import ResNetGenerator

__all__ = [
    'DCGANGenerator',
    'MLPGenerator',
    'R3GANGenerator',
    'ResizeConvGenerator',
    'ResNetGenerator',
]
