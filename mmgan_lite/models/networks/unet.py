"""U-Net of pix2pix: each level halves the image, and its features skip to the way back.

Isola et al. 2017, Image-to-Image Translation with Conditional Adversarial Networks,
arXiv:1611.07004. Differs: nothing from its PyTorch version, in which the innermost level has no
dropout; ``upsampling='resize'`` is Odena et al. 2016, doi:10.23915/distill.00003.
"""

import torch
from torch import Tensor, nn

from mmgan_lite.models.layers import NORMS, init_normal, make_norm
from mmgan_lite.models.networks.base import ImageTranslator
from mmgan_lite.registry import MODELS
from mmgan_lite.utils.validation import check_choice, check_fraction, check_positive

# The widest level has so many times the base channels.
_MAX_FACTOR = 8


@MODELS.register_module()
class UNetTranslator(ImageTranslator):
    """Strided convolutions down to a few pixels, transposed ones back, and skips between them.

    Level i has ``base_channels * min(2**i, 8)`` channels at ``1 / 2**(i + 1)`` of the size. All
    weights start from N(0, 0.02^2).

    Args:
        in_channels: Channels of the images that come in, at least 1.
        out_channels: Channels of the images that come out, at least 1.
        levels: How often the sides are halved, at least 1. The paper's network has 8 for 256x256,
            and 7 for 128x128: the innermost level then has one pixel.
        base_channels: Channels of the first level, at least 1.
        norm: 'batch', 'instance' or 'none'. Layers before batch norm have no bias.
        dropout: Probability of dropout, in [0, 1], on the way back, after the innermost level and
            before the channels decrease: after three of 8 levels, two of 7, none of up to 5. In
            training mode only; the paper keeps it when it translates, as its source of noise.
        upsampling: 'transposed', a 4x4 transposed convolution; or 'resize', the nearest pixel and a
            3x3 convolution, which leave no checkerboard.

    Attributes:
        size_multiple: ``2**levels``, which both sides of an image must be a multiple of.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> network = UNetTranslator(in_channels=1, levels=4, base_channels=8)
        >>> network(torch.zeros(2, 1, 32, 48)).shape
        torch.Size([2, 3, 32, 48])
    """

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 3,
        levels: int = 8,
        base_channels: int = 64,
        norm: str = 'batch',
        dropout: float = 0.5,
        upsampling: str = 'transposed',
    ) -> None:
        check_positive('levels', levels)
        super().__init__(in_channels, out_channels, levels, min_side=2**levels)
        check_positive('base_channels', base_channels)
        check_fraction('dropout', dropout)
        check_choice('norm', norm, NORMS)
        check_choice('upsampling', upsampling, ('transposed', 'resize'))
        widths = [base_channels * min(2**level, _MAX_FACTOR) for level in range(levels)]
        inputs, bias = [in_channels, *widths], norm != 'batch'
        downs: list[nn.Module] = []
        ups: list[nn.Module] = []  # from the innermost
        for level, width in enumerate(widths):
            first, last = level == 0, level == levels - 1
            down: list[nn.Module] = [] if first else [nn.LeakyReLU(0.2, inplace=True)]
            down.append(nn.Conv2d(inputs[level], width, 4, 2, 1, bias=bias))
            if not (first or last):
                down.append(make_norm(norm, width))
            downs.append(nn.Sequential(*down))

            width = width if last else 2 * width  # with the skip
            if first:
                up = [_upsample(width, out_channels, True, upsampling), nn.Tanh()]
            else:
                outputs = inputs[level]
                up = [_upsample(width, outputs, bias, upsampling), make_norm(norm, outputs)]
                if dropout and not last and outputs == _MAX_FACTOR * base_channels:
                    up.append(nn.Dropout(dropout))
            ups.insert(0, nn.Sequential(nn.ReLU(inplace=True), *up))
        self.layers = _Skipping(downs, ups)
        init_normal(self, norms=True)


def _upsample(in_channels: int, out_channels: int, bias: bool, upsampling: str) -> nn.Module:
    """Both sides doubled."""
    if upsampling == 'transposed':
        return nn.ConvTranspose2d(in_channels, out_channels, 4, 2, 1, bias=bias)
    conv = nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=bias)
    return nn.Sequential(nn.Upsample(scale_factor=2, mode='nearest'), conv)


class _Skipping(nn.Module):
    """All of ``downs``, then ``ups``, each after the first with the features of its level too."""

    def __init__(self, downs: list[nn.Module], ups: list[nn.Module]) -> None:
        super().__init__()
        self.downs, self.ups = nn.ModuleList(downs), nn.ModuleList(ups)

    def forward(self, features: Tensor) -> Tensor:
        skips = []
        for down in self.downs:
            features = down(features)
            skips.append(features)
        features = self.ups[0](skips.pop())
        for up in self.ups[1:]:
            features = up(torch.cat([skips.pop(), features], dim=1))
        return features
