"""Scores of images that exist already, such as those of another project, without a model."""

import hashlib
import logging
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import torch
from mmengine.logging import print_log
from torch import Tensor

from mmgan_lite.evaluation.cache import FeatureCache
from mmgan_lite.evaluation.evaluator import GANEvaluator
from mmgan_lite.evaluation.extractors import FeatureExtractor
from mmgan_lite.evaluation.metrics import FrechetDistance, GANMetric, Samples
from mmgan_lite.evaluation.report import Report
from mmgan_lite.registry import METRICS, build_part
from mmgan_lite.utils.image_batch import ROUNDED, join_columns
from mmgan_lite.utils.validation import check_positive

_LEAST = 2
_SHOWN = 3
_COLORS = {1: 'gray', 2: 'gray and alpha', 3: 'RGB', 4: 'RGB and alpha'}
# What a metric may need that images alone do not have.
_ABSENT = {
    'model': 'the model',
    'labels': 'the labels that the fakes were drawn for',
    'train': 'the training images besides the real ones',
    'images': 'images of one size from a loop',
    'pairs': 'the pairs of a translation',
}
_Sizes = Counter[tuple[int, ...]]
_Columns = tuple[Any, ...]  # of one tensor or None each
_Extract = Callable[[Tensor], _Columns]


class _Images(Protocol):
    """What :func:`mmgan_lite.datasets.open_images` gives."""

    path: Path
    is_gray: bool
    has_16_bits: bool

    def __len__(self) -> int: ...

    def batches(self, channels: int) -> Iterator[list[Tensor]]: ...


def score_images(
    fake: _Images,
    real: _Images,
    extractor: Mapping | FeatureExtractor,
    metrics: Sequence[Mapping | GANMetric] = (),
    channels: int | None = None,
    device: torch.device | str = 'cpu',
    cache_dir: str | Path | None = None,
    on_progress: Callable[[int], Any] = lambda num_images: None,
) -> Report:
    """Compare two sets of images; no model is needed.

    Each image goes through the extractor in its own size. Features of the real images are cached
    as by :class:`GANEvaluator`, so a second call extracts those of the fakes only. The real scores
    are of two halves of the real images. Images of several sizes give a warning.

    Args:
        fake: Generated images, from :func:`mmgan_lite.datasets.open_images`.
        real: Real images, likewise.
        extractor: A config or an object.
        metrics: Configs or objects; :class:`FrechetDistance` if there are none.
        channels: 1 to read all images as gray, 2 as gray and alpha, 3 as RGB, 4 as RGB and alpha, 5
            or more as so many bands; None for gray if all of both sets are stored as gray, and else
            RGB.
        device: Where the features are extracted.
        cache_dir: As for :class:`GANEvaluator`.
        on_progress: Called with the number of images that were read since the last call.

    Raises:
        FileNotFoundError: If weights of the extractor are absent.
        ValueError: If a metric needs more than images, or more images; or if the extractor does
            not take these.

    Example:
        >>> from mmgan_lite.datasets import open_images
        >>> fake, real = open_images('fakes'), open_images('reals.zip')  # doctest: +SKIP
        >>> report = score_images(fake, real, dict(type='InceptionV3'))  # doctest: +SKIP
        >>> print(report.table())  # doctest: +SKIP
    """
    if channels is not None:
        check_positive('channels', channels)
    for images in (fake, real):
        _check_number(images, len(images))
    built = [_build_metric(metric) for metric in metrics or [FrechetDistance()]]
    evaluator = GANEvaluator(built, extractor, cache_dir=cache_dir)
    network = evaluator.extractor
    assert network is not None
    network.to(device)
    if channels is None:
        channels = 1 if fake.is_gray and real.is_gray else 3
    cache = FeatureCache(evaluator.cache_dir, _cache_name(real.path), (channels,), network)

    def look_up(images: Tensor) -> _Columns:
        digests, found = cache.look_up(images)
        return (*found, digests)

    fakes, fake_sizes = _read(fake, channels, network.extract, on_progress)
    reals, real_sizes = _read(real, channels, look_up, on_progress)
    sizes = _describe_sizes(fake_sizes, real_sizes)
    widths = sorted({part[0].shape[1] for part in (*fakes, *reals)})
    if len(widths) > 1:
        raise ValueError(
            f'{network.name} must give all images as many features, got {widths} for {sizes}. '
            'Resize the images to one size.'
        )
    features, logits, digests = join_columns(reals)
    cache.save(digests, features, logits)
    report = evaluator.compare(Samples(*join_columns(fakes)), Samples(features, logits))
    if len(fake_sizes | real_sizes) > 1:
        text = f'The images are of several sizes ({sizes}), each {network.resizing}.'
        _warn(f'{text} The score depends on that too: compare images of one size.')
    parts = [*_describe_channels(channels, network), sizes, network.resizing]
    if fake.has_16_bits or real.has_16_bits:
        parts.append(ROUNDED)
    return replace(
        report,
        fake_data=str(fake.path),
        real_data=str(real.path),
        images=', '.join(parts),
    )


def _describe_channels(channels: int, network: FeatureExtractor) -> list[str]:
    """What the channels are, and what the extractor did to them, if anything.

    Example:
        >>> from mmgan_lite.evaluation import MNISTClassifier
        >>> _describe_channels(3, MNISTClassifier())
        ['RGB']
    """
    change = network.describe_channels(channels)
    return [_COLORS.get(channels, f'{channels} bands'), *([] if change is None else [change])]


def _build_metric(metric: Mapping | GANMetric) -> GANMetric:
    metric = build_part(METRICS, metric, 'metrics')
    name = type(metric).__name__
    if not isinstance(metric, GANMetric):
        raise ValueError(f'metrics must be GANMetrics, got {name}. Choose another metric.')
    for need, what in _ABSENT.items():
        if need in metric.needs:
            raise ValueError(
                f'{name} needs {what}, which two sets of images do not have. Choose another '
                'metric, or evaluate the model with mmgan-lite test.'
            )
    return metric


def _read(
    images: _Images, channels: int, extract: _Extract, on_progress: Callable[[int], Any]
) -> tuple[list[_Columns], _Sizes]:
    """What ``extract`` gives of all images, in parts, and how many have which height and width."""
    sizes: _Sizes = Counter()
    parts: list[_Columns] = []
    for batch in images.batches(channels):
        # An extractor takes images of one shape at a time.
        groups: dict[tuple[int, ...], list[Tensor]] = {}
        for image in batch:
            groups.setdefault(tuple(image.shape[1:]), []).append(image)
        for size, group in groups.items():
            try:
                parts.append(extract(torch.stack(group)))
            except ValueError as error:
                raise ValueError(f"'{images.path}': {error}") from error
            sizes[size] += len(group)
        on_progress(len(batch))
    _check_number(images, sizes.total())
    return parts, sizes


def _check_number(images: _Images, number: int) -> None:
    if number < _LEAST:
        raise ValueError(
            f"'{images.path}' must hold at least {_LEAST} images that can be read, got {number}. "
            'Scores are of whole distributions: pass a thousand or more.'
        )


def _cache_name(path: Path) -> str:
    """Name of a folder or file, and of where it is: many are called 'real'."""
    path = path.resolve()
    return f'{path.name[:60]} {hashlib.sha256(str(path).encode()).hexdigest()[:12]}'


def _describe_sizes(fake: _Sizes, real: _Sizes) -> str:
    """Height and width of the images; how many have which, where they differ.

    Example:
        >>> _describe_sizes(Counter({(8, 6): 5}), Counter({(8, 6): 9}))
        '8x6'
        >>> _describe_sizes(Counter({(8, 6): 5}), Counter({(8, 8): 8, (9, 9): 1}))
        'fakes 8x6 (5), real images 8x8 (8) and 9x9 (1)'
    """
    if len(fake | real) == 1:
        return _describe_size(next(iter(fake)))
    return f'fakes {_describe_counts(fake)}, real images {_describe_counts(real)}'


def _describe_counts(sizes: _Sizes) -> str:
    """How many images have which size, or the range of many sizes.

    Example:
        >>> _describe_counts(Counter({(8, 6): 5, (9, 9): 2000, (20, 10): 1, (12, 12): 1}))
        '4 sizes from 8x6 to 20x10'
    """
    if len(sizes) > _SHOWN:
        least, most = (pick(sizes, key=math.prod) for pick in (min, max))
        return f'{len(sizes):,} sizes from {_describe_size(least)} to {_describe_size(most)}'
    return ' and '.join(f'{_describe_size(s)} ({n:,})' for s, n in sizes.most_common())


def _describe_size(size: tuple[int, ...]) -> str:
    return 'x'.join(map(str, size))


def _warn(message: str) -> None:
    print_log(message, 'current', logging.WARNING)
