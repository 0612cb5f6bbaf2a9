"""Sliced Wasserstein distance of the patches of images, at several sizes of them.

Karras et al. 2018, Progressive Growing of GANs for Improved Quality, Stability, and Variation,
arXiv:1710.10196, section 5. Differs: half as many images, and sides that are no power of two.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mmgan_lite.evaluation.metrics.base import Comparison, GANMetric
from mmgan_lite.registry import METRICS
from mmgan_lite.utils.validation import check_positive

_SIDE = 7
_PATCHES = 128
_DIRECTIONS = 512
# A level whose smaller side is shorter is the last one.
_LEAST_TO_HALVE = 24
_BATCH = 64
# Directions at a time: a million patches give 4 MB for each.
_BLOCK = 32


@METRICS.register_module()
class SlicedWassersteinDistance(GANMetric):
    """``SWD_<side>`` of each level of a Laplacian pyramid, and ``SWD``, their mean.

    Lower is better, and 0 that of equal sets. The level of the side of the images has their finest
    details, the next one those of half the side, and the last one what remains. It is the first
    whose smaller side is under 24 pixels: 16 for powers of two, as in the paper, and 14 for 28.
    Odd sides are halved to the larger half. Where height and width differ, the name has both, as in
    ``SWD_32x48``.

    Of each image 128 random patches of 7x7 pixels are taken, which are normalized to mean 0 and
    standard deviation 1 in each channel, by themselves for fakes and for real images. The distance
    is the mean over 512 random directions of that between the patches projected to it, times 1,000.
    Patches and directions are the same in each evaluation.

    Args:
        num_images: How many fakes are compared with as many real images, at least 1; fewer where
            there are not as many of both. The paper took 16,384. For 8,192 images of three channels
            the patches take 2 GB of memory.

    Raises:
        ValueError: If ``num_images`` is out of its range.
    """

    needs = ('images',)

    def __init__(self, num_images: int = 8192) -> None:
        super().__init__()
        self.num_images = check_positive('num_images', num_images)
        self.settings = dict(num_images=num_images)

    def compute(self, comparison: Comparison) -> dict[str, float]:
        """Scores under 'SWD_<side>' of each level and 'SWD'; at least two images of each kind.

        Raises:
            ValueError: If there are fewer, they are of different shapes, or a side is under 7.
        """
        self.require(comparison, fake=2, real=2)
        fake, real = comparison.fake.images, comparison.real.images
        assert fake is not None
        assert real is not None
        shapes = [tuple(images.shape[1:]) for images in (fake, real)]
        if shapes[0] != shapes[1] or min(shapes[0][1:]) < _SIDE:
            raise ValueError(
                'SlicedWassersteinDistance needs fakes and real images of one shape, with sides of '
                f'at least {_SIDE} pixels, got {shapes[0]} and {shapes[1]}. Leave it out.'
            )
        num = min(len(fake), len(real), self.num_images)
        sets, scores = [fake[:num], real[:num]], {}
        while sets:
            height, width = sets[0].shape[2:]
            patches, halves = zip(*map(_cut_level, sets), strict=True)
            name = f'SWD_{height}' if height == width else f'SWD_{height}x{width}'
            scores[name] = 1000 * sliced_distance(*patches)
            sets = [half for half in halves if half is not None]
            del patches, halves  # before those of the next level are there
        return {**scores, 'SWD': sum(scores.values()) / len(scores)}


def sliced_distance(left: Tensor, right: Tensor) -> float:
    """Mean over random directions of the Wasserstein distance between the projections of points.

    Args:
        left: Float32 ``(N, F)``.
        right: Float32 ``(N, F)``.

    Example:
        >>> points = torch.zeros(5, 1)  # in one dimension each direction is 1 or -1
        >>> round(sliced_distance(points, points + 3), 4)
        3.0
    """
    stream = torch.Generator().manual_seed(0)
    directions = F.normalize(torch.randn(_DIRECTIONS, left.shape[1], generator=stream))
    total = 0.0
    for block in directions.split(_BLOCK):
        # Sorted by numpy, which is thirty times as fast at it as torch.
        ordered, others = (np.sort((block @ points.T).numpy()) for points in (left, right))
        total += float(np.abs(ordered - others).mean(1, dtype=np.float64).sum())
    return total / _DIRECTIONS


def _cut_level(images: Tensor) -> tuple[Tensor, Tensor | None]:
    """Normalized patches of a level, and the images of the next one.

    Args:
        images: ``(N, C, H, W)``.

    Returns:
        Float32 ``(N * 128, C * 49)``, and float32 ``(N, C, ceil(H / 2), ceil(W / 2))``, or None
        after the last level.
    """
    num, channels, *size = images.shape
    is_last = min(size) < _LEAST_TO_HALVE
    stream = torch.Generator().manual_seed(min(size))
    patches = torch.empty(num, _PATCHES, channels, _SIDE, _SIDE)
    halves = []
    for batch, target in zip(images.split(_BATCH), patches.split(_BATCH), strict=True):
        level = batch.float()
        if not is_last:
            halves.append(_halve(level))
            level = level - _double(halves[-1], size)
        _cut_patches(level, target, stream)
    variance, mean = torch.var_mean(patches, (0, 1, 3, 4), correction=0, keepdim=True)
    # Of constant images the variance is 0, and so are the patches.
    patches.sub_(mean).div_(variance.sqrt_().clamp_(min=1e-8))
    return patches.view(num * _PATCHES, -1), None if is_last else torch.cat(halves)


def _cut_patches(images: Tensor, patches: Tensor, stream: torch.Generator) -> None:
    """Fill patches ``(N, 128, C, 7, 7)`` from random places of the images."""
    windows = images.unfold(2, _SIDE, 1).unfold(3, _SIDE, 1)
    rows, columns = (
        torch.randint(count, (len(images), _PATCHES), generator=stream)
        for count in windows.shape[2:4]
    )
    patches.copy_(windows[torch.arange(len(images))[:, None], :, rows, columns])


def _halve(images: Tensor) -> Tensor:
    """Every second pixel of the smoothed images ``(N, C, H, W)``, rounded up."""
    return _smooth(images)[:, :, ::2, ::2]


def _double(images: Tensor, size: list[int]) -> Tensor:
    """Smoothed images of a height and width, from those at every second pixel."""
    doubled = images.new_zeros(*images.shape[:2], *size)
    doubled[:, :, ::2, ::2] = images
    return 4 * _smooth(doubled)


def _smooth(images: Tensor) -> Tensor:
    """Burt and Adelson's 5x5 filter; edges are mirrored."""
    taps = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
    channels = images.shape[1]
    kernel = taps.expand(channels, 1, 1, -1)
    images = F.conv2d(F.pad(images, (2, 2, 0, 0), 'reflect'), kernel, groups=channels)
    kernel = kernel.transpose(2, 3)
    return F.conv2d(F.pad(images, (0, 0, 2, 2), 'reflect'), kernel, groups=channels)
