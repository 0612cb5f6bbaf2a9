"""Small networks for a CPU: nearest-neighbor upsampling and convolutions.

Odena et al. 2016, Deconvolution and Checkerboard Artifacts, doi:10.23915/distill.00003, whose
resize-convolution replaces the transposed convolutions of other generators. Karras et al. 2018,
Progressive Growing of GANs, arXiv:1710.10196, for the standard deviation over the batch before the
discriminator's last convolution; Miyato & Koyama 2018, arXiv:1802.05637, for the labels.
"""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from mmgan_lite.models.layers import LogitHead, MinibatchStddev, halved_sides
from mmgan_lite.models.networks.base import ConditionalDiscriminator, LatentGenerator
from mmgan_lite.registry import MODELS
from mmgan_lite.utils.validation import check_hidden_dims


class ResizeConv2d(nn.Conv2d):
    """A 3x3 convolution, without bias, of the image that nearest-neighbor upsampling doubles.

    A doubled image holds each pixel four times, so of the nine products of a 3x3 kernel many
    share a factor. Summed beforehand they are a 4x4 kernel of a transposed convolution with stride
    2: the same result from 4/9 of the multiplications, and no doubled image in memory.

    Args:
        in_channels: Channels of the input, at least 1.
        out_channels: Channels of the output, at least 1.

    Example:
        >>> import torch
        >>> ResizeConv2d(3, 5)(torch.zeros(2, 3, 7, 7)).shape
        torch.Size([2, 5, 14, 14])
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, kernel_size=3, padding=1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """Float ``(N, out_channels, 2 H, 2 W)`` from float ``(N, in_channels, H, W)``."""
        # A transposed convolution mirrors its kernel and takes the input's channels first.
        kernel = F.pad(self.weight.flip(2, 3).transpose(0, 1), (1, 1, 1, 1))
        kernel = kernel[:, :, :, 1:] + kernel[:, :, :, :-1]
        kernel = kernel[:, :, 1:] + kernel[:, :, :-1]
        return F.conv_transpose2d(features, kernel, stride=2, padding=1)


@MODELS.register_module()
class ResizeConvGenerator(LatentGenerator):
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
        super().__init__(latent_dim, image_shape, num_classes, embedding_dim=num_classes)
        widths = check_hidden_dims(channels, 'channels')
        start = halved_sides(self.image_shape, len(widths) - 1)
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


def _norm_and_activation(channels: int) -> list[nn.Module]:
    return [nn.BatchNorm2d(channels), nn.ReLU(inplace=True)]


@MODELS.register_module()
class ResizeConvDiscriminator(ConditionalDiscriminator):
    """Strided convolutions, LeakyReLU 0.2, minibatch standard deviation, no batch norm.

    A 3x3 convolution at the size of the image, then 4x4 ones that halve it. The counterpart of
    :class:`~mmgan_lite.models.ResizeConvGenerator`. By design a logit depends on the other images
    of its batch, in eval mode too, so reals and fakes are not to be mixed in one.

    Args:
        image_shape: Channels, height and width of an image in pixels; the sides are 2 to the
            power of ``len(channels) - 1`` times 4, 5, 6, ...
        channels: Channels at each size from that of the image down, at least 1 each; the size
            halves from one to the next.
        num_classes: Number of labels, at least 2; None for a discriminator without labels. The
            features are multiplied with a learned vector of the label, which adds to the logit.

    Raises:
        ValueError: If an argument is out of its range, or two do not fit together.

    Example:
        >>> import torch
        >>> discriminator = ResizeConvDiscriminator((3, 32, 32), num_classes=10)
        >>> discriminator(torch.zeros(4, 3, 32, 32), torch.tensor([0, 3, 3, 9])).shape
        torch.Size([4])
    """

    def __init__(
        self,
        image_shape: Sequence[int] = (1, 28, 28),
        channels: Sequence[int] = (24, 48, 96),
        num_classes: int | None = None,
    ) -> None:
        super().__init__(image_shape, num_classes, None, choices=('projection',))
        widths = check_hidden_dims(channels, 'channels')
        end = halved_sides(self.image_shape, len(widths) - 1)

        layers: list[nn.Module] = [
            nn.Conv2d(self.image_shape[0], widths[0], 3, padding=1),
            nn.LeakyReLU(0.2, inplace=True),
        ]
        for in_channels, width in zip(widths, widths[1:], strict=False):
            layers += [nn.Conv2d(in_channels, width, 4, 2, 1), nn.LeakyReLU(0.2, inplace=True)]
        self.layers = nn.Sequential(
            *layers,
            MinibatchStddev(),
            nn.Conv2d(widths[-1] + 1, widths[-1], 3, padding=1),
            nn.Flatten(),  # before the activation, as in DCGANDiscriminator
            nn.LeakyReLU(0.2, inplace=True),
        )
        self.head = LogitHead(widths[-1] * end[0] * end[1], num_classes, self.conditioning)
