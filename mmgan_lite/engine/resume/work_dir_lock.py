"""One training at a time in a work directory: a lock that ends with its process."""

import contextlib
import errno
import json
import logging
import os
import socket
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from mmgan_lite.utils.atomic_io import atomic_write

if os.name == 'posix':
    import fcntl

_open_files: set[int] = set()


def _close_in_child() -> None:
    """A worker that outlives a killed training must not hold its lock."""
    while _open_files:
        os.close(_open_files.pop())


if os.name == 'posix':
    os.register_at_fork(after_in_child=_close_in_child)


class WorkDirInUseError(ValueError):
    """Another training runs in the work directory."""


class WorkDirLock:
    """An advisory lock (``flock``) on a file in a folder, and who holds it, in a file beside it.

    The operating system frees it when the process ends, however that may be. filelock is not used:
    where the file system has no ``flock``, it takes a lock that stays after a crash, or reports a
    holder that there is not, depending on its version.

    Args:
        folder: The folder; it must exist.

    Example:
        >>> lock = WorkDirLock(folder)  # doctest: +SKIP
        >>> lock.acquire(logger)  # doctest: +SKIP
        >>> lock.release()  # doctest: +SKIP
    """

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)
        self._path = self._folder / '.training.lock'
        self._owner_path = self._folder / '.training.json'
        self._file: int | None = None

    def acquire(self, logger: logging.Logger) -> None:
        """Take the lock; where the file system has none, a warning says so.

        Raises:
            WorkDirInUseError: If another training holds it.
        """
        try:
            self._file = self._open()
        except OSError as error:
            logger.warning(
                f"work_dir '{self._folder}' cannot be locked ({error}): start no second training "
                'in it while this one runs, as checkpoints of both would mix.'
            )
            return
        _open_files.add(self._file)
        if (owner := self._owner()) is not None:
            text = (
                f"'{self._folder}' was locked by {_describe(owner)}, which did not free it: this "
            )
            text += 'training takes the lock over.'
            if owner.get('host') != socket.gethostname():
                text += ' Should it still run, this file system does not lock across machines.'
            logger.info(text)
        now = datetime.now(timezone.utc).isoformat(timespec='seconds')
        with atomic_write(self._owner_path) as temporary:
            temporary.write_text(
                json.dumps(dict(host=socket.gethostname(), pid=os.getpid(), since=now))
            )

    def release(self) -> None:
        """Free the lock, if this process has it."""
        if self._file is None:
            return
        with contextlib.suppress(OSError):  # the folder may be gone
            self._owner_path.unlink()
        _open_files.discard(self._file)
        fcntl.flock(self._file, fcntl.LOCK_UN)  # also for a child that has the file open
        os.close(self._file)
        self._file = None

    def _open(self) -> int:
        """The lock file, locked; ``OSError`` where that is not possible at all."""
        if os.name != 'posix':
            raise OSError(errno.ENOSYS, 'only POSIX systems have flock')
        file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):  # which of them depends on the file system
            os.close(file)
            raise WorkDirInUseError(self._refusal()) from None
        except OSError:
            os.close(file)
            raise
        return file

    def _refusal(self) -> str:
        owner = self._owner()
        remedy = 'Wait until it ends, or choose another work_dir (--work-dir).'
        if owner is not None:
            remedy = (
                f'Wait until it ends, end it by `kill {owner.get("pid")}` on that machine, which '
                'saves a checkpoint, or choose another work_dir (--work-dir).'
            )
        return (
            f"work_dir must be used by one training at a time, but in '{self._folder}' "
            f'{_describe(owner or {})} is training. {remedy}'
        )

    def _owner(self) -> dict[str, Any] | None:
        """Who holds the lock, or held it and did not free it."""
        try:
            owner = json.loads(self._owner_path.read_text())
        except (OSError, ValueError):
            return None
        return owner if isinstance(owner, dict) else None


def _describe(owner: dict[str, Any]) -> str:
    if not owner:
        return 'another process'
    return f'process {owner.get("pid")} on {owner.get("host")} (since {owner.get("since")})'
