"""Density and coverage: precision and recall that a single outlier does not move.

Naeem et al. 2020, Reliable Fidelity and Diversity Metrics for Generative Models, arXiv:2002.09797.
Differs: any extractor.
"""

import torch

from mmgan_lite.evaluation.metrics.base import Comparison, GANMetric, centered, squared_distances
from mmgan_lite.registry import METRICS
from mmgan_lite.utils.migration import either_name
from mmgan_lite.utils.validation import check_positive

_BLOCK = 1000


@METRICS.register_module()
class DensityCoverage(GANMetric):
    """``density``, about 1 for perfect fakes and not bounded, and ``coverage``, from 0 to 1.

    About each real image lies a ball that reaches to its k-th real neighbor. Density is how many
    balls hold a fake, on average over the fakes and divided by k. Coverage is the share of balls
    that hold any fake.

    Args:
        neighbors: k, at least 1.
        neighbours: The same under its old name.

    Raises:
        ValueError: If ``neighbors`` is out of its range.
    """

    score_names = ('density', 'coverage')

    def __init__(self, neighbors: int = 5, neighbours: int | None = None) -> None:
        super().__init__()
        neighbors = either_name('neighbors', neighbors, neighbours, 'neighbours')
        self.neighbors = check_positive('neighbors', neighbors)
        self.settings = dict(neighbors=neighbors)

    def compute(self, comparison: Comparison) -> dict[str, float]:
        """Scores under 'density' and 'coverage'; more real images than ``neighbors``.

        Raises:
            ValueError: If there are fewer, or no fake.
        """
        self.require(comparison, fake=1, real=self.neighbors + 1)
        fake, real = centered(comparison.fake.features, comparison.real.features)
        inside_count, covered = 0, 0
        for start in range(0, len(real), _BLOCK):
            centers = real[start : start + _BLOCK]
            among_reals = squared_distances(centers, real)
            # No image is its own neighbor.
            among_reals.diagonal(start).fill_(torch.inf)
            radii = among_reals.topk(self.neighbors, largest=False).values[:, -1:]
            inside = squared_distances(centers, fake) <= radii
            inside_count += int(inside.sum())
            covered += int(inside.any(1).sum())
        density = inside_count / (self.neighbors * len(fake))
        return {'density': density, 'coverage': covered / len(real)}
