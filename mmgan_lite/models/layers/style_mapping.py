"""From latents or labels to the intermediate latent space W.

Karras et al. 2019, A Style-Based Generator Architecture for GANs, arXiv:1812.04948.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmgan_lite.models.layers.conditioning import embed_labels
from mmgan_lite.models.layers.equalized import EqualizedEmbedding, EqualizedLinear
from mmgan_lite.models.layers.modulated_conv import LEAKY_GAIN
from mmgan_lite.utils.precision import without_autocast


def unit_second_moment(vectors: Tensor) -> Tensor:
    """Vectors ``(N, F)`` divided by the root of their mean square.

    Example:
        >>> unit_second_moment(torch.tensor([[1.0, 7.0]]))  # / 5
        tensor([[0.2000, 1.4000]])
    """
    return vectors * (vectors.square().mean(1, keepdim=True) + 1e-8).rsqrt()


class StyleMapping(nn.Module):
    """Fully connected layers with LeakyReLU 0.2, on latents, a vector of the label, or both.

    Always outside autocast.

    Args:
        latent_dim: Numbers in a latent vector; 0 for labels alone.
        style_dim: Numbers in a style and in each layer, at least 1.
        num_layers: At least 1.
        num_classes: Number of labels; None for no labels.
        lr_multiplier: Factor of the rate that the layers learn at.

    Example:
        >>> StyleMapping(4, 8, num_layers=2)(torch.randn(3, 4)).shape
        torch.Size([3, 8])
    """

    def __init__(
        self,
        latent_dim: int,
        style_dim: int,
        num_layers: int,
        num_classes: int | None = None,
        lr_multiplier: float = 0.01,
    ) -> None:
        super().__init__()
        self.embedding = EqualizedEmbedding(num_classes, style_dim) if num_classes else None
        gains: dict[str, Any] = dict(
            lr_multiplier=lr_multiplier, gain=LEAKY_GAIN, bias_gain=LEAKY_GAIN
        )
        widths = [latent_dim + (style_dim if num_classes else 0)] + [style_dim] * (num_layers - 1)
        self.layers = nn.ModuleList(EqualizedLinear(width, style_dim, **gains) for width in widths)

    def forward(self, latents: Tensor | None, labels: Tensor | None = None) -> Tensor:
        """Styles.

        Args:
            latents: Float ``(N, latent_dim)``; None for labels alone.
            labels: int64 ``(N,)`` in [0, ``num_classes``); None without labels.

        Returns:
            Float ``(N, style_dim)``.

        Raises:
            ValueError: If labels are missing, needless or out of range.
        """
        vectors = embed_labels(labels, self.embedding)
        given = [v for v in (latents, vectors) if v is not None]
        with without_autocast(given[0].device):
            styles = torch.cat([unit_second_moment(v) for v in given], dim=1)
            for layer in self.layers:
                styles = F.leaky_relu(layer(styles), 0.2)
            return styles


class TrackedStyleMapping(StyleMapping):
    """From latents to one style for each layer, with the mean style in ``w_avg``.

    In training mode ``w_avg`` takes in the batch, and styles are mixed: arXiv:1812.04948, sections
    3.1 and B. Differs: each image is mixed or not by itself, from a layer of its own on, and not
    the whole batch.

    Args:
        latent_dim: Numbers in a latent vector.
        style_dim: Numbers in a style.
        num_layers: Fully connected layers, at least 1.
        num_ws: Layers of the synthesis network that take a style.
        num_classes: Number of labels; None without.
        lr_multiplier: Factor of the rate that the layers learn at.
        style_mixing: Share of images that get a second style, in [0, 1].
        average_decay: What ``w_avg`` keeps of itself in a batch, in [0, 1].

    Attributes:
        track_running_stats: Whether ``w_avg`` takes in a batch in training mode, as in batch norm.
        w_avg: Mean style, float32 ``(style_dim,)``; a buffer.

    Example:
        >>> mapping = TrackedStyleMapping(4, 8, num_layers=2, num_ws=6)
        >>> mapping(torch.randn(3, 4)).shape
        torch.Size([3, 6, 8])
    """

    w_avg: Tensor

    def __init__(
        self,
        latent_dim: int,
        style_dim: int,
        num_layers: int,
        num_ws: int,
        num_classes: int | None = None,
        lr_multiplier: float = 0.01,
        style_mixing: float = 0.9,
        average_decay: float = 0.995,
    ) -> None:
        super().__init__(latent_dim, style_dim, num_layers, num_classes, lr_multiplier)
        self.num_ws, self.style_mixing, self.average_decay = num_ws, style_mixing, average_decay
        self.track_running_stats = True
        self.register_buffer('w_avg', torch.zeros(style_dim))

    def forward(self, latents: Tensor | None, labels: Tensor | None = None) -> Tensor:
        """Styles.

        Args:
            latents: Float ``(N, latent_dim)``, standard normal.
            labels: int64 ``(N,)`` in [0, ``num_classes``); None without labels.

        Returns:
            Float ``(N, num_ws, style_dim)``: in eval mode the same for each layer, in training mode
            for ``style_mixing`` of the images another one from a random layer on.

        Raises:
            ValueError: If labels are missing, needless or out of range.
        """
        styles = super().forward(latents, labels)
        if self.training and self.track_running_stats:
            with torch.no_grad():
                self.w_avg.lerp_(styles.mean(0).to(self.w_avg.dtype), 1 - self.average_decay)
        ws = styles[:, None].expand(-1, self.num_ws, -1)
        if not (self.training and self.style_mixing and self.num_ws > 1):
            return ws
        others = super().forward(torch.randn_like(latents), labels)  # type: ignore[arg-type]
        num, device = len(styles), styles.device
        first = torch.randint(1, self.num_ws, (num, 1), device=device)
        first = first.masked_fill(
            torch.rand(num, 1, device=device) >= self.style_mixing, self.num_ws
        )
        mixed = torch.arange(self.num_ws, device=device) >= first
        return torch.where(mixed[:, :, None], others[:, None], ws)
