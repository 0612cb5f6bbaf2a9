"""Contrastive loss between patches of images.

Park et al. 2020, Contrastive Learning for Unpaired Image-to-Image Translation, arXiv:2007.15651.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmgan_lite.utils.validation import check_over_0, check_positive


class PatchProjector(nn.Module):
    """Features of chosen places, through two linear layers, with length 1.

    Args:
        channels: Of the features of each layer.
        projection_dim: Numbers in a projected feature, at least 1.

    Example:
        >>> projector = PatchProjector((3, 128, 256, 256, 256))
        >>> sum(p.numel() for p in projector.parameters())
        560384
    """

    def __init__(self, channels: Sequence[int], projection_dim: int = 256) -> None:
        super().__init__()
        check_positive('projection_dim', projection_dim)
        self.layers = nn.ModuleList(
            nn.Sequential(
                nn.Linear(width, projection_dim),
                nn.ReLU(),
                nn.Linear(projection_dim, projection_dim),
            )
            for width in channels
        )
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)

    def forward(self, features: Sequence[Tensor], places: Sequence[Tensor]) -> list[Tensor]:
        """Projected features.

        Args:
            features: Float ``(N, C, H, W)`` of each layer.
            places: int64 ``(P,)`` in [0, H * W) of each layer, the same for all images.

        Returns:
            Float ``(N, P, projection_dim)`` of each layer, with length 1.
        """
        chosen = (f.flatten(2)[:, :, p].mT for f, p in zip(features, places, strict=True))
        return [
            F.normalize(layer(patches), dim=2)
            for layer, patches in zip(self.layers, chosen, strict=True)
        ]


class PatchNCELoss(nn.Module):
    """Cross-entropy of the place: which of the keys of an image is that of the query's place?

    Args:
        temperature: Of the softmax, over 0.

    Raises:
        ValueError: If ``temperature`` is out of its range.

    Example:
        >>> features = torch.eye(2)[None]  # two places, orthogonal
        >>> PatchNCELoss(temperature=1.0)(features, features)  # ln(1 + exp(-1))
        tensor(0.3133)
    """

    def __init__(self, temperature: float = 0.07) -> None:
        super().__init__()
        self.temperature = check_over_0('temperature', temperature)

    def forward(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Scalar, in float32.

        Args:
            queries: Float ``(N, P, C)``, of length 1.
            keys: The same, without gradient.
        """
        logits = queries.float() @ keys.float().mT / self.temperature
        right = torch.arange(logits.shape[1], device=logits.device).expand(len(logits), -1)
        return F.cross_entropy(logits.flatten(0, 1), right.flatten())
