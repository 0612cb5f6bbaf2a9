"""A signal is noted while the handlers are installed, and has its old effect afterwards."""

import functools
import multiprocessing
import os
import signal
import threading
import time

import pytest

from mmgan_lite.engine.resume import preemption
from mmgan_lite.engine.resume.preemption import StopSignals, outlive_signals


@pytest.fixture
def handled():
    """Signals that reached the handler from before."""
    found = []
    before = signal.signal(signal.SIGUSR1, lambda number, frame: found.append(number))
    yield found
    signal.signal(signal.SIGUSR1, before)


@pytest.fixture
def signals(handled):
    signals = StopSignals()
    assert signals.install()
    yield signals
    signals.uninstall()


def test_first_one_is_noted(signals, handled):
    assert not signals.agreed(1)
    os.kill(os.getpid(), signal.SIGUSR1)
    assert signals.agreed(2)
    assert signals.received == 'SIGUSR1'
    assert handled == []


def test_second_one_at_once_is_the_same_one_passed_on(signals, handled):
    os.kill(os.getpid(), signal.SIGUSR1)
    os.kill(os.getpid(), signal.SIGUSR1)
    assert handled == []


def test_second_one_later_does_what_it_did_before(signals, handled):
    os.kill(os.getpid(), signal.SIGUSR1)
    signals._time -= 3
    os.kill(os.getpid(), signal.SIGUSR1)
    assert handled == [signal.SIGUSR1]


def test_uninstalled_handlers_are_those_from_before(signals, handled):
    signals.uninstall()
    os.kill(os.getpid(), signal.SIGUSR1)
    assert handled == [signal.SIGUSR1]


def test_only_the_main_thread_may_take_them_over():
    found = []
    thread = threading.Thread(target=lambda: found.append(StopSignals().install()))
    thread.start()
    thread.join()
    assert found == [False]


def sleep(prepare, ready):
    prepare()
    ready.set()
    while True:
        time.sleep(0.01)


@pytest.fixture
def start():
    """Start a process of this one, as a data loader does; it runs until a signal ends it."""
    context = multiprocessing.get_context('fork')
    processes = []

    def start(prepare):
        ready = context.Event()
        processes.append(context.Process(target=sleep, args=(prepare, ready), daemon=True))
        processes[-1].start()
        assert ready.wait(30)
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.join()


def test_other_processes_do_not_have_the_handlers(signals, start):
    process = start(lambda: None)
    process.terminate()
    process.join(30)
    assert process.exitcode == -signal.SIGTERM
    assert signals.received is None


def test_a_worker_of_a_training_that_is_over_ends_well(start):
    signals = StopSignals()
    signals.install()
    process = start(functools.partial(outlive_signals, signals.phase))
    signals.uninstall()
    process.terminate()
    process.join(30)
    assert process.exitcode == 0  # PyTorch calls any other a failure


@pytest.mark.parametrize('stops', [False, True])
def test_a_worker_outlives_a_signal_that_the_training_gets_too(signals, start, stops, monkeypatch):
    monkeypatch.setattr(preemption, '_WORKER_SECONDS', 1)
    process = start(functools.partial(outlive_signals, signals.phase))
    process.terminate()
    if stops:
        os.kill(os.getpid(), signal.SIGTERM)
    process.join(2 if stops else 30)
    assert process.exitcode == (None if stops else -signal.SIGTERM)
