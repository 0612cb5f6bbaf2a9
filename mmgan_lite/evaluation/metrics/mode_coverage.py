"""Mode coverage: how many classes the fakes show, and how evenly.

The protocol of Stacked MNIST: Metz et al. 2017, Unrolled GANs, arXiv:1611.02163, and Lin et al.
2018, PacGAN, arXiv:1712.04086.
"""

import torch

from mmgan_lite.evaluation.metrics.base import Comparison, GANMetric
from mmgan_lite.registry import METRICS


@METRICS.register_module()
class ModeCoverage(GANMetric):
    """``modes``, the classes that any fake shows, and ``mode_kl``, their unevenness.

    The class of an image is the classifier's first choice. ``mode_kl`` is KL(p || uniform) in
    nats: 0 for even classes, ln(K) for a single one of K; lower is better. Of 1,000 classes a
    perfect generator scores about 0.019 at 26,000 images, by chance alone.

    Example:
        >>> from mmgan_lite.evaluation import Samples
        >>> fake = Samples(torch.zeros(4, 1), logits=torch.eye(4)[[0, 0, 2, 2]])
        >>> scores = ModeCoverage().compute(Comparison(fake, fake))
        >>> scores['modes'], round(scores['mode_kl'], 4)  # two of four classes: ln(2)
        (2, 0.6931)
    """

    score_names = ('modes', 'mode_kl')
    needs = ('logits',)

    def compute(self, comparison: Comparison) -> dict[str, float]:
        """Scores under 'modes' and 'mode_kl'; at least one fake.

        Raises:
            ValueError: If there is none.
        """
        self.require(comparison, fake=1)
        logits = comparison.fake.logits
        assert logits is not None
        num_classes = logits.shape[1]
        shares = torch.bincount(logits.argmax(1), minlength=num_classes).double() / len(logits)
        kl = torch.special.xlogy(shares, shares * num_classes).sum()
        return {'modes': int((shares > 0).sum()), 'mode_kl': float(kl)}
