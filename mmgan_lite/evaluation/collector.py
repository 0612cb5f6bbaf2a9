"""Features of one evaluation: of the fakes, of the real images and of the training images."""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from mmengine.dist import all_gather_object
from torch import Tensor

from mmgan_lite.evaluation.cache import FeatureCache
from mmgan_lite.evaluation.extractors import FeatureExtractor
from mmgan_lite.evaluation.metrics import Comparison, Samples
from mmgan_lite.evaluation.sampler import spread
from mmgan_lite.utils.image_batch import batch_labels, join_columns, stack_images, stack_labels

_BATCH = 250
_TO_UINT8 = "Convert floats by the model's data_preprocessor.to_uint8."
_WEIGHTS = {True: 'EMA', False: 'last', None: None}


@runtime_checkable
class _HasMetainfo(Protocol):
    """A data set with a description, such as every ``BaseDataset`` of MMEngine."""

    metainfo: Mapping[str, Any]


def metainfo_of(dataset: object) -> Mapping[str, Any]:
    """The description of a data set; empty if it has none."""
    return dataset.metainfo if isinstance(dataset, _HasMetainfo) else {}


def data_name(metainfo: Mapping[str, Any] | None, otherwise: str) -> str:
    """Name and split of a data set, such as 'MNIST test'."""
    metainfo = metainfo or {}
    return ' '.join(str(metainfo[k]) for k in ('dataset', 'split') if k in metainfo) or otherwise


class FeatureCollector:
    """Extracts each image once and keeps the features of real images in files.

    Args:
        extractor: The network.
        cache_dir: Folder of the files.
        train_dataset: What the model was trained on; None if unknown.

    Attributes:
        weights: Which of the model's weights drew the fakes: 'EMA', 'last' or None if unknown.
    """

    weights: str | None = None

    def __init__(
        self, extractor: FeatureExtractor, cache_dir: Path, train_dataset: Any = None
    ) -> None:
        self.extractor = extractor
        self.cache_dir = cache_dir
        self.train_dataset = train_dataset
        # Of each batch the fakes' features, logits and labels, those of the real images, and the
        # digests of these.
        self._batches: list[tuple[Tensor | None, ...]] = []
        self._cache: FeatureCache | None = None

    def add(self, samples: Sequence[Mapping], data_batch: Any, name: str) -> Samples:
        """Extract a batch.

        Args:
            samples: The model's, with ``fake_image`` and maybe ``gt_label`` and ``from_ema``.
            data_batch: The data loader's, with ``inputs`` and maybe labels.
            name: Of the real images, for the name of their file.

        Returns:
            The fakes.

        Raises:
            ValueError: If it lacks something, or a feature is not finite.
        """
        if any(sample.get('fake_image') is None for sample in samples):
            raise ValueError(
                'fake_image must be in each data sample of the model, got one without. Evaluate a '
                'GAN.'
            )
        fakes = stack_images([s['fake_image'] for s in samples], 'fake_image', _TO_UINT8)
        labels = stack_labels(sample.get('gt_label') for sample in samples)
        reals = stack_images(data_batch['inputs'], 'inputs', _TO_UINT8)
        self.extractor.to(fakes.device)
        found = self.extractor.extract(fakes)
        self._cache = self._cache or self._open_cache(name, reals)
        digests, real = self._cache.look_up(reals)
        self._batches.append((*found, labels, *real, batch_labels(data_batch), digests))
        self.weights = _WEIGHTS[samples[0].get('from_ema')]
        return Samples(*found, labels)

    def gather(self) -> list[Any]:
        """Columns of all batches and processes, in the order of the data set; forgets them.

        Every process must call it.

        Raises:
            ValueError: If there was no batch.
        """
        own, self._batches = join_columns(self._batches, _concatenate), []
        parts = [part for part in all_gather_object(own) if part]
        if not parts:
            raise ValueError('The data loader must give images to compare with, got none.')
        return join_columns(parts, _interleave)

    def compare(self, columns: list[Any], size: int, num_fakes: int) -> Comparison:
        """Fakes and real images without those that samplers added; saves features of the latter.

        Args:
            columns: What was gathered.
            size: Number of real images in the data set.
            num_fakes: How many fakes are compared.

        Raises:
            ValueError: If there are fewer.
        """
        fake, real = Samples(*columns[:3]), Samples(*columns[3:6])
        if len(fake) < num_fakes:
            raise ValueError(
                f'num_samples={num_fakes} needs as many images from the data loader, got '
                f"{len(fake)}. Set sampler=dict(type='RepeatingSampler', num_samples={num_fakes}) "
                'in it, or the same num_samples as in its SpreadSampler.'
            )
        if len(real) < size:  # the sampler left some out, and gave one for each fake
            size = num_fakes
        real = real[:size]
        if self._cache is not None:
            self._cache.save(columns[6][:size], real.features, real.logits)
        return Comparison(fake[:num_fakes], real)

    @functools.cached_property
    def train(self) -> Samples:
        """All training images."""
        return self.read_train(range(len(self.train_dataset)))

    def read_train(self, positions: Sequence[int]) -> Samples:
        """Training images at these positions.

        Raises:
            ValueError: If there are none.
        """
        if not positions:
            raise ValueError('train_dataset must hold images, got 0. Pass one that has some.')
        cache, rows = None, []
        for start in range(0, len(positions), _BATCH):
            items = [self.train_dataset[i] for i in positions[start : start + _BATCH]]
            images = stack_images([item['inputs'] for item in items], 'inputs', _TO_UINT8)
            labels = stack_labels(item.get('gt_label', item.get('labels')) for item in items)
            cache = cache or self._open_cache(self.train_name, images)
            digests, found = cache.look_up(images)
            rows.append((*found, labels, digests))
        features, logits, labels, digests = join_columns(rows, _concatenate)
        if cache is not None:
            cache.save(digests, features, logits)
        return Samples(features, logits, labels)

    def baseline(self, comparison: Comparison) -> tuple[Comparison, str]:
        """Real images in the place of the fakes, and in words which."""
        real, train, model = comparison.real, comparison.train, comparison.model
        if self.train_dataset is not None:
            total = len(self.train_dataset)
            positions = spread(min(len(comparison.fake), total), total)
            chosen = self.read_train(positions) if train is None else train[torch.tensor(positions)]
            text = f'{len(chosen):,} images of {self.train_name}'
            return Comparison(chosen, real, train, model), text
        order = torch.randperm(len(real), generator=torch.Generator().manual_seed(0))
        half = len(real) // 2
        halves = Comparison(real[order[:half]], real[order[half : 2 * half]], model=model)
        return halves, f'the real images in two halves of {half:,}'

    @property
    def train_name(self) -> str:
        """Name and split of the training images."""
        return data_name(metainfo_of(self.train_dataset), 'unnamed training data')

    def _open_cache(self, name: str, images: Tensor) -> FeatureCache:
        shape = 'x'.join(str(side) for side in images.shape[1:])
        return FeatureCache(self.cache_dir, f'{name} {shape}', self.extractor)


def _concatenate(parts: list[Tensor]) -> Tensor:
    return torch.cat(parts).cpu()


def _interleave(parts: list[Tensor]) -> Tensor:
    """Rows of all processes in one order: MMEngine's samplers give them in turns."""
    rows = torch.empty(sum(map(len, parts)), *parts[0].shape[1:], dtype=parts[0].dtype)
    for rank, part in enumerate(parts):
        rows[rank :: len(parts)] = part
    return rows
