"""Memorization: whether fakes lie nearer to the training images than new real images do.

Meehan et al. 2020, A Non-Parametric Test to Detect Data-Copying in Generative Models,
arXiv:2004.05675. Differs: one cell, and the probability itself in place of its z-score, which
grows with the number of images.
"""

import torch
from torch import Tensor

from mmgan_lite.evaluation.metrics.base import Comparison, GANMetric, centered, squared_distances
from mmgan_lite.registry import METRICS

_BLOCK = 250


@METRICS.register_module()
class Memorization(GANMetric):
    """``memorization``: the chance that a fake is nearer to a training image than a new real is.

    0.5 where the fakes are as new as the held-out real images, 1 where all are copies, 0 where all
    are further away than any of those. Needs the evaluator's ``train_dataset``, and a loader of
    real images that were not trained on.
    """

    score_names = ('memorization',)
    needs = ('features', 'train')

    def compute(self, comparison: Comparison) -> dict[str, float]:
        """Score under 'memorization'; at least one image of each kind.

        Raises:
            ValueError: If there is none.
        """
        self.require(comparison, fake=1, real=1, train=1)
        assert comparison.train is not None
        parts = comparison.fake, comparison.real, comparison.train
        fake, real, training = centered(*[part.features for part in parts])
        of_reals = _nearest(real, training).sort().values
        of_fakes = _nearest(fake, training)
        # For each fake the reals that are further off; of equal ones, half.
        nearer_or_equal = torch.searchsorted(of_reals, of_fakes, right=True)
        nearer = torch.searchsorted(of_reals, of_fakes)
        further = len(of_reals) - (nearer + nearer_or_equal).double() / 2
        return {'memorization': float(further.mean() / len(of_reals))}

    def compute_real_score(self, comparison: Comparison) -> dict[str, float]:
        """One half, by definition."""
        return {'memorization': 0.5}


def _nearest(points: Tensor, others: Tensor) -> Tensor:
    """Squared distance of each point to the nearest of the others."""
    return torch.cat([squared_distances(block, others).amin(1) for block in points.split(_BLOCK)])
