"""Fully connected networks: those of MMEngine's GAN tutorial.

Differs: batch norm has torch's eps (the tutorial's 0.8 was meant for the momentum and landed on
eps); raw logits, no sigmoid; any image shape; labels.
"""

import math
from collections.abc import Sequence

from torch import Tensor, nn

from mmgan_lite.models.layers import append_label_embedding
from mmgan_lite.models.networks.base import ImageNetwork, LatentGenerator
from mmgan_lite.registry import MODELS
from mmgan_lite.utils.validation import check_hidden_dims


@MODELS.register_module()
class MLPGenerator(LatentGenerator):
    """Linear layers, batch norm from the second on, LeakyReLU 0.2, tanh at the end.

    Args:
        latent_dim: Numbers in a latent vector, at least 1.
        image_shape: Channels, height and width of an image in pixels, at least 1 each.
        hidden_dims: Width of each hidden layer, at least one layer.
        num_classes: Number of labels, at least 2; None for a generator without labels. A learned
            vector of as many numbers is appended to the latents.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> import torch
        >>> generator = MLPGenerator(latent_dim=16, image_shape=(3, 8, 12), num_classes=10)
        >>> generator(torch.randn(4, 16), torch.tensor([0, 3, 3, 9])).shape
        torch.Size([4, 3, 8, 12])
    """

    def __init__(
        self,
        latent_dim: int = 100,
        image_shape: Sequence[int] = (1, 28, 28),
        hidden_dims: Sequence[int] = (128, 256, 512, 1024),
        num_classes: int | None = None,
    ) -> None:
        super().__init__(latent_dim, image_shape, num_classes, embedding_dim=num_classes)
        widths = check_hidden_dims(hidden_dims)
        layers: list[nn.Module] = []
        in_features = latent_dim + (num_classes or 0)
        for index, width in enumerate(widths):
            layers.append(nn.Linear(in_features, width))
            if index > 0:
                layers.append(nn.BatchNorm1d(width))
            layers.append(nn.LeakyReLU(0.2, inplace=True))
            in_features = width
        pixels = nn.Linear(in_features, math.prod(self.image_shape))
        self.layers = nn.Sequential(*layers, pixels, nn.Tanh())

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images ``(N, *image_shape)`` in [-1, 1] from latents ``(N, latent_dim)`` and labels."""
        return super().forward(latents, labels).unflatten(1, self.image_shape)


@MODELS.register_module()
class MLPDiscriminator(ImageNetwork):
    """Linear layers with LeakyReLU 0.2 between them, one logit at the end.

    Args:
        image_shape: Channels, height and width of an image in pixels, at least 1 each.
        hidden_dims: Width of each hidden layer, at least one layer.
        num_classes: Number of labels, at least 2; None for a discriminator without labels. A
            learned vector of as many numbers is appended to the pixels.

    Attributes:
        one_pass: True: real images and fakes may come together, as a logit depends on its image
            alone.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> import torch
        >>> discriminator = MLPDiscriminator(image_shape=(1, 28, 28))
        >>> discriminator(torch.zeros(4, 1, 28, 28)).shape
        torch.Size([4])
    """

    # Linear layers gain from the larger batch; convolutions on a CPU do not.
    one_pass = True

    def __init__(
        self,
        image_shape: Sequence[int] = (1, 28, 28),
        hidden_dims: Sequence[int] = (512, 256),
        num_classes: int | None = None,
    ) -> None:
        super().__init__(image_shape, num_classes)
        widths = check_hidden_dims(hidden_dims)

        self.label_embedding = nn.Embedding(num_classes, num_classes) if num_classes else None
        layers: list[nn.Module] = []
        in_features = math.prod(self.image_shape) + (num_classes or 0)
        for width in widths:
            layers += [nn.Linear(in_features, width), nn.LeakyReLU(0.2, inplace=True)]
            in_features = width
        layers.append(nn.Linear(in_features, 1))
        self.layers = nn.Sequential(*layers)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Logits of images.

        Args:
            images: Float ``(N, *image_shape)`` in [-1, 1].
            labels: int64 ``(N,)`` in [0, ``num_classes``); None without labels.

        Returns:
            Float ``(N,)``, unbounded; larger means more real.

        Raises:
            ValueError: If labels are missing, or given to a discriminator without classes.
        """
        features = append_label_embedding(images.flatten(1), labels, self.label_embedding)
        return self.layers(features).squeeze(1)
