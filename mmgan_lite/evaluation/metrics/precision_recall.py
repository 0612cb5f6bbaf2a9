"""Improved precision and recall: fakes that look real, and reals that the fakes cover.

Kynkäänniemi et al. 2019, Improved Precision and Recall Metric for Assessing Generative Models,
arXiv:1904.06991. Differs: any extractor; computed by torch-fidelity.
"""

from mmgan_lite.evaluation.metrics.base import Comparison, GANMetric
from mmgan_lite.registry import METRICS
from mmgan_lite.utils.migration import either_name
from mmgan_lite.utils.validation import check_positive


@METRICS.register_module()
class PrecisionRecall(GANMetric):
    """``precision`` and ``recall``, shares from 0 to 1; higher is better.

    Args:
        neighbors: The k-th nearest neighbor bounds the ball about an image, at least 1.
        neighbours: The same under its old name.

    Raises:
        ValueError: If ``neighbors`` is out of its range.
    """

    score_names = ('precision', 'recall')

    def __init__(self, neighbors: int = 3, neighbours: int | None = None) -> None:
        super().__init__()
        neighbors = either_name('neighbors', neighbors, neighbours, 'neighbours')
        self.neighbors = check_positive('neighbors', neighbors)
        self.settings = dict(neighbors=neighbors)

    def compute(self, comparison: Comparison) -> dict[str, float]:
        """Scores under 'precision' and 'recall'; more images of each kind than ``neighbors``.

        Raises:
            ValueError: If there are fewer.
        """
        from mmgan_lite.evaluation.torch_fidelity_adapter import precision_recall

        self.require(comparison, fake=self.neighbors + 1, real=self.neighbors + 1)
        fake, real = comparison.fake.features, comparison.real.features
        scores = precision_recall(fake, real, self.neighbors)
        return dict(zip(self.score_names, scores, strict=True))
