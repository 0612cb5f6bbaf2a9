"""Batches that become smaller while the networks grow."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence

from mmengine.dist import get_world_size
from torch.utils.data import BatchSampler, Sampler

from mmgan_lite.registry import DATA_SAMPLERS
from mmgan_lite.utils.growth import GrowthSchedule
from mmgan_lite.utils.validation import check_positive


@DATA_SAMPLERS.register_module()
class GrowingBatchSampler(BatchSampler):
    """Batches whose size is that of the stage, for a :class:`~mmgan_lite.models.GrowingGAN`.

    Large images take more memory, so later stages usually have smaller batches. The stage follows
    from the images drawn so far: a resumed training goes on with the right size.

    Args:
        sampler: Indices without end, such as MMEngine's ``InfiniteSampler``; given by the Runner.
        batch_size: That of the first stage, in one process; given by the Runner.
        batch_sizes: Of all stages, in one process.
        growth: ``dict(fade_images=..., stable_images=...)``, as of the model.

    Raises:
        ValueError: If a size is not an int of at least 1, or ``batch_size`` is not the first.

    Example:
        >>> growth = dict(fade_images=1, stable_images=8)
        >>> list(GrowingBatchSampler(range(10), 4, (4, 2), growth))
        [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]

        In a config::

            train_dataloader = dict(
                batch_size=64,
                batch_sampler=dict(
                    type='mmgan_lite.GrowingBatchSampler', batch_sizes=(64, 64, 32), growth=growth))
    """

    def __init__(
        self,
        sampler: Sampler | Iterable[int],
        batch_size: int,
        batch_sizes: Sequence[int],
        growth: Mapping[str, int],
    ) -> None:
        for size in (batch_size, *batch_sizes):
            check_positive('batch_sizes', size)
        if not batch_sizes or batch_sizes[0] != batch_size:
            raise ValueError(
                'batch_sizes must begin with batch_size of the data loader, got '
                f'{tuple(batch_sizes)} and batch_size={batch_size}. Set both to that of the first '
                'stage.'
            )
        super().__init__(sampler, batch_size, drop_last=True)
        self.batch_sizes = tuple(batch_sizes)
        self.growth = GrowthSchedule(**growth)

    def sizes(self) -> Iterator[int]:
        """The size of each batch of one process, without end."""
        images, processes, last_stage = 0, get_world_size(), len(self.batch_sizes) - 1
        while True:
            size = self.batch_sizes[self.growth.at(images, last_stage)[0]]
            yield size
            images += size * processes

    def __iter__(self) -> Iterator[list[int]]:
        indices = iter(self.sampler)
        for size in self.sizes():
            batch = list(itertools.islice(indices, size))
            if len(batch) < size:
                return
            yield batch
