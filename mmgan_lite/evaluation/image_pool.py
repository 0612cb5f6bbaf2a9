"""Some of the images of a loop, for metrics of the images themselves."""

import hashlib
from collections.abc import Iterable, Sequence

import torch
from mmengine.dist import get_rank, get_world_size
from torch import Tensor

from mmgan_lite.evaluation.cache import image_digests
from mmgan_lite.evaluation.metrics import Samples


class ImagePool:
    """A random subset of the images that it is given; always the same of the same ones.

    Each image has a key, and those of the smallest keys are kept.

    Args:
        capacity: How many images are kept at most, at least 1.

    Example:
        >>> pool = ImagePool(2)
        >>> pool.add(number_keys(range(5)), torch.arange(5, dtype=torch.uint8).view(5, 1, 1, 1))
        >>> len(pool.samples())
        2
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._rows: dict[bytes, tuple[Tensor, Tensor | None]] = {}

    @property
    def keys(self) -> list[bytes]:
        """In the order of ``samples``."""
        return sorted(self._rows)

    def add(self, keys: Sequence[bytes], images: Tensor, labels: Tensor | None = None) -> None:
        """Keep some of a batch; an image whose key is there already is left out.

        Args:
            keys: N, of any bits with equal probability.
            images: uint8 ``(N, C, H, W)``.
            labels: int64 ``(N,)``; None without labels.
        """
        new = {key: place for place, key in enumerate(keys) if key not in self._rows}
        kept = sorted([*self._rows, *new])[: self.capacity]
        for key in {*kept} & {*new}:
            # A view would keep the memory of its batch.
            image = images[new[key]].to('cpu', copy=True)
            self._rows[key] = image, None if labels is None else labels[new[key]].cpu()
        self._rows = {key: self._rows[key] for key in kept}

    def samples(self) -> Samples:
        """The images and their labels, in random order."""
        if not self._rows:
            return Samples()
        images, labels = zip(*(self._rows[key] for key in self.keys), strict=True)
        have_labels = all(label is not None for label in labels)
        stacked = torch.stack(labels) if have_labels else None
        return Samples(labels=stacked, images=torch.stack(images))


class LoopImages:
    """A random subset of the fakes of a loop, and one of its real images; each of these once.

    Args:
        num_images: How many of each are kept at most, in all processes together.
        num_fakes: Of so many fakes, the first ones; None for all.
    """

    def __init__(self, num_images: int, num_fakes: int | None = None) -> None:
        share = -(-num_images // get_world_size())
        self.fake, self.real = ImagePool(share), ImagePool(share)
        self._count, self._num_fakes = 0, num_fakes

    def add(
        self, fakes: Tensor, labels: Tensor | None, reals: Tensor, real_labels: Tensor | None
    ) -> None:
        """Take in a batch of uint8 images ``(N, C, H, W)`` and of labels ``(N,)``."""
        # Their places in the order of all processes, which take turns.
        numbers = [get_rank() + get_world_size() * (self._count + i) for i in range(len(fakes))]
        self._count += len(fakes)
        if self._num_fakes is not None:
            numbers = [number for number in numbers if number < self._num_fakes]
        first = slice(len(numbers))
        self.fake.add(number_keys(numbers), fakes[first], None if labels is None else labels[first])
        digests = [digest.tobytes() for digest in image_digests(reals).numpy()]
        self.real.add(digests, reals, real_labels)


def merge_images(parts: Sequence[LoopImages], num_fakes: int, capacity: int) -> list[ImagePool]:
    """Of the fakes and of the real images of all processes.

    Args:
        parts: Of each process.
        num_fakes: Fakes after so many, which samplers added, are left out.
        capacity: Of each pool.
    """
    fakes = {key: row for part in parts for key, row in part.fake._rows.items()}
    reals = {key: row for part in parts for key, row in part.real._rows.items()}
    pools = []
    for rows, keys in ((fakes, fakes.keys() & number_keys(range(num_fakes))), (reals, reals)):
        pool = ImagePool(capacity)
        pool._rows = {key: rows[key] for key in sorted(keys)[:capacity]}
        pools.append(pool)
    return pools


def number_keys(numbers: Iterable[int]) -> list[bytes]:
    """Keys of images by their numbers, which look random."""
    return [hashlib.blake2b(str(n).encode(), digest_size=16).digest() for n in numbers]
