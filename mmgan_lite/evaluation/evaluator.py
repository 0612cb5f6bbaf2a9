"""One evaluation for MMEngine's loops: all metrics get the same fakes and real images."""

import contextlib
import functools
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import all_gather_object, broadcast_object_list, is_main_process
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.logging import print_log
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from mmgan_lite.evaluation.cache import TO_UINT8, FeatureCache
from mmgan_lite.evaluation.extractors import FeatureExtractor
from mmgan_lite.evaluation.metrics import Comparison, GANMetric, Samples
from mmgan_lite.evaluation.report import Report, Score
from mmgan_lite.evaluation.sampler import spread
from mmgan_lite.registry import DATASETS, EVALUATOR, METRICS, MODELS, build_part
from mmgan_lite.utils.image_batch import (
    BOTH_DEPTHS,
    ROUNDED,
    batch_labels,
    join_columns,
    stack_images,
    stack_labels,
    to_8_bits,
)
from mmgan_lite.utils.interfaces import metainfo_of, unwrap_model
from mmgan_lite.utils.validation import check_positive

_WEIGHTS = {True: 'EMA', False: 'last', None: None}
# What a metric lacks, and what to do.
_LACKS = {
    'extractor': "extractor, got None. Add extractor=dict(type='InceptionV3') to the evaluator",
    'train': "train_dataset, got None. Set one, as dict(type='MNISTDataset', split='train')",
    'model': 'the model, but bind_model was not called. Keep the default_hooks, which call it',
    'logits': 'an extractor with logits, got one of features only. Choose a classifier',
    'labels': 'fakes with labels, but the model is not conditional. Train with num_classes',
}


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
        self.num_samples = (
            None if num_samples is None else check_positive('num_samples', num_samples)
        )
        if train_dataset is not None:
            train_dataset = build_part(DATASETS, train_dataset, 'train_dataset')
        self.train_dataset: Any = train_dataset
        self._train_name = _data_name(metainfo_of(train_dataset), 'unnamed training data')
        root = os.environ.get('XDG_CACHE_HOME') or '~/.cache'
        self.cache_dir = Path(cache_dir or Path(root, 'mmgan_lite', 'features')).expanduser()
        self._needs = {need for metric in self.gan_metrics for need in metric.needs}
        self._require(extractor=self.extractor is not None, train=train_dataset is not None)
        self.report: Report | None = None
        self._model: nn.Module | None = None
        self._cache: FeatureCache | None = None
        # Of each batch the fakes' features, logits and labels, those of the real images, and the
        # digests of these.
        self._batches: list[tuple[Tensor | None, ...]] = []
        self._weights: str | None = None
        # What becomes of the images on the way to the extractor and in it.
        self._images: str | None = None
        # Real images and number of fakes that the baseline is for, its name, and the real scores.
        self._baseline: tuple[tuple[bytes, int] | None, str, dict[str, float]] = (None, '', {})

    @Evaluator.dataset_meta.setter
    def dataset_meta(self, dataset_meta: dict) -> None:
        """Set by a loop when it is built: the description of its data set."""
        metas = (dataset_meta, metainfo_of(self.train_dataset))
        reals, trained_on = (tuple((meta or {}).get('classes') or ()) for meta in metas)
        if reals and trained_on and reals != trained_on:
            raise ValueError(
                f'train_dataset must have the classes of the data loader, got {trained_on[:3]}... '
                f'for {reals[:3]}... . Change both, or leave it out.'
            )
        Evaluator.dataset_meta.fset(self, dataset_meta)

    @property
    def score_names(self) -> list[str] | None:
        """Full names of all scores, in their order; None where a metric has none declared."""
        return score_names(self.metrics, '' if self.extractor is None else self.extractor.tag)

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
            data_batch: A batch of the data loader: ``inputs``, uint8 or uint16 ``(N, C, H, W)``,
                and ``labels`` where there are any. Images of 16 bits are rounded to 8.

        Raises:
            ValueError: If it lacks something, or a feature is not finite.
        """
        super().process(data_samples, data_batch)
        self._require(model=self._model is not None)
        if self.extractor is None or not self._needs - {'model'}:
            return
        samples = [s.to_dict() if isinstance(s, BaseDataElement) else s for s in data_samples]
        if any(sample.get('fake_image') is None for sample in samples):
            raise ValueError('data samples must have fake_image, got one without. Evaluate a GAN.')
        fakes = stack_images([s['fake_image'] for s in samples], 'fake_image', TO_UINT8)
        labels = stack_labels(sample.get('gt_label') for sample in samples)
        inputs = stack_images(data_batch['inputs'], 'inputs', TO_UINT8, BOTH_DEPTHS)
        reals = to_8_bits(inputs)
        fake = self.extractor.to(fakes.device).extract(fakes)
        self._require(logits=fake.logits is not None, labels=labels is not None)
        if self._cache is None:
            name = _data_name(self.dataset_meta, 'unnamed')
            self._cache = FeatureCache(self.cache_dir, name, reals.shape[1:], self.extractor)
        digests, real = self._cache.look_up(reals)
        self._batches.append((*fake, labels, *real, batch_labels(data_batch), digests))
        self._weights = _WEIGHTS[samples[0].get('from_ema')]
        rounded = ROUNDED if inputs.dtype == torch.uint16 else None
        changes = (rounded, self.extractor.describe_channels(reals.shape[1]))
        self._images = ', '.join(filter(None, changes)) or None

    def evaluate(self, size: int) -> dict[str, float]:
        """All scores under their full names; ``report`` and the log get their protocol too.

        Args:
            size: Number of real images in the data set. What the samplers of several processes
                added to it is left out.

        Raises:
            ValueError: If there are too few images for a metric.
        """
        own, self._batches = join_columns(self._batches), []
        parts = [part for part in all_gather_object(own) if part]
        outcome: list[Any] = [None]
        if is_main_process():
            try:
                outcome = [self._make_report(join_columns(parts, _interleave), size)]
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

    def _make_report(self, columns: list[Any], size: int) -> Report:
        """All scores, in the main process."""
        if self.extractor is None or not self._needs - {'model'}:
            return Report(self._scores(Comparison(Samples(), Samples(), model=self._model), {}))
        num_fakes = size if self.num_samples is None else self.num_samples
        comparison, digests = self._compare(columns, size, num_fakes)
        key = (digests.numpy().tobytes(), num_fakes)
        if self._baseline[0] != key:
            self._baseline = key, *self._score_baseline(comparison)
        report = self._report(comparison, *self._baseline[1:])
        real_data = _data_name(self.dataset_meta, 'unnamed data')
        return replace(report, weights=self._weights, real_data=real_data, images=self._images)

    def compare(self, fake: Samples, real: Samples) -> Report:
        """The scores of features from elsewhere, without a loop; the report names no data.

        Args:
            fake: Features of the fakes.
            real: Features of the real images.

        Raises:
            ValueError: If there is no extractor, or a metric needs what is not given, or more
                images.
        """
        if self.extractor is None:
            raise ValueError('extractor must be given to compare features, got None. Pass one.')
        self._require(
            model=self._model is not None,
            logits=fake.logits is not None,
            labels=fake.labels is not None,
        )
        train = self._train if 'train' in self._needs else None
        comparison = Comparison(fake, real, train, self._model)
        return self._report(comparison, *self._score_baseline(comparison))

    def _report(self, comparison: Comparison, baseline: str, real_scores: Mapping) -> Report:
        assert self.extractor is not None
        return Report(
            scores=self._scores(comparison, real_scores),
            extractor=self.extractor.name,
            extractor_sha256=self.extractor.fingerprint,
            num_features=comparison.real.features.shape[1],
            num_fakes=len(comparison.fake),
            num_reals=len(comparison.real),
            baseline=baseline,
        )

    def _compare(self, columns: list[Any], size: int, num_fakes: int) -> tuple[Comparison, Tensor]:
        """Fakes and real images without those that samplers added, and the digests of the latter.

        Features of the real images are saved.
        """
        if not columns:
            raise ValueError('The data loader must give images to compare with, got none.')
        fake, real, digests = Samples(*columns[:3]), Samples(*columns[3:6]), columns[6]
        if len(fake) < num_fakes:
            raise ValueError(
                f'num_samples={num_fakes} needs as many images from the data loader, got '
                f'{len(fake)}. Set it in its RepeatingSampler or SpreadSampler, too.'
            )
        if len(real) < size:  # the sampler left some out, and gave one for each fake
            size = num_fakes
        real, digests = real[:size], digests[:size]
        if self._cache is not None:
            self._cache.save(digests, real.features, real.logits)
        train = self._train if 'train' in self._needs else None
        return Comparison(fake[:num_fakes], real, train, self._model), digests

    @functools.cached_property
    def _train(self) -> Samples:
        """All training images."""
        return self._read_train(range(len(self.train_dataset)))

    def _read_train(self, positions: range | list[int]) -> Samples:
        """Training images at these positions."""
        if not positions:
            raise ValueError('train_dataset must hold images, got 0. Pass one that has some.')
        assert self.extractor is not None
        shape = self.train_dataset[0]['inputs'].shape
        cache = FeatureCache(self.cache_dir, self._train_name, shape, self.extractor)
        return Samples(*cache.read(self.train_dataset, positions))

    def _score_baseline(self, comparison: Comparison) -> tuple[str, dict[str, float]]:
        """In words which real images are in the place of the fakes, and their scores."""
        real, train = comparison.real, comparison.train
        if self.train_dataset is not None:
            total = len(self.train_dataset)
            positions = spread(min(len(comparison.fake), total), total)
            fake = self._read_train(positions) if train is None else train[torch.tensor(positions)]
            text = f'{len(fake):,} images of {self._train_name}'
        else:
            half = len(real) // 2
            order = torch.randperm(len(real), generator=torch.Generator().manual_seed(0))
            fake, real = real[order[:half]], real[order[half : 2 * half]]
            text = f'the real images in two halves of {half:,}'
        baseline = Comparison(fake, real, train, self._model)
        return text, self._compute_real_scores(baseline)

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

    def _compute_real_scores(self, baseline: Comparison) -> dict[str, float]:
        scores: dict[str, float] = {}
        for metric in self.gan_metrics:
            if 'labels' in metric.needs and baseline.fake.labels is None:
                continue
            # Of too few images, as in a half, the table shows that there is no real score.
            with contextlib.suppress(ValueError):
                scores.update(metric.compute_real_score(baseline))
        return scores

    def _tag_of(self, metric: GANMetric) -> str:
        return self.extractor.tag if self.extractor is not None and metric.needs_images else ''

    def _require(self, **available: bool) -> None:
        """Raise ``ValueError`` if a metric needs what is not available."""
        for metric in self.gan_metrics:
            needs = (*metric.needs, 'extractor') if metric.needs_images else metric.needs
            for need in needs:
                if not available.get(need, True):
                    name = type(metric).__name__
                    raise ValueError(f'{name} needs {_LACKS[need]}, or take the metric out.')


def score_names(metrics: Sequence[BaseMetric], tag: str) -> list[str] | None:
    """Full names of the scores of metrics; None where a metric has none declared.

    Args:
        metrics: In the order of their scores.
        tag: Of the extractor; empty without one.
    """
    names: list[str] = []
    for metric in metrics:
        if not isinstance(metric, GANMetric) or not metric.score_names:
            return None
        names += [name + (tag if metric.needs_images else '') for name in metric.score_names]
    return names


def _build_extractor(extractor: Any) -> FeatureExtractor:
    extractor = build_part(MODELS, extractor, 'extractor')
    if not isinstance(extractor, FeatureExtractor):
        raise ValueError(
            f'extractor must be a FeatureExtractor, got {type(extractor).__name__}. Wrap it: '
            "extractor=dict(type='ModuleExtractor', module=..., name='my-net')."
        )
    return extractor


def _data_name(metainfo: Mapping[str, Any] | None, otherwise: str) -> str:
    """Name and split of a data set, such as 'MNIST test'."""
    metainfo = metainfo or {}
    return ' '.join(str(metainfo[k]) for k in ('dataset', 'split') if k in metainfo) or otherwise


def _interleave(parts: list[Tensor]) -> Tensor:
    """Rows of all processes in one order: MMEngine's samplers give them in turns."""
    rows = torch.empty(sum(map(len, parts)), *parts[0].shape[1:], dtype=parts[0].dtype)
    for rank, part in enumerate(parts):
        rows[rank :: len(parts)] = part
    return rows
