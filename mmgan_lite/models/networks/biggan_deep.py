"""BigGAN-deep: two bottleneck blocks at each size, and all latents and the label in every block.

Brock et al. 2019, Large Scale GAN Training for High Fidelity Natural Image Synthesis,
arXiv:1809.11096, appendix B. For 128x128 and 1,000 classes the generator has 50,244,484 parameters,
and the discriminator 34,590,210, as in MMagic, which follows the authors' PyTorch code. The paper
has 50.4 M and 34.6 M: the last convolution of the generator that its authors released gives 128
channels, of which 3 are the image, which are 144,125 parameters more (50,388,609).

Differs: the generator starts at any 4 to 7 pixels along the shorter side.
"""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmgan_lite.models.layers import (
    ConditionalBatchNorm2d,
    add_spectral_norm,
    append_label_embedding,
)
from mmgan_lite.models.networks.biggan import BigGANDiscriminator, initialize
from mmgan_lite.models.networks.residual import ResidualGenerator
from mmgan_lite.registry import MODELS
from mmgan_lite.utils.validation import check_positive

# Channels of a block to those of its 3x3 convolutions.
_RATIO = 4


@MODELS.register_module()
class BigGANDeepGenerator(ResidualGenerator):
    """Two bottleneck blocks a size, of which the second doubles it; batch norm sees all inputs.

    The latents, and a learned vector of the label behind them, enter the first layer and the norms
    of all blocks. Shortcuts have no layer: where channels get fewer, the first ones go on.

    Args:
        latent_dim: Numbers in a latent vector, at least 1.
        image_shape: Channels, height and width of an image in pixels; the shorter side is 4, 5,
            6 or 7 times a power of two, from 8 on: 28, 32, 64, 128 and others; the longer one is a
            multiple of that power.
        channels: Channels at each size from the start to that of the image, at least 1 each and
            none more than the one before, or one number for all. The paper's network for 128x128
            has (2048, 2048, 1024, 512, 256, 128).
        num_classes: Number of labels, at least 2; None for a generator without labels.
        shared_dim: Numbers in the learned vector of a label, at least 1; without labels it has no
            part.
        attention: After which pair of blocks attention comes, counted from 1; several pairs, or ()
            for none. The paper's is at 64x64: 4 for images of 128x128.
        spectral_norm: Whether each layer but the learned vector of a label is divided by its
            largest singular value, estimated by one power iteration a forward pass in train mode.
        initialization: Of all weights: 'orthogonal', or 'normal' for N(0, 0.02²).

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> generator = BigGANDeepGenerator(16, (3, 32, 32), channels=8, num_classes=10)
        >>> generator(torch.randn(4, 16), torch.tensor([0, 3, 3, 9])).shape
        torch.Size([4, 3, 32, 32])
    """

    def __init__(
        self,
        latent_dim: int = 128,
        image_shape: Sequence[int] = (1, 28, 28),
        channels: int | Sequence[int] = 256,
        num_classes: int | None = None,
        shared_dim: int = 128,
        attention: int | Sequence[int] = (),
        spectral_norm: bool = True,
        initialization: str = 'orthogonal',
    ) -> None:
        check_positive('shared_dim', shared_dim)
        super().__init__(latent_dim, image_shape, num_classes, shared_dim)
        seen = latent_dim + (shared_dim if num_classes else 0)

        def norm(channels: int) -> nn.Module:
            layers = [nn.Linear(seen, channels, bias=False) for _ in range(2)]
            return ConditionalBatchNorm2d(channels, *layers)

        self.build(seen, channels, norm, attention)
        initialize(self, initialization)
        if spectral_norm:
            add_spectral_norm(self.first, self.blocks, self.attention, self.last)

    def make_block(
        self, in_channels: int, channels: int, make_norm: Callable[[int], nn.Module]
    ) -> nn.Module:
        """Two blocks, of which the second doubles the size.

        Raises:
            ValueError: If there are more channels than before.
        """
        if channels > in_channels:
            raise ValueError(
                'channels must not grow from the start to the image, where a shortcut drops '
                f'channels, got {channels} after {in_channels}. Pass channels={in_channels}.'
            )
        return _UpBlocks(
            [
                _UpBlock(in_channels, in_channels, make_norm, up=False),
                _UpBlock(in_channels, channels, make_norm, up=True),
            ]
        )

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images from latents.

        Args:
            latents: Float ``(N, latent_dim)``, standard normal.
            labels: int64 ``(N,)`` in [0, ``num_classes``); None without labels.

        Returns:
            Float ``(N, *image_shape)`` in [-1, 1].

        Raises:
            ValueError: If labels are missing, needless or out of range.
        """
        seen = append_label_embedding(latents, labels, self.label_embedding)
        return self.images(seen, [seen] * len(self.blocks))


class _UpBlocks(nn.ModuleList):
    """Blocks that all take the same condition."""

    def forward(self, features: Tensor, condition: Tensor) -> Tensor:
        for block in self:
            features = block(features, condition)
        return features


class _UpBlock(nn.Module):
    """1x1, 3x3, 3x3 and 1x1, each after a norm and ReLU; the size doubles before the first 3x3."""

    def __init__(
        self, in_channels: int, channels: int, make_norm: Callable[[int], nn.Module], up: bool
    ) -> None:
        super().__init__()
        inner = max(1, in_channels // _RATIO)
        self.norms = nn.ModuleList(make_norm(width) for width in (in_channels, *[inner] * 3))
        self.convs = nn.ModuleList(
            [
                nn.Conv2d(in_channels, inner, 1),
                nn.Conv2d(inner, inner, 3, padding=1),
                nn.Conv2d(inner, inner, 3, padding=1),
                nn.Conv2d(inner, channels, 1),
            ]
        )
        self.channels, self.up = channels, up

    def forward(self, features: Tensor, condition: Tensor) -> Tensor:
        """Float ``(N, channels, H, W)`` from ``(N, in_channels, H, W)``; twice as large if up."""
        residual = features
        for index, (norm, conv) in enumerate(zip(self.norms, self.convs, strict=True)):
            residual = F.relu(norm(residual, condition))
            residual = conv(self._upsampled(residual) if index == 1 else residual)
        return self._upsampled(features[:, : self.channels]) + residual

    def _upsampled(self, features: Tensor) -> Tensor:
        return F.interpolate(features, scale_factor=2, mode='nearest') if self.up else features


@MODELS.register_module()
class BigGANDeepDiscriminator(BigGANDiscriminator):
    """Two bottleneck blocks a size with ReLU and no batch norm; sum over the pixels; projection.

    A 3x3 convolution comes first. The first block of a pair halves the size. Where channels get
    more, a shortcut goes on with all that it has, and a 1x1 convolution gives the others.

    Args:
        image_shape: Channels, height and width of an image in pixels; the sides are 2 to the
            power of ``halvings`` times 2, 3, 4, ...
        channels: Channels of what the first convolution and each pair of blocks gives, at least 1
            each and none fewer than the one before. The paper's network for 128x128 has
            (128, 256, 512, 1024, 2048, 2048), with ``halvings=5``.
        halvings: How many pairs of blocks halve the size, from the first on; at least 1, at most
            all.
        num_classes: Number of labels, at least 2; None for a discriminator without labels.
        attention: After which pair of blocks attention comes, counted from 1; several pairs, or ()
            for none. The paper's is at 64x64: 1 for images of 128x128.
        spectral_norm: Whether each layer is divided by its largest singular value, estimated by one
            power iteration a forward pass in train mode. Gradient penalties bound the slope in its
            place, and go with False.
        initialization: Of all weights: 'orthogonal', or 'normal' for N(0, 0.02²).

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> discriminator = BigGANDeepDiscriminator((3, 32, 32), (8, 8, 16), num_classes=10)
        >>> discriminator(torch.zeros(4, 3, 32, 32), torch.tensor([0, 3, 3, 9])).shape
        torch.Size([4])
    """

    wide, has_stem = False, True

    def make_block(self, number: int, in_channels: int, channels: int, halve: bool) -> nn.Module:
        """Two blocks; as number 0 the convolution on the images.

        Raises:
            ValueError: If there are fewer channels than before.
        """
        if number == 0:
            return nn.Conv2d(in_channels, channels, 3, padding=1)
        if channels < in_channels:
            raise ValueError(
                'channels must not fall from the image to the end, where a shortcut adds channels, '
                f'got {channels} after {in_channels}. Pass {in_channels} in its place.'
            )
        return nn.Sequential(
            _DownBlock(in_channels, channels, halve), _DownBlock(channels, channels, halve=False)
        )


class _DownBlock(nn.Module):
    """1x1, 3x3, 3x3 and 1x1, each after ReLU; the size is halved before the last one."""

    def __init__(self, in_channels: int, channels: int, halve: bool) -> None:
        super().__init__()
        inner = max(1, channels // _RATIO)
        self.pool = nn.AvgPool2d(2) if halve else nn.Identity()
        self.residual = nn.Sequential(
            nn.ReLU(),  # not in place: the shortcut reads the same features
            nn.Conv2d(in_channels, inner, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(inner, inner, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(inner, inner, 3, padding=1),
            nn.ReLU(inplace=True),
            self.pool,
            nn.Conv2d(inner, channels, 1),
        )
        added = channels - in_channels
        self.added = nn.Conv2d(in_channels, added, 1) if added else None

    def forward(self, features: Tensor) -> Tensor:
        """Float ``(N, channels, H, W)`` from ``(N, in_channels, H, W)``; half as large if halve."""
        past = self.pool(features)
        if self.added is not None:
            past = torch.cat([past, self.added(past)], dim=1)
        return past + self.residual(features)
