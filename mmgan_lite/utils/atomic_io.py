"""Atomic writes: a file is complete or not there. Imports nothing that takes long to load."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

TEMPORARY_FILES = '.*.tmp'
"""Pattern of the temporary files that a killed process may have left in a folder."""


@contextlib.contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Give a temporary path to write to, and rename it to ``path`` at the end of the block.

    The content is on the disk before it gets its name. After an error the file that was there
    before stays, and the temporary one is removed.

    Args:
        path: The file; its folder is made.

    Raises:
        OSError: If it cannot be written.

    Example:
        >>> with atomic_write('notes.txt') as temporary:  # doctest: +SKIP
        ...     temporary.write_text('all of it')
    """
    path = Path(path)
    temporary = path.with_name(f'.{path.name}.{os.getpid()}.tmp')
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield temporary
        _flush(temporary)
        os.replace(temporary, path)
        _flush(path.parent)
    finally:
        with contextlib.suppress(OSError):  # of two errors the first is the one to show
            temporary.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    if path.is_dir() and os.name != 'posix':
        return  # elsewhere a folder cannot be opened
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
