"""What the residual networks of SNGAN, SAGAN and BigGAN have in common.

Blocks of Gulrajani et al. 2017, arXiv:1704.00028, and Miyato et al. 2018, arXiv:1802.05957. The 1x1
convolution of a shortcut comes before the upsampling, or after the pooling, which gives the same at
a quarter of the work.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from mmgan_lite.models.layers import (
    LogitHead,
    SelfAttention,
    check_attention,
    count_doublings,
    halved_sides,
    init_xavier,
    per_stage,
)
from mmgan_lite.models.networks.base import ConditionalDiscriminator, LatentGenerator
from mmgan_lite.utils.validation import check_hidden_dims

Attention = int | Sequence[int]


class ResidualGenerator(LatentGenerator):
    """Base class: a linear layer, residual blocks that double the size, tanh at the end.

    A subclass sets the input of the first layer and the norms with :meth:`build`, and gives what
    the norms need to :meth:`images`.
    """

    def build(
        self,
        in_features: int,
        channels: int | Sequence[int],
        make_norm: Callable[[int], nn.Module],
        attention: Attention = (),
    ) -> None:
        """Make the layers.

        Args:
            in_features: Numbers that the first layer takes.
            channels: Channels at each size from the start to that of the image, or one number.
            make_norm: From a number of channels to a norm in the blocks.
            attention: After which blocks attention comes, counted from 1.

        Raises:
            ValueError: If an argument is out of its range.
        """
        start, doublings = count_doublings(self.image_shape)
        widths = per_stage('channels', channels, doublings + 1)
        self.first = nn.Sequential(
            init_xavier(nn.Linear(in_features, widths[0] * start[0] * start[1])),
            nn.Unflatten(1, (widths[0], *start)),
        )
        self.blocks = nn.ModuleList(self.make_block(i, o, make_norm) for i, o in pairwise(widths))
        # By the number of the block that comes before.
        self.attention = nn.ModuleDict(
            {str(n): SelfAttention(widths[n]) for n in check_attention(attention, doublings)}
        )
        self.last = nn.Sequential(
            nn.BatchNorm2d(widths[-1]),
            nn.ReLU(inplace=True),
            init_xavier(nn.Conv2d(widths[-1], self.image_shape[0], 3, padding=1)),
            nn.Tanh(),
        )

    def make_block(
        self, in_channels: int, channels: int, make_norm: Callable[[int], nn.Module]
    ) -> nn.Module:
        """What doubles the size, called with features and a condition."""
        return ResidualUpBlock(in_channels, channels, make_norm)

    def images(self, inputs: Tensor, conditions: Iterable[Tensor | None]) -> Tensor:
        """Images from what the first layer takes, and what the norms of each block take."""
        features = self.first(inputs)
        for number, (block, condition) in enumerate(zip(self.blocks, conditions, strict=True), 1):
            features = block(features, condition)
            if str(number) in self.attention:
                features = self.attention[str(number)](features)
        return self.last(features)


class ResidualUpBlock(nn.Module):
    """Twice the size: norm, ReLU, upsampling, 3x3, norm, ReLU, 3x3; the shortcut has a 1x1.

    Args:
        in_channels: Of what comes in.
        channels: Of what goes out, and inside.
        make_norm: From a number of channels to a norm: ``nn.BatchNorm2d``, or one that also takes a
            condition.
    """

    def __init__(
        self, in_channels: int, channels: int, make_norm: Callable[[int], nn.Module]
    ) -> None:
        super().__init__()
        self.norm1 = make_norm(in_channels)
        self.conv1 = init_xavier(nn.Conv2d(in_channels, channels, 3, padding=1), gain=2**0.5)
        self.norm2 = make_norm(channels)
        self.conv2 = init_xavier(nn.Conv2d(channels, channels, 3, padding=1), gain=2**0.5)
        self.shortcut = init_xavier(nn.Conv2d(in_channels, channels, 1))

    def forward(self, features: Tensor, condition: Tensor | None) -> Tensor:
        """Float ``(N, channels, 2H, 2W)`` from float ``(N, in_channels, H, W)``."""
        residual = F.relu(_normalized(self.norm1, features, condition))
        residual = self.conv1(F.interpolate(residual, scale_factor=2, mode='nearest'))
        residual = self.conv2(F.relu(_normalized(self.norm2, residual, condition)))
        shortcut = F.interpolate(self.shortcut(features), scale_factor=2, mode='nearest')
        return shortcut + residual


def _normalized(norm: nn.Module, features: Tensor, condition: Tensor | None) -> Tensor:
    return norm(features) if isinstance(norm, nn.BatchNorm2d) else norm(features, condition)


class ResidualDiscriminator(ConditionalDiscriminator):
    """Base class: residual blocks with ReLU and no norm, the first halving; sum over the pixels.

    Args:
        image_shape: Channels, height and width of an image in pixels.
        channels: Channels of what each block gives, at least 1 each.
        halvings: How many blocks halve the size, from the first on.
        num_classes: Number of labels, at least 2; None for a discriminator without labels.
        conditioning: How labels enter; None for the first of ``choices``.
        choices: The ways that the network offers.
        attention: After which blocks attention comes, counted from 1.

    Raises:
        ValueError: If an argument is out of its range, or ``conditioning`` has no classes.
    """

    # Whether a block that changes the channels does so in its first convolution.
    wide = False
    # Whether the first of ``channels`` is that of a layer before the blocks, numbered 0.
    has_stem = False

    def __init__(
        self,
        image_shape: Sequence[int],
        channels: Sequence[int],
        halvings: int,
        num_classes: int | None,
        conditioning: str | None = None,
        choices: Sequence[str] = ('projection',),
        attention: Attention = (),
    ) -> None:
        super().__init__(image_shape, num_classes, conditioning, choices)
        widths = check_hidden_dims(channels, 'channels')
        num_blocks = len(widths) - self.has_stem
        if type(halvings) is not int or not 1 <= halvings <= num_blocks:
            raise ValueError(
                f'halvings must be an int from 1 to the number of blocks, {num_blocks}, '
                f'got {halvings!r}. Pass halvings={max(1, num_blocks)}, or more channels.'
            )
        halved_sides(self.image_shape, halvings, minimum=2)
        places = check_attention(attention, num_blocks)
        blocks: list[nn.Module] = []
        pairs = pairwise((self.in_channels, *widths))
        for number, (before, width) in enumerate(pairs, 1 - self.has_stem):
            blocks.append(self.make_block(number, before, width, number <= halvings))
            if number in places:
                blocks.append(SelfAttention(width))
        self.blocks = nn.Sequential(*blocks)
        self.head = LogitHead(widths[-1], num_classes, self.conditioning)
        init_xavier(self.head.linear)
        if self.head.classifier is not None:
            init_xavier(self.head.classifier)

    def make_block(self, number: int, in_channels: int, channels: int, halve: bool) -> nn.Module:
        """The block of a number, counted from 1; the first one takes images."""
        if number == 1:
            return _first_block(in_channels, channels)
        return _block(in_channels, channels, halve, self.wide)

    def features(self, images: Tensor) -> Tensor:
        """Float ``(N, channels[-1])``, summed over the pixels."""
        return F.relu(self.blocks(images)).sum((2, 3))


class _Block(nn.Module):
    """The sum of two branches."""

    def __init__(self, residual: list[nn.Module], shortcut: list[nn.Module]) -> None:
        super().__init__()
        self.residual = nn.Sequential(*residual)
        self.shortcut = nn.Sequential(*shortcut)

    def forward(self, features: Tensor) -> Tensor:
        return self.shortcut(features) + self.residual(features)


def _first_block(in_channels: int, channels: int) -> _Block:
    """3x3, ReLU, 3x3 and half the size; no ReLU before, which would cut the pixels at 0."""
    first, relu = _conv3x3(in_channels, channels), nn.ReLU(inplace=True)
    residual = [first, relu, _conv3x3(channels, channels), nn.AvgPool2d(2)]
    return _Block(residual, [nn.AvgPool2d(2), _conv1x1(in_channels, channels)])


def _block(in_channels: int, channels: int, halve: bool, wide: bool) -> _Block:
    """ReLU, 3x3, ReLU, 3x3, and optionally half the size; a 1x1 in the shortcut if it changes."""
    pool: list[nn.Module] = [nn.AvgPool2d(2)] if halve else []
    inner = channels if wide else in_channels
    residual = [
        nn.ReLU(),  # not in place: the shortcut reads the same features
        _conv3x3(in_channels, inner),
        nn.ReLU(inplace=True),
        _conv3x3(inner, channels),
        *pool,
    ]
    changes = halve or in_channels != channels
    return _Block(residual, [*pool, _conv1x1(in_channels, channels)] if changes else pool)


def _conv3x3(in_channels: int, channels: int) -> nn.Conv2d:
    return init_xavier(nn.Conv2d(in_channels, channels, 3, padding=1), gain=2**0.5)


def _conv1x1(in_channels: int, channels: int) -> nn.Conv2d:
    return init_xavier(nn.Conv2d(in_channels, channels, 1), gain=1)
