"""ResNet generator of CycleGAN and CUT: two halvings, residual blocks, two doublings.

Zhu et al. 2017, Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks,
arXiv:1703.10593, after Johnson et al. 2016, arXiv:1603.08155. Park et al. 2020, Contrastive
Learning for Unpaired Image-to-Image Translation (CUT), arXiv:2007.15651, for sampling without
aliasing and the features of single layers. Differs: weights start from N(0, 0.02^2) for CUT too,
whose code has Xavier's distribution with a gain of 0.02.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from mmgan_lite.models.layers import BlurPool, init_normal, make_norm
from mmgan_lite.models.networks.base import ImageTranslator
from mmgan_lite.registry import MODELS
from mmgan_lite.utils.validation import check_choice, check_positive

_HALVINGS = 2


@MODELS.register_module()
class ResNetTranslator(ImageTranslator):
    """A 7x7 convolution, two that halve, residual blocks, two that double, a 7x7 one and tanh.

    The 7x7 convolutions and the blocks see the reflection of the image beyond its edges. All
    weights start from N(0, 0.02^2).

    The modules of ``layers`` are in the order of the authors' code, so that :meth:`features` counts
    as CUT does. CycleGAN's network is the default. CUT's has ``downsampling='blur'`` and
    ``upsampling='resize'``, and layers 0, 4, 8, 12 and 16 of it are: the padded image; both
    convolutions before a halving, without norm and activation; the first and the fifth block.

    Args:
        in_channels: Channels of the images that come in, at least 1.
        out_channels: Channels of the images that come out, at least 1.
        base_channels: Channels at the size of the image, at least 1; twice as many at half of it,
            four times at a quarter.
        num_blocks: Residual blocks, at least 0. The papers have 9 for 256x256 and larger images, 6
            for 128x128.
        norm: 'instance', 'batch' or 'none'. Layers before batch norm have no bias.
        downsampling: 'strided', convolutions with a stride of 2; or 'blur', those without, and
            :class:`~mmgan_lite.models.layers.BlurPool` after their activation.
        upsampling: 'transposed', 3x3 transposed convolutions; or 'resize', bilinear interpolation,
            which is the filter [1, 3, 3, 1] with the edge repeated, and 3x3 convolutions.

    Attributes:
        size_multiple: 4, which both sides of an image must be a multiple of.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> import torch
        >>> network = ResNetTranslator(base_channels=8, num_blocks=2)
        >>> network(torch.zeros(2, 3, 32, 48)).shape
        torch.Size([2, 3, 32, 48])
    """

    layers: nn.Sequential

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 3,
        base_channels: int = 64,
        num_blocks: int = 9,
        norm: str = 'instance',
        downsampling: str = 'strided',
        upsampling: str = 'transposed',
    ) -> None:
        # A reflection needs a pixel beside the edge, at a quarter of the size too.
        super().__init__(in_channels, out_channels, _HALVINGS, min_side=2 * 2**_HALVINGS)
        check_positive('base_channels', base_channels)
        check_positive('num_blocks', num_blocks, minimum=0)
        check_choice('downsampling', downsampling, ('strided', 'blur'))
        check_choice('upsampling', upsampling, ('transposed', 'resize'))
        bias = norm != 'batch'

        def activated(conv: nn.Module, width: int) -> list[nn.Module]:
            # Not in place: the output of a norm is a feature that may be asked for.
            return [conv, make_norm(norm, width), nn.ReLU()]

        width = base_channels
        layers: list[nn.Module] = [nn.ReflectionPad2d(3)]
        layers += activated(nn.Conv2d(in_channels, width, 7, bias=bias), width)
        for _ in range(_HALVINGS):
            blurs = downsampling == 'blur'
            conv = nn.Conv2d(width, 2 * width, 3, 1 if blurs else 2, 1, bias=bias)
            layers += activated(conv, 2 * width)
            if blurs:
                layers.append(BlurPool())
            width *= 2
        layers += [_ResidualBlock(width, norm) for _ in range(num_blocks)]
        for _ in range(_HALVINGS):
            up: nn.Module
            if upsampling == 'resize':
                layers.append(nn.Upsample(scale_factor=2, mode='bilinear'))
                up = nn.Conv2d(width, width // 2, 3, padding=1, bias=bias)
            else:
                up = nn.ConvTranspose2d(width, width // 2, 3, 2, 1, output_padding=1, bias=bias)
            width //= 2
            layers += activated(up, width)
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(width, out_channels, 7), nn.Tanh()]
        self.layers = nn.Sequential(*layers)
        init_normal(self, norms=True)

    def features(self, images: Tensor, layers: Sequence[int]) -> list[Tensor]:
        """What some of the modules of ``layers`` give; those after the last one are not computed.

        Args:
            images: As for ``forward``.
            layers: Numbers of the modules, counted from 0, in any order.

        Returns:
            Float ``(N, C, H', W')`` for each of ``layers``, in their order.

        Raises:
            ValueError: If there is no such layer, or the images do not fit.

        Example:
            >>> import torch
            >>> network = ResNetTranslator(base_channels=8, num_blocks=5, downsampling='blur')
            >>> features = network.features(torch.zeros(1, 3, 32, 32), (0, 4, 8, 12, 16))
            >>> [tuple(feature.shape[1:]) for feature in features]
            [(3, 38, 38), (16, 32, 32), (32, 16, 16), (32, 8, 8), (32, 8, 8)]
        """
        self.check_images(images)
        if not layers or not all(layer in range(len(self.layers)) for layer in layers):
            raise ValueError(
                f'layers must be numbers of modules, from 0 to {len(self.layers) - 1}, got '
                f'{layers!r}. Pass layers=(0, 4, 8, 12, 16), or others.'
            )
        features, found = images, {}
        for number, module in enumerate(self.layers[: max(layers) + 1]):
            found[number] = features = module(features)
        return [found[layer] for layer in layers]


class _ResidualBlock(nn.Module):
    """Two 3x3 convolutions whose result is added to what comes in."""

    def __init__(self, channels: int, norm: str) -> None:
        super().__init__()

        def conv() -> list[nn.Module]:
            layer = nn.Conv2d(channels, channels, 3, bias=norm != 'batch')
            return [nn.ReflectionPad2d(1), layer, make_norm(norm, channels)]

        self.layers = nn.Sequential(*conv(), nn.ReLU(), *conv())

    def forward(self, features: Tensor) -> Tensor:
        return features + self.layers(features)
