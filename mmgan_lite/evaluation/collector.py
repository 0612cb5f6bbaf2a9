"""Features of one evaluation: of the fakes, of the real images and of the training images."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from mmengine.dist import all_gather_object
from torch import Tensor

from mmgan_lite.evaluation.cache import FeatureCache
from mmgan_lite.evaluation.extraction import extract
from mmgan_lite.evaluation.extractors import Extracted, FeatureExtractor
from mmgan_lite.evaluation.metrics import Comparison, Samples
from mmgan_lite.evaluation.sampler import spread
from mmgan_lite.utils.image_batch import batch_labels, stack_images, stack_labels

_BATCH = 250
_TO_UINT8 = "Convert floats by the model's data_preprocessor.to_uint8."


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


@dataclass(frozen=True, eq=False)
class Collected:
    """Fakes and real images of one batch, or of all batches of all processes.

    Args:
        fake: N images of the model.
        real: N images of the data loader.
        digests: Of the real images, uint8 ``(N, 16)``.
        is_new: Whether features of a real image were not in the cache.
        weights: Which of the model's weights drew the fakes: 'EMA', 'last' or None if unknown.
    """

    fake: Samples
    real: Samples
    digests: Tensor
    is_new: bool
    weights: str | None

    @classmethod
    def merge(
        cls, parts: Sequence['Collected'], join: Callable[[list[Tensor]], Tensor]
    ) -> 'Collected | None':
        """One of several; None of none."""
        if not parts:
            return None
        return cls(
            Samples.merge([part.fake for part in parts], join),
            Samples.merge([part.real for part in parts], join),
            join([part.digests for part in parts]),
            any(part.is_new for part in parts),
            parts[0].weights,
        )


class FeatureCollector:
    """Extracts each image once and keeps the features of real images in files.

    Args:
        extractor: The network.
        cache_dir: Folder of the files.
        train_dataset: What the model was trained on; None if unknown.
    """

    def __init__(
        self, extractor: FeatureExtractor, cache_dir: Path, train_dataset: Any | None = None
    ) -> None:
        self.extractor = extractor
        self.cache_dir = cache_dir
        self.train_dataset = train_dataset
        self._batches: list[Collected] = []
        self._real_cache: FeatureCache | None = None
        self._train: tuple[list[int], Samples] | None = None

    def add(self, samples: Sequence[Mapping], data_batch: Any, name: str) -> Collected:
        """Extract a batch.

        Args:
            samples: The model's, with ``fake_image`` and maybe ``gt_label`` and ``from_ema``.
            data_batch: The data loader's, with ``inputs`` and maybe labels.
            name: Of the real images, for the name of their file.

        Raises:
            ValueError: If it lacks something, or a feature is not finite.
        """
        if any(sample.get('fake_image') is None for sample in samples):
            raise ValueError(
                'fake_image must be in each data sample of the model, got one without. Evaluate a '
                'GAN.'
            )
        fakes = stack_images([s['fake_image'] for s in samples], 'fake_image', _TO_UINT8)
        reals = stack_images(data_batch['inputs'], 'inputs', _TO_UINT8)
        self.extractor.to(fakes.device)
        self._real_cache = self._real_cache or self._open_cache(name, reals)
        digests, real, is_new = self._real_cache.look_up(reals)
        labels = stack_labels(sample.get('gt_label') for sample in samples)
        batch = Collected(
            Samples(*extract(self.extractor, fakes), _to_cpu(labels)),
            Samples(*real, _to_cpu(batch_labels(data_batch))),
            digests,
            is_new,
            _weights_of(samples[0]),
        )
        self._batches.append(batch)
        return batch

    def gather(self) -> Collected | None:
        """All batches of all processes in the order of the data set, which are then forgotten.

        Every process must call it. None if there was no batch.
        """
        own, self._batches = Collected.merge(self._batches, torch.cat), []
        parts = [part for part in all_gather_object(own) if part is not None]
        return Collected.merge(parts, _interleave)

    def compare(self, found: Collected | None, size: int, num_fakes: int) -> Comparison:
        """Fakes and real images without those that samplers added; saves features of the latter.

        Args:
            found: What was gathered.
            size: Number of real images in the data set.
            num_fakes: How many fakes are compared.

        Raises:
            ValueError: If there are fewer.
        """
        if size == 0 or found is None:
            raise ValueError('The data loader must give images to compare with, got none.')
        if len(found.fake) < num_fakes:
            raise ValueError(
                f'num_samples={num_fakes} needs as many images from the data loader, got '
                f"{len(found.fake)}. Set sampler=dict(type='RepeatingSampler', "
                f'num_samples={num_fakes}) in it, or the same num_samples as in its SpreadSampler.'
            )
        if len(found.real) < size:  # the sampler left some out, and gave one for each fake
            size = num_fakes
        real = found.real[:size]
        if found.is_new and self._real_cache is not None:
            self._real_cache.save(found.digests[:size], Extracted(real.features, real.logits))
        return Comparison(found.fake[:num_fakes], real)

    def read_train(self, positions: list[int] | None = None) -> Samples:
        """Training images at these positions, all without any; extracted once.

        Raises:
            ValueError: If there are none.
        """
        dataset: Any = self.train_dataset
        if len(dataset) == 0:
            raise ValueError('train_dataset must hold images, got 0. Pass one that has some.')
        positions = list(range(len(dataset))) if positions is None else positions
        if self._train is not None and self._train[0] == positions:
            return self._train[1]
        cache, parts, digests, any_new = None, [], [], False
        for start in range(0, len(positions), _BATCH):
            items = [dataset[i] for i in positions[start : start + _BATCH]]
            images = stack_images([item['inputs'] for item in items], 'inputs', _TO_UINT8)
            cache = cache or self._open_cache(self.train_name, images)
            known, found, is_new = cache.look_up(images)
            any_new |= is_new
            digests.append(known)
            labels = stack_labels(item.get('gt_label', item.get('labels')) for item in items)
            parts.append(Samples(*found, labels))
        samples = Samples.merge(parts)
        self._train = positions, samples
        if any_new and cache is not None:
            cache.save(torch.cat(digests), Extracted(samples.features, samples.logits))
        return samples

    def baseline(self, comparison: Comparison) -> tuple[Comparison | None, str]:
        """Real images in the place of the fakes, and in words which."""
        real, train, model = comparison.real, comparison.train, comparison.model
        if self.train_dataset is not None:
            total = len(self.train_dataset)
            positions = spread(min(len(comparison.fake), total), total)
            chosen = self.read_train(positions) if train is None else train[torch.tensor(positions)]
            text = f'{len(chosen):,} images of {self.train_name}'
            return Comparison(chosen, real, train, model), text
        if len(real) < 2:
            return None, 'none, for want of real images'
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


def _interleave(parts: list[Tensor]) -> Tensor:
    """Rows of all processes in one order: MMEngine's samplers give them in turns."""
    rows = torch.empty(sum(map(len, parts)), *parts[0].shape[1:], dtype=parts[0].dtype)
    for rank, part in enumerate(parts):
        rows[rank :: len(parts)] = part
    return rows


def _to_cpu(labels: Tensor | None) -> Tensor | None:
    return None if labels is None else labels.cpu()


def _weights_of(sample: Mapping) -> str | None:
    if 'from_ema' not in sample:
        return None
    return 'EMA' if sample['from_ema'] else 'last'
