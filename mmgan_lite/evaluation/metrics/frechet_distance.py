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
        from mmgan_lite.evaluation.torch_fidelity_adapter import frechet_distance

        self.require(comparison, fake=2, real=2)
        fake, real = comparison.fake.features, comparison.real.features
        least, width = min(len(fake), len(real)), fake.shape[1]
        if least <= width:
            text = f'FID of {width} features from {least} images is far too high: use many more.'
            print_log(text, 'current', logging.WARNING)
        return {'FID': frechet_distance(fake, real)}
