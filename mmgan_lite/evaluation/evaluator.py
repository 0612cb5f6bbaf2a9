"""One evaluation for MMEngine's loops: all metrics get the same fakes and real images."""

import hashlib
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

from mmgan_lite.evaluation.baseline import RealBaseline, data_name
from mmgan_lite.evaluation.cache import TO_UINT8, FeatureCache, image_digests
from mmgan_lite.evaluation.extractors import FeatureExtractor
from mmgan_lite.evaluation.image_pool import LoopImages, merge_images
from mmgan_lite.evaluation.metrics import Comparison, GANMetric, Samples
from mmgan_lite.evaluation.report import Report
from mmgan_lite.evaluation.report_builder import ReportBuilder, score_names
from mmgan_lite.registry import DATASETS, EVALUATOR, METRICS, MODELS, build_part
from mmgan_lite.utils.image_batch import (
    BOTH_DEPTHS,
    ROUNDED,
    batch_labels,
    join_columns,
    real_images,
    stack_images,
    stack_labels,
    to_8_bits,
)
from mmgan_lite.utils.interfaces import metainfo_of, unwrap_model
from mmgan_lite.utils.validation import check_positive

_PAIR = ('source', 'target')
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
    pixels. Metrics of the images themselves get a random subset of them. Metrics that need the
    model get it from :meth:`bind_model`.

    Of a translation the fakes are the outputs and the real images the targets. Metrics of pairs
    compare each output with its own target.

    Each score comes with its real score: what real images score in the place of the fakes. These
    are as many images of ``train_dataset``, spread evenly over it, or without one half of the
    loader's images against the other half.

    Args:
        metrics: Configs or objects; :class:`GANMetric` ones and any other of MMEngine's.
        extractor: A config or an object of a :class:`FeatureExtractor`; None if no metric needs
            one.
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
        root = os.environ.get('XDG_CACHE_HOME') or '~/.cache'
        self.cache_dir = Path(cache_dir or Path(root, 'mmgan_lite', 'features')).expanduser()
        self._baseline = RealBaseline(train_dataset, self.extractor, self.cache_dir)
        self._builder = ReportBuilder(self.gan_metrics, self.extractor, self._baseline)
        self._needs = {need for metric in self.gan_metrics for need in metric.needs}
        self._require(extractor=self.extractor is not None, train=train_dataset is not None)
        # Whether any metric compares features, and how many images the others compare.
        of_features = [m for m in self.gan_metrics if m.needs_images and m.needs_extractor]
        self._compares_features = bool(of_features)
        self._num_images = max(
            [m.num_images for m in self.gan_metrics if 'images' in m.needs], default=0
        )
        self._images = LoopImages(self._num_images, self.num_samples)
        self.report: Report | None = None
        self._model: nn.Module | None = None
        self._cache: FeatureCache | None = None
        # Of each batch the fakes' features, logits and labels, those of the real images, and the
        # digests of these.
        self._batches: list[tuple[Tensor | None, ...]] = []
        # A digest of each pair, for metrics of pairs.
        self._pairs: list[bytes] = []
        self._weights: str | None = None
        self._direction: str | None = None
        # What becomes of the images on the way to the extractor and in it.
        self._channels: str | None = None

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
        extractor = self.extractor
        return score_names(self.metrics, *(extractor.tag, extractor.name) if extractor else ())

    def bind_model(self, model: nn.Module) -> None:
        """Give the metrics the model; a hook of the default runtime does so before each loop.

        Raises:
            ValueError: If a metric cannot be computed for it.
        """
        self._model = unwrap_model(model)
        for metric in self.gan_metrics:
            if 'model' in metric.needs:
                metric.check_model(self._model)

    def process(
        self, data_samples: Sequence[BaseDataElement | Mapping], data_batch: Any = None
    ) -> None:
        """Extract the features of a batch and keep some of its images, as the metrics need.

        Args:
            data_samples: One for each image, with ``fake_image``, uint8 ``(C, H, W)``, and
                ``gt_label`` where the model is conditional; ``from_ema`` names the weights. Of a
                translation also ``source``, ``target`` and ``domain``, which names the direction.
            data_batch: A batch of the data loader: ``inputs``, or ``target`` of a translation,
                uint8 or uint16 ``(N, C, H, W)``, and ``labels`` where there are any. Images of 16
                bits are rounded to 8.

        Raises:
            ValueError: If it lacks something, or a feature is not finite.
        """
        super().process(data_samples, data_batch)
        self._require(model=self._model is not None)
        samples = [s.to_dict() if isinstance(s, BaseDataElement) else s for s in data_samples]
        self._weights = _WEIGHTS[(samples[0] or {}).get('from_ema')]
        self._direction = (samples[0] or {}).get('domain')
        if 'pairs' in self._needs:
            sides = [image_digests(torch.stack([s[n] for s in samples])) for n in _PAIR]
            self._pairs += [row.tobytes() for row in torch.cat(sides, 1).numpy()]
        if not any(metric.needs_images for metric in self.gan_metrics):
            return
        if any(sample.get('fake_image') is None for sample in samples):
            raise ValueError('data samples must have fake_image, got one without. Evaluate a GAN.')
        fakes = stack_images([s['fake_image'] for s in samples], 'fake_image', TO_UINT8)
        labels = stack_labels(sample.get('gt_label') for sample in samples)
        inputs = stack_images(real_images(data_batch), 'inputs', TO_UINT8, BOTH_DEPTHS)
        reals = to_8_bits(inputs)
        real_labels = batch_labels(data_batch)
        self._require(labels=labels is not None)
        if self._num_images:
            self._images.add(fakes, labels, reals, real_labels)
        if not self._compares_features:
            return
        assert self.extractor is not None
        fake = self.extractor.to(fakes.device).extract(fakes)
        self._require(logits=fake.logits is not None)
        if self._cache is None:
            name = data_name(self.dataset_meta, 'unnamed')
            self._cache = FeatureCache(self.cache_dir, name, reals.shape[1:], self.extractor)
        digests, real = self._cache.look_up(reals)
        self._batches.append((*fake, labels, *real, real_labels, digests))
        rounded = ROUNDED if inputs.dtype == torch.uint16 else None
        changes = (rounded, self.extractor.describe_channels(reals.shape[1]))
        self._channels = ', '.join(filter(None, changes)) or None

    @torch.no_grad()
    def evaluate(self, size: int) -> dict[str, float]:
        """All scores under their full names; ``report`` and the log get their protocol too.

        Args:
            size: Number of real images in the data set. What the samplers of several processes
                added to it is left out.

        Raises:
            ValueError: If there are too few images for a metric, or one cannot draw from the model.
        """
        paired = [metric for metric in self.gan_metrics if 'pairs' in metric.needs]
        entries: list[list] = [self._pairs, *[metric.results for metric in paired]]
        own = (join_columns(self._batches), self._images, self._draw(), entries)
        self._batches, self._images = [], LoopImages(self._num_images, self.num_samples)
        parts, images, drawn, pairs = zip(*all_gather_object(own), strict=True)
        rows = self._join_drawn(drawn)
        outcome: list[Any] = [None]
        if is_main_process():
            try:
                columns = join_columns([part for part in parts if part], _interleave)
                # The first ones: samplers add others, and MMEngine gives the size of all data.
                first = slice(min(size, self.num_samples or size))
                digests, *kept = [_take_turns(part)[first] for part in zip(*pairs, strict=True)]
                of_pairs = dict(zip(paired, kept, strict=True))
                report = self._make_report(columns, images, rows, of_pairs, size)
                outcome = [self._name_data(report, digests)]
            except Exception as error:  # the other processes must not wait for ever
                outcome = [error]
        broadcast_object_list(outcome)
        for column in entries:
            column.clear()
        if isinstance(outcome[0], Exception):
            raise outcome[0]
        self.report = outcome[0]
        print_log(self.report.table(), 'current')
        metrics = {score.name: score.value for score in self.report.scores}
        for metric in self.other_metrics:
            metrics.update(metric.evaluate(size))
        return metrics

    def _draw(self) -> list[Tensor | None] | Exception:
        """What each metric draws from the model in this process; an error is for all processes."""
        model = self._model
        try:
            return [
                metric.draw(model, self.extractor)
                if model is not None and 'model' in metric.needs
                else None
                for metric in self.gan_metrics
            ]
        except Exception as error:  # the other processes must not wait for ever
            return error

    def _join_drawn(
        self, parts: Sequence[list[Tensor | None] | Exception]
    ) -> dict[GANMetric, Tensor]:
        """What the metrics drew in all processes."""
        columns: list[Sequence[Tensor | None]] = []
        for part in parts:
            if isinstance(part, Exception):
                raise part
            columns.append(part)
        rows = zip(self.gan_metrics, join_columns(columns), strict=True)
        return {metric: row for metric, row in rows if row is not None}

    def _make_report(
        self,
        columns: list[Any],
        pools: Sequence[LoopImages],
        drawn: Mapping[GANMetric, Tensor],
        pairs: Mapping[GANMetric, Sequence],
        size: int,
    ) -> Report:
        """All scores, in the main process."""
        num_fakes = size if self.num_samples is None else self.num_samples
        features = images = Comparison(Samples(), Samples(), model=self._model)
        digests = b''
        if self._compares_features:
            features, digests = self._compare(columns, size, num_fakes)
        if self._num_images:
            fakes, reals = merge_images(pools, num_fakes, self._num_images)
            images = Comparison(fakes.samples(), reals.samples(), model=self._model)
            digests += b''.join(reals.keys)
        return self._builder.build(features, images, drawn, (digests, num_fakes), pairs)

    def _name_data(self, report: Report, pairs: Sequence[bytes]) -> Report:
        """The report with what is known of the loop, in the main process."""
        report = replace(
            report, weights=self._weights, images=self._channels, direction=self._direction
        )
        if pairs:
            sha256 = hashlib.sha256(b''.join(pairs)).hexdigest()
            report = replace(report, num_pairs=len(pairs), pairs_sha256=sha256)
        elif report.num_reals is None:
            return report
        return replace(report, real_data=data_name(self.dataset_meta, 'unnamed data'))

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
        nothing = Comparison(Samples(), Samples())
        drawn = self._join_drawn([self._draw()])
        return self._builder.build(self._comparison(fake, real), nothing, drawn)

    def _comparison(self, fake: Samples, real: Samples) -> Comparison:
        train = self._baseline.train if 'train' in self._needs else None
        return Comparison(fake, real, train, self._model)

    def _compare(self, columns: list[Any], size: int, num_fakes: int) -> tuple[Comparison, bytes]:
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
        return self._comparison(fake[:num_fakes], real), digests.numpy().tobytes()

    def _require(self, **available: bool) -> None:
        """Raise ``ValueError`` if a metric needs what is not available."""
        for metric in self.gan_metrics:
            needs = (*metric.needs, 'extractor') if metric.needs_extractor else metric.needs
            for need in needs:
                if not available.get(need, True):
                    name = type(metric).__name__
                    raise ValueError(f'{name} needs {_LACKS[need]}, or take the metric out.')


def _build_extractor(extractor: Any) -> FeatureExtractor:
    extractor = build_part(MODELS, extractor, 'extractor')
    if not isinstance(extractor, FeatureExtractor):
        raise ValueError(
            f'extractor must be a FeatureExtractor, got {type(extractor).__name__}. Wrap it: '
            "extractor=dict(type='ModuleExtractor', module=..., name='my-net')."
        )
    return extractor


def _take_turns(parts: Sequence[Sequence]) -> list:
    """Entries of all processes in one order, as :func:`_interleave`."""
    turns = range(max(map(len, parts)))
    return [part[turn] for turn in turns for part in parts if turn < len(part)]


def _interleave(parts: list[Tensor]) -> Tensor:
    """Rows of all processes in one order: MMEngine's samplers give them in turns."""
    rows = torch.empty(sum(map(len, parts)), *parts[0].shape[1:], dtype=parts[0].dtype)
    for rank, part in enumerate(parts):
        rows[rank :: len(parts)] = part
    return rows
