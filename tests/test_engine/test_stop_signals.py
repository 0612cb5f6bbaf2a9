"""A signal is noted while a training runs, and does what it did before elsewhere."""

import contextlib
import os
import signal
import threading

import pytest
from mmengine.runner import Runner

from mmgan_lite.engine.stop_signals import StopSignals


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


def while_training(action):
    """Run it below ``Runner.train``."""

    class Loop:
        def __getattr__(self, name):
            action()
            raise StopIteration

    with contextlib.suppress(StopIteration):
        Runner.train(Loop())


def test_first_one_is_noted(signals, handled):
    assert not signals.agreed(1)
    while_training(lambda: os.kill(os.getpid(), signal.SIGUSR1))
    assert signals.agreed(2)
    assert signals.received == 'SIGUSR1'
    assert handled == []


def test_second_one_at_once_is_the_same_one_passed_on(signals, handled):
    def twice():
        os.kill(os.getpid(), signal.SIGUSR1)
        os.kill(os.getpid(), signal.SIGUSR1)

    while_training(twice)
    assert handled == []


def test_second_one_later_does_what_it_did_before(signals, handled):
    while_training(lambda: os.kill(os.getpid(), signal.SIGUSR1))
    signals._time -= 3
    while_training(lambda: os.kill(os.getpid(), signal.SIGUSR1))
    assert handled == [signal.SIGUSR1]


def test_outside_of_a_training_it_does_what_it_did_before(signals, handled):
    os.kill(os.getpid(), signal.SIGUSR1)
    assert handled == [signal.SIGUSR1]
    assert not signals.agreed(1)


def test_uninstalled_handlers_are_those_from_before(signals, handled):
    signals.uninstall()
    while_training(lambda: os.kill(os.getpid(), signal.SIGUSR1))
    assert handled == [signal.SIGUSR1]


def test_only_the_main_thread_may_take_them_over():
    found = []
    thread = threading.Thread(target=lambda: found.append(StopSignals().install()))
    thread.start()
    thread.join()
    assert found == [False]
