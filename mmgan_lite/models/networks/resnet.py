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

from torch import Tensor, nn

from mmgan_lite.models.layers import (
    ClassBatchNorm2d,
    add_spectral_norm,
    append_label_embedding,
    check_conditioning,
)
from mmgan_lite.models.networks.residual import ResidualDiscriminator, ResidualGenerator
from mmgan_lite.registry import MODELS


@MODELS.register_module()
class ResNetGenerator(ResidualGenerator):
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
        classes = num_classes if conditioning == 'class_norm' else None

        def norm(channels: int) -> nn.Module:
            return ClassBatchNorm2d(channels, classes) if classes else nn.BatchNorm2d(channels)

        self.build(latent_dim + (embedding_dim or 0), channels, norm)

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
        return self.images(latents, [labels] * len(self.blocks))


@MODELS.register_module()
class ResNetDiscriminator(ResidualDiscriminator):
    """Residual blocks with ReLU and no batch norm; the first halve the size; sum over the pixels.

    The default is the papers' network for 32x32.

    Args:
        image_shape: Channels, height and width of an image in pixels; the sides are 2 to the
            power of ``halvings`` times 2, 3, 4, ...
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
        super().__init__(image_shape, channels, halvings, num_classes, conditioning, choices)
        if spectral_norm:
            add_spectral_norm(self.blocks, self.head)
