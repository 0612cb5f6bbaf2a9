"""Signals by which a cluster asks a training to stop, and how all its processes agree on when."""

import atexit
import functools
import math
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

import torch
from mmengine.dist import all_reduce, get_world_size
from mmengine.runner import Runner

EXIT_CODE = 75
"""Of a training that was asked to stop, has saved all, and can be resumed: EX_TEMPFAIL."""

_NAMES = ('SIGTERM', 'SIGUSR1')  # the second is not there on Windows
# torchrun and slurm both pass a signal on to the same process: what follows at once is no second.
_SAME_SECONDS = 2.0
_EXCHANGE_SECONDS = 1.0
_WORKER_SECONDS = 60


class StopSignals:
    """Takes note of SIGTERM and SIGUSR1 while a training runs.

    The first signal is noted. A second one, more than two seconds after it, does what it would do
    without us, which is to end the process at once. So does one that comes outside of
    ``Runner.train``, where nobody would look at the note.

    In a single process the note is all there is. Several processes exchange their notes about once
    a second, for which each counts iterations: how many there are to a second is part of what they
    exchange.

    Example:
        >>> signals = StopSignals()
        >>> signals.install()
        True
        >>> signals.agreed(iteration=1)
        False
        >>> signals.uninstall()
    """

    def __init__(self) -> None:
        self.received: str | None = None
        self._time = 0.0
        self._before: dict[int, Any] = {}
        self._exchanged: tuple[int, float] | None = None
        self._next_exchange = 0

    def install(self) -> bool:
        """Take the signals over, if this is the main thread, the only one that may.

        Returns:
            Whether they were taken over.
        """
        if threading.current_thread() is not threading.main_thread():
            return False
        self.received, self._exchanged, self._next_exchange = None, None, 0
        for name in _NAMES:
            number = getattr(signal, name, None)
            if number is not None and number not in self._before:
                self._before[number] = signal.signal(number, self._take_note)
        return True

    def uninstall(self) -> None:
        """Give the signals back."""
        while self._before:
            number, handler = self._before.popitem()
            # None: it was not set from Python, and cannot be set back.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def agreed(self, iteration: int) -> bool:
        """Whether training shall stop after this iteration; the same answer in all processes.

        Args:
            iteration: How many were made; each process must ask after each of them.
        """
        if get_world_size() == 1:
            return self.received is not None
        if iteration < self._next_exchange:
            return False
        return self._exchange(iteration)

    def _exchange(self, iteration: int) -> bool:
        now = time.monotonic()
        ahead = 1
        if self._exchanged is not None:
            before, then = self._exchanged
            ahead = max(1, math.ceil((iteration - before) * _EXCHANGE_SECONDS / (now - then)))
        notes = torch.tensor([self.received is not None, ahead])
        all_reduce(notes, op='max')
        stop, ahead = notes.tolist()  # waits for the device, once a second
        self._exchanged = iteration, now
        self._next_exchange = iteration + ahead
        return bool(stop)

    def _take_note(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        again = self.received is not None and now - self._time > _SAME_SECONDS
        if again or not _is_training(frame):
            self.uninstall()
            os.kill(os.getpid(), number)
        elif self.received is None:
            self.received, self._time = signal.Signals(number).name, now


@functools.cache
def end_mark() -> Any:
    """What tells the processes that serve this one that it is about to end: ``value`` is then 1."""
    mark = multiprocessing.RawValue('b', 0)
    # Before what multiprocessing has registered, which asks its processes to end by SIGTERM, and
    # waits until they have.
    atexit.register(setattr, mark, 'value', 1)
    return mark


def outlive_signals(mark: Any) -> None:
    """Let a process that serves the training outlive what asks the training to stop, by a minute.

    A cluster may send its signal to all processes there are, workers of the data loader included.
    One that obeyed at once would take the training with it before that has saved.

    Args:
        mark: The training's :func:`end_mark`; from then on SIGTERM is obeyed at once.
    """
    if hasattr(signal, 'alarm'):
        signal.signal(signal.SIGTERM, functools.partial(_end_later, mark))
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)


def _end_later(mark: Any, number: int, frame: FrameType | None) -> None:
    if mark.value:
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    else:
        # Should the training hang, and never end its workers.
        signal.alarm(_WORKER_SECONDS)


def _is_training(frame: FrameType | None) -> bool:
    train: Callable = Runner.train
    while frame is not None:
        if frame.f_code is train.__code__:
            return True
        frame = frame.f_back
    return False
