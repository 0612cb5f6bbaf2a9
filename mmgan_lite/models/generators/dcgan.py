"""Generator of transposed convolutions.

Radford et al. 2016, Unsupervised Representation Learning with Deep Convolutional GANs,
arXiv:1511.06434. Differs: starts at 4 to 7 pixels a side, so that it reaches 28 as well as 64;
labels.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from mmgan_lite.arguments import check_image_shape, check_num_classes, check_positive
from mmgan_lite.models.layers import append_label_embedding, count_doublings, init_normal
from mmgan_lite.registry import MODELS


@MODELS.register_module()
class DCGANGenerator(nn.Module):
    """Transposed convolutions that double the size, batch norm and ReLU, tanh at the end.

    A linear layer makes the start, of 4 to 7 pixels a side; each doubling halves the channels, down
    to ``base_channels`` before the image.

    Args:
        latent_dim: Numbers in a latent vector, at least 1.
        image_shape: Channels, height and width of an image in pixels; the sides are 4, 5, 6 or 7
            times the same power of two, from 8 on: 28, 32, 64, 128 and others.
        base_channels: Channels at half the size of the image, at least 1; twice as many at a
            quarter of it, and so on. The paper's network for 64x64 has 128.
        num_classes: Number of labels, at least 2; None for a generator without labels. A learned
            vector of as many numbers is appended to the latents.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> import torch
        >>> generator = DCGANGenerator(latent_dim=16, image_shape=(3, 32, 32), base_channels=8)
        >>> generator(torch.randn(4, 16)).shape
        torch.Size([4, 3, 32, 32])
    """

    def __init__(
        self,
        latent_dim: int = 100,
        image_shape: Sequence[int] = (1, 28, 28),
        base_channels: int = 64,
        num_classes: int | None = None,
    ) -> None:
        super().__init__()
        self.latent_dim = check_positive('latent_dim', latent_dim)
        self.image_shape = check_image_shape(image_shape)
        self.num_classes = check_num_classes(num_classes)
        check_positive('base_channels', base_channels)
        start, doublings = count_doublings(self.image_shape)

        self.label_embedding = nn.Embedding(num_classes, num_classes) if num_classes else None
        channels = base_channels << (doublings - 1)
        # Batch norm follows every layer but the last, and would take a bias out again.
        layers: list[nn.Module] = [
            nn.Linear(latent_dim + (num_classes or 0), channels * start[0] * start[1], bias=False),
            nn.Unflatten(1, (channels, *start)),
        ]
        for _ in range(doublings - 1):
            layers += [
                nn.BatchNorm2d(channels),
                nn.ReLU(inplace=True),
                nn.ConvTranspose2d(channels, channels // 2, 4, 2, 1, bias=False),
            ]
            channels //= 2
        layers += [
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.ConvTranspose2d(channels, self.image_shape[0], 4, 2, 1),
            nn.Tanh(),
        ]
        self.layers = nn.Sequential(*layers)
        init_normal(self)

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
        return self.layers(append_label_embedding(latents, labels, self.label_embedding))
