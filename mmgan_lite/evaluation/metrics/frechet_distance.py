"""Fréchet distance: how far the features of fakes and reals lie apart as two Gaussians.

Heusel et al. 2017, GANs Trained by a Two Time-Scale Update Rule, arXiv:1706.08500. Differs: any
extractor; computed by torch-fidelity.
"""

import logging

from mmengine.logging import print_log

from mmgan_lite.evaluation.metrics.base import Comparison, GANMetric
from mmgan_lite.registry import METRICS


@METRICS.register_module()
class FrechetDistance(GANMetric):
    """``FID``: 0 for equal sets, and lower is better.

    It falls as the number of images grows, so two scores compare only at the same number. With
    fewer images than features it is far too high; then it warns.

    Example:
        >>> import torch
        >>> from mmgan_lite.evaluation import Samples
        >>> fake, real = torch.zeros(2, 1), torch.tensor([[1.0], [3.0]])  # means 0, 2; variance 2
        >>> FrechetDistance().compute(Comparison(Samples(fake), Samples(real)))
        {'FID': 6.0}
    """

    score_names = ('FID',)

    def compute(self, comparison: Comparison) -> dict[str, float]:
        """Score under 'FID'; at least two images of each kind.

        Raises:
            ValueError: If there are fewer.
        """
        return {'FID': _distance(self, comparison, 'FID')}

    def compute_real_score(self, comparison: Comparison) -> dict[str, float]:
        """As ``compute``; a warning says that it is about the real score."""
        return {'FID': _distance(self, comparison, 'The real score of FID')}


def _distance(metric: GANMetric, comparison: Comparison, what: str) -> float:
    from mmgan_lite.evaluation.torch_fidelity_adapter import frechet_distance

    metric.require(comparison, fake=2, real=2)
    fake, real = comparison.fake.features, comparison.real.features
    width = fake.shape[1]
    if min(len(fake), len(real)) <= width:
        text = f'{what} of {width:,} features from {len(fake):,} images against {len(real):,} is'
        reason = 'far too high, because the covariance of so few is singular'
        remedy = f'Use more than {width:,} of each.'
        print_log(f'{text} {reason}. {remedy}', 'current', logging.WARNING)
    return frechet_distance(fake, real)
