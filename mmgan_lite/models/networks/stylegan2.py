"""StyleGAN2: a latent space W between latents and images, and modulated convolutions.

Karras et al. 2020, Analyzing and Improving the Image Quality of StyleGAN, arXiv:1912.04958; labels,
the 'orig' discriminator and the lower precision of Karras et al. 2020, Training Generative
Adversarial Networks with Limited Data, arXiv:2006.06676.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmgan_lite.models.layers import (
    EqualizedConv2d,
    EqualizedLinear,
    FilteredDownsample,
    LowPass,
    MinibatchStddev,
    StyleMapping,
    StyleSynthesis,
    TrackedStyleMapping,
    embed_labels,
)
from mmgan_lite.models.layers.modulated_conv import LEAKY_GAIN
from mmgan_lite.models.layers.style_synthesis import NOISES, Level, cast_features, make_levels
from mmgan_lite.models.networks.base import ImageNetwork
from mmgan_lite.registry import MODELS
from mmgan_lite.utils.validation import (
    check_choice,
    check_fraction,
    check_over_0,
    check_positive,
)

_ARCHITECTURES = ('skip', 'resnet', 'orig')
# The bound of features in lower precision: arXiv:2006.06676, appendix D.
_CLAMP = 256.0
# Each half of a sum of two branches of equal variance.
_HALF = 0.5**0.5


@MODELS.register_module()
class StyleGAN2Generator(ImageNetwork):
    """A mapping network from latents to styles, and a synthesis network from styles to images.

    ``synthesis(mapping(latents, labels))``, where ``mapping`` gives one style for each layer,
    ``ws`` ``(N, num_ws, style_dim)``. In training mode styles are mixed and ``w_avg`` follows their
    mean. No tanh: the images keep to [-1, 1] only as far as they have learned to.

    Differs from the authors' code: styles are mixed or not image by image, each from a layer of
    its own on, and not batch by batch.

    Args:
        latent_dim: Numbers in a latent vector, at least 1.
        image_shape: Channels, height and width of an image in pixels; both sides are the same
            power of two, from 4 on.
        style_dim: Numbers in a style, at least 1.
        channel_base: Channels at a side of S pixels are ``channel_base // S``, and
            ``channel_max`` at most.
        channel_max: See ``channel_base``.
        num_mapping_layers: Fully connected layers, at least 1.
        mapping_lr_multiplier: Factor of the rate that the mapping network learns at, over 0.
        architecture: 'skip': each size adds to the image of the one below; 'resnet': each adds to
            the features, and the last gives the image; 'orig': the last gives the image.
        style_mixing: Share of images that get a second style in training, in [0, 1].
        average_decay: What ``w_avg`` keeps of itself in a pass in training mode, in [0, 1].
        noise: Noise of each layer: 'random', anew for each image; 'const', always the same; 'none';
            None for 'random' in training mode and 'const' in eval mode.
        num_classes: Number of labels, at least 2; None for a generator without labels.
        low_precision_levels: So many of the largest sizes compute in ``low_precision_dtype``,
            from 0 to all; weights, styles and images stay in float32.
        low_precision_dtype: 'bfloat16' or 'float16'.
        clamp: Largest magnitude of features, over 0; None for 256 with lower precision, and
            otherwise no bound.
        grouped: Whether a modulated convolution is one of as many groups as images, instead of one
            of scaled features: see :class:`~mmgan_lite.models.layers.ModulatedConv2d`. Slower or
            equal in training and in sampling on a CPU.

    Attributes:
        num_ws: Styles of an image: two for each size.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> generator = StyleGAN2Generator(16, (3, 32, 32), style_dim=16, channel_max=8)
        >>> ws = generator.mapping(torch.randn(4, 16))
        >>> ws.shape, generator.synthesis(generator.truncate(ws, psi=0.7)).shape
        (torch.Size([4, 8, 16]), torch.Size([4, 3, 32, 32]))
    """

    def __init__(
        self,
        latent_dim: int = 512,
        image_shape: Sequence[int] = (3, 256, 256),
        style_dim: int = 512,
        channel_base: int = 32768,
        channel_max: int = 512,
        num_mapping_layers: int = 8,
        mapping_lr_multiplier: float = 0.01,
        architecture: str = 'skip',
        style_mixing: float = 0.9,
        average_decay: float = 0.995,
        noise: str | None = None,
        num_classes: int | None = None,
        low_precision_levels: int = 0,
        low_precision_dtype: str = 'bfloat16',
        clamp: float | None = None,
        grouped: bool = False,
    ) -> None:
        super().__init__(image_shape, num_classes)
        self.latent_dim = check_positive('latent_dim', latent_dim)
        self.style_dim = check_positive('style_dim', style_dim)
        check_positive('num_mapping_layers', num_mapping_layers)
        check_over_0('mapping_lr_multiplier', mapping_lr_multiplier)
        levels = make_levels(
            self.image_shape, channel_base, channel_max, low_precision_levels, low_precision_dtype
        )
        self.synthesis_network = StyleSynthesis(
            levels,
            self.image_shape[0],
            style_dim,
            check_choice('architecture', architecture, _ARCHITECTURES),
            None if noise is None else check_choice('noise', noise, NOISES),
            _checked_clamp(clamp, low_precision_levels),
            grouped,
        )
        self.num_ws = self.synthesis_network.num_ws
        self.mapping_network = TrackedStyleMapping(
            latent_dim,
            style_dim,
            num_mapping_layers,
            self.num_ws,
            num_classes,
            mapping_lr_multiplier,
            check_fraction('style_mixing', style_mixing),
            check_fraction('average_decay', average_decay),
        )

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images from latents.

        Args:
            latents: Float ``(N, latent_dim)``, standard normal.
            labels: int64 ``(N,)`` in [0, ``num_classes``); None without labels.

        Returns:
            Float ``(N, *image_shape)``, in [-1, 1] but for what training has not brought there.

        Raises:
            ValueError: If labels are missing, needless or out of range.
        """
        return self.synthesis(self.mapping(latents, labels))

    def mapping(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Styles from latents: the intermediate latent space W.

        Args:
            latents: Float ``(N, latent_dim)``, standard normal.
            labels: int64 ``(N,)`` in [0, ``num_classes``); None without labels.

        Returns:
            Float ``(N, num_ws, style_dim)``, one for each layer: in eval mode all the same, in
            training mode ``style_mixing`` of the images have another one from a random layer on.

        Raises:
            ValueError: If labels are missing, needless or out of range.
        """
        return self.mapping_network(latents, labels)

    def synthesis(self, ws: Tensor, noise: str | None = None) -> Tensor:
        """Images from styles.

        Args:
            ws: Float ``(N, num_ws, style_dim)``.
            noise: 'random', 'const' or 'none'; None for what the generator was built with.

        Returns:
            Float ``(N, *image_shape)``, in [-1, 1] but for what training has not brought there.

        Raises:
            ValueError: If ``ws`` is of another shape, or ``noise`` none of these.
        """
        return self.synthesis_network(ws, noise)

    def truncate(self, ws: Tensor, psi: float, cutoff: int | None = None) -> Tensor:
        """Styles moved towards their mean: the truncation trick in W.

        Args:
            ws: Float ``(N, num_ws, style_dim)``.
            psi: What is kept of the distance to ``w_avg``, 1 for ``ws`` as they are.
            cutoff: The first so many layers are moved, from 0 to ``num_ws``; None for all.

        Returns:
            ``w_avg + psi * (ws - w_avg)``, of the shape of ``ws``.

        Raises:
            ValueError: If there are not so many layers.

        Example:
            >>> generator = StyleGAN2Generator(4, (1, 4, 4), style_dim=2, channel_max=4)
            >>> generator.truncate(torch.ones(1, 2, 2), psi=0.5, cutoff=1)  # w_avg is 0
            tensor([[[0.5000, 0.5000],
                     [1.0000, 1.0000]]])
        """
        if cutoff is not None and not 0 <= cutoff <= self.num_ws:
            raise ValueError(
                f'cutoff must lie in [0, {self.num_ws}], the layers of the generator, got '
                f'{cutoff}. Pass cutoff=None for all layers.'
            )
        near = self.mapping_network.w_avg.to(ws.dtype).lerp(ws, psi)
        return near if cutoff is None else torch.cat([near[:, :cutoff], ws[:, cutoff:]], dim=1)


class _DownConv2d(nn.Sequential):
    """Low-pass filter and 3x3 convolution that halves the sides."""

    def __init__(self, in_channels: int, out_channels: int, gain: float) -> None:
        gains: dict[str, Any] = dict(gain=gain, bias_gain=gain)
        super().__init__(
            LowPass(padding=2), EqualizedConv2d(in_channels, out_channels, 3, stride=2, **gains)
        )


class _DiscriminatorBlock(nn.Module):
    """One size of the discriminator: two convolutions, of which the second halves it."""

    def __init__(self, level: Level, after: Level, residual: bool, clamp: float | None) -> None:
        super().__init__()
        channels = level.channels
        self.clamp = clamp
        half = _HALF if residual else 1.0
        gain = LEAKY_GAIN
        self.conv0 = EqualizedConv2d(channels, channels, 3, 1, 1, gain=gain, bias_gain=gain)
        self.conv1 = _DownConv2d(channels, after.channels, gain * half)
        self.half_clamp = None if clamp is None else clamp * half
        self.skip = None
        if residual:
            skip = EqualizedConv2d(channels, after.channels, 1, bias=False, gain=half)
            self.skip = nn.Sequential(FilteredDownsample(), skip)

    def forward(self, features: Tensor) -> Tensor:
        """Float ``(N, C', S/2, S/2)`` from float ``(N, C, S, S)``."""
        past = None if self.skip is None else self.skip(features)
        features = _activate(self.conv0(features), self.clamp)
        features = _activate(self.conv1(features), self.half_clamp)
        return features if past is None else past + features


@MODELS.register_module()
class StyleGAN2Discriminator(ImageNetwork):
    """Two convolutions a size, down to 4x4, and the standard deviation over the batch.

    With labels the last layer gives a vector, and the logit is its product with one that a mapping
    network makes of the label.

    Args:
        image_shape: Channels, height and width of an image in pixels; both sides are the same
            power of two, from 4 on.
        channel_base: Channels at a side of S pixels are ``channel_base // S``, and
            ``channel_max`` at most.
        channel_max: See ``channel_base``.
        architecture: 'resnet': each size adds to the features past its convolutions; 'skip': each
            takes in the image in its size; 'orig': neither.
        stddev_group_size: Images of which the standard deviation is taken, at least 1: see
            :class:`~mmgan_lite.models.layers.MinibatchStddev`.
        stddev_channels: Channels of the standard deviation, at least 1; divides the channels at
            4x4.
        num_classes: Number of labels, at least 2; None for a discriminator without labels.
        num_mapping_layers: Fully connected layers on the vector of a label, at least 1; without
            labels they have no part.
        low_precision_levels: So many of the largest sizes compute in ``low_precision_dtype``,
            from 0 to all but 4x4.
        low_precision_dtype: 'bfloat16' or 'float16'.
        clamp: Largest magnitude of features, over 0; None for 256 with lower precision, and
            otherwise no bound.

    Raises:
        ValueError: If an argument is out of its range, or two do not fit together.

    Example:
        >>> discriminator = StyleGAN2Discriminator((3, 32, 32), channel_max=8)
        >>> discriminator(torch.zeros(4, 3, 32, 32)).shape
        torch.Size([4])
    """

    def __init__(
        self,
        image_shape: Sequence[int] = (3, 256, 256),
        channel_base: int = 32768,
        channel_max: int = 512,
        architecture: str = 'resnet',
        stddev_group_size: int = 4,
        stddev_channels: int = 1,
        num_classes: int | None = None,
        num_mapping_layers: int = 8,
        low_precision_levels: int = 0,
        low_precision_dtype: str = 'bfloat16',
        clamp: float | None = None,
    ) -> None:
        super().__init__(image_shape, num_classes)
        check_positive('num_mapping_layers', num_mapping_layers)
        levels = make_levels(
            self.image_shape, channel_base, channel_max, low_precision_levels, low_precision_dtype
        )
        # Largest first; the last size, and the first one above it in full precision, are float32.
        levels = levels[::-1]
        full = next((i for i, level in enumerate(levels) if level.dtype is None), len(levels) - 1)
        if low_precision_levels:
            levels[full] = levels[full]._replace(dtype=torch.float32)
        self._levels = levels
        self.architecture = check_choice('architecture', architecture, _ARCHITECTURES)
        self.clamp = _checked_clamp(clamp, low_precision_levels)
        gains: dict[str, Any] = dict(gain=LEAKY_GAIN, bias_gain=LEAKY_GAIN)
        colors, width = self.image_shape[0], levels[-1].channels
        self.from_image = nn.ModuleDict(
            {
                str(level.side): EqualizedConv2d(colors, level.channels, 1, **gains)
                for level in (levels if architecture == 'skip' else levels[:1])
            }
        )
        self.blocks = nn.ModuleDict(
            {
                str(level.side): _DiscriminatorBlock(
                    level, after, architecture == 'resnet', self.clamp
                )
                for level, after in pairwise(levels)
            }
        )
        self.downsample = FilteredDownsample()
        if width % check_positive('stddev_channels', stddev_channels):
            raise ValueError(
                f'stddev_channels must divide the {width} channels at 4x4, got {stddev_channels}. '
                'Pass stddev_channels=1.'
            )
        self.stddev = MinibatchStddev(
            check_positive('stddev_group_size', stddev_group_size), stddev_channels
        )
        self.conv = EqualizedConv2d(width + stddev_channels, width, 3, 1, 1, **gains)
        self.linear = EqualizedLinear(width * 16, width, **gains)
        self.out = EqualizedLinear(width, width if num_classes else 1)
        self.mapping = (
            StyleMapping(0, width, num_mapping_layers, num_classes) if num_classes else None
        )

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
        mapping = self.mapping
        vectors = embed_labels(labels, None) if mapping is None else mapping(None, labels)
        logits = self.out(self._features(images))
        if vectors is None:
            return logits.squeeze(1)
        # Of as many products as they have numbers, each of unit variance.
        return (logits * vectors).sum(1) / vectors.shape[1] ** 0.5

    def _features(self, images: Tensor) -> Tensor:
        """Float ``(N, F)``."""
        features: Tensor | None = None
        for side, _, dtype in self._levels:
            if str(side) in self.from_image:
                own = self.from_image[str(side)](cast_features(images, dtype))
                own = _activate(own, self.clamp)
                features = own if features is None else cast_features(features, dtype) + own
            assert features is not None
            features = cast_features(features, dtype)
            if str(side) in self.blocks:
                features = self.blocks[str(side)](features)
                images = self.downsample(images) if self.architecture == 'skip' else images
        assert features is not None
        features = _activate(self.conv(self.stddev(features)), self.clamp)
        return _activate(self.linear(features.flatten(1)), None)


def _checked_clamp(clamp: float | None, low_precision_levels: int) -> float | None:
    if clamp is None:
        return _CLAMP if low_precision_levels else None
    return check_over_0('clamp', clamp)


def _activate(features: Tensor, clamp: float | None) -> Tensor:
    """LeakyReLU 0.2; its gain is in the weights before it."""
    features = F.leaky_relu(features, 0.2)
    return features if clamp is None else features.clamp(-clamp, clamp)
