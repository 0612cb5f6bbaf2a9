"""Another number of samples than the data set has images."""

from collections.abc import Iterator, Sized

import torch
from mmengine.dist import get_dist_info
from torch.utils.data import Sampler

from mmgan_lite.registry import DATA_SAMPLERS
from mmgan_lite.utils.validation import check_positive


@DATA_SAMPLERS.register_module()
class RepeatingSampler(Sampler):
    """All images in order, and again from the first until there are enough.

    A loop of MMEngine draws a fake for each image of its data loader. So for N fakes the loader
    gives N images, and the evaluator counts each real one once. Several processes take turns, and
    each gets as many.

    Args:
        dataset: The data of the loader.
        num_samples: How many images to give; the whole data set if it has more.
        seed: No part in it; MMEngine's interface.

    Raises:
        ValueError: If ``num_samples`` is out of its range, or the data set is empty.

    Example:
        >>> list(RepeatingSampler(range(3), num_samples=7))
        [0, 1, 2, 0, 1, 2, 0]
    """

    def __init__(self, dataset: Sized, num_samples: int, seed: int | None = None) -> None:
        check_positive('num_samples', num_samples)
        if len(dataset) == 0:
            raise ValueError('dataset must hold images, got 0. Pass one that has some.')
        self.rank, self.world_size = get_dist_info()
        self.num_images = len(dataset)
        self.length = -(-max(num_samples, self.num_images) // self.world_size)

    def __iter__(self) -> Iterator[int]:
        positions = range(self.rank, self.length * self.world_size, self.world_size)
        return (position % self.num_images for position in positions)

    def __len__(self) -> int:
        return self.length

    def set_epoch(self, epoch: int) -> None:
        """Nothing to shuffle; MMEngine's interface."""


@DATA_SAMPLERS.register_module()
class SpreadSampler(Sampler):
    """Some of the images, evenly spread over the data set and in its order.

    For a quick look while training. The first so many would be no fair part of a data set that is
    sorted: MNIST's test images are cleaner in the first half. The evaluator needs the same
    ``num_samples``, because MMEngine tells it how many images the whole data set has.

    Args:
        dataset: The data of the loader.
        num_samples: How many images to give, at least 1 and at most all of them.
        seed: No part in it; MMEngine's interface.

    Raises:
        ValueError: If ``num_samples`` is out of its range.

    Example:
        >>> list(SpreadSampler(range(100), num_samples=4))
        [0, 33, 66, 99]
    """

    def __init__(self, dataset: Sized, num_samples: int, seed: int | None = None) -> None:
        check_positive('num_samples', num_samples)
        if num_samples > len(dataset):
            raise ValueError(
                f'num_samples must be at most the {len(dataset)} images of the data, got '
                f"{num_samples}. Set sampler=dict(type='RepeatingSampler', "
                f'num_samples={num_samples}).'
            )
        self.rank, self.world_size = get_dist_info()
        self.positions = spread(num_samples, len(dataset))
        self.length = -(-num_samples // self.world_size)

    def __iter__(self) -> Iterator[int]:
        # The last image stands in for those that are lacking to as many for each process.
        last = len(self.positions) - 1
        turns = range(self.rank, self.length * self.world_size, self.world_size)
        return (self.positions[min(turn, last)] for turn in turns)

    def __len__(self) -> int:
        return self.length

    def set_epoch(self, epoch: int) -> None:
        """Nothing to shuffle; MMEngine's interface."""


def spread(num: int, total: int) -> list[int]:
    """``num`` positions below ``total``, rising, as even as can be.

    Example:
        >>> spread(3, 10)
        [0, 4, 9]
    """
    return torch.linspace(0, total - 1, num, dtype=torch.float64).round().long().tolist()
