"""Signals of a cluster to stop a training, and the iteration at which it stops."""

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
from torch.utils.data import DataLoader

EXIT_CODE = 75
"""Of a training that was asked to stop, has saved all, and can be resumed: EX_TEMPFAIL."""

_POSIX = os.name == 'posix'
_SIGNALS = (signal.SIGTERM, signal.SIGUSR1) if _POSIX else (signal.SIGTERM,)
# torchrun and slurm both pass a signal on to the same process: what follows at once is no second.
_SAME_SECONDS = 2.0
_EXCHANGE_SECONDS = 1.0
_WORKER_SECONDS = 60
# Of the training, for the workers of its data loaders.
_RUNS, _STOPS, _IS_OVER = range(3)


class StopSignals:
    """Notes SIGTERM and SIGUSR1 between :meth:`install` and :meth:`uninstall`.

    The first signal is noted. A second one, more than two seconds after it, has the effect that it
    had before the installation, which is to end the process at once. That is also the effect of
    any signal on a process that this one forks.

    Several processes exchange their notes about once a second. Each counts iterations until the
    next exchange: how many there are to a second is part of what they exchange.

    Attributes:
        received: Name of the first signal, or None.
        phase: Whether training runs, stops or is over, as a shared number.

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
        self._process = 0
        self.phase: Any = multiprocessing.RawValue('b', _IS_OVER)
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
        self._process = os.getpid()
        self.phase = multiprocessing.RawValue('b', _RUNS)
        for number in _SIGNALS:
            if number not in self._before:
                self._before[number] = signal.signal(number, self._take_note)
        return True

    def uninstall(self) -> None:
        """Restore the handlers from before; the training is over."""
        self.phase.value = _IS_OVER
        self._restore()

    def _restore(self) -> None:
        while self._before:
            number, handler = self._before.popitem()
            # None: it was not set from Python, and cannot be set back.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def spare_workers(self, loader: DataLoader) -> None:
        """Let all workers that a data loader will start call :func:`outlive_signals`."""
        loader.worker_init_fn = functools.partial(_start_worker, loader.worker_init_fn, self.phase)

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
        forked = os.getpid() != self._process
        if forked or (self.received is not None and now - self._time > _SAME_SECONDS):
            self._restore()
            os.kill(os.getpid(), number)
        elif self.received is None:
            self.received, self._time = signal.Signals(number).name, now
            self.phase.value = _STOPS


def outlive_signals(phase: Any) -> None:
    """Let this process, a worker of a data loader, outlive a signal that the training gets, too.

    A cluster may send its signal to all processes there are. A worker that ended at once would end
    the training, before it has saved. A worker that alone gets a signal ends a minute later.

    Args:
        phase: Of the training, in shared memory. Once that is over, a signal ends the worker.
    """
    for number in (*_SIGNALS, signal.SIGALRM) if _POSIX else ():
        signal.signal(number, functools.partial(_end_unless_stopping, phase))


def _start_worker(init_fn: Callable[[int], None] | None, phase: Any, worker_id: int) -> None:
    if init_fn is not None:
        init_fn(worker_id)
    outlive_signals(phase)


def _end_unless_stopping(phase: Any, number: int, frame: FrameType | None) -> None:
    if phase.value == _IS_OVER:
        # As PyTorch's workers do at a signal of the training: it takes any other for a failure.
        os._exit(0)
    if number != signal.SIGALRM:
        signal.alarm(_WORKER_SECONDS)
    elif phase.value == _RUNS:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)
