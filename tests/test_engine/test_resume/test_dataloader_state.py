"""A loop that begins in the middle gives the batches that it would have given."""

import functools
import itertools
import random

import numpy as np
import pytest
import torch
from mmengine.dataset import DefaultSampler, InfiniteSampler
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop
from torch.utils.data import DataLoader, Dataset, IterableDataset

from mmgan_lite.engine.mmengine_compat import call_at_end, end_workers, passes_made
from mmgan_lite.engine.resume import dataloader_state
from mmgan_lite.engine.resume.dataloader_state import BatchOrder, go_on, number_batches
from mmgan_lite.engine.resume.rng_state import get_random_state, set_random_state

SIZE, BATCH = 10, 4  # three batches a pass, the last of two
ITERATIONS = 8


class Noisy(Dataset):
    """Its index, and a number from each stream, as a pipeline of flips and crops would draw."""

    loaded = 0

    def __len__(self):
        return SIZE

    def __getitem__(self, index):
        Noisy.loaded += 1
        return index, random.random(), np.random.rand(), torch.rand(()).item()


class FakeRunner:
    """As much of a Runner as MMEngine's loops need; it notes what they train on."""

    def __init__(self):
        self.visualizer = type('Visualizer', (), {})()
        self.model = torch.nn.Module()
        self.val_loop, self.optim_wrapper = None, None
        self.seen, self.positions, self.states = [], [], []
        self.model.train_step = lambda batch, optim_wrapper: self.seen.append(batch)
        self.at_epoch = lambda: None

    def call_hook(self, name, batch_idx=None, **_):
        if name == 'before_train_epoch':
            if isinstance(self.loop, EpochBasedTrainLoop):
                self.loop.dataloader.sampler.set_epoch(self.loop.epoch)
            self.at_epoch()
        if name == 'before_train_iter':
            self.positions.append(batch_idx)
        if name == 'after_train_iter':
            random.random(), np.random.rand(), torch.rand(1)
            self.states.append((passes_made(self.loop), get_random_state()))


def make_loop(by_epoch, sampler, workers, persistent=False):
    random.seed(0), np.random.seed(0), torch.manual_seed(0)
    runner, dataset = FakeRunner(), Noisy()
    loader = DataLoader(
        dataset,
        batch_size=BATCH,
        sampler=sampler(dataset, shuffle=True, seed=3),
        num_workers=workers,
        persistent_workers=persistent,
        collate_fn=list,
    )
    if by_epoch:
        runner.loop = EpochBasedTrainLoop(runner, loader, max_epochs=3)
    else:
        runner.loop = IterBasedTrainLoop(runner, loader, max_iters=ITERATIONS)
    call_at_end(runner.loop, functools.partial(end_workers, runner.loop))
    return runner


@pytest.mark.parametrize(
    ('by_epoch', 'sampler', 'workers', 'persistent'),
    [
        (False, InfiniteSampler, 0, False),
        (False, DefaultSampler, 0, False),
        (True, DefaultSampler, 0, False),
        pytest.param(False, InfiniteSampler, 2, False, marks=pytest.mark.slow),
        (False, InfiniteSampler, 1, True),
        (False, DefaultSampler, 2, True),
        pytest.param(True, DefaultSampler, 2, False, marks=pytest.mark.slow),
        (True, DefaultSampler, 2, True),
    ],
)
def test_batches_after_a_cut_are_those_of_the_whole(
    by_epoch, sampler, workers, persistent, monkeypatch
):
    monkeypatch.setattr('time.sleep', lambda _: None)
    whole = make_loop(by_epoch, sampler, workers, persistent)
    number_batches(whole.loop, seed=5)
    whole.loop.run()
    total = 9 if by_epoch else ITERATIONS
    assert len(whole.seen) == total
    draws = {item[1] for batch in whole.seen for item in batch}
    assert len(draws) == sum(map(len, whole.seen))  # no two images get the same flip
    # Over a pass; at its end; right after; in a later one.
    for cut in (1, 3, 4, 7) if workers == 0 else (3, 4):
        rest = make_loop(by_epoch, sampler, workers, persistent)
        passes, state = whole.states[cut - 1]
        rest.loop._iter = cut
        # A checkpoint at the end of an epoch is written when the epoch is over.
        rest.loop._epoch = cut // 3 if by_epoch else 0
        random.seed(99), np.random.seed(99), torch.manual_seed(99)
        Noisy.loaded = 0

        def begin(rest=rest, passes=passes, state=state):
            rest.at_epoch = lambda: None
            go_on(rest.loop, 5, passes, lambda: set_random_state(state))

        if by_epoch:
            begin()
        else:
            rest.at_epoch = begin
        rest.loop.run()
        assert rest.seen == whole.seen[cut:], cut
        assert rest.positions == whole.positions[cut:]
        if workers == 0:
            assert Noisy.loaded == sum(len(batch) for batch in whole.seen[cut:])
            assert rest.states[-1][0] == whole.states[-1][0]
            assert torch.equal(rest.states[-1][1]['torch'], whole.states[-1][1]['torch'])
        assert 'run_epoch' not in vars(rest.loop)


def test_end_of_an_epoch_that_was_cut_before_it_was_counted(monkeypatch):
    whole = make_loop(True, DefaultSampler, 0)
    whole.loop.run()
    rest = make_loop(True, DefaultSampler, 0)
    rest.loop._iter, rest.loop._epoch = 3, 0  # all three batches, but after_train_epoch is due
    go_on(rest.loop, 5, 0, lambda: set_random_state(whole.states[2][1]))
    rest.loop.run()
    assert rest.seen == whole.seen[3:]
    assert rest.loop.epoch == 3


def test_more_workers_change_nothing():
    seen = []
    for workers in (1, 2):
        runner = make_loop(True, DefaultSampler, workers)
        number_batches(runner.loop, seed=5)
        runner.loop.run()
        seen.append(runner.seen)
    assert seen[0] == seen[1]


def test_winding_an_endless_sampler_takes_no_time():
    sampler = InfiniteSampler(range(1000), seed=1)
    expected = list(itertools.islice(InfiniteSampler(range(1000), seed=1), 64 * 500 + 3))
    loader = DataLoader(range(1000), batch_size=64, sampler=sampler, collate_fn=list)
    order = BatchOrder(loader, seed=0)
    assert next(order.begin(500))[:3] == expected[64 * 500 :]
    assert next(order.begin(0)) == expected[:64]
    assert len(loader) == 16
    assert loader.batch_sampler.batch_size == 64


def test_without_batches_single_items_are_counted():
    loader = DataLoader(range(9), batch_size=None, sampler=DefaultSampler(range(9), shuffle=False))
    assert [int(item) for item in BatchOrder(loader, seed=0).begin(6)] == [6, 7, 8]


def test_a_stream_is_wound_by_loading_it():
    class Stream(IterableDataset):
        def __iter__(self):
            return iter(range(100))

    runner = FakeRunner()
    loader = DataLoader(Stream(), batch_size=2, collate_fn=list)
    runner.loop = loop = IterBasedTrainLoop(runner, loader, max_iters=5)
    number_batches(loop, seed=0)
    loop._iter = 3
    calls = []
    runner.at_epoch = lambda: go_on(loop, 0, 0, lambda: calls.append(len(runner.seen)))
    loop.run()
    assert runner.seen == [[6, 7], [8, 9]]
    assert calls == [0]


def test_another_size_of_an_epoch_starts_it_anew():
    runner = make_loop(True, DefaultSampler, 0)
    runner.loop._iter, runner.loop._epoch = 700, 1
    go_on(runner.loop, 5, 0, lambda: None)
    runner.loop.run()
    assert runner.positions == [0, 1, 2, 0, 1, 2]


def test_workers_see_batches_as_lists():
    batch = dataloader_state._Batch([3, 1], number=7)
    import pickle

    again = pickle.loads(pickle.dumps(batch))
    assert again == [3, 1]
    assert again.number == 7
