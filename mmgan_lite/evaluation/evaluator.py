"""One evaluation: the fakes that the loop draws, the real images that it reads, and all metrics."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import all_gather_object, broadcast_object_list, is_main_process
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.logging import print_log
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from mmgan_lite.evaluation.cache import FeatureCache
from mmgan_lite.evaluation.extraction import extract, stack_images
from mmgan_lite.evaluation.extractors import Extracted, FeatureExtractor
from mmgan_lite.evaluation.metrics import Comparison, GANMetric, Samples
from mmgan_lite.evaluation.report import Report, Score
from mmgan_lite.evaluation.sampler import spread
from mmgan_lite.registry import DATASETS, EVALUATOR, METRICS, MODELS, build_part
from mmgan_lite.utils.validation import check_positive

_BATCH = 250


@EVALUATOR.register_module()
class GANEvaluator(Evaluator):
    """Hands the same fakes and real images to every metric, and says what each number means.

    It stands in MMEngine's own validation and test loops. Their data loader gives the real images
    to compare with, and the model draws a fake for each of them, with its label where the model is
    conditional. Each image goes through the extractor once. Features of real images are kept in a
    file, by their pixels.

    Besides each score stands its floor: what real images score in the place of the fakes. These
    are as many images of ``train_dataset``, spread evenly over it, or without one half of the
    loader's images against the other half.

    Args:
        metrics: Configs or objects; :class:`GANMetric` ones and any other of MMEngine's.
        extractor: A config or an object of a :class:`FeatureExtractor`.
        num_samples: How many fakes are judged; None for as many as there are real images. For
            more than that the data loader needs a ``RepeatingSampler``, and for fewer real images
            a ``SpreadSampler``, of the same number.
        train_dataset: What the model was trained on, for the floor and for ``Memorization``.
        cache_dir: Where features of real images are kept; None for ``mmgan_lite/features`` in
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
        extractor: Mapping | nn.Module,
        num_samples: int | None = None,
        train_dataset: Mapping | Any | None = None,
        cache_dir: str | Path | None = None,
    ) -> None:
        metrics = metrics if isinstance(metrics, Sequence) else [metrics]
        super().__init__([build_part(METRICS, metric, 'metrics') for metric in metrics])
        self.extractor = build_part(MODELS, extractor, 'extractor')
        if not isinstance(self.extractor, FeatureExtractor):
            raise ValueError(
                'extractor must be a FeatureExtractor, got '
                f'{type(self.extractor).__name__}. Wrap a network of yours: '
                "extractor=dict(type='ModuleExtractor', module=..., name='my-net')."
            )
        if num_samples is not None:
            check_positive('num_samples', num_samples)
        self.num_samples = num_samples
        self.train_dataset = (
            None if train_dataset is None else build_part(DATASETS, train_dataset, 'train_dataset')
        )
        self.cache_dir = _default_cache() if cache_dir is None else Path(cache_dir).expanduser()
        self.gan_metrics = [metric for metric in self.metrics if isinstance(metric, GANMetric)]
        self.other_metrics = [m for m in self.metrics if not isinstance(m, GANMetric)]
        for metric in self.gan_metrics:
            if metric.needs_train and self.train_dataset is None:
                raise ValueError(
                    f'{type(metric).__name__} needs train_dataset, got None. Add '
                    "train_dataset=dict(type='MNISTDataset', split='train') to the evaluator, or "
                    'take the metric out.'
                )
        self.report: Report | None = None
        self._batches: list[dict[str, Tensor]] = []
        self._weights: str | None = None
        self._reals: FeatureCache | None = None
        self._train: tuple[list[int], Samples] | None = None
        self._floors: dict[tuple[bytes, int], dict[str, float]] = {}

    @property
    def dataset_meta(self) -> dict | None:
        """What the data set of the loop says of itself; a loop sets it when it is built."""
        return self._dataset_meta

    @dataset_meta.setter
    def dataset_meta(self, dataset_meta: dict) -> None:
        told = (dataset_meta, getattr(self.train_dataset, 'metainfo', None))
        reals, trained_on = (tuple((meta or {}).get('classes') or ()) for meta in told)
        if reals and trained_on and reals != trained_on:
            raise ValueError(
                'train_dataset must have the classes of the images of the data loader, got '
                f'{", ".join(map(str, trained_on[:3]))}, ... for '
                f'{", ".join(map(str, reals[:3]))}, ... . Change both, or leave it out.'
            )
        self._dataset_meta = dataset_meta
        for metric in self.metrics:
            metric.dataset_meta = dataset_meta

    @property
    def score_names(self) -> list[str] | None:
        """Full names of all scores, in their order; None where a metric does not know its own."""
        if self.other_metrics or not all(metric.score_names for metric in self.gan_metrics):
            return None
        return [
            name + self.extractor.tag for metric in self.gan_metrics for name in metric.score_names
        ]

    def process(
        self, data_samples: Sequence[BaseDataElement | Mapping], data_batch: Any = None
    ) -> None:
        """Extract the features of a batch.

        Args:
            data_samples: One for each image, with ``fake_image``, uint8 ``(C, H, W)``, and
                ``gt_label`` where the model is conditional; ``from_ema`` tells the weights.
            data_batch: What the data loader gave: ``inputs``, uint8 ``(N, C, H, W)``, and
                ``labels`` where there are any.

        Raises:
            ValueError: If it lacks something, or the extractor finds no finite features.
        """
        samples = [s.to_dict() if isinstance(s, BaseDataElement) else s for s in data_samples]
        for metric in self.other_metrics:
            metric.process(data_batch, samples)
        fakes = stack_images([sample.get('fake_image') for sample in samples], 'fake_image')
        reals = stack_images(data_batch['inputs'], 'inputs')
        self.extractor.to(fakes.device)
        self._weights = _weights_of(samples[0])
        found = extract(self.extractor, fakes)
        digests, known, was_cached = self._real_cache(reals).look_up(
            reals, lambda images: extract(self.extractor, images.to(fakes.device))
        )
        batch = {
            **_named('fake', found, _labels_of(samples)),
            **_named('real', known, _labels_of([data_batch])),
            'digests': digests,
            'was_cached': torch.full((len(reals),), was_cached),
        }
        self._check_needs(batch)
        self._batches.append(batch)

    def evaluate(self, size: int) -> dict[str, float]:
        """All scores under their full names; the log gets the whole report, as ``report`` does.

        Args:
            size: Number of real images in the data set. What the samplers of several processes
                added to it is left out.

        Raises:
            ValueError: If there are too few images for a metric.
        """
        rows, self._batches = _gather(self._batches), []
        outcome: list[Any] = [None]
        if is_main_process():
            try:
                outcome = [self._compare(rows, size)]
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

    def _compare(self, rows: dict[str, Tensor], size: int) -> Report:
        """The report, in the main process."""
        num_fakes = size if self.num_samples is None else self.num_samples
        if size == 0 or not rows:
            raise ValueError('The data loader must give images to compare with, got none.')
        if len(rows['digests']) < num_fakes:
            raise ValueError(
                f'num_samples={num_fakes} needs as many images from the data loader, got '
                f"{len(rows['digests'])}. Set sampler=dict(type='RepeatingSampler', "
                f'num_samples={num_fakes}) in it, or the same num_samples as in its SpreadSampler.'
            )
        if len(rows['digests']) < size:  # the sampler left some out, and gave one for each fake
            size = num_fakes
        fake, real = _samples(rows, 'fake', num_fakes), _samples(rows, 'real', size)
        digests = rows['digests'][:size]
        assert self._reals is not None
        if not rows['was_cached'].all():
            self._reals.save(digests, Extracted(real.features, real.logits))
        train, chosen = self._train_samples(num_fakes)
        comparison = Comparison(fake, real, train)
        floor, floor_text = _floor(real, train, chosen, self._name_train())
        floors = self._floor_scores(floor, digests, num_fakes)
        scores = [
            Score(name + self.extractor.tag, value, floors.get(name), metric.settings)
            for metric in self.gan_metrics
            for name, value in metric.compute(comparison).items()
        ]
        names = [score.name for score in scores]
        if len(set(names)) < len(names):
            raise ValueError(f'metrics must give each score once, got {names}. Remove one of two.')
        return Report(
            scores=scores,
            extractor=self.extractor.name,
            extractor_sha256=self.extractor.fingerprint,
            num_features=real.features.shape[1],
            num_fakes=num_fakes,
            weights=self._weights,
            real_data=_name_data(self.dataset_meta, 'unnamed data'),
            num_reals=size,
            floor=floor_text,
        )

    def _floor_scores(
        self, comparison: Comparison | None, digests: Tensor, num_fakes: int
    ) -> dict[str, float]:
        """Plain names and scores of the floor, computed once for each set of real images."""
        if comparison is None:
            return {}
        key = (digests.numpy().tobytes(), num_fakes)
        if key not in self._floors:
            self._floors = {key: {}}
            for metric in self.gan_metrics:
                if metric.needs_labels and comparison.fake.labels is None:
                    continue
                try:
                    self._floors[key] |= metric.compute_floor(comparison)
                except ValueError:
                    # Too few images in a half: the table shows that this score has no floor.
                    continue
        return self._floors[key]

    def _train_samples(self, num: int) -> tuple[Samples | None, Samples | None]:
        """All training images, if a metric needs them, and ``num`` spread evenly over them."""
        if self.train_dataset is None:
            return None, None
        total = len(self.train_dataset)
        if total == 0:
            raise ValueError('train_dataset must hold images, got 0. Pass one that has some.')
        chosen = spread(min(num, total), total)
        if any(metric.needs_train for metric in self.gan_metrics):
            train = self._read_train(list(range(total)))
            return train, train[torch.tensor(chosen)]
        return None, self._read_train(chosen)

    def _read_train(self, positions: list[int]) -> Samples:
        """What is known of these training images; extracted once."""
        if self._train is not None and self._train[0] == positions:
            return self._train[1]
        dataset: Any = self.train_dataset
        device = next(self.extractor.parameters(), torch.zeros(())).device
        cache, parts, all_cached = None, [], True
        for start in range(0, len(positions), _BATCH):
            items = [dataset[i] for i in positions[start : start + _BATCH]]
            images = stack_images([item['inputs'] for item in items], 'inputs')
            cache = cache or self._open_cache(self._name_train(), images)
            digests, found, was_cached = cache.look_up(
                images, lambda unknown: extract(self.extractor, unknown.to(device))
            )
            all_cached &= was_cached
            parts.append({**_named('train', found, _labels_of(items)), 'digests': digests})
        rows = {key: torch.cat([part[key] for part in parts]) for key in parts[0]}
        samples = _samples(rows, 'train', len(positions))
        self._train = positions, samples
        if not all_cached:
            assert cache is not None
            cache.save(rows['digests'], Extracted(samples.features, samples.logits))
        return samples

    def _real_cache(self, reals: Tensor) -> FeatureCache:
        if self._reals is None:
            self._reals = self._open_cache(_name_data(self.dataset_meta, 'unnamed'), reals)
        return self._reals

    def _open_cache(self, name: str, images: Tensor) -> FeatureCache:
        shape = 'x'.join(str(side) for side in images.shape[1:])
        return FeatureCache(self.cache_dir, f'{name} {shape}', self.extractor)

    def _name_train(self) -> str:
        if self.train_dataset is None:
            return ''
        return _name_data(getattr(self.train_dataset, 'metainfo', None), 'unnamed training data')

    def _check_needs(self, batch: dict[str, Tensor]) -> None:
        for metric in self.gan_metrics:
            name = type(metric).__name__
            if metric.needs_logits and 'fake_logits' not in batch:
                raise ValueError(
                    f'{name} needs an extractor with logits of classes, but '
                    f'{self.extractor.name} gives features only. Take the metric out, or choose '
                    'a classifier as the extractor.'
                )
            if metric.needs_labels and 'fake_labels' not in batch:
                raise ValueError(
                    f'{name} needs fakes with labels, but the model is not conditional. Take the '
                    'metric out, or train with num_classes.'
                )


def _default_cache() -> Path:
    root = os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache'
    return Path(root, 'mmgan_lite', 'features')


def _weights_of(sample: Mapping) -> str | None:
    """Which weights drew a fake, in words; None where the model does not tell."""
    if 'from_ema' not in sample:
        return None
    return 'EMA' if sample['from_ema'] else 'last'


def _labels_of(items: Sequence[Mapping]) -> Tensor | None:
    """Labels of items, or of a batch that is given as the only one."""
    labels: list[Tensor] = []
    for item in items:
        value = item.get('gt_label', item.get('labels'))
        if value is None and 'data_samples' in item:
            value = [getattr(sample, 'gt_label', None) for sample in item['data_samples']]
        if value is None or (isinstance(value, list) and None in value):
            return None
        labels.append(torch.as_tensor(value).reshape(-1))
    return torch.cat(labels).cpu()


def _named(prefix: str, found: Extracted, labels: Tensor | None) -> dict[str, Tensor]:
    parts = dict(features=found.features, logits=found.logits, labels=labels)
    return {f'{prefix}_{name}': part for name, part in parts.items() if part is not None}


def _samples(rows: Mapping[str, Tensor], prefix: str, num: int) -> Samples:
    logits, labels = rows.get(f'{prefix}_logits'), rows.get(f'{prefix}_labels')
    return Samples(
        rows[f'{prefix}_features'][:num],
        None if logits is None else logits[:num],
        None if labels is None else labels[:num],
    )


def _gather(batches: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """All rows of all processes, in the order of the data set."""
    own = {key: torch.cat([batch[key] for batch in batches]) for key in (batches or [{}])[0]}
    parts = all_gather_object(own)
    total = sum(len(part['digests']) for part in parts if part)
    rows: dict[str, Tensor] = {}
    for rank, part in enumerate(parts):
        for key, tensor in part.items():
            if key not in rows:
                rows[key] = torch.empty(total, *tensor.shape[1:], dtype=tensor.dtype)
            # MMEngine's samplers deal the images out like cards.
            rows[key][rank :: len(parts)] = tensor
    return rows


def _floor(
    real: Samples, train: Samples | None, chosen: Samples | None, train_name: str
) -> tuple[Comparison | None, str]:
    """Real images in the place of the fakes, and in words which."""
    if chosen is not None:
        return Comparison(chosen, real, train), f'{len(chosen):,} images of {train_name}'
    if len(real) < 2:
        return None, 'none, for want of real images'
    order = torch.randperm(len(real), generator=torch.Generator().manual_seed(0))
    half = len(real) // 2
    halves = Comparison(real[order[:half]], real[order[half : 2 * half]])
    return halves, f'the real images in two halves of {half:,}'


def _name_data(metainfo: Mapping | None, otherwise: str) -> str:
    """What a data set calls itself."""
    words = [str(metainfo[key]) for key in ('dataset', 'split') if key in (metainfo or {})]  # type: ignore[index]
    return ' '.join(words) or otherwise
