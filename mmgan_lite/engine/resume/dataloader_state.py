"""Where a training is in its data: batches by number, and loops that begin at any of them.

MMEngine finds the place again by loading all batches before it. Here only their indices are drawn,
which takes microseconds a batch, and none of the random numbers that pipelines draw.
"""

import functools
import itertools
import random
import types
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch
from mmengine.dataset import InfiniteSampler
from mmengine.dist import get_rank
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop
from torch.utils.data import BatchSampler, DataLoader, IterableDataset, get_worker_info

from mmgan_lite.engine.resume.preemption import end_mark, outlive_signals


class BatchOrder:
    """Numbers the batches of a data loader, and lets it begin at any of them.

    With worker processes, each batch also gets random numbers of its own, which follow from the
    seed, the rank of the process and the number of the batch: so a pipeline flips and crops the
    images of a batch in the same way, however often the training was interrupted before it, and
    whichever worker prepares it. Without workers the random numbers are those of the training.

    Args:
        loader: Data loader of a map-style data set. Its batch sampler is wrapped, in place.
        seed: Seed of the training.
        number: Of the first batch that will be drawn.
    """

    def __init__(self, loader: DataLoader, seed: int, number: int = 0) -> None:
        self._loader = loader
        # Without a batch sampler the sampler's draws are what is loaded at a time.
        name = 'sampler' if loader.batch_sampler is None else 'batch_sampler'
        self._batches = _NumberedBatches(getattr(loader, name), number, name == 'batch_sampler')
        object.__setattr__(loader, name, self._batches)  # the loader itself refuses
        if loader.num_workers > 0:
            loader.worker_init_fn = functools.partial(
                _start_worker, loader.worker_init_fn, (seed, get_rank()), end_mark()
            )

    @property
    def sampler(self) -> Any:
        """What draws the indices of single images."""
        return getattr(self._batches.batches, 'sampler', self._loader.sampler)

    def begin(self, batches: int = 0) -> Iterator:
        """The loader from that batch of a pass over the data on; the next pass is whole again.

        Args:
            batches: How many to leave out, without loading them.
        """
        sampler = self.sampler
        if isinstance(sampler, InfiniteSampler):
            # Its one stream of indices goes on from pass to pass, and workers draw ahead from it.
            sampler.indices = sampler._indices_of_rank()
        self._batches.skip(batches)
        if self._loader.persistent_workers:
            self._loader._iterator = None  # it has batches under way, drawn from the beginning
        return iter(self._loader)


class _NumberedBatches:
    """A batch sampler whose batches know their number."""

    def __init__(self, batches: Iterable, number: int, are_lists: bool) -> None:
        self.batches = batches
        self._number = number
        self._are_lists = are_lists
        self._started: Iterator | None = None

    def __len__(self) -> int:
        return len(self.batches)  # type: ignore[arg-type]

    def __getattr__(self, name: str) -> Any:
        if name == 'batches':  # while it is being unpickled
            raise AttributeError(name)
        return getattr(self.batches, name)

    def skip(self, count: int) -> None:
        """Begin the next pass after ``count`` batches."""
        batches = self.batches
        if type(batches) is BatchSampler and isinstance(batches.sampler, InfiniteSampler):
            _drop(batches.sampler.indices, count * batches.batch_size)
            self._started = iter(batches)
        else:
            self._started = iter(batches)
            _drop(self._started, count)

    def __iter__(self) -> Iterator:
        # A loader with workers asks for two iterators and uses the second: what was begun goes to
        # the one that is asked for a batch.
        batches, self._started = self._started or iter(self.batches), None
        for batch in batches:
            yield _Batch(batch, self._number) if self._are_lists else batch
            self._number += 1


class _Batch(list):
    """Indices of a batch, and its number."""

    def __init__(self, indices: Iterable[int], number: int) -> None:
        super().__init__(indices)
        self.number = number

    def __reduce__(self) -> tuple:
        return _Batch, (list(self), self.number)


def _drop(iterator: Iterator, count: int) -> None:
    next(itertools.islice(iterator, count, count), None)


def _start_worker(
    init_fn: Callable[[int], None] | None, seeds: tuple[int, int], mark: Any, worker_id: int
) -> None:
    """Prepare a worker of the data loader to seed each batch by its number."""
    if init_fn is not None:
        init_fn(worker_id)
    outlive_signals(mark)
    info = get_worker_info()
    assert info is not None
    dataset: Any = info.dataset
    # PyTorch's loader asks for whole batches where there is this method, and gets it here.
    dataset.__getitems__ = functools.partial(
        _seeded_batch, seeds, dataset, getattr(dataset, '__getitems__', None)
    )


def _seeded_batch(
    seeds: tuple[int, int], dataset: Any, load: Callable | None, batch: _Batch
) -> Any:
    python, numpy, torchs = np.random.SeedSequence((*seeds, batch.number)).generate_state(3)
    random.seed(int(python))
    np.random.seed(numpy)
    torch.manual_seed(int(torchs))
    return load(batch) if load else [dataset[index] for index in batch]


def number_batches(loop: Any, seed: int) -> None:
    """Number the batches of a training from the beginning, where worker processes load them.

    Args:
        loop: MMEngine's loop over iterations or epochs, before its first iteration.
        seed: Seed of the training.
    """
    loader = loop.dataloader
    if loader.num_workers == 0 or not can_begin_anywhere(loader):
        return
    order = BatchOrder(loader, seed)
    if isinstance(loop, IterBasedTrainLoop):  # it has started its workers already
        loop.dataloader_iterator._iterator = order.begin()


def passes_made(loop: Any) -> int:
    """How many whole passes over the data a loop over iterations has begun anew after."""
    return getattr(getattr(loop, 'dataloader_iterator', None), '_epoch', 0)


def go_on(loop: Any, seed: int, passes: int, ready: Callable[[], None]) -> None:
    """Let a loop begin at the batch after those that its iterations so far have trained on.

    Args:
        loop: MMEngine's loop over iterations or epochs, when it calls ``before_train_epoch`` of its
            hooks or, over epochs, before that.
        seed: Seed of the training.
        passes: What :func:`passes_made` told when the checkpoint was written.
        ready: Called when all is in place, right before the first batch is loaded, or the workers
            are started that do.
    """
    loader = loop.dataloader
    if isinstance(loop, EpochBasedTrainLoop):
        done = loop.iter - loop.epoch * len(loader)
        if not 0 <= done <= len(loader):
            done = 0  # the data or the batch size has changed
        order = BatchOrder(loader, seed, loop.iter) if can_begin_anywhere(loader) else None
        loop.run_epoch = types.MethodType(
            functools.partial(_finish_epoch, order=order, done=done, ready=ready), loop
        )
        return
    batches = loop.dataloader_iterator
    if not can_begin_anywhere(loader):
        loop.dataloader_iterator = _Prepared(loop, batches, loop.iter, next, ready)
        return
    order = BatchOrder(loader, seed, loop.iter)
    batches._epoch = passes
    if hasattr(order.sampler, 'set_epoch'):
        order.sampler.set_epoch(passes)
    # Where a pass is just over, nothing is left of it, and MMEngine begins the next.
    batches._iterator = order.begin(loop.iter - passes * len(loader))
    loop.dataloader_iterator = _Prepared(loop, batches, loop.iter, lambda _: None, ready)


def can_begin_anywhere(loader: DataLoader) -> bool:
    """Whether the indices of batches can be drawn without loading them."""
    return not isinstance(loader.dataset, IterableDataset)


class _Prepared:
    """What MMEngine's loop winds forward by ``count`` batches, and then takes batches from."""

    def __init__(
        self, loop: Any, batches: Iterator, count: int, wind: Callable, ready: Callable[[], None]
    ) -> None:
        self._loop, self._batches, self._count = loop, batches, count
        self._wind, self._ready = wind, ready

    def __iter__(self) -> '_Prepared':
        return self

    def __next__(self) -> Any:
        if self._count > 0:
            self._count -= 1
            return self._wind(self._batches)
        self._ready()
        self._loop.dataloader_iterator = self._batches  # its work is done
        return next(self._batches)


def _finish_epoch(
    loop: Any, order: BatchOrder | None, done: int, ready: Callable[[], None]
) -> None:
    """MMEngine's ``run_epoch`` from the middle on; the epochs after it are MMEngine's own."""
    del loop.run_epoch
    if done == 0 or order is None:
        ready()
        loop.run_epoch()
        return
    loop.runner.call_hook('before_train_epoch')
    loop.runner.model.train()
    batches = order.begin(done)
    ready()
    for position, batch in enumerate(batches, done):
        loop.run_iter(position, batch)
    loop.runner.call_hook('after_train_epoch')
    loop._epoch += 1
