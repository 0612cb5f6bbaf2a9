"""PGGAN: networks that grow from 4x4 pixels to the size of the images.

Karras et al. 2018, Progressive Growing of GANs for Improved Quality, Stability, and Variation,
arXiv:1710.10196. Differs: both start at any 4 to 7 pixels along the shorter side; pixel norm adds
1e-5 to the root of the mean square, where the paper adds 1e-8 below the root.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmgan_lite.models.layers import (
    EqualizedConv2d,
    EqualizedLinear,
    count_doublings,
    embed_labels,
)
from mmgan_lite.registry import MODELS
from mmgan_lite.utils.validation import check_image_shape, check_positive


class GrowingNetwork(nn.Module):
    """Base class: a network with a stage for each size, of which it uses those up to one.

    Args:
        image_shape: Channels, height and width of an image at the last stage.
        base_channels: Channels of stage s are this number, halved s + 1 times, at least 1 ...
        max_channels: ... and at most these.

    Attributes:
        stage: Tensor without dimensions, in checkpoints: the last stage in use, from 0. A new
            network uses all.
        fade: Float32 tensor without dimensions, in checkpoints: the share of the last stage in the
            image, from 0 to 1, where it is 1 if the stage does not fade in.

    Raises:
        ValueError: If an argument is out of its range.
    """

    stage: Tensor
    fade: Tensor

    def __init__(self, image_shape: Sequence[int], base_channels: int, max_channels: int) -> None:
        super().__init__()
        self.channels, *_ = check_image_shape(image_shape)
        check_positive('base_channels', base_channels)
        check_positive('max_channels', max_channels)
        self.start, self.last_stage = count_doublings(image_shape)
        self.num_classes = None
        self.widths = [
            max(1, min(max_channels, base_channels >> (stage + 1)))
            for stage in range(self.last_stage + 1)
        ]
        self.register_buffer('stage', torch.tensor(self.last_stage))
        self.register_buffer('fade', torch.tensor(1.0))
        # The same in Python: a forward pass must not ask the device for a number.
        self._stage, self._fades = self.last_stage, False
        self.register_load_state_dict_post_hook(_read_state)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of the images at the stage in use."""
        height, width = self.start
        return self.channels, height << self._stage, width << self._stage

    def grow_to(self, stage: int, fade: float = 1.0) -> None:
        """Use the stages up to one.

        An average of the network has a state of its own: call this on its ``module`` too.

        Args:
            stage: From 0, images of 4 to 7 pixels along the shorter side, to ``last_stage``.
            fade: Share of the stage in the image, in [0, 1]; the rest is that of the stage before,
                enlarged. 1 for stage 0, which fades in from nothing.

        Raises:
            ValueError: If an argument is out of its range.
        """
        if type(stage) is not int or not 0 <= stage <= self.last_stage:
            raise ValueError(
                f'stage must be an int from 0 to {self.last_stage}, got {stage!r}. '
                f'Pass stage={self.last_stage} for the whole network.'
            )
        if not 0 <= fade <= 1 or (stage == 0 and fade < 1):
            raise ValueError(
                f'fade must lie in [0, 1], and be 1 for stage 0, got {fade!r} for stage {stage}. '
                'Pass fade=1.0.'
            )
        self.stage.fill_(stage)
        self.fade.fill_(fade)
        self._stage, self._fades = stage, fade < 1


def _read_state(network: Any, _incompatible_keys: Any) -> None:
    """Copy the loaded stage to Python."""
    network._stage, network._fades = int(network.stage), bool(network.fade < 1)


def _conv(inputs: int, outputs: int, kernel: int, gain: float = 2**0.5) -> EqualizedConv2d:
    """A convolution that keeps the size."""
    return EqualizedConv2d(inputs, outputs, kernel, padding=kernel // 2, gain=gain)


class _UpConv(EqualizedConv2d):
    """Upsampling by the nearest pixel and a 3x3 convolution, as one transposed convolution."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, gain=2**0.5)

    def forward(self, features: Tensor) -> Tensor:
        kernel = self.scale * _spread(self.weight).transpose(0, 1)
        return F.conv_transpose2d(features, kernel, self.bias, stride=2, padding=1)


class _DownConv(EqualizedConv2d):
    """A 3x3 convolution and the mean over 2x2 pixels, as one strided convolution."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, gain=2**0.5)

    def forward(self, features: Tensor) -> Tensor:
        kernel = self.scale / 4 * _spread(self.weight)
        return F.conv2d(features, kernel, self.bias, stride=2, padding=1)


def _spread(weight: Tensor) -> Tensor:
    """The 3x3 kernel added up at the four places of 2x2 pixels: 4x4."""
    weight = F.pad(weight, (1, 1, 1, 1))
    rows = weight[..., 1:, :] + weight[..., :-1, :]
    return rows[..., 1:] + rows[..., :-1]


class _PixelNorm(nn.Module):
    """Each pixel divided by its root of the mean square over the channels."""

    def forward(self, features: Tensor) -> Tensor:
        return _pixel_norm(features)


def _pixel_norm(features: Tensor) -> Tensor:
    # Not by a root of its own, whose slope at 0 is infinite.
    root = torch.linalg.vector_norm(features, dim=1, keepdim=True) / math.sqrt(features.shape[1])
    return features / (root + 1e-5)


def _activated(layer: nn.Module, norm: bool) -> nn.Sequential:
    layers = [layer, nn.LeakyReLU(0.2, inplace=True)]
    return nn.Sequential(*layers, _PixelNorm()) if norm else nn.Sequential(*layers)


@MODELS.register_module()
class PGGANGenerator(GrowingNetwork):
    """Two convolutions at each size, pixel norm, and an image of the last size in use.

    The images are linear in the last features, without a tanh: they keep to [-1, 1] only as far as
    they have learned to. Without labels.

    Args:
        latent_dim: Numbers in a latent vector, at least 1; they are normalized to mean square 1.
        image_shape: Channels, height and width of an image at the last stage; the shorter side is
            4, 5, 6 or 7 times a power of two, from 8 on; the longer one is a multiple of that
            power.
        base_channels: Channels of stage s are this number, halved s + 1 times, at least 1 ...
        max_channels: ... and at most these.

    Attributes:
        stage: The last stage in use, see :meth:`grow_to`.
        fade: The share of the last stage in the image.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> generator = PGGANGenerator(16, (3, 32, 32), base_channels=128, max_channels=16)
        >>> generator.grow_to(stage=1, fade=0.5)
        >>> generator.image_shape, generator(torch.randn(4, 16)).shape
        ((3, 8, 8), torch.Size([4, 3, 8, 8]))
    """

    def __init__(
        self,
        latent_dim: int = 512,
        image_shape: Sequence[int] = (1, 28, 28),
        base_channels: int = 8192,
        max_channels: int = 512,
    ) -> None:
        super().__init__(image_shape, base_channels, max_channels)
        self.latent_dim = check_positive('latent_dim', latent_dim)
        widths, pixels = self.widths, self.start[0] * self.start[1]
        # One bias a channel. The paper's gain, a quarter of He's.
        self.first = EqualizedLinear(latent_dim, widths[0] * pixels, bias=False, gain=2**0.5 / 4)
        self.first_bias = nn.Parameter(torch.zeros(widths[0]))
        stages = [_activated(_conv(widths[0], widths[0], 3), norm=True)]
        for i, o in zip(widths, widths[1:], strict=False):
            up, conv = _activated(_UpConv(i, o), norm=True), _activated(_conv(o, o, 3), norm=True)
            stages.append(nn.Sequential(*up, *conv))
        self.stages = nn.ModuleList(stages)
        self.to_image = nn.ModuleList(_conv(w, self.channels, 1, gain=1) for w in widths)

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images from latents.

        Args:
            latents: Float ``(N, latent_dim)``, standard normal.
            labels: None.

        Returns:
            Float ``(N, *image_shape)``, in [-1, 1] but for what training has not brought there.

        Raises:
            ValueError: If there are labels.
        """
        embed_labels(labels, None)  # raises where there are labels
        directions = F.normalize(latents) * math.sqrt(self.latent_dim)
        features = self.first(directions).unflatten(1, (-1, *self.start))
        features = F.leaky_relu(features + self.first_bias[:, None, None], 0.2)
        features = self.stages[0](_pixel_norm(features))
        for stage in range(1, self._stage + 1):
            before, features = features, self.stages[stage](features)
        images = self.to_image[self._stage](features)
        if not self._fades:
            return images
        old = self.to_image[self._stage - 1](before)
        old = F.interpolate(old, scale_factor=2, mode='nearest')
        return torch.lerp(old, images, self.fade.to(images.dtype))


@MODELS.register_module()
class PGGANDiscriminator(GrowingNetwork):
    """Two convolutions at each size, the standard deviation over the batch, two linear layers.

    The deviation is taken in groups of images, averaged over features and pixels, and appended as
    one channel; so a logit depends on the other images of its group. Without labels.

    Args:
        image_shape: Channels, height and width of an image at the last stage; the shorter side is
            4, 5, 6 or 7 times a power of two, from 8 on; the longer one is a multiple of that
            power.
        base_channels: Channels of stage s are this number, halved s + 1 times, at least 1 ...
        max_channels: ... and at most these.
        group_size: Images in a group; a batch that is no multiple of it is one group.
        last_conv: Whether a 3x3 convolution follows the deviation, as in the paper. Without, a
            linear layer does, as in MMGeneration and MMagic.

    Attributes:
        stage: The last stage in use, see :meth:`grow_to`.
        fade: The share of the last stage in the features.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> discriminator = PGGANDiscriminator((3, 32, 32), base_channels=128, max_channels=16)
        >>> discriminator.grow_to(stage=1, fade=0.5)
        >>> discriminator(torch.zeros(4, 3, 8, 8)).shape
        torch.Size([4])
    """

    def __init__(
        self,
        image_shape: Sequence[int] = (1, 28, 28),
        base_channels: int = 8192,
        max_channels: int = 512,
        group_size: int = 4,
        last_conv: bool = True,
    ) -> None:
        super().__init__(image_shape, base_channels, max_channels)
        self.group_size = check_positive('group_size', group_size)
        widths = self.widths
        self.from_image = nn.ModuleList(
            _activated(_conv(self.channels, w, 1), norm=False) for w in widths
        )
        stages = []
        for o, i in zip(widths, widths[1:], strict=False):
            conv, down = _activated(_conv(i, i, 3), norm=False), _activated(_DownConv(i, o), False)
            stages.append(nn.Sequential(*conv, *down))
        self.stages = nn.ModuleList(stages)  # from the second on: the first has the head alone
        first, pixels = widths[0], self.start[0] * self.start[1]
        head: list[nn.Module] = [nn.Flatten()]
        if last_conv:
            # Flat before the activation: under channels_last the gradient of flat features lies
            # otherwise in memory than the features do, which makes an activation slow.
            head = [_conv(first + 1, first, 3), nn.Flatten(), nn.LeakyReLU(0.2, inplace=True)]
        inputs = pixels * (first if last_conv else first + 1)
        self.head = nn.Sequential(
            *head,
            EqualizedLinear(inputs, first, gain=2**0.5),
            nn.LeakyReLU(0.2, inplace=True),
            EqualizedLinear(first, 1, gain=1),
        )

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Logits of images.

        Args:
            images: Float ``(N, *image_shape)`` in [-1, 1].
            labels: None.

        Returns:
            Float ``(N,)``, unbounded; larger means more real.

        Raises:
            ValueError: If there are labels.
        """
        embed_labels(labels, None)  # raises where there are labels
        features = self.from_image[self._stage](images)
        for stage in range(self._stage, 0, -1):
            features = self.stages[stage - 1](features)
            if self._fades and stage == self._stage:
                old = self.from_image[stage - 1](F.avg_pool2d(images, 2))
                features = torch.lerp(old, features, self.fade.to(features.dtype))
        return self.head(self._with_deviation(features)).squeeze(1)

    def _with_deviation(self, features: Tensor) -> Tensor:
        """One channel more, with the mean deviation within each group."""
        num = len(features)
        size = self.group_size if num % self.group_size == 0 else num
        # A square of bfloat16 keeps too little of a small difference.
        precise = features.to(torch.promote_types(features.dtype, torch.float32))
        groups = precise.unflatten(0, (size, num // size))
        # The small number keeps the gradient of the root finite where all images are the same.
        deviations = (groups.var(0, correction=0) + 1e-8).sqrt().mean((1, 2, 3))
        channel = deviations.to(features.dtype).repeat(size)[:, None, None, None]
        return torch.cat([features, channel.expand_as(features[:, :1])], dim=1)
