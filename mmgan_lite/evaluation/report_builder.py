"""The scores of metrics and their real scores, in a report."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from mmengine.evaluator import BaseMetric
from torch import Tensor

from mmgan_lite.evaluation.baseline import RealBaseline
from mmgan_lite.evaluation.extractors import FeatureExtractor
from mmgan_lite.evaluation.metrics import Comparison, GANMetric
from mmgan_lite.evaluation.report import Report, Score


class ReportBuilder:
    """Computes metrics, and the real scores once for the same real images.

    Args:
        metrics: In the order of their scores.
        extractor: Of the features; None if no metric needs it.
        baseline: What is in the place of the fakes for the real scores.
    """

    def __init__(
        self,
        metrics: Sequence[GANMetric],
        extractor: FeatureExtractor | None,
        baseline: RealBaseline,
    ) -> None:
        self._metrics, self._extractor, self._baseline = metrics, extractor, baseline
        # What the last real scores are for, which images had them, and the scores.
        self._known: tuple[Any, str | None, dict[str, float]] = (None, None, {})

    def build(
        self,
        features: Comparison,
        images: Comparison,
        drawn: Mapping[GANMetric, Tensor],
        key: Any = None,
        pairs: Mapping[GANMetric, Sequence] | None = None,
    ) -> Report:
        """All scores, and the part of the protocol that is known here.

        Args:
            features: What metrics of features get, and those of the model alone.
            images: What metrics of images get.
            drawn: What metrics drew from the model.
            key: Equal for equal real images and numbers of fakes; None for no others.
            pairs: What metrics of pairs kept of each.

        Raises:
            ValueError: If there are too few images for a metric, or two scores of one name.
        """
        if key is None or self._known[0] != key:
            self._known = key, *self._real_scores(features, images)
        _, baseline, real_scores = self._known
        scores = []
        for metric in self._metrics:
            comparison = images if 'images' in metric.needs else features
            kept = (pairs or {}).get(metric, ())
            found = metric.compute(replace(comparison, drawn=drawn.get(metric), pairs=kept))
            for name, value in found.items():
                full_name = name + self._tag_of(metric)
                scores.append(Score(full_name, value, real_scores.get(name), metric.settings))
        names = [score.name for score in scores]
        if len(set(names)) < len(names):
            raise ValueError(f'metrics must give each score once, got {names}. Remove one of two.')
        report = Report(scores, baseline=baseline)
        if any(metric.needs_extractor for metric in self._metrics):
            assert self._extractor is not None
            name, sha256 = self._extractor.name, self._extractor.fingerprint
            report = replace(report, extractor=name, extractor_sha256=sha256)
        compared = features if len(features.real) else images
        if len(compared.real):
            fakes, reals = len(compared.fake), len(compared.real)
            num_features = compared.real.features.shape[1] or None
            report = replace(report, num_features=num_features, num_fakes=fakes, num_reals=reals)
        return report

    def _real_scores(
        self, features: Comparison, images: Comparison
    ) -> tuple[str | None, dict[str, float]]:
        """In words which real images are in the place of the fakes, and their scores."""
        text = None
        scores: dict[str, float] = {}
        for comparison in (features, images):
            if not len(comparison.real):
                continue
            baseline, words = self._baseline.of(comparison)
            text = text or words
            for metric in self._metrics:
                if ('images' in metric.needs) != (comparison is images):
                    continue
                if 'labels' in metric.needs and baseline.fake.labels is None:
                    continue
                # Of too few images, as in a half, the table shows that there is no real score.
                with contextlib.suppress(ValueError):
                    scores.update(metric.compute_real_score(baseline))
        return text, scores

    def _tag_of(self, metric: GANMetric) -> str:
        extractor = self._extractor
        return '' if extractor is None else metric.tag(extractor.tag, extractor.name)


def score_names(
    metrics: Sequence[BaseMetric], tag: str = '', extractor: str = ''
) -> list[str] | None:
    """Full names of the scores of metrics; None where a metric has none declared.

    Args:
        metrics: In the order of their scores.
        tag: Of the extractor; empty without one.
        extractor: Its name; empty without one.
    """
    names: list[str] = []
    for metric in metrics:
        if not isinstance(metric, GANMetric) or not metric.score_names:
            return None
        names += [name + metric.tag(tag, extractor) for name in metric.score_names]
    return names
