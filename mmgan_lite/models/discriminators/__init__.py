"""Discriminators: images (N, C, H, W), and labels where conditional, to raw logits (N,)."""

from mmgan_lite.models.discriminators.dcgan import DCGANDiscriminator
from mmgan_lite.models.discriminators.mlp import MLPDiscriminator
from mmgan_lite.models.discriminators.r3gan import R3GANDiscriminator
from mmgan_lite.models.discriminators.resize_conv import ResizeConvDiscriminator
from mmgan_lite.models.discriminators.resnet import ResNetDiscriminator

__all__ = [
    'DCGANDiscriminator',
    'MLPDiscriminator',
    'R3GANDiscriminator',
    'ResizeConvDiscriminator',
    'ResNetDiscriminator',
]
