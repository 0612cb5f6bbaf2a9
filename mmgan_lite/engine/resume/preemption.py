"""Signals of a cluster to stop a training, and the iteration at which it stops."""

import atexit
import functools
import math
import multiprocessing
import os
import signal
import threading
import time
from types import FrameType
from typing import Any

import torch
from mmengine.dist import all_reduce, get_world_size

EXIT_CODE = 75
"""Of a training that was asked to stop, has saved all, and can be resumed: EX_TEMPFAIL."""

_POSIX = os.name == 'posix'
_SIGNALS = (signal.SIGTERM, signal.SIGUSR1) if _POSIX else (signal.SIGTERM,)
# torchrun and slurm both pass a signal on to the same process: what follows at once is no second.
_SAME_SECONDS = 2.0
_EXCHANGE_SECONDS = 1.0
_WORKER_SECONDS = 60


class StopSignals:
    """Notes SIGTERM and SIGUSR1 between :meth:`install` and :meth:`uninstall`.

    The first signal is noted. A second one, more than two seconds after it, has the effect that it
    had before the installation, which is to end the process at once.

    Several processes exchange their notes about once a second. Each counts iterations until the
    next exchange: how many there are to a second is part of what they exchange.

    Attributes:
        received: Name of the first signal, or None.

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
        """Install the handlers, if this is the main thread, the only one that may.

        Returns:
            Whether they were installed.
        """
        if threading.current_thread() is not threading.main_thread():
            return False
        self.received, self._exchanged, self._next_exchange = None, None, 0
        for number in _SIGNALS:
            if number not in self._before:
                self._before[number] = signal.signal(number, self._take_note)
        return True

    def uninstall(self) -> None:
        """Restore the handlers from before."""
        while self._before:
            number, handler = self._before.popitem()
            # None: it was not set from Python, and cannot be set back.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def agreed(self, iteration: int) -> bool:
        """Whether training must stop after this iteration; the same answer in all processes.

        Args:
            iteration: Iterations made so far; each process calls this after each of them.
        """
        if get_world_size() == 1:
            return self.received is not None
        if iteration < self._next_exchange:
            return False
        now = time.monotonic()
        before, then = self._exchanged or (iteration, 0.0)
        ahead = max(1, math.ceil((iteration - before) * _EXCHANGE_SECONDS / (now - then)))
        notes = torch.tensor([self.received is not None, ahead])
        all_reduce(notes, op='max')
        stop, ahead = notes.tolist()  # waits for the device, once a second
        self._exchanged = iteration, now
        self._next_exchange = iteration + ahead
        return bool(stop)

    def _take_note(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self.received is not None and now - self._time > _SAME_SECONDS:
            self.uninstall()
            os.kill(os.getpid(), number)
        elif self.received is None:
            self.received, self._time = signal.Signals(number).name, now


@functools.cache
def end_mark() -> Any:
    """Shared with the processes that serve this one: ``value`` is 1 once this one ends."""
    mark = multiprocessing.RawValue('b', 0)

    def set_mark() -> None:
        mark.value = 1

    # Before what multiprocessing has registered, which ends its processes by SIGTERM, and
    # waits until they have.
    atexit.register(set_mark)
    return mark


def outlive_signals(mark: Any) -> None:
    """Let a worker process continue for up to a minute after a signal to stop.

    A cluster may send its signal to all processes there are, workers of the data loader included.
    One that ended at once would end the training too, before it has saved.

    Args:
        mark: The training's :func:`end_mark`; once it is set, SIGTERM ends the worker at once.
    """
    if _POSIX:
        signal.signal(signal.SIGTERM, functools.partial(_end_later, mark))
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)


def _end_later(mark: Any, number: int, frame: FrameType | None) -> None:
    if mark.value:
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    else:
        # Should the training hang, and never end its workers.
        signal.alarm(_WORKER_SECONDS)
