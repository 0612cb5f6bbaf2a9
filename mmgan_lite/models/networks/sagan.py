"""SAGAN: residual networks with self-attention and spectral norm in both.

Zhang et al. 2019, Self-Attention Generative Adversarial Networks, arXiv:1805.08318. Differs: the
generator starts at any 4 to 7 pixels along the shorter side; attention looks at features pooled to
half the size, as in BigGAN; the gains and biases of the classes have spectral norm too.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from mmgan_lite.models.layers import ConditionalBatchNorm2d, add_spectral_norm, embed_labels
from mmgan_lite.models.networks.residual import ResidualDiscriminator, ResidualGenerator
from mmgan_lite.registry import MODELS


@MODELS.register_module()
class SAGANGenerator(ResidualGenerator):
    """Residual blocks that double the size, attention among them, tanh at the end.

    Every layer is divided by its largest singular value, estimated by one power iteration a forward
    pass in train mode.

    Args:
        latent_dim: Numbers in a latent vector, at least 1.
        image_shape: Channels, height and width of an image in pixels; the shorter side is 4, 5,
            6 or 7 times a power of two, from 8 on: 28, 32, 64, 128 and others; the longer one is a
            multiple of that power.
        channels: Channels at each size from the start to that of the image, at least 1 each, or one
            number for all. The paper's network for 128x128 has (1024, 1024, 512, 256, 128, 64).
        num_classes: Number of labels, at least 2; None for a generator without labels. Labels
            choose the gains and biases in the batch norm of the blocks.
        attention: After which block attention comes, counted from 1; several blocks, or () for
            none. The paper's is at 32x32.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> import torch
        >>> generator = SAGANGenerator(16, (3, 32, 32), channels=8, num_classes=10)
        >>> generator(torch.randn(4, 16), torch.tensor([0, 3, 3, 9])).shape
        torch.Size([4, 3, 32, 32])
    """

    def __init__(
        self,
        latent_dim: int = 128,
        image_shape: Sequence[int] = (1, 28, 28),
        channels: int | Sequence[int] = 256,
        num_classes: int | None = None,
        attention: int | Sequence[int] = 2,
    ) -> None:
        super().__init__(latent_dim, image_shape, num_classes, embedding_dim=None)

        def norm(channels: int) -> nn.Module:
            if num_classes is None:
                return nn.BatchNorm2d(channels)
            gains, biases = (nn.Embedding(num_classes, channels) for _ in range(2))
            return ConditionalBatchNorm2d(channels, gains, biases)

        self.build(latent_dim, channels, norm, attention)
        add_spectral_norm(self)

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
        if self.num_classes is None:
            embed_labels(labels, None)  # raises where there are labels
        return self.images(latents, [labels] * len(self.blocks))


@MODELS.register_module()
class SAGANDiscriminator(ResidualDiscriminator):
    """Residual blocks with attention, ReLU and no batch norm; sum over the pixels; projection.

    Every layer is divided by its largest singular value, estimated by one power iteration a forward
    pass in train mode.

    Args:
        image_shape: Channels, height and width of an image in pixels; the sides are 2 to the
            power of ``halvings`` times 2, 3, 4, ...
        channels: Channels of what each block gives, at least 1 each. The paper's network for
            128x128 has (64, 128, 256, 512, 1024, 1024), with ``halvings=5``.
        halvings: How many blocks halve the size, from the first on; at least 1, at most all.
        num_classes: Number of labels, at least 2; None for a discriminator without labels.
        attention: After which block attention comes, counted from 1; several blocks, or () for
            none. The paper's is at 32x32.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> import torch
        >>> discriminator = SAGANDiscriminator((3, 32, 32), (8, 8, 8), num_classes=10)
        >>> discriminator(torch.zeros(4, 3, 32, 32), torch.tensor([0, 3, 3, 9])).shape
        torch.Size([4])
    """

    def __init__(
        self,
        image_shape: Sequence[int] = (1, 28, 28),
        channels: Sequence[int] = (128, 128, 128, 128),
        halvings: int = 2,
        num_classes: int | None = None,
        attention: int | Sequence[int] = 1,
    ) -> None:
        super().__init__(image_shape, channels, halvings, num_classes, attention=attention)
        add_spectral_norm(self)
