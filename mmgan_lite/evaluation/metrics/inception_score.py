"""Inception score: each image clearly of one class, all together of many.

Salimans et al. 2016, Improved Techniques for Training GANs, arXiv:1606.03498. Differs: any
classifier; computed by torch-fidelity, on shuffled images.
"""

from mmgan_lite.evaluation.metrics.base import Comparison, GANMetric
from mmgan_lite.registry import METRICS
from mmgan_lite.utils.validation import check_positive


@METRICS.register_module()
class InceptionScore(GANMetric):
    """``IS``, the mean over splits, and ``IS_std``, their standard deviation.

    Between 1 and the number of classes; higher is better.

    Args:
        splits: Number of parts that the images are split into, at least 1.

    Raises:
        ValueError: If ``splits`` is out of its range.
    """

    score_names = ('IS', 'IS_std')
    needs = ('logits',)

    def __init__(self, splits: int = 10) -> None:
        super().__init__()
        self.splits = check_positive('splits', splits)
        self.settings = dict(splits=splits)

    def compute(self, comparison: Comparison) -> dict[str, float]:
        """Scores under 'IS' and 'IS_std'; at least one fake for each split.

        Raises:
            ValueError: If there are fewer.
        """
        from mmgan_lite.evaluation.torch_fidelity_adapter import inception_score

        self.require(comparison, fake=self.splits)
        assert comparison.fake.logits is not None
        scores = inception_score(comparison.fake.logits, self.splits)
        return dict(zip(self.score_names, scores, strict=True))
