"""BigGAN: wide residual networks with spectral norm in both, latents and labels in every block.

Brock et al. 2019, Large Scale GAN Training for High Fidelity Natural Image Synthesis,
arXiv:1809.11096. Differs: the generator starts at any 4 to 7 pixels along the shorter side.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mmgan_lite.models.layers import (
    ConditionalBatchNorm2d,
    add_spectral_norm,
    count_doublings,
    embed_labels,
    init_normal,
    init_orthogonal,
)
from mmgan_lite.models.networks.residual import ResidualDiscriminator, ResidualGenerator
from mmgan_lite.registry import MODELS
from mmgan_lite.utils.validation import check_positive


@MODELS.register_module()
class BigGANGenerator(ResidualGenerator):
    """Residual blocks that double the size; the norms see the label and a part of the latents.

    The first layer takes the first part of the latents. The gains and biases of a block's batch
    norm come from linear layers on a learned vector of the label, the same for all blocks, and on
    the block's own part of the latents.

    Args:
        latent_dim: Numbers in a latent vector, at least 1; with ``split_latents`` a multiple of the
            number of blocks plus 1, of which the default is one up to 128x128.
        image_shape: Channels, height and width of an image in pixels; the shorter side is 4, 5,
            6 or 7 times a power of two, from 8 on: 28, 32, 64, 128 and others; the longer one is a
            multiple of that power.
        channels: Channels at each size from the start to that of the image, at least 1 each, or one
            number for all. The paper's network for 128x128 has (1536, 1536, 768, 384, 192, 96).
        num_classes: Number of labels, at least 2; None for a generator without labels.
        shared_dim: Numbers in the learned vector of a label, at least 1; None for gains and biases
            of each class in each norm in its place. Without labels it has no part.
        split_latents: Whether each block gets a part of the latents; with labels this needs
            ``shared_dim``.
        attention: After which block attention comes, counted from 1; several blocks, or () for
            none. The paper's is at 64x64: 4 for images of 128x128.
        spectral_norm: Whether each layer but the learned vector of a label is divided by its
            largest singular value, estimated by one power iteration a forward pass in train mode.
        initialization: Of all weights: 'orthogonal', or 'normal' for N(0, 0.02²).

    Raises:
        ValueError: If an argument is out of its range, or two do not fit together.

    Example:
        >>> generator = BigGANGenerator(16, (3, 32, 32), channels=8, num_classes=10, shared_dim=4)
        >>> generator(torch.randn(4, 16), torch.tensor([0, 3, 3, 9])).shape
        torch.Size([4, 3, 32, 32])
    """

    def __init__(
        self,
        latent_dim: int = 120,
        image_shape: Sequence[int] = (1, 28, 28),
        channels: int | Sequence[int] = 256,
        num_classes: int | None = None,
        shared_dim: int | None = 128,
        split_latents: bool = True,
        attention: int | Sequence[int] = (),
        spectral_norm: bool = True,
        initialization: str = 'orthogonal',
    ) -> None:
        if shared_dim is not None:
            check_positive('shared_dim', shared_dim)
        elif num_classes and split_latents:
            raise ValueError(
                'split_latents=True with labels needs a learned vector for each of them, got '
                'shared_dim=None. Pass shared_dim=128, or split_latents=False.'
            )
        super().__init__(latent_dim, image_shape, num_classes, shared_dim)
        self.split_latents = split_latents
        blocks = count_doublings(self.image_shape)[1]
        if split_latents and latent_dim % (blocks + 1):
            near = max(1, round(latent_dim / (blocks + 1))) * (blocks + 1)
            raise ValueError(
                f'latent_dim must be a multiple of {blocks + 1}, one part for the start and one '
                f'for each of {blocks} blocks, got {latent_dim}. Pass latent_dim={near}, or '
                'split_latents=False.'
            )
        part = latent_dim // (blocks + 1) if split_latents else latent_dim
        # What a norm sees; no numbers where it sees the label itself.
        seen = (part if split_latents else 0) + (shared_dim or 0 if num_classes else 0)

        def norm(channels: int) -> nn.Module:
            if seen:
                layers = [nn.Linear(seen, channels, bias=False) for _ in range(2)]
                return ConditionalBatchNorm2d(channels, *layers)
            if num_classes:
                embeddings = [nn.Embedding(num_classes, channels) for _ in range(2)]
                return ConditionalBatchNorm2d(channels, *embeddings)
            return nn.BatchNorm2d(channels)

        self.build(part, channels, norm, attention)
        initialize(self, initialization)
        if spectral_norm:
            add_spectral_norm(self.first, self.blocks, self.attention, self.last)

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
        condition: Tensor | None = labels
        if self.num_classes is None or self.label_embedding is not None:
            condition = embed_labels(labels, self.label_embedding)
        if not self.split_latents:
            return self.images(latents, [condition] * len(self.blocks))
        first, *parts = latents.chunk(len(self.blocks) + 1, dim=1)
        if condition is not None:
            parts = [torch.cat([condition, part], dim=1) for part in parts]
        return self.images(first, parts)


@MODELS.register_module()
class BigGANDiscriminator(ResidualDiscriminator):
    """Wide residual blocks with ReLU and no batch norm; sum over the pixels; projection.

    Args:
        image_shape: Channels, height and width of an image in pixels; the sides are 2 to the
            power of ``halvings`` times 2, 3, 4, ...
        channels: Channels of what each block gives, at least 1 each. The paper's network for
            128x128 has (96, 192, 384, 768, 1536, 1536), with ``halvings=5``.
        halvings: How many blocks halve the size, from the first on; at least 1, at most all.
        num_classes: Number of labels, at least 2; None for a discriminator without labels.
        attention: After which block attention comes, counted from 1; several blocks, or () for
            none. The paper's is at 64x64: 1 for images of 128x128.
        spectral_norm: Whether each layer is divided by its largest singular value, estimated by one
            power iteration a forward pass in train mode. Gradient penalties bound the slope in its
            place, and go with False.
        initialization: Of all weights: 'orthogonal', or 'normal' for N(0, 0.02²).

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> discriminator = BigGANDiscriminator((3, 32, 32), (8, 8, 8), num_classes=10)
        >>> discriminator(torch.zeros(4, 3, 32, 32), torch.tensor([0, 3, 3, 9])).shape
        torch.Size([4])
    """

    wide = True

    def __init__(
        self,
        image_shape: Sequence[int] = (1, 28, 28),
        channels: Sequence[int] = (256, 256, 256, 256),
        halvings: int = 2,
        num_classes: int | None = None,
        attention: int | Sequence[int] = (),
        spectral_norm: bool = True,
        initialization: str = 'orthogonal',
    ) -> None:
        super().__init__(image_shape, channels, halvings, num_classes, attention=attention)
        initialize(self, initialization)
        if spectral_norm:
            add_spectral_norm(self)


def initialize(network: nn.Module, initialization: str) -> None:
    """All weights, before spectral norm divides them."""
    if initialization == 'orthogonal':
        init_orthogonal(network)
    elif initialization == 'normal':
        init_normal(network, std=0.02)
        for module in network.modules():
            if isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=0.02)
    else:
        raise ValueError(
            f"initialization must be 'orthogonal' or 'normal', got {initialization!r}. "
            "Pass initialization='orthogonal'."
        )
