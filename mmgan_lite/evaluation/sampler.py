"""More samples than the data set has images."""

from collections.abc import Iterator, Sized

from mmengine.dist import get_dist_info
from torch.utils.data import Sampler

from mmgan_lite.arguments import check_positive
from mmgan_lite.registry import DATA_SAMPLERS


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
