"""Residual generator.

Gulrajani et al. 2017, Improved Training of Wasserstein GANs, arXiv:1704.00028; with labels, Miyato
& Koyama 2018, cGANs with Projection Discriminator, arXiv:1802.05637. Differs: any start of 4 to 7
pixels a side; the 1x1 convolution of a shortcut comes before the upsampling, which gives the same
at a quarter of the work.
"""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from mmgan_lite.arguments import check_image_shape, check_num_classes, check_positive
from mmgan_lite.models.layers import (
    ClassBatchNorm2d,
    append_label_embedding,
    check_conditioning,
    count_doublings,
    init_xavier,
    per_stage,
)
from mmgan_lite.registry import MODELS


@MODELS.register_module()
class ResNetGenerator(nn.Module):
    """Residual blocks that double the size, batch norm and ReLU, tanh at the end.

    A linear layer makes the start, of 4 to 7 pixels a side. The paper's network for 32x32 is the
    default with ``image_shape=(3, 32, 32)``.

    Args:
        latent_dim: Numbers in a latent vector, at least 1.
        image_shape: Channels, height and width of an image in pixels; the sides are 4, 5, 6 or 7
            times the same power of two, from 8 on: 28, 32, 64, 128 and others.
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
        super().__init__()
        self.latent_dim = check_positive('latent_dim', latent_dim)
        self.image_shape = check_image_shape(image_shape)
        self.num_classes = check_num_classes(num_classes)
        self.conditioning = check_conditioning(
            conditioning, num_classes, ('class_norm', 'embedding')
        )
        start, doublings = count_doublings(self.image_shape)
        widths = per_stage('channels', channels, doublings + 1)

        in_features = latent_dim
        self.label_embedding = None
        if self.conditioning == 'embedding':
            assert num_classes is not None
            self.label_embedding = nn.Embedding(num_classes, num_classes)
            in_features += num_classes
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
        residual = F.relu(_normalised(self.norm1, features, labels))
        residual = self.conv1(F.interpolate(residual, scale_factor=2, mode='nearest'))
        residual = self.conv2(F.relu(_normalised(self.norm2, residual, labels)))
        shortcut = F.interpolate(self.shortcut(features), scale_factor=2, mode='nearest')
        return shortcut + residual


def _norm(channels: int, num_classes: int | None) -> nn.Module:
    return ClassBatchNorm2d(channels, num_classes) if num_classes else nn.BatchNorm2d(channels)


def _normalised(norm: nn.Module, features: Tensor, labels: Tensor | None) -> Tensor:
    return norm(features, labels) if isinstance(norm, ClassBatchNorm2d) else norm(features)
