"""Differentiable augmentation with fixed strength.

Zhao et al. 2020, Differentiable Augmentation for Data-Efficient GAN Training, arXiv:2006.10738.
Differs: gray images keep their saturation, because they have none; alpha keeps its values.
"""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmgan_lite.registry import MODELS
from mmgan_lite.utils.image_batch import has_alpha

# Of the side of an image.
_MAX_SHIFT = 0.125
_CUTOUT = 0.5


@MODELS.register_module()
class DiffAugment(nn.Module):
    """Changes each image at random: its colors, its place, a square of it.

    - ``'color'``: brightness plus U(-0.5, 0.5), then saturation times U(0, 2) about the mean of
      each pixel's channels, then contrast times U(0.5, 1.5) about the mean of the image. Alpha,
      the last of 2 or 4 channels, keeps its values and has no part in the means.
    - ``'translation'``: a shift along each axis by whole pixels, up to 1/8 of the side; what comes
      in is 0 in all channels, mid-gray, and half transparent where there is alpha.
    - ``'cutout'``: a square of half the side, at a place that may lie partly outside, becomes 0 in
      all channels.

    Each image has draws of its own, and each call new ones. The result may leave [-1, 1].

    Args:
        policy: What to do, in this order; each at most once.

    Raises:
        ValueError: If ``policy`` names nothing, something twice, or something unknown.

    Example:
        >>> DiffAugment(policy=('color', 'cutout'))(torch.zeros(2, 3, 8, 8)).shape
        torch.Size([2, 3, 8, 8])
    """

    def __init__(self, policy: Sequence[str] = ('color', 'translation', 'cutout')) -> None:
        super().__init__()
        self.policy = check_policy(policy, tuple(_CHANGES))

    def forward(self, images: Tensor) -> Tensor:
        """Change each image.

        Args:
            images: Float ``(N, C, H, W)`` in [-1, 1].

        Returns:
            Of the same shape and dtype; computed in float32 or better, and differentiable any
            number of times.
        """
        changed = images.to(torch.promote_types(images.dtype, torch.float32))
        for name in self.policy:
            changed = _CHANGES[name](changed)
        return changed.to(images.dtype)

    def extra_repr(self) -> str:
        """Arguments shown by ``print(model)``."""
        return f'policy={self.policy}'


def check_policy(policy: Sequence[str], known: tuple[str, ...]) -> tuple[str, ...]:
    """Return ``policy`` as a tuple.

    Raises:
        ValueError: If it names nothing, something twice, or something that is not ``known``.
    """
    names = () if isinstance(policy, str) else tuple(policy)
    if not names or len(set(names)) < len(names) or not set(names) <= set(known):
        raise ValueError(
            f'policy must be one or more of {", ".join(map(repr, known))}, each once, got '
            f'{policy!r}. Pass policy={known} for all, or leave the augmentation out.'
        )
    return names


def _change_color(images: Tensor) -> Tensor:
    """Brightness, saturation, contrast."""
    if has_alpha(images.shape[1]):
        return torch.cat([_change_color(images[:, :-1]), images[:, -1:]], dim=1)
    uniform = torch.rand(3, len(images), 1, 1, 1, dtype=images.dtype, device=images.device)
    images = images + (uniform[0] - 0.5)
    if images.shape[1] > 1:
        images = torch.lerp(images.mean(1, keepdim=True), images, 2 * uniform[1])
    return torch.lerp(images.mean((1, 2, 3), keepdim=True), images, uniform[2] + 0.5)


def _translate(images: Tensor) -> Tensor:
    """Shift by whole pixels, with zeros around."""
    num, channels, height, width = images.shape
    down, right = _rounded(_MAX_SHIFT * height), _rounded(_MAX_SHIFT * width)
    padded = F.pad(images, (right, right, down, down))
    rows = _place(num, 2 * down + 1, images) + torch.arange(height, device=images.device)
    columns = _place(num, 2 * right + 1, images) + torch.arange(width, device=images.device)
    pixels = rows[:, :, None] * padded.shape[3] + columns[:, None, :]
    index = pixels.view(num, 1, -1).expand(-1, channels, -1)
    return padded.flatten(2).gather(2, index).view(images.shape)


def _cut_out(images: Tensor) -> Tensor:
    """Put a square to 0, in all channels."""
    rows, columns = (_random_span(len(images), side, images) for side in images.shape[2:])
    square = rows[:, :, None] & columns[:, None, :]
    return images.masked_fill(square[:, None], 0)


def _random_span(num: int, side: int, images: Tensor) -> Tensor:
    """True along half of the side, about a random place; bool ``(num, side)``."""
    length = _rounded(_CUTOUT * side)
    # An even length has its middle between two pixels, or at one of the two ends.
    start = _place(num, side + 1 - length % 2, images) - length // 2
    pixels = torch.arange(side, device=images.device)
    return (start <= pixels) & (pixels < start + length)


def _place(num: int, places: int, images: Tensor) -> Tensor:
    """A random int in [0, ``places``) for each image, of shape ``(num, 1)``."""
    return torch.randint(places, (num, 1), device=images.device)


def _rounded(size: float) -> int:
    return int(size + 0.5)


_CHANGES: dict[str, Callable[[Tensor], Tensor]] = {
    'color': _change_color,
    'translation': _translate,
    'cutout': _cut_out,
}
