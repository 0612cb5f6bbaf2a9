"""Check files against a list of their checksums, in the format of the command ``sha256sum``.

In many image formats a flipped bit still gives a valid image.
"""

import hashlib
import os
import re
from collections.abc import Iterable
from pathlib import Path

SUMS = 'SHA256SUMS'
# A leading backslash marks an escaped name, an asterisk a file that was read as binary.
_LINE = re.compile(r'(\\?)([0-9a-fA-F]{64}) [ *](.+)', re.DOTALL)
_ESCAPED = {'n': '\n', 'r': '\r', '\\': '\\'}


def read_checksums(folder: Path) -> dict[str, str] | None:
    """Read the list ``SHA256SUMS`` of a folder.

    It has the format of ``sha256sum``, text or binary; lines that begin with ``#`` are ignored.
    Names are relative to the folder and normalized: ``./a.png`` is ``a.png``.

    Args:
        folder: Folder of the list.

    Returns:
        The checksums, in lower-case hex, by file name; None if there is no list.

    Raises:
        ValueError: If a line has another format, a name has two checksums, or there is no line.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, 'SHA256SUMS').write_text(f'{"0" * 64}  ./a.png')
        ...     list(read_checksums(Path(folder)))
        ['a.png']
    """
    path = folder / SUMS
    if not path.is_file():
        return None
    checksums: dict[str, str] = {}
    # Not splitlines(), which splits at some characters of names.
    lines = os.fsdecode(path.read_bytes()).split('\n')
    for number, line in enumerate(lines, start=1):
        line = line.removesuffix('\r')
        if not line or line.startswith('#'):
            continue
        if (match := _LINE.fullmatch(line)) is None:
            raise _malformed(path, number, f'{line[:100]!r}')
        escaped, checksum, name = match.groups()
        if escaped:
            name = re.sub(r'\\([nr\\])', lambda found: _ESCAPED[found[1]], name)
        name, checksum = os.path.normpath(name), checksum.lower()
        if checksums.setdefault(name, checksum) != checksum:
            raise _malformed(path, number, f"a second checksum of '{name}'")
    if not checksums:
        raise _malformed(path, 1, 'nothing')
    return checksums


def _malformed(path: Path, number: int, found: str) -> ValueError:
    return ValueError(
        f"Line {number} of '{path}' must be a sha256 of 64 hex digits, two spaces and the name of "
        f'a file, got {found}. Write the list again with sha256sum, or delete it.'
    )


def verify_checksums(folder: Path, names: Iterable[str]) -> set[str]:
    """Check files against ``SHA256SUMS`` in their folder, if there is one.

    Args:
        folder: Folder of the files.
        names: The files.

    Returns:
        Those of the files that have a checksum, which matches.

    Raises:
        ValueError: If a file has another checksum, or the list is malformed.
    """
    listed = read_checksums(folder) or {}
    checked = listed.keys() & set(names)
    damaged = [name for name in sorted(checked) if file_hash(folder / name) != listed[name]]
    if damaged:
        raise ValueError(
            f"Files in '{folder}' must have the checksums in {SUMS}, got others for "
            f'{", ".join(damaged)}. Delete them and load with download=True, or delete {SUMS}.'
        )
    return checked


def file_hash(path: Path, algorithm: str = 'sha256') -> str:
    """Hash of a file's bytes, in hex."""
    digest = hashlib.new(algorithm)
    with path.open('rb') as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
