"""A signal is noted while the handlers are installed, and has its old effect afterwards."""

import os
import signal
import subprocess
import sys
import threading

import pytest
from PIL import Image

from mmgan_lite.engine.resume.preemption import StopSignals


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


def test_workers_end_with_the_training(repo, tmp_path):
    """They outlive a SIGTERM by a minute, and must not keep a training that is done so long."""
    for name in 'ab':
        Image.new('RGB', (16, 16)).save(tmp_path / f'{name}.png')
    (tmp_path / 'config.py').write_text(
        "_base_ = __import__('mmgan_lite').config_path('dcgan/dcgan_folder-64x64.py')\n"
        'train_dataloader = dict(batch_size=2, num_workers=1)\n'
        f"train_dataloader['dataset'] = dict(data_root={str(tmp_path)!r})\n"
        'model = dict(generator=dict(base_channels=1), discriminator=dict(base_channels=1))\n'
        'train_cfg = dict(max_iters=1)\n'
    )
    command = [sys.executable, repo / 'tools/train.py', 'config.py']
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=50)
