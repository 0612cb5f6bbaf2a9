"""R3GAN: residual networks without normalization.

Huang et al. 2024, The GAN is dead; long live the GAN! A Modern GAN Baseline, arXiv:2501.05441.
Differs: both start or end at any 4 to 7 pixels along the shorter side, so that they reach 28 too.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mmgan_lite.models.layers import (
    FilteredDownsample,
    FilteredUpsample,
    append_label_embedding,
    count_doublings,
    embed_labels,
    init_fan_in,
    per_stage,
)
from mmgan_lite.models.networks.base import ImageNetwork, LatentGenerator
from mmgan_lite.registry import MODELS
from mmgan_lite.utils.validation import check_positive


class R3GANBlock(nn.Module):
    """Residual block without normalization: 1x1, grouped 3x3, 1x1, LeakyReLU 0.2 between them.

    The initialization alone keeps the variance, after Zhang et al. 2019, Fixup
    Initialization, arXiv:1901.09321: the last weight is 0, so that a block starts as the identity,
    and the gain of the others falls with the depth of the network.

    Args:
        channels: Of what comes in and goes out, at least 1.
        expansion: Channels inside are as many times these, at least 1.
        cardinality: Groups of the 3x3 convolution; divides the channels inside.
        num_blocks: Blocks in the network, which the gain depends on.

    Example:
        >>> import torch
        >>> features = torch.randn(2, 8, 4, 4)
        >>> torch.equal(R3GANBlock(8, 2, 4, num_blocks=6)(features), features)
        True
    """

    def __init__(self, channels: int, expansion: int, cardinality: int, num_blocks: int) -> None:
        super().__init__()
        inner = expansion * channels
        if inner % cardinality:
            raise ValueError(
                f'cardinality must divide expansion * channels, got {cardinality} for '
                f'{expansion} * {channels} = {inner}. '
                f'Pass cardinality={math.gcd(cardinality, inner)}, or other channels.'
            )
        gain = math.sqrt(2 / (1 + 0.2**2)) * num_blocks**-0.25
        last = nn.Conv2d(inner, channels, 1, bias=False)
        nn.init.zeros_(last.weight)
        self.layers = nn.Sequential(
            init_fan_in(nn.Conv2d(channels, inner, 1), gain),
            nn.LeakyReLU(0.2, inplace=True),
            init_fan_in(nn.Conv2d(inner, inner, 3, padding=1, groups=cardinality), gain),
            nn.LeakyReLU(0.2, inplace=True),
            last,
        )

    def forward(self, features: Tensor) -> Tensor:
        """Float ``(N, channels, H, W)`` from the same."""
        return features + self.layers(features)


Sizes = int | Sequence[int]


class _Stages:
    """What a network has at each size, from its arguments."""

    def __init__(
        self, number: int, channels: Sizes, blocks: Sizes, cardinality: Sizes, expansion: int
    ) -> None:
        self.widths = per_stage('channels', channels, number)
        self._numbers = per_stage('blocks_per_stage', blocks, number)
        self._groups = per_stage('cardinality', cardinality, number)
        self._expansion = check_positive('expansion', expansion)

    def layers(self, up: bool) -> list[nn.Module]:
        """The blocks; between two sizes a 1x1 at the smaller one, where the channels change."""
        layers: list[nn.Module] = []
        for stage, width in enumerate(self.widths):
            if stage > 0:
                before = self.widths[stage - 1]
                fit: list[nn.Module] = []
                if before != width:
                    fit = [init_fan_in(nn.Conv2d(before, width, 1, bias=False))]
                layers += [*fit, FilteredUpsample()] if up else [FilteredDownsample(), *fit]
            settings = (width, self._expansion, self._groups[stage], sum(self._numbers))
            layers += [R3GANBlock(*settings) for _ in range(self._numbers[stage])]
        return layers


def _init_embedding(embedding: nn.Embedding, gain: float = 1.0) -> nn.Embedding:
    """As a linear layer on one-hot labels: N(0, gain^2 / fan-in)."""
    nn.init.normal_(embedding.weight, std=gain * embedding.num_embeddings**-0.5)
    return embedding


@MODELS.register_module()
class R3GANGenerator(LatentGenerator):
    """Residual blocks of grouped convolutions, no normalization, and no tanh at the end.

    The start is a learned map, each channel of it times a number from the latents. Without a tanh
    the images keep to [-1, 1] only as far as they have learned to; ``to_uint8`` of the data
    preprocessor clamps what lies outside.

    Args:
        latent_dim: Numbers in a latent vector, at least 1.
        image_shape: Channels, height and width of an image in pixels; the shorter side is 4, 5,
            6 or 7 times a power of two, from 8 on: 28, 32, 64, 128 and others; the longer one is a
            multiple of that power.
        channels: Channels of each stage, from the start to the size of the image, at least 1 each,
            or one number for all. The paper's network for CIFAR-10 has 768.
        blocks_per_stage: Residual blocks of each stage, at least 1, or one number for all.
        cardinality: Groups of a 3x3 convolution in each stage, or one number for all; divides
            ``expansion * channels``. The paper's network for CIFAR-10 has 96.
        expansion: Channels inside a block are as many times those outside, at least 1.
        num_classes: Number of labels, at least 2; None for a generator without labels.
        embedding_dim: Numbers in the learned vector of a label, which is appended to the latents,
            at least 1; without labels it has no part.

    Raises:
        ValueError: If an argument is out of its range, or two do not fit together.

    Example:
        >>> generator = R3GANGenerator(16, (3, 32, 32), channels=(16, 16, 8, 8), cardinality=4)
        >>> generator(torch.randn(4, 16)).shape
        torch.Size([4, 3, 32, 32])
    """

    def __init__(
        self,
        latent_dim: int = 64,
        image_shape: Sequence[int] = (1, 28, 28),
        channels: int | Sequence[int] = 256,
        blocks_per_stage: int | Sequence[int] = 2,
        cardinality: int | Sequence[int] = 32,
        expansion: int = 2,
        num_classes: int | None = None,
        embedding_dim: int = 64,
    ) -> None:
        check_positive('embedding_dim', embedding_dim)
        super().__init__(latent_dim, image_shape, num_classes, embedding_dim)
        start, doublings = count_doublings(self.image_shape)
        stages = _Stages(doublings + 1, channels, blocks_per_stage, cardinality, expansion)
        widths = stages.widths

        in_features = latent_dim
        if self.label_embedding is not None:
            _init_embedding(self.label_embedding)
            in_features += embedding_dim
        self.basis = nn.Parameter(torch.randn(widths[0], *start))
        self.coefficients = init_fan_in(nn.Linear(in_features, widths[0], bias=False))
        self.layers = nn.Sequential(
            *stages.layers(up=True),
            init_fan_in(nn.Conv2d(widths[-1], self.image_shape[0], 1, bias=False)),
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
        features = append_label_embedding(latents, labels, self.label_embedding)
        return self.layers(self.basis * self.coefficients(features)[:, :, None, None])


@MODELS.register_module()
class R3GANDiscriminator(ImageNetwork):
    """Residual blocks of grouped convolutions, no normalization: the generator turned round.

    One filter a channel takes the last pixels together. Without labels a linear layer gives the
    logit; with them one gives a vector, and its product with a learned vector of the label is the
    logit.

    Args:
        image_shape: Channels, height and width of an image in pixels; the shorter side is 4, 5,
            6 or 7 times a power of two, from 8 on: 28, 32, 64, 128 and others; the longer one is a
            multiple of that power.
        channels: Channels of each stage, from the size of the image to the end, at least 1 each, or
            one number for all: those of the generator the other way round. The paper's network for
            CIFAR-10 has 768.
        blocks_per_stage: Residual blocks of each stage, at least 1, or one number for all.
        cardinality: Groups of a 3x3 convolution in each stage, or one number for all; divides
            ``expansion * channels``. The paper's network for CIFAR-10 has 96.
        expansion: Channels inside a block are as many times those outside, at least 1.
        num_classes: Number of labels, at least 2; None for a discriminator without labels.
        embedding_dim: Numbers in the learned vector of a label, at least 1; without labels it has
            no part. The paper's network for CIFAR-10 has 768, as many as channels.

    Raises:
        ValueError: If an argument is out of its range, or two do not fit together.

    Example:
        >>> import torch
        >>> discriminator = R3GANDiscriminator((3, 32, 32), channels=(8, 8, 16, 16), cardinality=4)
        >>> discriminator(torch.zeros(4, 3, 32, 32)).shape
        torch.Size([4])
    """

    def __init__(
        self,
        image_shape: Sequence[int] = (1, 28, 28),
        channels: int | Sequence[int] = 256,
        blocks_per_stage: int | Sequence[int] = 2,
        cardinality: int | Sequence[int] = 32,
        expansion: int = 2,
        num_classes: int | None = None,
        embedding_dim: int = 64,
    ) -> None:
        super().__init__(image_shape, num_classes)
        check_positive('embedding_dim', embedding_dim)
        end, halvings = count_doublings(self.image_shape)
        stages = _Stages(halvings + 1, channels, blocks_per_stage, cardinality, expansion)
        widths = stages.widths

        last = widths[-1]
        self.layers = nn.Sequential(
            init_fan_in(nn.Conv2d(self.image_shape[0], widths[0], 1, bias=False)),
            *stages.layers(up=False),
            init_fan_in(nn.Conv2d(last, last, end, groups=last, bias=False)),
            nn.Flatten(),
            init_fan_in(nn.Linear(last, embedding_dim if num_classes else 1, bias=False)),
        )
        self.label_embedding = None
        if num_classes:
            embedding = nn.Embedding(num_classes, embedding_dim)
            # The logit sums embedding_dim products; its variance shall not grow with them.
            self.label_embedding = _init_embedding(embedding, gain=embedding_dim**-0.5)

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
        vectors = embed_labels(labels, self.label_embedding)
        features = self.layers(images)
        return features.squeeze(1) if vectors is None else (features * vectors).sum(1)
