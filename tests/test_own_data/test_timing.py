"""Timing of iterations, and the widest networks that are fast enough."""

import itertools

import pytest
import torch
from mmengine.config import Config

from mmgan_lite.own_data import timing


@pytest.mark.parametrize(
    ('allowed', 'expected', 'tried'), [(0.05, 8, 1), (0.2, 16, 3), (0.32, 32, 4), (9, 64, 4)]
)
def test_widest_network(allowed, expected, tried):
    seen = []

    def seconds(width):
        seen.append(width)
        return width / 100

    assert timing.find_widest([8, 16, 32, 64], seconds, allowed) == expected
    assert len(seen) == tried


@pytest.fixture
def clock(monkeypatch):
    """A clock that a training step moves on by half a second."""
    now = [0.0]
    model = torch.nn.Linear(1, 1)

    def step(batch, optim_wrapper):
        now[0] += 0.5

    model.train_step = step
    monkeypatch.setattr(timing, '_now', lambda: now[0])
    monkeypatch.setattr(timing, 'build_part', lambda *args: model)
    monkeypatch.setattr(timing, 'build_optim_wrapper', lambda *args: None)
    return now


@pytest.mark.parametrize(('seconds', 'steps'), [(0, 4), (4.1, 8), (100, 200)])
def test_blocks_until_the_time_is_over(clock, seconds, steps):
    cfg = Config(dict(model=None, optim_wrapper=None))
    assert timing.time_iterations(cfg, itertools.repeat(None), 4, seconds) == 0.5
    assert clock[0] == 0.5 * (1 + steps)  # the first does not count


def test_too_little_memory_takes_forever(clock, monkeypatch):
    def fail(*args):
        raise torch.OutOfMemoryError

    monkeypatch.setattr(timing, 'build_part', fail)
    cfg = Config(dict(model=None, optim_wrapper=None))
    assert timing.time_iterations(cfg, itertools.repeat(None), 4, 1) == float('inf')
