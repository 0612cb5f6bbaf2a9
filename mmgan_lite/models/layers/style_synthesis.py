"""From styles to images, in blocks of growing size.

Karras et al. 2020, Analyzing and Improving the Image Quality of StyleGAN, arXiv:1912.04958; the
lower precision of the largest sizes of Karras et al. 2020, Training Generative Adversarial Networks
with Limited Data, arXiv:2006.06676.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mmgan_lite.models.layers.equalized import EqualizedConv2d
from mmgan_lite.models.layers.modulated_conv import StyledConv2d, StyledToImage
from mmgan_lite.models.layers.resampling import FilteredUpsample
from mmgan_lite.utils.precision import lowers_precision
from mmgan_lite.utils.validation import check_choice, check_positive

NOISES = ('random', 'const', 'none')
_DTYPES = {'bfloat16': torch.bfloat16, 'float16': torch.float16}
# Each half of a sum of two branches of equal variance.
_HALF = 0.5**0.5


class Level(NamedTuple):
    """What a network has at one size.

    ``side`` is its height and width in pixels, ``channels`` the number of its features, and
    ``dtype`` that of the features, None for that of the weights.
    """

    side: int
    channels: int
    dtype: torch.dtype | None


def make_levels(
    image_shape: tuple[int, int, int],
    channel_base: int,
    channel_max: int,
    low_precision_levels: int,
    low_precision_dtype: str,
) -> list[Level]:
    """From 4x4 to the size of the image.

    Args:
        image_shape: Channels, height and width in pixels; both sides are the same power of two.
        channel_base: Channels at a side of S pixels are ``channel_base // S`` ...
        channel_max: ... and this at most.
        low_precision_levels: So many of the largest sizes have ``low_precision_dtype``.
        low_precision_dtype: 'bfloat16' or 'float16'.

    Raises:
        ValueError: If the size or an argument is out of its range.

    Example:
        >>> [level[:2] for level in make_levels((1, 16, 16), 64, 12, 0, 'bfloat16')]
        [(4, 12), (8, 8), (16, 4)]
    """
    colors, height, width = image_shape
    if height != width or height < 4 or height & (height - 1):
        raise ValueError(
            'image_shape must have two equal sides of 4, 8, 16, 32, ... pixels, a power of two, '
            f'got {image_shape}. Pass image_shape=({colors}, 32, 32), or another of them, and '
            'resize or pad the images in the dataset.'
        )
    check_positive('channel_base', channel_base, minimum=height)
    check_positive('channel_max', channel_max)
    check_positive('low_precision_levels', low_precision_levels, minimum=0)
    dtype = _DTYPES[check_choice('low_precision_dtype', low_precision_dtype, _DTYPES)]
    sides = [4 << doublings for doublings in range(height.bit_length() - 2)]
    if low_precision_levels > len(sides):
        raise ValueError(
            f'low_precision_levels must be at most the {len(sides)} sizes of a network for '
            f'{height}x{height} pixels, got {low_precision_levels}. Pass '
            f'low_precision_levels={len(sides)} for all.'
        )
    lowest = len(sides) - low_precision_levels
    return [
        Level(side, min(channel_max, channel_base // side), dtype if index >= lowest else None)
        for index, side in enumerate(sides)
    ]


class _SynthesisBlock(nn.Module):
    """One size of the generator: from the features and image of half the size.

    Args:
        before: The size below; None for the first, which starts from a learned map.
        level: This size.
        style_dim: Numbers in a style.
        image_channels: Of the images; None where this size gives none.
        residual: Whether the features of the size below are added past the convolutions.
        clamp: Largest magnitude of features; None for no bound.
    """

    def __init__(
        self,
        before: Level | None,
        level: Level,
        style_dim: int,
        image_channels: int | None,
        residual: bool,
        clamp: float | None,
    ) -> None:
        super().__init__()
        side, channels, self.dtype = level
        size = (side, side)
        self.constant = self.conv0 = self.skip = self.to_image = None
        gain = 1.0
        if before is None:
            self.constant = nn.Parameter(torch.randn(channels, *size))
        else:
            self.conv0 = StyledConv2d(
                before.channels, channels, style_dim, size, up=True, clamp=clamp
            )
            if residual:
                gain = _HALF
                skip = EqualizedConv2d(before.channels, channels, 1, bias=False, gain=gain)
                self.skip = nn.Sequential(skip, FilteredUpsample())
        self.conv1 = StyledConv2d(channels, channels, style_dim, size, gain=gain, clamp=clamp)
        if image_channels is not None:
            self.to_image = StyledToImage(channels, image_channels, style_dim, clamp)
        self.upsample = FilteredUpsample()

    def forward(
        self,
        features: Tensor | None,
        image: Tensor | None,
        ws: Iterable[Tensor],
        noise: str,
        grouped: bool,
    ) -> tuple[Tensor, Tensor | None]:
        """Features ``(N, C, S, S)`` and the image so far, float ``(N, image_channels, S, S)``.

        The next styles of ``ws`` are taken: of each convolution, and of the image.
        """
        ws = iter(ws)
        style = next(ws)
        past = None
        if features is None:
            assert self.constant is not None
            features = cast_features(self.constant, self.dtype).expand(len(style), -1, -1, -1)
        else:
            assert self.conv0 is not None
            features = cast_features(features, self.dtype)
            past = None if self.skip is None else self.skip(features)
            features = self.conv0(features, style, noise, grouped)
            style = next(ws)
        features = self.conv1(features, style, noise, grouped)
        if past is not None:
            features = past + features
        if image is not None:
            image = self.upsample(image)
        if self.to_image is not None:
            # A sum over all sizes, which would lose in bfloat16.
            own = self.to_image(features, next(ws), grouped).to(style.dtype)
            image = own if image is None else image + own
        return features, image


class StyleSynthesis(nn.Module):
    """From styles to images: one block a size, from a learned map of 4x4.

    Args:
        levels: The sizes.
        image_channels: Of the images.
        style_dim: Numbers in a style.
        architecture: 'skip': each size adds to the image of the one below; 'resnet': each adds to
            the features, and the last gives the image; 'orig': the last gives the image.
        noise: 'random', 'const' or 'none'; None for 'random' in training mode, 'const' in eval.
        clamp: Largest magnitude of features; None for no bound.
        grouped: Which form of the modulated convolutions is computed.

    Attributes:
        num_ws: Styles of an image: one for each 3x3 convolution and for the last image. An image
            below the last shares that of the next convolution.

    Example:
        >>> levels = make_levels((3, 16, 16), 64, 12, 0, 'bfloat16')
        >>> synthesis = StyleSynthesis(levels, image_channels=3, style_dim=8)
        >>> synthesis(torch.randn(2, synthesis.num_ws, 8)).shape
        torch.Size([2, 3, 16, 16])
    """

    def __init__(
        self,
        levels: Sequence[Level],
        image_channels: int,
        style_dim: int,
        architecture: str = 'skip',
        noise: str | None = None,
        clamp: float | None = None,
        grouped: bool = False,
    ) -> None:
        super().__init__()
        self.noise, self.grouped = noise, grouped
        self.blocks = nn.ModuleDict()
        for before, level in pairwise([None, *levels]):
            assert level is not None
            has_image = architecture == 'skip' or level is levels[-1]
            self.blocks[str(level.side)] = _SynthesisBlock(
                before,
                level,
                style_dim,
                image_channels if has_image else None,
                architecture == 'resnet',
                clamp,
            )
        self.num_ws = 2 * len(levels)
        if noise == 'none':
            # They get no gradient, which a wrapper for several processes would wait for.
            for module in self.modules():
                if isinstance(module, StyledConv2d):
                    module.noise_strength.requires_grad_(False)

    def forward(self, ws: Tensor, noise: str | None = None) -> Tensor:
        """Images.

        Args:
            ws: Float ``(N, num_ws, style_dim)``.
            noise: 'random', 'const' or 'none'; None for what the network was built with.

        Returns:
            Float ``(N, C, H, W)``, about in [-1, 1].

        Raises:
            ValueError: If ``ws`` is of another shape, or ``noise`` none of these.
        """
        if ws.ndim != 3 or ws.shape[1] != self.num_ws:
            raise ValueError(
                f'ws must be of shape (N, num_ws, style_dim) with num_ws={self.num_ws}, got '
                f'{tuple(ws.shape)}. Take them from mapping(latents, labels).'
            )
        noise = noise or self.noise or ('random' if self.training else 'const')
        check_choice('noise', noise, NOISES)
        styles = ws.unbind(1)
        features = image = None
        for index, block in enumerate(self.blocks.values()):
            # All but the first block have two convolutions.
            own = styles[max(0, 2 * index - 1) :]
            features, image = block(features, image, own, noise, self.grouped)
        assert image is not None
        return image


def cast_features(features: Tensor, dtype: torch.dtype | None) -> Tensor:
    """Features in the dtype of their size; as they are where it is None, or in full precision."""
    return features.to(dtype) if dtype is not None and lowers_precision() else features
