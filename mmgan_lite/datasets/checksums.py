"""Files held against a list of their sha256 sums, in the format of the command ``sha256sum``.

Many formats of images do not tell one pixel from another: a bit that flipped is an image as before.
"""

import hashlib
import os
import re
from collections.abc import Iterable
from pathlib import Path

SUMS = 'SHA256SUMS'
# A leading backslash says that the name is escaped; an asterisk, that the file was read as binary.
_LINE = re.compile(r'(\\?)([0-9a-fA-F]{64}) [ *](.+)', re.DOTALL)
_ESCAPED = {'n': '\n', 'r': '\r', '\\': '\\'}


def read_checksums(folder: Path) -> dict[str, str] | None:
    """The list ``SHA256SUMS`` of a folder.

    What ``sha256sum`` writes is read, for text or binary, and lines that begin with ``#`` are left
    out. Names are relative to the folder and made plain: ``./a.png`` is ``a.png``.

    Args:
        folder: Where the list lies.

    Returns:
        The sums, in lower-case hex, by the names; None if there is no list.

    Raises:
        ValueError: If a line is in another format, a name has two sums, or there is no line.

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
    sums: dict[str, str] = {}
    # Not splitlines(), which takes some characters of names for ends of lines.
    lines = os.fsdecode(path.read_bytes()).split('\n')
    for number, line in enumerate(lines, start=1):
        line = line.removesuffix('\r')
        if not line or line.startswith('#'):
            continue
        if (match := _LINE.fullmatch(line)) is None:
            raise _malformed(path, number, f'{line[:100]!r}')
        escaped, sum_, name = match.groups()
        if escaped:
            name = re.sub(r'\\([nr\\])', lambda found: _ESCAPED[found[1]], name)
        name, sum_ = os.path.normpath(name), sum_.lower()
        if sums.setdefault(name, sum_) != sum_:
            raise _malformed(path, number, f"a second sum of '{name}'")
    if not sums:
        raise _malformed(path, 1, 'nothing')
    return sums


def _malformed(path: Path, number: int, found: str) -> ValueError:
    return ValueError(
        f"Line {number} of '{path}' must be a sha256 of 64 hex digits, two spaces and the name of "
        f'a file, got {found}. Make the list anew with sha256sum, or delete it.'
    )


def verify_checksums(folder: Path, names: Iterable[str]) -> set[str]:
    """Hold files against ``SHA256SUMS`` beside them, if it is there.

    Args:
        folder: Where they lie.
        names: The files.

    Returns:
        Those of the files that have a sum, which is theirs.

    Raises:
        ValueError: If a file has not its sum, or the list is malformed.
    """
    noted = read_checksums(folder) or {}
    checked = noted.keys() & set(names)
    damaged = [name for name in sorted(checked) if file_hash(folder / name) != noted[name]]
    if damaged:
        raise ValueError(
            f"The files in '{folder}' must have the sums in {SUMS}, got others for "
            f'{", ".join(damaged)}. Delete these, and load with download=True; if they are as they '
            f'should be, delete {SUMS} or make it anew with sha256sum.'
        )
    return checked


def file_hash(path: Path, algorithm: str = 'sha256') -> str:
    """Hash of a file's bytes, in hex."""
    digest = hashlib.new(algorithm)
    with path.open('rb') as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
