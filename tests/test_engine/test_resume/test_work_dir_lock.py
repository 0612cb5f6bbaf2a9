"""A lock on a folder, which another process holds, has left, or has freed."""

import errno
import json
import logging
import os
import re
import socket
import subprocess
import sys

import pytest

from mmgan_lite.cli import options
from mmgan_lite.engine.resume import work_dir_lock
from mmgan_lite.engine.resume.work_dir_lock import WorkDirInUseError, WorkDirLock

LOGGER = logging.getLogger('test_work_dir_lock')
# Of a training, only what others see of it.
HOLDER = """
import fcntl, json, os, sys
file = open('.training.lock', 'w')
fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
owner = dict(host=sys.argv[1], pid=os.getpid(), since='2026-01-02T03:04:05+00:00')
json.dump(owner, open('.training.json', 'w'))
print(flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Start a process that holds the lock."""
    started = []

    def start(host=None):
        command = [sys.executable, '-c', HOLDER, host or socket.gethostname()]
        pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        started.append(subprocess.Popen(command, cwd=tmp_path, **pipes))
        started[0].stdout.readline()
        return started[0]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_another_process_holds_it(holder, tmp_path):
    process = holder()
    expected = (
        f"work_dir must be used by one training at a time, but in '{tmp_path}' process "
        f'{process.pid} on {socket.gethostname()} (since 2026-01-02T03:04:05+00:00) is training. '
        f'Wait until it ends, end it by `kill {process.pid}` on that machine, which saves a '
        'checkpoint, or choose another work_dir (--work-dir).'
    )
    with pytest.raises(WorkDirInUseError, match=f'^{re.escape(expected)}$'):
        WorkDirLock(tmp_path).acquire(LOGGER)
    with (
        pytest.raises(SystemExit) as ended,
        options.keeping_work_dir(str(tmp_path)),  # of the train command
    ):
        WorkDirLock(tmp_path).acquire(LOGGER)
    assert expected in str(ended.value)
    (tmp_path / '.training.json').write_text('')  # as long as it writes
    with pytest.raises(ValueError, match='another process is training. Wait until it ends, or'):
        WorkDirLock(tmp_path).acquire(LOGGER)


@pytest.mark.parametrize('host', [None, 'elsewhere'])
def test_a_process_died_with_it(holder, tmp_path, caplog, host):
    process = holder(host)
    process.kill()
    process.wait()
    lock = WorkDirLock(tmp_path)
    with caplog.at_level(logging.INFO):
        lock.acquire(LOGGER)
    text = f"'{tmp_path}' was locked by process {process.pid} on {host or socket.gethostname()} "
    text += '(since 2026-01-02T03:04:05+00:00), which did not free it: this training takes the lock'
    (record,) = caplog.records
    assert record.getMessage().startswith(text)
    assert ('does not lock across machines' in record.getMessage()) == (host is not None)
    owner = json.loads((tmp_path / '.training.json').read_text())
    assert (owner['host'], owner['pid']) == (socket.gethostname(), os.getpid())
    lock.release()


def test_it_is_freed(tmp_path, caplog):
    first, second = WorkDirLock(tmp_path), WorkDirLock(tmp_path)
    for lock, other in ((first, second), (second, first)):
        lock.acquire(LOGGER)
        with pytest.raises(ValueError, match=f'process {os.getpid()} on'):
            other.acquire(LOGGER)
        other.release()  # it has none
        lock.release()
        lock.release()
    assert [path.name for path in tmp_path.iterdir()] == ['.training.lock']
    assert not caplog.records


@pytest.mark.parametrize('number', [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_file_system_without_locks(tmp_path, monkeypatch, caplog, number):
    def refuse(file, operation):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(work_dir_lock.fcntl, 'flock', refuse)
    lock = WorkDirLock(tmp_path)
    lock.acquire(LOGGER)
    lock.release()
    (record,) = caplog.records
    assert record.levelname == 'WARNING'
    assert record.getMessage() == (
        f"work_dir '{tmp_path}' cannot be locked ([Errno {number}] {os.strerror(number)}): start "
        'no second training in it while this one runs, as checkpoints of both would mix.'
    )


@pytest.mark.filterwarnings('ignore:This process .* is multi-threaded:DeprecationWarning')
def test_a_worker_does_not_hold_it(tmp_path):
    lock = WorkDirLock(tmp_path)
    lock.acquire(LOGGER)
    child = os.fork()
    if child == 0:  # nothing of pytest may go on in it
        locks = os.path.realpath(tmp_path / '.training.lock')
        files = [os.path.realpath(f'/proc/self/fd/{name}') for name in os.listdir('/proc/self/fd')]
        os._exit(files.count(locks))
    assert os.waitpid(child, 0)[1] == 0
    lock.release()
