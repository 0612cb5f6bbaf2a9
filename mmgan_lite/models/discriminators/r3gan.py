"""Discriminator of R3GAN.

Huang et al. 2024, The GAN is dead; long live the GAN! A Modern Baseline GAN, arXiv:2501.05441.
Differs: ends at any 4 to 7 pixels a side, so that it takes 28 too.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from mmgan_lite.arguments import check_image_shape, check_num_classes, check_positive
from mmgan_lite.models.layers import (
    FilteredDownsample,
    R3GANBlock,
    count_doublings,
    embed_labels,
    init_fan_in,
    per_stage,
)
from mmgan_lite.registry import MODELS


@MODELS.register_module()
class R3GANDiscriminator(nn.Module):
    """Residual blocks of grouped convolutions, no normalisation: the generator turned round.

    One filter a channel takes the last pixels together. Without labels a linear layer gives the
    logit; with them one gives a vector, and its product with a learned vector of the label is the
    logit.

    Args:
        image_shape: Channels, height and width of an image in pixels; the sides are 4, 5, 6 or 7
            times the same power of two, from 8 on: 28, 32, 64, 128 and others.
        channels: Channels of each stage, from the size of the image to the end, at least 1 each, or
            one number for all: those of the generator the other way round. The paper's network for
            CIFAR-10 has 768.
        blocks_per_stage: Residual blocks of each stage, at least 1, or one number for all.
        cardinality: Groups of a 3x3 convolution in each stage, or one number for all; divides
            ``expansion * channels``. The paper's network for CIFAR-10 has 96.
        expansion: Channels inside a block are as many times those outside, at least 1.
        num_classes: Number of labels, at least 2; None for a discriminator without labels.
        embedding_dim: Numbers in the learned vector of a label, at least 1; without labels it has
            no part.

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
        super().__init__()
        self.image_shape = check_image_shape(image_shape)
        self.num_classes = check_num_classes(num_classes)
        check_positive('expansion', expansion)
        check_positive('embedding_dim', embedding_dim)
        end, halvings = count_doublings(self.image_shape)
        widths = per_stage('channels', channels, halvings + 1)
        blocks = per_stage('blocks_per_stage', blocks_per_stage, halvings + 1)
        groups = per_stage('cardinality', cardinality, halvings + 1)

        layers: list[nn.Module] = [
            init_fan_in(nn.Conv2d(self.image_shape[0], widths[0], 1, bias=False))
        ]
        for stage, width in enumerate(widths):
            if stage > 0:
                layers.append(FilteredDownsample())
                if width != widths[stage - 1]:
                    layers.append(init_fan_in(nn.Conv2d(widths[stage - 1], width, 1, bias=False)))
            for _ in range(blocks[stage]):
                layers.append(R3GANBlock(width, expansion, groups[stage], sum(blocks)))
        last = widths[-1]
        self.layers = nn.Sequential(
            *layers,
            init_fan_in(nn.Conv2d(last, last, end, groups=last, bias=False)),
            nn.Flatten(),
            init_fan_in(nn.Linear(last, embedding_dim if num_classes else 1, bias=False)),
        )
        self.label_embedding = None
        if num_classes:
            # As a linear layer on one-hot labels: N(0, 1 / fan-in).
            self.label_embedding = nn.Embedding(num_classes, embedding_dim)
            nn.init.normal_(self.label_embedding.weight, std=num_classes**-0.5)

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
