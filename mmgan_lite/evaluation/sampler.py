"""Another number of samples than the data set has images."""

from collections.abc import Iterator, Sized

import torch
from mmengine.dataset import DefaultSampler

from mmgan_lite.registry import DATA_SAMPLERS
from mmgan_lite.utils.validation import check_positive


class _OrderedSampler(DefaultSampler):
    """Gives some positions of a data set in their order.

    Several processes take turns. The first positions are repeated until each has as many.

    Args:
        positions: At least one.
    """

    def __init__(self, positions: list[int]) -> None:
        super().__init__(positions, shuffle=False, seed=0)

    def __iter__(self) -> Iterator[int]:
        return map(self.dataset.__getitem__, super().__iter__())


@DATA_SAMPLERS.register_module()
class RepeatingSampler(_OrderedSampler):
    """All images in order, and again from the first until there are enough.

    A loop of MMEngine draws a fake for each image of its data loader. So for N fakes the loader
    gives N images, and the evaluator counts each real one once. Several processes take turns, and
    each gets as many.

    Args:
        dataset: The data of the loader.
        num_samples: How many images to give; the complete data set if it has more.
        seed: Not used; MMEngine's interface.

    Raises:
        ValueError: If ``num_samples`` is out of its range, or the data set is empty.

    Example:
        >>> list(RepeatingSampler(range(3), num_samples=7))
        [0, 1, 2, 0, 1, 2, 0]
    """

    def __init__(self, dataset: Sized, num_samples: int, seed: int | None = None) -> None:
        check_positive('num_samples', num_samples)
        total = len(dataset)
        if total == 0:
            raise ValueError('dataset must hold images, got 0. Pass one that has some.')
        super().__init__([turn % total for turn in range(max(num_samples, total))])


@DATA_SAMPLERS.register_module()
class SpreadSampler(_OrderedSampler):
    """Some of the images, evenly spread over the data set and in its order.

    For a quick look while training. The first images would not represent a data set that is
    sorted: MNIST's test images are cleaner in the first half. The evaluator needs the same
    ``num_samples``, because MMEngine gives it the number of images of the complete data set.

    Args:
        dataset: The data of the loader.
        num_samples: How many images to give, at least 1 and at most all of them.
        seed: Not used; MMEngine's interface.

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
                f"{num_samples}. Set type='RepeatingSampler' for more."
            )
        super().__init__(spread(num_samples, len(dataset)))


def spread(num: int, total: int) -> list[int]:
    """``num`` positions below ``total``, rising, as even as can be.

    Example:
        >>> spread(3, 10)
        [0, 4, 9]
    """
    return torch.linspace(0, total - 1, num, dtype=torch.float64).round().long().tolist()
