"""A small generator for a CPU: nearest-neighbour upsampling and convolutions.

Odena et al. 2016, Deconvolution and Checkerboard Artifacts, doi:10.23915/distill.00003, whose
resize-convolution stands where other networks have transposed convolutions.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from mmgan_lite.arguments import check_image_shape, check_num_classes, check_positive
from mmgan_lite.models.layers import (
    ResizeConv2d,
    append_label_embedding,
    check_channels,
    halved_sides,
)
from mmgan_lite.registry import MODELS


@MODELS.register_module()
class ResizeConvGenerator(nn.Module):
    """Upsampling and 3x3 convolutions in turn, batch norm and ReLU, tanh at the end.

    Args:
        latent_dim: Numbers in a latent vector, at least 1.
        image_shape: Channels, height and width of an image in pixels; the sides are 2 to the
            power of ``len(channels) - 1`` times 4, 5, 6, ...
        channels: Channels at each size from the start to that of the image, at least 1 each; the
            size doubles from one to the next. With three of them 28x28 starts at 7x7; 32x32 starts
            at 8x8, and at 4x4 with four.
        num_classes: Number of labels, at least 2; None for a generator without labels. A learned
            vector of as many numbers is appended to the latents.

    Raises:
        ValueError: If an argument is out of its range, or two do not fit together.

    Example:
        >>> import torch
        >>> generator = ResizeConvGenerator(latent_dim=16, image_shape=(3, 32, 32))
        >>> generator(torch.randn(4, 16)).shape
        torch.Size([4, 3, 32, 32])
    """

    def __init__(
        self,
        latent_dim: int = 64,
        image_shape: Sequence[int] = (1, 28, 28),
        channels: Sequence[int] = (96, 48, 24),
        num_classes: int | None = None,
    ) -> None:
        super().__init__()
        self.latent_dim = check_positive('latent_dim', latent_dim)
        self.image_shape = check_image_shape(image_shape)
        self.num_classes = check_num_classes(num_classes)
        widths = check_channels(channels)
        start = halved_sides(self.image_shape, len(widths) - 1)

        self.label_embedding = nn.Embedding(num_classes, num_classes) if num_classes else None
        layers: list[nn.Module] = [
            nn.Linear(latent_dim + (num_classes or 0), widths[0] * start[0] * start[1]),
            nn.Unflatten(1, (widths[0], *start)),
            # Batch norm would take a bias out again.
            nn.Conv2d(widths[0], widths[0], 3, padding=1, bias=False),
            *_norm_and_activation(widths[0]),
        ]
        for in_channels, width in zip(widths, widths[1:], strict=False):
            layers += [ResizeConv2d(in_channels, width), *_norm_and_activation(width)]
        layers += [nn.Conv2d(widths[-1], self.image_shape[0], 3, padding=1), nn.Tanh()]
        self.layers = nn.Sequential(*layers)

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


def _norm_and_activation(channels: int) -> list[nn.Module]:
    return [nn.BatchNorm2d(channels), nn.ReLU(inplace=True)]
