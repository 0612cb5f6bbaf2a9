"""The position of a training in its data: numbered batches, and loops that begin at any of them.

MMEngine finds its position again by loading all batches before it. Here only their indices are
drawn, which takes microseconds a batch, and none of the random numbers that pipelines draw.
"""

import functools
import itertools
import random
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from mmengine.dataset import InfiniteSampler
from mmengine.dist import get_rank
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from mmgan_lite.engine.mmengine_compat import replace_next_epoch, restart_indices, set_batches


@runtime_checkable
class _LoadsBatches(Protocol):
    """A data set that gives PyTorch's loader complete batches."""

    def __getitems__(self, indices: list[int]) -> Any: ...


@runtime_checkable
class _HasSampler(Protocol):
    """A batch sampler over a sampler of single images."""

    sampler: Any


@runtime_checkable
class _HasEpochs(Protocol):
    """A sampler that shuffles anew in each pass over the data."""

    def set_epoch(self, epoch: int) -> None: ...


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
        self.sampler: Any = train_sampler(loader)
        # Without a batch sampler the sampler's draws are what is loaded at a time.
        are_lists = loader.batch_sampler is not None
        batches: Any = loader.batch_sampler if are_lists else loader.sampler
        self._batches = _NumberedBatches(batches, number, are_lists)
        # The loader itself refuses another sampler.
        object.__setattr__(loader, 'batch_sampler' if are_lists else 'sampler', self._batches)
        if loader.num_workers > 0:
            loader.worker_init_fn = functools.partial(
                _start_worker, loader.worker_init_fn, (seed, get_rank())
            )

    def begin(self, batches: int = 0) -> Iterator:
        """The rest of a pass over the data, from a batch on; the next pass is complete again.

        Args:
            batches: How many to leave out, without loading them.
        """
        if isinstance(self.sampler, InfiniteSampler):
            # Its one stream of indices goes on from pass to pass, and workers draw ahead from it.
            restart_indices(self.sampler)
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
        self._started = iter(self.batches)
        for _ in itertools.islice(self._started, count):
            pass

    def __iter__(self) -> Iterator:
        # A loader with workers makes two iterators and uses the second: what was begun goes to the
        # first one that is read.
        batches, self._started = self._started or iter(self.batches), None
        for batch in batches:
            yield _Batch(batch, self._number) if self._are_lists else batch
            self._number += 1


class _Batch(list):
    """Indices of a batch, and its number."""

    def __init__(self, indices: Iterable[int], number: int) -> None:
        super().__init__(indices)
        self.number = number


def _start_worker(
    init_fn: Callable[[int], None] | None, seeds: tuple[int, int], worker_id: int
) -> None:
    """Prepare a worker of the data loader to seed each batch by its number."""
    if init_fn is not None:
        init_fn(worker_id)
    info = get_worker_info()
    assert info is not None
    dataset: Any = info.dataset
    load = dataset.__getitems__ if isinstance(dataset, _LoadsBatches) else None
    # PyTorch's loader gets complete batches by this method where there is one.
    dataset.__getitems__ = functools.partial(_seeded_batch, seeds, dataset, load)


def _seeded_batch(
    seeds: tuple[int, int], dataset: Any, load: Callable | None, batch: _Batch
) -> Any:
    python, numpy, torchs = np.random.SeedSequence((*seeds, batch.number)).generate_state(3)
    random.seed(int(python))
    np.random.seed(numpy)
    torch.manual_seed(int(torchs))
    return load(batch) if load else [dataset[index] for index in batch]


def train_sampler(loader: DataLoader) -> Any:
    """The sampler that draws the indices of single images."""
    batch_sampler = loader.batch_sampler
    return batch_sampler.sampler if isinstance(batch_sampler, _HasSampler) else loader.sampler


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
        set_batches(loop, order.begin(), passes=0)


def go_on(loop: Any, seed: int, passes: int, ready: Callable[[], None]) -> None:
    """Let a loop begin at the batch after those that its iterations so far have trained on.

    Args:
        loop: MMEngine's loop over iterations or epochs, when it calls ``before_train_epoch`` of its
            hooks or, over epochs, before that.
        seed: Seed of the training.
        passes: How often the data had begun anew when the checkpoint was written.
        ready: Called right before the first batch is loaded, or the workers are started.
    """
    loader = loop.dataloader
    order = BatchOrder(loader, seed, loop.iter) if can_begin_anywhere(loader) else None
    if isinstance(loop, EpochBasedTrainLoop):
        replace_next_epoch(loop, functools.partial(_finish_epoch, loop, order, ready))
        return
    if order is not None:
        if isinstance(order.sampler, _HasEpochs):
            order.sampler.set_epoch(passes)
        # Where a pass is just over, nothing is left of it, and MMEngine begins the next.
        rest = order.begin(loop.iter - passes * len(loader))
        set_batches(loop, rest, passes)
    loop.dataloader_iterator = _prepared(loop, loop.dataloader_iterator, order is None, ready)


def can_begin_anywhere(loader: DataLoader) -> bool:
    """Whether the indices of batches can be drawn without loading them."""
    return not isinstance(loader.dataset, IterableDataset)


def _prepared(loop: Any, batches: Iterator, loads: bool, ready: Callable[[], None]) -> Iterator:
    """MMEngine's loop advances this by its iterations so far, and then takes a batch from it.

    Args:
        loop: Takes all further batches from ``batches``.
        batches: Its own iterator.
        loads: Whether to load the batches before, which otherwise were left out already.
        ready: Called before the first batch.
    """
    for _ in range(loop.iter):
        yield next(batches) if loads else None
    ready()
    loop.dataloader_iterator = batches
    yield next(batches)


def _finish_epoch(loop: Any, order: BatchOrder | None, ready: Callable[[], None]) -> bool:
    """Run the rest of an epoch that was interrupted; False where a new one begins."""
    done = loop.iter - loop.epoch * len(loop.dataloader)
    if order is None or not 0 < done <= len(loop.dataloader):  # or the batch size has changed
        ready()
        return False
    loop.runner.call_hook('before_train_epoch')
    loop.runner.model.train()
    batches = order.begin(done)
    ready()
    for position, batch in enumerate(batches, done):
        loop.run_iter(position, batch)
    loop.runner.call_hook('after_train_epoch')
    return True
