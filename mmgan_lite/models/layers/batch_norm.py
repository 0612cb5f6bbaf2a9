"""Batch norm that knows the class."""

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
