"""What every metric of generated images has in common."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.evaluator import BaseMetric
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Samples:
    """What is known of N images.

    Args:
        features: Float32 ``(N, F)``, on the CPU like all of them.
        logits: Float32 ``(N, K)``; None where the extractor is no classifier.
        labels: int64 ``(N,)``, for fakes the classes that they were asked to show; None where
            there are none.
    """

    features: Tensor
    logits: Tensor | None = None
    labels: Tensor | None = None

    def __len__(self) -> int:
        return len(self.features)

    def __getitem__(self, index: Tensor | slice) -> 'Samples':
        return Samples(
            self.features[index],
            None if self.logits is None else self.logits[index],
            None if self.labels is None else self.labels[index],
        )


@dataclass(frozen=True, eq=False)
class Comparison:
    """What a metric compares.

    Args:
        fake: What is judged: N images of the generator, or real ones to get the floor.
        real: What it is held against.
        train: What the generator was trained on; None where it is not known.
    """

    fake: Samples
    real: Samples
    train: Samples | None = None


class GANMetric(BaseMetric):
    """A metric in the list of a :class:`~mmgan_lite.evaluation.GANEvaluator`.

    The evaluator draws and reads all images once, and hands the same features to every metric. By
    itself such a metric has none, so it says where it belongs.

    A subclass implements ``compute``, and tells by the attributes what it needs.

    Attributes:
        score_names: The names that ``compute`` gives, known beforehand; empty if they are not.
    """

    # The evaluator names the scores; without this MMEngine warns that there is no prefix.
    default_prefix = ''
    score_names: tuple[str, ...] = ()
    needs_logits = False
    needs_labels = False
    needs_train = False

    def compute(self, comparison: Comparison) -> dict[str, float]:
        """Scores by their plain names, such as 'FID'; the evaluator adds the extractor's.

        Raises:
            ValueError: If there are too few images.
        """
        raise NotImplementedError

    def compute_floor(self, comparison: Comparison) -> dict[str, float]:
        """What real images score in the place of the fakes."""
        return self.compute(comparison)

    @property
    def settings(self) -> dict[str, Any]:
        """What the scores depend on besides the images and the extractor, for the report."""
        return {}

    def process(self, data_batch: Any, data_samples: Sequence[Mapping]) -> None:
        """Say where the metric belongs.

        Raises:
            ValueError: Always.
        """
        name = type(self).__name__
        raise ValueError(
            f'{name} must be in the list of a GANEvaluator, which extracts features once for all '
            f"metrics, got it alone. Set val_evaluator=dict(type='GANEvaluator', "
            f"metrics=[dict(type='{name}')])."
        )

    def compute_metrics(self, results: Sequence[Comparison]) -> dict[str, float]:
        """MMEngine's name for ``compute``; takes a list of one comparison."""
        (comparison,) = results
        return self.compute(comparison)


def require(metric: str, what: str, count: int, least: int) -> None:
    """Raise ``ValueError`` unless there are enough images."""
    if count < least:
        raise ValueError(
            f'{metric} needs at least {least} {what} images, got {count}. Draw or load more, or '
            'take the metric out of the list.'
        )


def centred(*sets: Tensor) -> list[Tensor]:
    """Features about their common mean, which keeps digits in differences of squares."""
    mean = torch.cat(sets).double().mean(0)
    return [(features.double() - mean).float() for features in sets]


def squared_distances(left: Tensor, right: Tensor) -> Tensor:
    """Squared Euclidean distances ``(N, M)`` of points ``(N, F)`` and ``(M, F)``."""
    # One pass over the N M numbers for each step: the first is the matrix product itself.
    distances = torch.addmm(right.square().sum(1), left, right.T, alpha=-2)
    return distances.add_(left.square().sum(1)[:, None]).clamp_(min=0)
