"""How near a translation comes to the target of each pair.

SSIM: Wang et al. 2004, Image Quality Assessment: From Error Visibility to Structural Similarity.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from mmgan_lite.evaluation.metrics.base import Comparison, GANMetric
from mmgan_lite.evaluation.metrics.ms_ssim import ssim
from mmgan_lite.registry import METRICS
from mmgan_lite.utils.image_batch import stack_images

_NAMES = ('fake_image', 'target', 'source')
_REMEDY = "Evaluate a translation model on pairs, such as dict(type='PairedImageDataset')."
# Mean squares of equal images, which have no logarithm: 100 dB.
_LEAST_SQUARES = 1e-10
_SMALL = 32
_ROWS = 500
# What is kept of a pair, for its output, and its source where that has the shape of the target:
# L1, PSNR and SSIM, float64 (V, 3); 32x32 pixels, float32 (V, F); and those of the target, (F,).
_Pair = tuple[Tensor, Tensor, Tensor]


@METRICS.register_module()
class PairedImageMetric(GANMetric):
    """Differences between the outputs of a translation and the targets, pair by pair.

    - ``L1``: mean absolute difference, of pixels in [0, 1]; lower is better.
    - ``PSNR``: peak signal-to-noise ratio in dB, 100 for equal images; higher is better.
    - ``SSIM``: structural similarity in Gaussian windows of 11x11 pixels inside the image, as
      published, narrower where the image is; at most 1, and higher is better.
    - ``nearest_target``: share of outputs that are nearer to their own target than to any other
      one, by the distance of pixels at 32x32, where each is the mean of an area; higher is better.
      Of equal targets each is one's own.

    The first three are means over the pairs. ``source_L1`` and so on are the same for the source in
    the place of the output: what doing nothing scores. They are left out where source and target
    differ in channels or size. All channels count alike, alpha too. Images of 16 bits are rounded
    to 8.

    Works in the list of a :class:`GANEvaluator`, which reports the protocol too, and without one.

    Example:
        >>> black, gray = torch.zeros(1, 8, 8, dtype=torch.uint8), torch.full((1, 8, 8), 51)
        >>> metric = PairedImageMetric()
        >>> pair = dict(source=black, fake_image=gray.byte(), target=black)
        >>> metric.process(None, [pair])
        >>> scores = metric.evaluate(1)
        >>> round(scores['L1'], 4), round(scores['PSNR'], 2), scores['source_L1']
        (0.2, 13.98, 0.0)
    """

    needs = ('pairs',)
    score_names = ('L1', 'PSNR', 'SSIM', 'nearest_target')

    def process(self, data_batch: Any, data_samples: Sequence[Mapping]) -> None:
        """Keep the figures of a batch, and its images at 32x32.

        Args:
            data_batch: Not used; MMEngine's interface.
            data_samples: One for each pair, with ``fake_image``, ``target`` and ``source``, uint8
                ``(C, H, W)``.

        Raises:
            ValueError: If one lacks something, or fake and target differ in shape.
        """
        fakes, targets, sources = (_stack(data_samples, name) for name in _NAMES)
        if fakes.shape != targets.shape:
            raise ValueError(
                'fake_image and target must have one shape, got '
                f'{tuple(fakes.shape[1:])} and {tuple(targets.shape[1:])}. Correct the dataset.'
            )
        views = [fakes, sources] if sources.shape == targets.shape else [fakes]
        figures = torch.stack([_compare(images, targets) for images in views], 1).cpu()
        small = torch.stack([_shrink(images) for images in views], 1).cpu()
        self.results += zip(figures, small, _shrink(targets).cpu(), strict=True)

    def compute(self, comparison: Comparison) -> dict[str, float]:
        """Scores of ``comparison.pairs``.

        Raises:
            ValueError: If there are none.
        """
        return self.compute_metrics(comparison.pairs)

    def compute_metrics(self, results: Sequence[_Pair]) -> dict[str, float]:
        """Scores of what :meth:`process` kept in all processes.

        Raises:
            ValueError: If there are no pairs.
        """
        if not results:
            raise ValueError(f'PairedImageMetric needs at least 1 pair, got none. {_REMEDY}')
        figures, small, targets = map(torch.stack, zip(*results, strict=True))
        scores: dict[str, float] = {}
        for view, start in zip(range(figures.shape[1]), ('', 'source_'), strict=False):
            values = [*figures[:, view].mean(0).tolist(), _own_is_nearest(small[:, view], targets)]
            scores |= {start + n: v for n, v in zip(self.score_names, values, strict=True)}
        return scores


def _stack(samples: Sequence[Mapping], name: str) -> Tensor:
    images = [sample.get(name) for sample in samples]
    if any(image is None for image in images):
        raise ValueError(f'Data samples must have {name}, got one without. {_REMEDY}')
    return stack_images(images, name, _REMEDY)  # type: ignore[arg-type]


def _compare(images: Tensor, targets: Tensor) -> Tensor:
    """L1, PSNR and SSIM of uint8 images ``(N, C, H, W)``: float64 ``(N, 3)``."""
    differences = (images.float() - targets) / 255
    squares = differences.square().mean((1, 2, 3)).double()
    psnr = -10 * squares.clamp(min=_LEAST_SQUARES).log10()
    l1 = differences.abs().mean((1, 2, 3)).double()
    return torch.stack([l1, psnr, ssim(images, targets).double()], 1)


def _shrink(images: Tensor) -> Tensor:
    return adaptive_avg_pool2d(images.float(), _SMALL).flatten(1)


def _own_is_nearest(images: Tensor, targets: Tensor) -> float:
    """Share of images ``(N, F)`` to which no target is nearer than the one in the same row."""
    hits = 0
    for start in range(0, len(images), _ROWS):
        # By a matrix product, equal targets would have distances that differ by rounding.
        distances = torch.cdist(
            images[start : start + _ROWS],
            targets,
            compute_mode='donot_use_mm_for_euclid_dist',
        )
        own = distances.diagonal(start)
        hits += int((own <= distances.amin(1)).sum())
    return hits / len(images)
