"""FastGAN: networks that train in hours on a hundred images.

Liu et al. 2021, Towards Faster and Stabilized GAN Training for High-fidelity Few-shot Image
Synthesis, arXiv:2101.04775; two convolutions at each size, and the lite form with one, as in Sauer
et al. 2021, Projected GANs Converge Faster, arXiv:2111.01007. Differs: the generator gives one
image and the discriminator makes the small one from it, where the paper's generator gives both;
the small one is a mean over pixels; both networks start or end at 4 to 7, or 8 to 15, pixels along
the shorter side, so that they reach 28 as well as 256; tanh at the end at any size; noise in
training mode only; each image has a part to reconstruct of its own.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmgan_lite.models.layers import (
    add_spectral_norm,
    count_doublings,
    embed_labels,
    init_normal,
)
from mmgan_lite.models.networks.base import ImageNetwork
from mmgan_lite.models.networks.resize_conv import ResizeConv2d
from mmgan_lite.registry import MODELS
from mmgan_lite.utils.validation import check_positive

# How many sizes lie between what excites and what is excited, at most.
_GENERATOR_GAP, _DISCRIMINATOR_GAP = 4, 3
# The last stage of a generator that is excited: 512x512 if it starts at 4x4.
_LAST_EXCITED = 7
# Of the discriminator; what halves a larger image before has no shortcut.
_MAX_BLOCKS = 5


class _SkipLayerExcitation(nn.Module):
    """Channels of large features, weighted by what small ones of the same image show.

    Args:
        inputs: Channels of the features that the weights come from.
        outputs: Channels of those that are weighted.
        size: Height and width that the former are averaged down to.
    """

    def __init__(self, inputs: int, outputs: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.height = size[0]
        self.layers = nn.Sequential(
            nn.Conv2d(inputs, outputs, size, bias=False),
            nn.SiLU(),
            nn.Conv2d(outputs, outputs, 1, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, source: Tensor, features: Tensor) -> Tensor:
        pooled = F.avg_pool2d(source, source.shape[2] // self.height)
        return features * self.layers(pooled)


class _Noise(nn.Module):
    """In training mode, a normal number for each pixel, times a learned strength."""

    def __init__(self) -> None:
        super().__init__()
        self.strength = nn.Parameter(torch.zeros(()))

    def forward(self, features: Tensor) -> Tensor:
        # Without it in eval mode one latent gives one image.
        if not self.training:
            return features
        noise = torch.randn_like(features[:, :1])
        return torch.addcmul(features, self.strength.to(features.dtype), noise)


def _norm_and_gate(channels: int) -> list[nn.Module]:
    return [nn.BatchNorm2d(2 * channels), nn.GLU(dim=1)]


def _up_block(inputs: int, outputs: int, lite: bool) -> nn.Sequential:
    """Twice the size; one convolution, or two with noise."""
    layers: list[nn.Module] = [ResizeConv2d(inputs, 2 * outputs)]
    if not lite:
        layers += [_Noise(), *_norm_and_gate(outputs)]
        layers += [nn.Conv2d(outputs, 2 * outputs, 3, padding=1, bias=False), _Noise()]
    return nn.Sequential(*layers, *_norm_and_gate(outputs))


def _width(base_channels: int, stage: int) -> int:
    """Channels after so many doublings: 16, 8, 4, 2, 2, 1, 1/2, 1/4, ... times the base."""
    return max(1, 16 * base_channels >> (stage if stage < 4 else stage - 1))


@MODELS.register_module()
class FastGANGenerator(ImageNetwork):
    """Gated upsampling blocks; small features weight the channels of large ones; tanh at the end.

    Every layer is divided by its largest singular value, estimated by one power iteration a forward
    pass in train mode. Without labels.

    Args:
        latent_dim: Numbers in a latent vector, at least 1.
        image_shape: Channels, height and width of an image in pixels; the shorter side is 4, 5,
            6 or 7 times a power of two, from 8 on: 28, 32, 64, 128 and others; the longer one is a
            multiple of that power.
        base_channels: Channels after five doublings, at least 1; 16, 8, 4, 2 and 2 times as many
            before, half as many after each further one, at least 1.
        lite: Whether a block has one convolution without noise, instead of two with noise. The
            authors' code has the two forms in turn.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> generator = FastGANGenerator(16, (3, 32, 32), base_channels=4)
        >>> generator(torch.randn(4, 16)).shape
        torch.Size([4, 3, 32, 32])
    """

    def __init__(
        self,
        latent_dim: int = 256,
        image_shape: Sequence[int] = (3, 256, 256),
        base_channels: int = 64,
        lite: bool = False,
    ) -> None:
        super().__init__(image_shape, num_classes=None)
        self.latent_dim = check_positive('latent_dim', latent_dim)
        check_positive('base_channels', base_channels)
        start, doublings = count_doublings(self.image_shape)
        widths = [_width(base_channels, stage) for stage in range(doublings + 1)]
        self.first = nn.Sequential(
            nn.Linear(latent_dim, 2 * widths[0] * start[0] * start[1], bias=False),
            nn.Unflatten(1, (2 * widths[0], *start)),
            *_norm_and_gate(widths[0]),
        )
        self.blocks = nn.ModuleList(_up_block(i, o, lite) for i, o in pairwise(widths))
        self.gap = min(_GENERATOR_GAP, doublings)
        self.excitations = nn.ModuleDict(
            {
                str(stage): _SkipLayerExcitation(widths[stage - self.gap], widths[stage], start)
                for stage in range(self.gap, min(doublings, _LAST_EXCITED) + 1)
            }
        )
        self.last = nn.Conv2d(widths[-1], self.image_shape[0], 3, padding=1)
        init_normal(self, norms=True)
        add_spectral_norm(self)

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images from latents.

        Args:
            latents: Float ``(N, latent_dim)``, standard normal.
            labels: None.

        Returns:
            Float ``(N, *image_shape)`` in [-1, 1].

        Raises:
            ValueError: If there are labels.
        """
        embed_labels(labels, None)  # raises where there are labels
        features = [self.first(latents)]
        for block in self.blocks:
            features.append(block(features[-1]))
            _excite(features, self.excitations, self.gap)
        return torch.tanh(self.last(features[-1]))


def _excite(features: list[Tensor], excitations: nn.ModuleDict, gap: int) -> None:
    """Weight the last features by those ``gap`` sizes before, if they are among the excited."""
    if (stage := str(len(features) - 1)) in excitations:
        features[-1] = excitations[stage](features[-1 - gap], features[-1])


def _activation() -> nn.Module:
    return nn.LeakyReLU(0.2, inplace=True)


def _halving(inputs: int, outputs: int) -> list[nn.Module]:
    conv = nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False)
    return [conv, nn.BatchNorm2d(outputs), _activation()]


class _DownBlock(nn.Module):
    """Half the size: the mean of a path of two convolutions and one of a mean over 2x2 pixels."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            *_halving(inputs, outputs),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            _activation(),
        )
        self.direct = nn.Sequential(
            nn.AvgPool2d(2),
            nn.Conv2d(inputs, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
            _activation(),
        )

    def forward(self, features: Tensor) -> Tensor:
        return (self.main(features) + self.direct(features)) / 2


@MODELS.register_module()
class FastGANDiscriminator(ImageNetwork):
    """Judges the image and a small one made from it, and can reconstruct both.

    Residual blocks with skip-layer excitation for the image, strided convolutions for the small
    one, which is a mean over squares of pixels; both end at 8 to 15 pixels along the shorter side,
    or at 4 to 7 for images of less than 32. Batch norm, LeakyReLU 0.2. Every layer is divided by
    its largest singular value, estimated by one power iteration a forward pass in train mode.
    Without labels.

    The decoders train by :class:`~mmgan_lite.models.ReconstructionRegularizer` alone. In several
    processes a training without it, or with an ``interval`` over 1, needs
    ``find_unused_parameters=True`` in ``model_wrapper_cfg``.

    Args:
        image_shape: Channels, height and width of an image in pixels; the shorter side is 4, 5,
            6 or 7 times a power of two, from 8 on: 28, 32, 64, 128 and others; the longer one is a
            multiple of that power.
        base_channels: An eighth of the channels at the end, at least 1; these halve with each size
            before, down to 1.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> discriminator = FastGANDiscriminator((3, 32, 32), base_channels=4)
        >>> discriminator(torch.zeros(4, 3, 32, 32)).shape  # 5x5 of each of both
        torch.Size([4, 50])
    """

    def __init__(self, image_shape: Sequence[int] = (3, 256, 256), base_channels: int = 64) -> None:
        super().__init__(image_shape, num_classes=None)
        check_positive('base_channels', base_channels)
        start, doublings = count_doublings(self.image_shape)
        halvings = doublings - 1 if doublings > 2 else doublings
        blocks = min(halvings, _MAX_BLOCKS)
        widths = [max(1, 8 * base_channels >> (blocks - stage)) for stage in range(blocks + 1)]
        self.stem = _stem(self.image_shape[0], widths[0], halvings - blocks)
        self.blocks = nn.ModuleList(_DownBlock(i, o) for i, o in pairwise(widths))
        self.gap = min(_DISCRIMINATOR_GAP, blocks)
        self.excitations = nn.ModuleDict(
            {
                str(stage): _SkipLayerExcitation(widths[stage - self.gap], widths[stage], start)
                for stage in range(self.gap, blocks + 1)
            }
        )
        self.judge = nn.Sequential(
            nn.Conv2d(widths[-1], 2 * widths[-1], 1, bias=False),
            nn.BatchNorm2d(2 * widths[-1]),
            _activation(),
            nn.Conv2d(2 * widths[-1], 1, 4, bias=False),
        )
        steps = max(1, blocks - 1)
        height, width = (side >> (halvings - steps) for side in self.image_shape[1:])
        self.small_size = height, width
        small = [max(1, 4 * base_channels >> (steps - 1 - step)) for step in range(steps)]
        layers = [layer for i, o in pairwise(small) for layer in _halving(i, o)]
        self.small = nn.Sequential(*_stem(self.image_shape[0], small[0], 1), *layers)
        self.small_judge = nn.Conv2d(small[-1], 1, 4, bias=False)
        self.decoders = nn.ModuleDict(
            {
                name: _decoder(channels, base_channels, steps, self.image_shape[0])
                for name, channels in dict(
                    image=widths[-1], small=small[-1], part=widths[-2]
                ).items()
            }
        )
        init_normal(self, norms=True)
        add_spectral_norm(self)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Logits of patches of the image and of the small one.

        Args:
            images: Float ``(N, *image_shape)`` in [-1, 1].
            labels: None.

        Returns:
            Float ``(N, 2 P)``, unbounded; larger means more real. P is 5x5 for square images of
            power-of-two sides from 32 on.

        Raises:
            ValueError: If there are labels.
        """
        embed_labels(labels, None)  # raises where there are labels
        logits = self.judge(self._features(images)[-1])
        small_logits = self.small_judge(self.small(self._shrink(images)))
        return torch.cat([logits.flatten(1), small_logits.flatten(1)], dim=1)

    def reconstruct(self, images: Tensor) -> list[tuple[Tensor, Tensor]]:
        """What the decoders make of an image's features, and what they should.

        Args:
            images: Float ``(N, *image_shape)``.

        Returns:
            Three pairs of a reconstruction in [-1, 1] and its target, float ``(N, C, *small_size)``
            each: of the image, of the small one, and of a quarter of the image, a random one of the
            four for each.
        """
        features, small_images = self._features(images), self._shrink(images)
        quarter = torch.randint(4, (len(images),), device=images.device)
        part = _quarters(features[-2], quarter)
        target = F.adaptive_avg_pool2d(_quarters(images, quarter), self.small_size)
        return [
            (self.decoders['image'](features[-1]), small_images),
            (self.decoders['small'](self.small(small_images)), small_images),
            (self.decoders['part'](part), target),
        ]

    def _features(self, images: Tensor) -> list[Tensor]:
        """Of each size, from the image down."""
        features = [self.stem(images)]
        for block in self.blocks:
            features.append(block(features[-1]))
            _excite(features, self.excitations, self.gap)
        return features

    def _shrink(self, images: Tensor) -> Tensor:
        return F.avg_pool2d(images, images.shape[2] // self.small_size[0])


def _stem(channels: int, width: int, halvings: int) -> nn.Sequential:
    """From the image to features of ``width`` channels."""
    if halvings == 0:
        return nn.Sequential(nn.Conv2d(channels, width, 3, padding=1, bias=False), _activation())
    widths = [max(1, width >> (halvings - step)) for step in range(1, halvings + 1)]
    layers = [layer for i, o in pairwise(widths) for layer in _halving(i, o)]
    first = nn.Conv2d(channels, widths[0], 4, 2, 1, bias=False)
    return nn.Sequential(first, _activation(), *layers)


def _decoder(inputs: int, base_channels: int, doublings: int, colors: int) -> nn.Sequential:
    """From features to an image, with the generator's blocks from its third size on."""
    half = max(1, base_channels // 2)
    widths = [inputs, *(_width(half, 2 + step) for step in range(doublings))]
    blocks = [_up_block(i, o, lite=True) for i, o in pairwise(widths)]
    return nn.Sequential(
        *blocks, nn.Conv2d(widths[-1], colors, 3, padding=1, bias=False), nn.Tanh()
    )


def _quarters(maps: Tensor, index: Tensor) -> Tensor:
    """The top left, top right, bottom left or bottom right quarter of each, by index 0 to 3."""
    quarters = maps.unflatten(3, (2, -1)).unflatten(2, (2, -1))  # (N, C, 2, H/2, 2, W/2)
    quarters = quarters.permute(0, 2, 4, 1, 3, 5).flatten(1, 2)
    return quarters[torch.arange(len(maps), device=maps.device), index]
