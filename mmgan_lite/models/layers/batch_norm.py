"""Batch norm that knows the class, or another condition."""

import torch
from torch import Tensor, nn

from mmgan_lite.models.layers.conditioning import embed_labels


class ClassBatchNorm2d(nn.Module):
    """Batch norm with a gain and a bias for each class, 1 and 0 at first.

    Dumoulin et al. 2017, A Learned Representation For Artistic Style, arXiv:1610.07629; in the
    generator of Miyato & Koyama 2018, arXiv:1802.05637. The statistics are those of all classes
    together.

    Args:
        num_features: Channels, at least 1.
        num_classes: Number of labels, at least 2.

    Example:
        >>> norm = ClassBatchNorm2d(3, num_classes=10)
        >>> norm(torch.randn(4, 3, 5, 5), torch.tensor([0, 3, 3, 9])).shape
        torch.Size([4, 3, 5, 5])
    """

    def __init__(self, num_features: int, num_classes: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(num_features, affine=False)
        self.gains_and_biases = nn.Embedding(num_classes, 2 * num_features)
        with torch.no_grad():
            self.gains_and_biases.weight[:, :num_features] = 1
            self.gains_and_biases.weight[:, num_features:] = 0

    def forward(self, features: Tensor, labels: Tensor | None) -> Tensor:
        """Normalized features, float ``(N, num_features, H, W)`` as they came.

        Args:
            features: Float ``(N, num_features, H, W)``.
            labels: int64 ``(N,)`` in [0, ``num_classes``).

        Raises:
            ValueError: If labels are missing or out of range.
        """
        vectors = embed_labels(labels, self.gains_and_biases)
        assert vectors is not None
        gains, biases = vectors.to(features.dtype)[:, :, None, None].chunk(2, dim=1)
        return torch.addcmul(biases, self.norm(features), gains)


class ConditionalBatchNorm2d(nn.Module):
    """Batch norm whose gains and biases two layers make of a condition.

    ``norm(x) * (1 + gains(c)) + biases(c)``. Of labels, with embeddings: what
    :class:`ClassBatchNorm2d` is, with layers that can have spectral norm. Of vectors, with linear
    layers: Brock et al. 2019 (BigGAN), arXiv:1809.11096.

    Args:
        num_features: Channels, at least 1.
        gains: To ``(N, num_features)``; an ``nn.Embedding`` of the labels, or another layer.
        biases: The same.

    Example:
        >>> norm = ConditionalBatchNorm2d(3, nn.Linear(8, 3), nn.Linear(8, 3))
        >>> norm(torch.randn(4, 3, 5, 5), torch.randn(4, 8)).shape
        torch.Size([4, 3, 5, 5])
    """

    def __init__(self, num_features: int, gains: nn.Module, biases: nn.Module) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(num_features, affine=False)
        self.gains, self.biases = gains, biases

    def forward(self, features: Tensor, condition: Tensor | None) -> Tensor:
        """Normalized features, float ``(N, num_features, H, W)`` as they came.

        Args:
            features: Float ``(N, num_features, H, W)``.
            condition: What the layers take: int64 labels ``(N,)``, or float ``(N, F)``.

        Raises:
            ValueError: If labels are missing or out of range.
        """
        gains, biases = (
            _vectors(layer, condition).to(features.dtype)[:, :, None, None]
            for layer in (self.gains, self.biases)
        )
        return torch.addcmul(biases, self.norm(features), 1 + gains)


def _vectors(layer: nn.Module, condition: Tensor | None) -> Tensor:
    if not isinstance(layer, nn.Embedding):
        return layer(condition)
    vectors = embed_labels(condition, layer)
    assert vectors is not None
    return vectors
