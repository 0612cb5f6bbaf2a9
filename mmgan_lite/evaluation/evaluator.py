"""One evaluation for MMEngine's loops: all metrics get the same fakes and real images."""

import dataclasses
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.logging import print_log
from mmengine.structures import BaseDataElement
from torch import nn

from mmgan_lite.evaluation.collector import (
    Collected,
    FeatureCollector,
    data_name,
    metainfo_of,
)
from mmgan_lite.evaluation.extractors import FeatureExtractor
from mmgan_lite.evaluation.metrics import Comparison, GANMetric, Samples
from mmgan_lite.evaluation.report import Report, Score
from mmgan_lite.registry import DATASETS, EVALUATOR, METRICS, MODELS, build_part
from mmgan_lite.utils.interfaces import unwrap_model
from mmgan_lite.utils.validation import check_positive


@EVALUATOR.register_module()
class GANEvaluator(Evaluator):
    """Gives every metric what it needs, and reports each score with its protocol.

    It is used in MMEngine's own validation and test loops. Their data loader gives the real images,
    and the model draws a fake for each of them, with its label where the model is conditional. Each
    image goes through the extractor once. Features of real images are kept in a file, by their
    pixels. Metrics that need nothing but the model get it from :meth:`bind_model`.

    Each score comes with its real score: what real images score in the place of the fakes. These
    are as many images of ``train_dataset``, spread evenly over it, or without one half of the
    loader's images against the other half.

    Args:
        metrics: Configs or objects; :class:`GANMetric` ones and any other of MMEngine's.
        extractor: A config or an object of a :class:`FeatureExtractor`; None if all metrics need
            the model alone.
        num_samples: How many fakes are compared; None for as many as there are real images. For
            more than that the data loader needs a ``RepeatingSampler``, and for fewer real images
            a ``SpreadSampler``, of the same number.
        train_dataset: What the model was trained on, for the real scores and for
            ``Memorization``.
        cache_dir: Folder for features of real images; None for ``mmgan_lite/features`` in
            ``$XDG_CACHE_HOME`` or ``~/.cache``.

    Raises:
        ValueError: If an argument is out of its range, or a metric needs one that is not given.

    Example:
        In a config::

            val_evaluator = dict(
                type='GANEvaluator',
                extractor=dict(type='MNISTClassifier'),
                metrics=[dict(type='FrechetDistance'), dict(type='PrecisionRecall')])
    """

    def __init__(
        self,
        metrics: Mapping | BaseMetric | Sequence,
        extractor: Mapping | nn.Module | None = None,
        num_samples: int | None = None,
        train_dataset: Mapping | Any | None = None,
        cache_dir: str | Path | None = None,
    ) -> None:
        metrics = metrics if isinstance(metrics, Sequence) else [metrics]
        super().__init__([build_part(METRICS, metric, 'metrics') for metric in metrics])
        self.gan_metrics = [metric for metric in self.metrics if isinstance(metric, GANMetric)]
        self.other_metrics = [m for m in self.metrics if not isinstance(m, GANMetric)]
        self.extractor = None if extractor is None else _build_extractor(extractor)
        if num_samples is not None:
            check_positive('num_samples', num_samples)
        self.num_samples = num_samples
        self.train_dataset = (
            None if train_dataset is None else build_part(DATASETS, train_dataset, 'train_dataset')
        )
        self.cache_dir = _default_cache() if cache_dir is None else Path(cache_dir).expanduser()
        for metric in self.gan_metrics:
            if metric.needs_images and self.extractor is None:
                raise _lacks(metric, 'extractor', "dict(type='InceptionV3')")
            if 'train' in metric.needs and self.train_dataset is None:
                raise _lacks(metric, 'train_dataset', "dict(type='MNISTDataset', split='train')")
        self._collector: FeatureCollector | None = None
        if self.extractor is not None and any(metric.needs_images for metric in self.gan_metrics):
            self._collector = FeatureCollector(self.extractor, self.cache_dir, self.train_dataset)
        self.report: Report | None = None
        self._model: nn.Module | None = None
        self._real_scores: tuple[tuple[bytes, int] | None, dict[str, float]] = (None, {})

    @Evaluator.dataset_meta.setter
    def dataset_meta(self, dataset_meta: dict) -> None:
        """Set by a loop when it is built: the description of its data set."""
        metas = (dataset_meta, metainfo_of(self.train_dataset))
        reals, trained_on = (tuple((meta or {}).get('classes') or ()) for meta in metas)
        if reals and trained_on and reals != trained_on:
            raise ValueError(
                'train_dataset must have the classes of the images of the data loader, got '
                f'{", ".join(map(str, trained_on[:3]))}, ... for '
                f'{", ".join(map(str, reals[:3]))}, ... . Change both, or leave it out.'
            )
        Evaluator.dataset_meta.fset(self, dataset_meta)

    @property
    def score_names(self) -> list[str] | None:
        """Full names of all scores, in their order; None where a metric has none declared."""
        if self.other_metrics or not all(metric.score_names for metric in self.gan_metrics):
            return None
        return [name + self._tag_of(m) for m in self.gan_metrics for name in m.score_names]

    def bind_model(self, model: nn.Module) -> None:
        """Give the metrics the model; a hook of the default runtime does so before each loop."""
        self._model = unwrap_model(model)

    def process(
        self, data_samples: Sequence[BaseDataElement | Mapping], data_batch: Any = None
    ) -> None:
        """Extract the features of a batch, unless no metric needs any.

        Args:
            data_samples: One for each image, with ``fake_image``, uint8 ``(C, H, W)``, and
                ``gt_label`` where the model is conditional; ``from_ema`` names the weights.
            data_batch: A batch of the data loader: ``inputs``, uint8 ``(N, C, H, W)``, and
                ``labels`` where there are any.

        Raises:
            ValueError: If it lacks something, or a feature is not finite.
        """
        samples = [s.to_dict() if isinstance(s, BaseDataElement) else s for s in data_samples]
        for metric in self.other_metrics:
            metric.process(data_batch, samples)
        fakes = Samples()
        if self._collector is not None:
            name = data_name(self.dataset_meta, 'unnamed')
            fakes = self._collector.add(samples, data_batch, name).fake
        for metric in self.gan_metrics:
            self._check_needs(metric, fakes)

    def evaluate(self, size: int) -> dict[str, float]:
        """All scores under their full names; ``report`` and the log get their protocol too.

        Args:
            size: Number of real images in the data set. What the samplers of several processes
                added to it is left out.

        Raises:
            ValueError: If there are too few images for a metric.
        """
        found = None if self._collector is None else self._collector.gather()
        outcome: list[Any] = [None]
        if is_main_process():
            try:
                outcome = [self._make_report(found, size)]
            except Exception as error:  # the other processes must not wait for ever
                outcome = [error]
        broadcast_object_list(outcome)
        if isinstance(outcome[0], Exception):
            raise outcome[0]
        self.report = outcome[0]
        print_log(self.report.table(), 'current')
        metrics = {score.name: score.value for score in self.report.scores}
        for metric in self.other_metrics:
            metrics.update(metric.evaluate(size))
        return metrics

    def _make_report(self, found: Collected | None, size: int) -> Report:
        """All scores, in the main process."""
        if self._collector is None or self.extractor is None:
            return Report(self._scores(Comparison(Samples(), Samples(), model=self._model), {}))
        num_fakes = size if self.num_samples is None else self.num_samples
        comparison = self._collector.compare(found, size, num_fakes)
        assert found is not None
        comparison = dataclasses.replace(comparison, model=self._model)
        if any('train' in metric.needs for metric in self.gan_metrics):
            comparison = dataclasses.replace(comparison, train=self._collector.read_train())
        baseline, baseline_name = self._collector.baseline(comparison)
        num_reals = len(comparison.real)
        key = (found.digests[:num_reals].numpy().tobytes(), num_fakes)
        if self._real_scores[0] != key:
            self._real_scores = key, dict(self._compute_real_scores(baseline))
        return Report(
            scores=self._scores(comparison, self._real_scores[1]),
            extractor=self.extractor.name,
            extractor_sha256=self.extractor.fingerprint,
            num_features=comparison.real.features.shape[1],
            num_fakes=num_fakes,
            weights=found.weights,
            real_data=data_name(self.dataset_meta, 'unnamed data'),
            num_reals=num_reals,
            baseline=baseline_name,
        )

    def _scores(self, comparison: Comparison, real_scores: Mapping[str, float]) -> list[Score]:
        scores = [
            Score(name + self._tag_of(metric), value, real_scores.get(name), metric.settings)
            for metric in self.gan_metrics
            for name, value in metric.compute(comparison).items()
        ]
        names = [score.name for score in scores]
        if len(set(names)) < len(names):
            raise ValueError(f'metrics must give each score once, got {names}. Remove one of two.')
        return scores

    def _compute_real_scores(self, baseline: Comparison | None) -> Iterator[tuple[str, float]]:
        if baseline is None:
            return
        for metric in self.gan_metrics:
            if 'labels' in metric.needs and baseline.fake.labels is None:
                continue
            try:
                yield from metric.compute_real_score(baseline).items()
            except ValueError:
                # Too few images in a half: the table shows that there is no real score.
                continue

    def _tag_of(self, metric: GANMetric) -> str:
        return self.extractor.tag if self.extractor is not None and metric.needs_images else ''

    def _check_needs(self, metric: GANMetric, fakes: Samples) -> None:
        name = type(metric).__name__
        if 'model' in metric.needs and self._model is None:
            raise ValueError(
                f'{name} needs the model, but bind_model of the GANEvaluator was not called. Keep '
                'the default_hooks of mmgan_lite, which call it before each loop, or call it.'
            )
        if 'logits' in metric.needs and fakes.logits is None:
            assert self.extractor is not None
            raise ValueError(
                f'{name} needs an extractor with logits of classes, but {self.extractor.name} '
                'gives features only. Take the metric out, or choose a classifier as the extractor.'
            )
        if 'labels' in metric.needs and fakes.labels is None:
            raise ValueError(
                f'{name} needs fakes with labels, but the model is not conditional. Take the '
                'metric out, or train with num_classes.'
            )


def _build_extractor(extractor: Any) -> FeatureExtractor:
    extractor = build_part(MODELS, extractor, 'extractor')
    if not isinstance(extractor, FeatureExtractor):
        raise ValueError(
            f'extractor must be a FeatureExtractor, got {type(extractor).__name__}. Wrap a network '
            "of yours: extractor=dict(type='ModuleExtractor', module=..., name='my-net')."
        )
    return extractor


def _lacks(metric: GANMetric, argument: str, example: str) -> ValueError:
    return ValueError(
        f'{type(metric).__name__} needs {argument}, got None. Add {argument}={example} to the '
        'evaluator, or take the metric out.'
    )


def _default_cache() -> Path:
    root = os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache'
    return Path(root, 'mmgan_lite', 'features')
