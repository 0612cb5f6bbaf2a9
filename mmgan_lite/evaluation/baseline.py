"""Real images in the place of the fakes: what a perfect generator would score."""

import functools
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from mmgan_lite.evaluation.cache import FeatureCache, read_batches
from mmgan_lite.evaluation.extractors import FeatureExtractor
from mmgan_lite.evaluation.image_pool import ImagePool, number_keys
from mmgan_lite.evaluation.metrics import Comparison, Samples
from mmgan_lite.evaluation.sampler import spread
from mmgan_lite.utils.image_batch import real_images
from mmgan_lite.utils.interfaces import metainfo_of


class RealBaseline:
    """As many training images as there are fakes, or half of the real images for the other half.

    Args:
        dataset: The training data; None for halves.
        extractor: Of the features; None if none are asked for.
        cache_dir: Folder of the features of the training images.
    """

    def __init__(self, dataset: Any, extractor: FeatureExtractor | None, cache_dir: Path) -> None:
        self.dataset = dataset
        self._name = data_name(metainfo_of(dataset), 'unnamed training data')
        self._extractor, self._cache_dir = extractor, cache_dir

    @functools.cached_property
    def train(self) -> Samples:
        """Features of all training images."""
        return self._read(range(self._count()))

    def of(self, comparison: Comparison) -> tuple[Comparison, str]:
        """The comparison with real images for fakes, and in words which they are.

        Images have no labels where the fakes have none.
        """
        if self.dataset is None:
            half = len(comparison.real) // 2
            order = torch.randperm(len(comparison.real), generator=torch.Generator().manual_seed(0))
            fake, real = comparison.real[order[:half]], comparison.real[order[half : 2 * half]]
            text = f'the real images in two halves of {half:,}'
        else:
            fake, real = self._training_images(comparison), comparison.real
            text = f'{len(fake):,} images of {self._name}'
        if fake.images is not None and comparison.fake.labels is None:
            fake = replace(fake, labels=None)
        return replace(comparison, fake=fake, real=real), text

    def _training_images(self, comparison: Comparison) -> Samples:
        total = self._count()
        positions = spread(min(len(comparison.fake), total), total)
        if comparison.real.images is None:
            train = comparison.train
            return self._read(positions) if train is None else train[torch.tensor(positions)]
        pool, keys = ImagePool(len(positions)), iter(number_keys(positions))
        for images, labels in read_batches(self.dataset, positions):
            pool.add([next(keys) for _ in images], images, labels)
        return pool.samples()

    def _count(self) -> int:
        count = len(self.dataset)
        if count == 0:
            raise ValueError('train_dataset must hold images, got 0. Pass one that has some.')
        return count

    def _read(self, positions: range | list[int]) -> Samples:
        """Features of the training images at these positions."""
        assert self._extractor is not None
        shape = real_images(self.dataset[0]).shape
        cache = FeatureCache(self._cache_dir, self._name, shape, self._extractor)
        return Samples(*cache.read(self.dataset, positions))


def data_name(metainfo: Mapping[str, Any] | None, otherwise: str) -> str:
    """Name and split of a data set, such as 'MNIST test'."""
    metainfo = metainfo or {}
    return ' '.join(str(metainfo[k]) for k in ('dataset', 'split') if k in metainfo) or otherwise
