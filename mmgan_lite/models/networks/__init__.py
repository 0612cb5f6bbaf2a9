"""Networks, one file a family: the generator, the discriminator and their blocks.

Generators map latents ``(N, Z)`` to images ``(N, C, H, W)`` in [-1, 1], discriminators map images
to logits; both take labels ``(N,)`` where they are conditional. Translators map images to images.
"""

from mmgan_lite.models.networks.biggan import BigGANDiscriminator, BigGANGenerator
from mmgan_lite.models.networks.biggan_deep import BigGANDeepDiscriminator, BigGANDeepGenerator
from mmgan_lite.models.networks.dcgan import DCGANDiscriminator, DCGANGenerator
from mmgan_lite.models.networks.fastgan import FastGANDiscriminator, FastGANGenerator
from mmgan_lite.models.networks.mlp import MLPDiscriminator, MLPGenerator
from mmgan_lite.models.networks.patchgan import MultiScaleDiscriminator, PatchDiscriminator
from mmgan_lite.models.networks.pggan import PGGANDiscriminator, PGGANGenerator
from mmgan_lite.models.networks.r3gan import R3GANDiscriminator, R3GANGenerator
from mmgan_lite.models.networks.resize_conv import ResizeConvDiscriminator, ResizeConvGenerator
from mmgan_lite.models.networks.resnet import ResNetDiscriminator, ResNetGenerator
from mmgan_lite.models.networks.resnet_translator import ResNetTranslator
from mmgan_lite.models.networks.sagan import SAGANDiscriminator, SAGANGenerator
from mmgan_lite.models.networks.stylegan2 import StyleGAN2Discriminator, StyleGAN2Generator
from mmgan_lite.models.networks.unet import UNetTranslator

__all__ = [
    'BigGANDeepDiscriminator',
    'BigGANDeepGenerator',
    'BigGANDiscriminator',
    'BigGANGenerator',
    'DCGANDiscriminator',
    'DCGANGenerator',
    'FastGANDiscriminator',
    'FastGANGenerator',
    'MLPDiscriminator',
    'MLPGenerator',
    'MultiScaleDiscriminator',
    'PGGANDiscriminator',
    'PGGANGenerator',
    'PatchDiscriminator',
    'R3GANDiscriminator',
    'R3GANGenerator',
    'ResNetDiscriminator',
    'ResNetGenerator',
    'ResNetTranslator',
    'ResizeConvDiscriminator',
    'ResizeConvGenerator',
    'SAGANDiscriminator',
    'SAGANGenerator',
    'StyleGAN2Discriminator',
    'StyleGAN2Generator',
    'UNetTranslator',
]
