"""Attention of each pixel to the others."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmgan_lite.utils.validation import check_positive


class SelfAttention(nn.Module):
    """To each pixel a mean over all pixels, weighted by how well they match.

    ``x + gamma * o(g(x) softmax(theta(x)^T phi(x)))`` with 1x1 convolutions: Zhang et al. 2019,
    Self-Attention Generative Adversarial Networks, arXiv:1805.08318. ``theta`` and ``phi`` have an
    eighth of the channels, ``g`` half of them; ``gamma`` is 0 at first. As in BigGAN
    (arXiv:1809.11096), what is attended to is pooled to half the size, which leaves a quarter of
    the work.

    Args:
        channels: Of what comes in and goes out, at least 2.

    Raises:
        ValueError: If ``channels`` is not an int of at least 2.

    Example:
        >>> features = torch.randn(2, 16, 8, 8)
        >>> torch.equal(SelfAttention(16)(features), features)  # gamma is 0
        True
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        check_positive('channels', channels, minimum=2)
        matched, mixed = max(1, channels // 8), channels // 2
        self.theta = nn.Conv2d(channels, matched, 1, bias=False)
        self.phi = nn.Conv2d(channels, matched, 1, bias=False)
        self.g = nn.Conv2d(channels, mixed, 1, bias=False)
        self.o = nn.Conv2d(mixed, channels, 1, bias=False)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, features: Tensor) -> Tensor:
        """Float ``(N, channels, H, W)`` from the same; H and W at least 2."""
        queries = self.theta(features).flatten(2)
        keys = F.max_pool2d(self.phi(features), 2).flatten(2)
        values = F.max_pool2d(self.g(features), 2).flatten(2)
        # Not F.scaled_dot_product_attention: its fast kernels have no second derivative, which a
        # gradient penalty takes.
        weights = torch.softmax(queries.transpose(1, 2) @ keys, dim=2).to(values.dtype)
        mixed = (values @ weights.transpose(1, 2)).unflatten(2, features.shape[2:])
        return torch.addcmul(features, self.gamma.to(features.dtype), self.o(mixed))


def check_attention(attention: int | Sequence[int], num_blocks: int) -> tuple[int, ...]:
    """Return after which blocks of a network attention comes, counted from 1.

    Args:
        attention: One block, several, or () for none.
        num_blocks: Blocks of the network.

    Raises:
        ValueError: If one is no int from 1 to ``num_blocks``, or there twice.

    Example:
        >>> check_attention(2, num_blocks=3)
        (2,)
    """
    places = tuple(attention) if isinstance(attention, Sequence) else (attention,)
    known = all(type(place) is int and 1 <= place <= num_blocks for place in places)
    if not known or len(set(places)) < len(places):
        raise ValueError(
            f'attention must be the number of a block, from 1 to {num_blocks}, several of them, or '
            f'() for none, got {attention!r}. Pass attention={num_blocks}, or ().'
        )
    return places
