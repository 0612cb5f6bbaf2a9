"""The kinds of networks in checkpoints of MMGeneration and MMagic."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from mmgan_lite.checkpoints.foreign import (
    mm_biggan,
    mm_dcgan,
    mm_pggan,
    mm_sngan,
    mm_stylegan2,
    mm_translation,
)

Convert = Callable[..., dict[str, Any]]


class Family(NamedTuple):
    """How networks of a kind are told and converted.

    ``marks`` are names of tensors that the generator of no other family has together; the others
    are the functions of its networks, and how a training goes on.
    """

    name: str
    marks: tuple[str, ...]
    generator: Convert
    discriminator: Convert
    training: dict[str, Any]
    rate: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.999)


_HINGE = dict(loss=dict(type='HingeGANLoss'), discriminator_steps=5)
_WGAN_GP = dict(
    loss=dict(type='WassersteinGANLoss'),
    regularizers=[dict(type='GradientPenalty', weight=10.0), dict(type='DriftRegularizer')],
)
_LOGISTIC = dict(loss=dict(type='NonSaturatingGANLoss'))
_STYLEGAN2 = dict(
    loss=dict(type='NonSaturatingGANLoss'),
    regularizers=[
        dict(type='R1Regularizer', weight=10.0, interval=16),
        dict(type='PathLengthRegularizer', weight=2.0, interval=4),
    ],
)
# A name may begin with one of the marks. The first family whose marks are all there is taken.
_FAMILIES = (
    Family(
        'StyleGAN2',
        ('constant_input.input', 'conv1.conv.style_modulation'),
        mm_stylegan2.generator,
        mm_stylegan2.discriminator,
        _STYLEGAN2,
        2e-3,
        (0.0, 0.99),
    ),
    Family(
        'DCGAN',
        ('noise2feat.conv.weight', 'output_layer.conv'),
        mm_dcgan.generator,
        mm_dcgan.discriminator,
        _LOGISTIC,
    ),
    Family(
        'PGGAN',
        ('noise2feat.linear.weight_orig', 'torgb_layers.0.conv'),
        mm_pggan.generator,
        mm_pggan.discriminator,
        _WGAN_GP,
        1e-3,
        (0.0, 0.99),
    ),
    Family(
        'BigGAN-deep',
        ('noise2feat.', 'conv_blocks.0.bn4', 'output_layer.conv'),
        mm_biggan.deep_generator,
        mm_biggan.deep_discriminator,
        _HINGE,
        betas=(0.0, 0.999),
    ),
    Family(
        'BigGAN',
        ('noise2feat.', 'conv_blocks.0.bn1', 'output_layer.conv'),
        mm_biggan.generator,
        mm_biggan.discriminator,
        _HINGE,
        betas=(0.0, 0.999),
    ),
    Family(
        'SNGAN or SAGAN',
        ('noise2feat.', 'conv_blocks.0.norm_1', 'to_rgb.conv'),
        mm_sngan.generator,
        mm_sngan.discriminator,
        _HINGE,
    ),
    Family('U-Net', ('model.model.0.conv',), mm_translation.unet, mm_translation.patch, {}),
    Family(
        'ResNet',
        ('model.0.conv', 'model.3.block.'),
        mm_translation.resnet,
        mm_translation.patch,
        {},
    ),
)


def find_family(names: Iterable[str]) -> Family | None:
    """That of the names of a generator's tensors; None if there is none.

    Example:
        >>> find_family(['noise2feat.conv.weight', 'output_layer.conv.bias']).name
        'DCGAN'
    """
    found = list(names)
    for family in _FAMILIES:
        if all(any(name.startswith(mark) for name in found) for mark in family.marks):
            return family
    return None
