"""Kernel distance: the maximum mean discrepancy of features, without bias at small numbers.

Bińkowski et al. 2018, Demystifying MMD GANs, arXiv:1801.01401. Differs: any extractor; computed by
torch-fidelity.
"""

from mmgan_lite.evaluation.metrics.base import Comparison, GANMetric
from mmgan_lite.registry import METRICS
from mmgan_lite.utils.validation import check_positive


@METRICS.register_module()
class KernelDistance(GANMetric):
    """``KID``, the mean over random subsets, and ``KID_std``, their standard deviation.

    About 0 for sets of one distribution, also a little below it; lower is better.

    Args:
        subsets: How many pairs of subsets, at least 1.
        subset_size: Images of a subset, at least 2; all images where there are fewer.

    Raises:
        ValueError: If an argument is out of its range.
    """

    score_names = ('KID', 'KID_std')

    def __init__(self, subsets: int = 100, subset_size: int = 1000) -> None:
        super().__init__()
        self.subsets = check_positive('subsets', subsets)
        self.subset_size = check_positive('subset_size', subset_size)
        if subset_size < 2:
            raise ValueError('subset_size must be at least 2, got 1. Pass subset_size=1000.')
        self.settings = dict(subsets=subsets, subset_size=subset_size)

    def compute(self, comparison: Comparison) -> dict[str, float]:
        """Scores under 'KID' and 'KID_std'; at least two images of each kind.

        Raises:
            ValueError: If there are fewer.
        """
        from mmgan_lite.evaluation.torch_fidelity_adapter import kernel_distance

        self.require(comparison, fake=2, real=2)
        fake, real = comparison.fake.features, comparison.real.features
        size = min(self.subset_size, len(fake), len(real))
        scores = kernel_distance(fake, real, self.subsets, size)
        return dict(zip(self.score_names, scores, strict=True))
