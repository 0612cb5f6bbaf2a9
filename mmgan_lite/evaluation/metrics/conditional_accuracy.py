"""Conditional accuracy: whether a fake shows the class that the model was given."""

from mmgan_lite.evaluation.metrics.base import Comparison, GANMetric
from mmgan_lite.registry import METRICS


@METRICS.register_module()
class ConditionalAccuracy(GANMetric):
    """``accuracy``, the share of fakes that the classifier sees as their label; higher is better.

    Its real score is the accuracy on real images. The classes of data and classifier must be the
    same and in the same order.

    Example:
        >>> import torch
        >>> from mmgan_lite.evaluation import Samples
        >>> fake = Samples(torch.zeros(2, 1), torch.eye(2), labels=torch.tensor([0, 0]))
        >>> ConditionalAccuracy().compute(Comparison(fake, fake))
        {'accuracy': 0.5}
    """

    score_names = ('accuracy',)
    needs = ('logits', 'labels')

    def compute(self, comparison: Comparison) -> dict[str, float]:
        """Score under 'accuracy'; at least one fake.

        Raises:
            ValueError: If there is none, or a label is no class of the classifier.
        """
        self.require(comparison, fake=1)
        logits, labels = comparison.fake.logits, comparison.fake.labels
        assert logits is not None
        assert labels is not None
        lowest, highest = int(labels.min()), int(labels.max())
        if lowest < 0 or highest >= logits.shape[1]:
            raise ValueError(
                f'labels must lie in [0, {logits.shape[1]}), the classes of the extractor, got '
                f'{lowest} to {highest}. Choose an extractor that was trained on these classes.'
            )
        return {'accuracy': float((logits.argmax(1) == labels).double().mean())}
