"""Residual networks: WGAN-GP, and SNGAN with its projection discriminator.

Gulrajani et al. 2017, Improved Training of Wasserstein GANs, arXiv:1704.00028; spectral norm:
Miyato et al. 2018, Spectral Normalization for GANs, arXiv:1802.05957; labels: Miyato & Koyama 2018,
cGANs with Projection Discriminator, arXiv:1802.05637.

Differs: the generator starts at any 4 to 7 pixels along the shorter side; the features of the
discriminator are summed over the pixels with or without spectral norm (Gulrajani et al. take the
mean); the 1x1 convolution of a shortcut comes before the upsampling, or after the pooling, which
gives the same at a quarter of the work.
"""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from mmgan_lite.models.layers import (
    ClassBatchNorm2d,
    LogitHead,
    append_label_embedding,
    check_conditioning,
    count_doublings,
    halved_sides,
    init_xavier,
    per_stage,
)
from mmgan_lite.models.networks.base import ConditionalDiscriminator, LatentGenerator
from mmgan_lite.registry import MODELS
from mmgan_lite.utils.validation import check_hidden_dims


@MODELS.register_module()
class ResNetGenerator(LatentGenerator):
    """Residual blocks that double the size, batch norm and ReLU, tanh at the end.

    A linear layer makes the start, of 4 to 7 pixels along the shorter side. The paper's network for
    32x32 is the default with ``image_shape=(3, 32, 32)``.

    Args:
        latent_dim: Numbers in a latent vector, at least 1.
        image_shape: Channels, height and width of an image in pixels; the shorter side is 4, 5,
            6 or 7 times a power of two, from 8 on: 28, 32, 64, 128 and others; the longer one is a
            multiple of that power.
        channels: Channels at each size from the start to that of the image, at least 1 each, or one
            number for all. The papers' network for 128x128 has (1024, 1024, 512, 256, 128, 64).
        num_classes: Number of labels, at least 2; None for a generator without labels.
        conditioning: How labels enter: 'class_norm', a gain and a bias for each class in the batch
            norm of the blocks; or 'embedding', a learned vector of ``num_classes`` numbers that is
            appended to the latents. None is 'class_norm' where there are labels.

    Raises:
        ValueError: If an argument is out of its range, or ``conditioning`` has no classes.

    Example:
        >>> import torch
        >>> generator = ResNetGenerator(16, (3, 32, 32), channels=8, num_classes=10)
        >>> generator(torch.randn(4, 16), torch.tensor([0, 3, 3, 9])).shape
        torch.Size([4, 3, 32, 32])
    """

    def __init__(
        self,
        latent_dim: int = 128,
        image_shape: Sequence[int] = (1, 28, 28),
        channels: int | Sequence[int] = 256,
        num_classes: int | None = None,
        conditioning: str | None = None,
    ) -> None:
        conditioning = check_conditioning(conditioning, num_classes, ('class_norm', 'embedding'))
        embedding_dim = num_classes if conditioning == 'embedding' else None
        super().__init__(latent_dim, image_shape, num_classes, embedding_dim)
        self.conditioning = conditioning
        start, doublings = count_doublings(self.image_shape)
        widths = per_stage('channels', channels, doublings + 1)

        in_features = latent_dim + (embedding_dim or 0)
        self.first = nn.Sequential(
            init_xavier(nn.Linear(in_features, widths[0] * start[0] * start[1])),
            nn.Unflatten(1, (widths[0], *start)),
        )
        norm_classes = num_classes if self.conditioning == 'class_norm' else None
        self.blocks = nn.ModuleList(
            _UpBlock(i, o, norm_classes) for i, o in zip(widths, widths[1:], strict=False)
        )
        self.last = nn.Sequential(
            nn.BatchNorm2d(widths[-1]),
            nn.ReLU(inplace=True),
            init_xavier(nn.Conv2d(widths[-1], self.image_shape[0], 3, padding=1)),
            nn.Tanh(),
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
        if self.conditioning != 'class_norm':
            latents = append_label_embedding(latents, labels, self.label_embedding)
        features = self.first(latents)
        for block in self.blocks:
            features = block(features, labels)
        return self.last(features)


class _UpBlock(nn.Module):
    """Twice the size: norm, ReLU, upsampling, 3x3, norm, ReLU, 3x3; the shortcut has a 1x1."""

    def __init__(self, in_channels: int, channels: int, num_classes: int | None) -> None:
        super().__init__()
        self.norm1 = _norm(in_channels, num_classes)
        self.conv1 = init_xavier(nn.Conv2d(in_channels, channels, 3, padding=1), gain=2**0.5)
        self.norm2 = _norm(channels, num_classes)
        self.conv2 = init_xavier(nn.Conv2d(channels, channels, 3, padding=1), gain=2**0.5)
        self.shortcut = init_xavier(nn.Conv2d(in_channels, channels, 1))

    def forward(self, features: Tensor, labels: Tensor | None) -> Tensor:
        residual = F.relu(_normalized(self.norm1, features, labels))
        residual = self.conv1(F.interpolate(residual, scale_factor=2, mode='nearest'))
        residual = self.conv2(F.relu(_normalized(self.norm2, residual, labels)))
        shortcut = F.interpolate(self.shortcut(features), scale_factor=2, mode='nearest')
        return shortcut + residual


def _norm(channels: int, num_classes: int | None) -> nn.Module:
    return ClassBatchNorm2d(channels, num_classes) if num_classes else nn.BatchNorm2d(channels)


def _normalized(norm: nn.Module, features: Tensor, labels: Tensor | None) -> Tensor:
    return norm(features, labels) if isinstance(norm, ClassBatchNorm2d) else norm(features)


@MODELS.register_module()
class ResNetDiscriminator(ConditionalDiscriminator):
    """Residual blocks with ReLU and no batch norm; the first halve the size; sum over the pixels.

    The default is the papers' network for 32x32.

    Args:
        image_shape: Channels, height and width of an image in pixels; the sides are 2 to the
            power of ``halvings`` times 4, 5, 6, ...
        channels: Channels of what each block gives, at least 1 each. The papers' network for
            128x128 has (64, 128, 256, 512, 1024, 1024), with ``halvings=5``.
        halvings: How many blocks halve the size, from the first on; at least 1, at most all.
        num_classes: Number of labels, at least 2; None for a discriminator without labels.
        spectral_norm: Whether each layer but an embedding at the input is divided by its largest
            singular value, estimated by one power iteration a forward pass in train mode. Gradient
            penalties bound the slope in its place, and go with False.
        conditioning: How labels enter: 'projection', a learned vector that the features are
            multiplied with; 'embedding', a learned map as one more channel of the image; or
            'classifier', not at all: the network gives class logits beside the logit
            (arXiv:1610.09585). None is 'projection' where there are labels.

    Attributes:
        has_classifier: Whether ``forward`` can return the logits of the classes.

    Raises:
        ValueError: If an argument is out of its range, or ``conditioning`` has no classes.

    Example:
        >>> import torch
        >>> discriminator = ResNetDiscriminator((3, 32, 32), (8, 8, 8), num_classes=10)
        >>> discriminator(torch.zeros(4, 3, 32, 32), torch.tensor([0, 3, 3, 9])).shape
        torch.Size([4])
    """

    def __init__(
        self,
        image_shape: Sequence[int] = (1, 28, 28),
        channels: Sequence[int] = (128, 128, 128, 128),
        halvings: int = 2,
        num_classes: int | None = None,
        spectral_norm: bool = True,
        conditioning: str | None = None,
    ) -> None:
        choices = ('projection', 'embedding', 'classifier')
        super().__init__(image_shape, num_classes, conditioning, choices)
        widths = check_hidden_dims(channels, 'channels')
        if type(halvings) is not int or not 1 <= halvings <= len(widths):
            raise ValueError(
                f'halvings must be an int from 1 to the number of blocks, {len(widths)}, '
                f'got {halvings!r}. Pass halvings={len(widths)}, or more channels.'
            )
        halved_sides(self.image_shape, halvings)
        blocks: list[nn.Module] = [_first_block(self.in_channels, widths[0])]
        for index, (i, o) in enumerate(zip(widths, widths[1:], strict=False), start=1):
            blocks.append(_block(i, o, halve=index < halvings))
        self.blocks = nn.Sequential(*blocks)
        self.head = LogitHead(widths[-1], num_classes, self.conditioning)
        init_xavier(self.head.linear)
        if self.head.classifier is not None:
            init_xavier(self.head.classifier)
        if spectral_norm:
            for module in [*self.blocks.modules(), *self.head.modules()]:
                if isinstance(module, nn.Conv2d | nn.Linear | nn.Embedding):
                    parametrizations.spectral_norm(module)

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


def _block(in_channels: int, channels: int, halve: bool) -> _Block:
    """ReLU, 3x3, ReLU, 3x3, and optionally half the size; a 1x1 in the shortcut if it changes."""
    pool: list[nn.Module] = [nn.AvgPool2d(2)] if halve else []
    residual = [
        nn.ReLU(),  # not in place: the shortcut reads the same features
        _conv3x3(in_channels, in_channels),
        nn.ReLU(inplace=True),
        _conv3x3(in_channels, channels),
        *pool,
    ]
    changes = halve or in_channels != channels
    return _Block(residual, [*pool, _conv1x1(in_channels, channels)] if changes else pool)


def _conv3x3(in_channels: int, channels: int) -> nn.Conv2d:
    return init_xavier(nn.Conv2d(in_channels, channels, 3, padding=1), gain=2**0.5)


def _conv1x1(in_channels: int, channels: int) -> nn.Conv2d:
    return init_xavier(nn.Conv2d(in_channels, channels, 1), gain=1)
