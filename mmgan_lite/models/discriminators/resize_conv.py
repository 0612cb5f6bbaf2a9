"""A small discriminator for a CPU, with a look at the whole batch.

Karras et al. 2018, Progressive Growing of GANs, arXiv:1710.10196, for the standard deviation
over the batch before the last convolution; Miyato & Koyama 2018, arXiv:1802.05637, for the labels.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from mmgan_lite.arguments import check_image_shape, check_num_classes
from mmgan_lite.models.layers import LogitHead, MinibatchStddev, check_channels, halved_sides
from mmgan_lite.registry import MODELS


@MODELS.register_module()
class ResizeConvDiscriminator(nn.Module):
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
        super().__init__()
        self.image_shape = check_image_shape(image_shape)
        self.num_classes = check_num_classes(num_classes)
        widths = check_channels(channels)
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
        at_head = 'projection' if num_classes else None
        self.head = LogitHead(widths[-1] * end[0] * end[1], num_classes, at_head)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Logits of images.

        Args:
            images: Float ``(N, *image_shape)`` in [-1, 1].
            labels: int64 ``(N,)`` in [0, ``num_classes``); None without labels.

        Returns:
            Float ``(N,)``, unbounded; larger means more real.

        Raises:
            ValueError: If labels are missing, needless or out of range.
        """
        return self.head(self.layers(images), labels)
