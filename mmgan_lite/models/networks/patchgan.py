"""PatchGAN: a discriminator with a logit for each patch of an image.

Isola et al. 2017, Image-to-Image Translation with Conditional Adversarial Networks,
arXiv:1611.07004. Several of them at several sizes: Wang et al. 2018, High-Resolution Image
Synthesis and Semantic Manipulation with Conditional GANs (pix2pixHD), arXiv:1711.11585. Differs:
the code of the second pads by 2 pixels; here it is 1, as in the first.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmgan_lite.models.layers import BlurPool, embed_labels, init_normal, make_norm
from mmgan_lite.models.networks.base import check_channels
from mmgan_lite.registry import MODELS
from mmgan_lite.utils.validation import check_choice, check_positive

# The last features have so many times the base channels, at most.
_MAX_FACTOR = 8


@MODELS.register_module()
class PatchDiscriminator(nn.Module):
    """4x4 convolutions, of which the first ``num_layers`` halve the image, LeakyReLU 0.2.

    A logit sees a patch of 16, 34, 70, 142, 286 pixels for 1, 2, 3, 4, 5 layers. Without any, it
    sees one pixel, by 1x1 convolutions (PixelGAN). Images may have any size from
    ``3 * 2**num_layers`` pixels on. A conditional discriminator gets the channels of source and
    target concatenated. All weights start from N(0, 0.02^2). Without labels.

    Args:
        in_channels: Channels of the images; 6 for pairs of RGB images.
        base_channels: Channels after the first convolution, at least 1; twice as many after each
            other, up to 8 times.
        num_layers: Convolutions that halve the image, at least 0.
        norm: 'batch', as in pix2pix; 'instance', as in CycleGAN; or 'none'. After all convolutions
            but the first and the last. Layers before batch norm have no bias.
        downsampling: 'strided', convolutions with a stride of 2; or 'blur', those without, and
            :class:`~mmgan_lite.models.layers.BlurPool` after their activation, as in CUT
            (arXiv:2007.15651). A patch then is larger.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> discriminator = PatchDiscriminator(in_channels=6, base_channels=8)
        >>> discriminator(torch.zeros(2, 6, 64, 64)).shape
        torch.Size([2, 1, 6, 6])
    """

    def __init__(
        self,
        in_channels: int = 3,
        base_channels: int = 64,
        num_layers: int = 3,
        norm: str = 'batch',
        downsampling: str = 'strided',
    ) -> None:
        super().__init__()
        self.in_channels = check_positive('in_channels', in_channels)
        check_positive('base_channels', base_channels)
        check_positive('num_layers', num_layers, minimum=0)
        check_choice('downsampling', downsampling, ('strided', 'blur'))
        # Two more 4x4 convolutions take a pixel each from the sides.
        self.min_side = 3 * 2**num_layers if num_layers else 1
        kernel, padding = (4, 1) if num_layers else (1, 0)
        layers: list[nn.Module] = []
        width = in_channels
        for number in range(max(1, num_layers) + 1):
            inputs, width = width, base_channels * min(2**number, _MAX_FACTOR)
            halves, blurs = number < num_layers, downsampling == 'blur'
            stride = 2 if halves and not blurs else 1
            bias = number == 0 or norm != 'batch'
            layers.append(nn.Conv2d(inputs, width, kernel, stride, padding, bias=bias))
            if number > 0:
                layers.append(make_norm(norm, width))
            layers.append(nn.LeakyReLU(0.2, inplace=True))
            if halves and blurs:
                layers.append(BlurPool())
        layers.append(nn.Conv2d(width, 1, kernel, 1, padding))
        self.layers = nn.Sequential(*layers)
        init_normal(self, norms=True)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Logits of images.

        Args:
            images: Float ``(N, in_channels, H, W)`` in [-1, 1].
            labels: None.

        Returns:
            Float ``(N, 1, H', W')``, unbounded; larger means more real. H' and W' are those of the
            image, halved ``num_layers`` times and rounded down, less 2; without layers they are
            those of the image.

        Raises:
            ValueError: If the images have other channels or are too small, or if there are labels.
        """
        embed_labels(labels, None)  # raises where there are labels
        check_channels(images, self.in_channels, self.min_side)
        return self.layers(images)


@MODELS.register_module()
class MultiScaleDiscriminator(nn.Module):
    """A :class:`PatchDiscriminator` for the image, one for half its size, and so on.

    The paper adds up the losses of the scales, each a mean over the patches. Here one tensor of
    logits has the same share of each: those of the smaller sizes are repeated, each about as often
    as the others of its size, to as many as the largest size has. So a loss that is a mean over the
    logits is the mean of the losses of the scales: the paper's sum divided by ``num_scales``.

    Args:
        in_channels: Channels of the images; 6 for pairs of RGB images.
        num_scales: Sizes of the image, at least 1; the paper has 3.
        base_channels: As for :class:`PatchDiscriminator`.
        num_layers: The same.
        norm: The same.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> discriminator = MultiScaleDiscriminator(base_channels=8, num_scales=2)
        >>> discriminator(torch.zeros(2, 3, 64, 64)).shape
        torch.Size([2, 2, 36])
    """

    def __init__(
        self,
        in_channels: int = 3,
        num_scales: int = 3,
        base_channels: int = 64,
        num_layers: int = 3,
        norm: str = 'instance',
    ) -> None:
        super().__init__()
        check_positive('num_scales', num_scales)
        self.scales = nn.ModuleList(
            PatchDiscriminator(in_channels, base_channels, num_layers, norm)
            for _ in range(num_scales)
        )
        self.in_channels = in_channels
        smallest = 3 * 2**num_layers if num_layers else 1
        self.min_side = (smallest - 1) * 2 ** (num_scales - 1) + 1  # halves are rounded up

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Logits of images.

        Args:
            images: Float ``(N, in_channels, H, W)`` in [-1, 1].
            labels: None.

        Returns:
            Float ``(N, num_scales, P)``, unbounded; larger means more real. P is the number of
            patches of the whole image.

        Raises:
            ValueError: If the images have other channels or are too small, or if there are labels.
        """
        check_channels(images, self.in_channels, self.min_side)
        logits: list[Tensor] = []
        for number, scale in enumerate(self.scales):
            if number > 0:
                images = F.avg_pool2d(images, 3, 2, 1, count_include_pad=False)
            patches = scale(images, labels).flatten(2)
            size = logits[0].shape[2] if logits else patches.shape[2]
            logits.append(F.interpolate(patches, size=size, mode='nearest'))
        return torch.cat(logits, dim=1)
