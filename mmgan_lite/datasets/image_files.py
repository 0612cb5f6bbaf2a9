"""Image files in a folder or a zip.

Their content is read by the process that needs it, from where it is: nothing is extracted.
"""

import copy
import hashlib
import os
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from mmgan_lite.datasets.checksums import SUMS, read_checksums
from mmgan_lite.datasets.image_headers import ImageHeader, is_image_name

Header = Callable[[IO[bytes], str], ImageHeader]


class ImageFiles:
    """Files in the order of their paths; in each folder, files come before sub-folders.

    Args:
        path: Where they are.
        names: Their paths below it, with ``/``.

    Attributes:
        path: As given.
    """

    # The sha256 of each, uint8 (N, 32); None without a list of checksums.
    _checksums: np.ndarray | None = None

    def __init__(self, path: Path, names: Sequence[str]) -> None:
        self.path = path
        # One array of bytes, which workers share; reading a list of strings would copy it.
        self._names = np.array([os.fsencode(name) for name in names], dtype=np.bytes_)

    def __len__(self) -> int:
        return len(self._names)

    def names(self) -> list[str]:
        """All paths, below ``path``."""
        return [os.fsdecode(name) for name in self._names.tolist()]

    def name(self, position: int) -> str:
        """The path of a file, below ``path``."""
        return os.fsdecode(self._names[position])

    def location(self, position: int) -> str:
        """The path of a file, with ``path``."""
        return os.path.join(self.path, self.name(position))

    def select(self, index: slice | np.ndarray) -> Any:
        """Only some of the files."""
        selected = copy.copy(self)
        for name, value in vars(self).items():
            if isinstance(value, np.ndarray):
                # A slice is a view: without the copy, all of it would be pickled.
                setattr(selected, name, value[index].copy())
        return selected

    def load_checksums(self) -> None:
        """Read ``SHA256SUMS`` in ``path``, if it is there, for :meth:`read_checked`.

        Raises:
            ValueError: If it does not name these files and no other images.
        """
        if (checksums := read_checksums(self.path)) is None:
            return
        names = self.names()
        wrong = {
            'without a checksum': [name for name in names if name not in checksums],
            'not there': sorted(
                name
                for name in checksums.keys() - set(names)
                if is_image_name(name) and not is_hidden(name) and not (self.path / name).exists()
            ),
        }
        found = [f'{len(w)} {what} ({some_of(w)})' for what, w in wrong.items() if w]
        if found:
            raise ValueError(
                f"'{self.path / SUMS}' must name the {len(self)} images of its folder and no "
                f'others, got {" and ".join(found)}. Write it again with sha256sum, or delete it '
                'to check none.'
            )
        digests = bytes.fromhex(''.join(checksums[name] for name in names))
        self._checksums = np.frombuffer(digests, np.uint8).reshape(-1, 32)

    def read_checked(self, position: int) -> bytes:
        """The content of a file, compared with its checksum if there is one.

        Raises:
            Exception: Of several types, if it cannot be read, or has another checksum.
        """
        content = self.read(position)
        if self._checksums is not None:
            expected, found = self._checksums[position].tobytes(), hashlib.sha256(content)
            if found.digest() != expected:
                raise ValueError(
                    f'it must have the sha256 {expected.hex()} in {SUMS}, got '
                    f'{found.hexdigest()}; if it is correct, write the list with sha256sum'
                )
        return content

    def identity(self) -> Iterator[bytes]:
        """The name of each file, with its checksum or else its size in bytes."""
        for position, name in enumerate(self.names()):
            if self._checksums is not None:
                yield b'%s\0%s' % (os.fsencode(name), self._checksums[position].tobytes())
            else:
                yield b'%s\0%d\n' % (os.fsencode(name), self.size(position))

    def read(self, position: int) -> bytes:
        """The content of a file.

        Raises:
            Exception: Of several types, if it cannot be read.
        """
        raise NotImplementedError

    def size(self, position: int) -> int:
        """The size of a file in bytes."""
        raise NotImplementedError

    def read_other(self, name: str) -> bytes | None:
        """The content of a file that is no image, such as a list of labels; None if absent."""
        raise NotImplementedError


class FolderFiles(ImageFiles):
    """Files of a folder."""

    def read(self, position: int) -> bytes:
        """As in the base class."""
        return Path(self.location(position)).read_bytes()

    def size(self, position: int) -> int:
        """As in the base class."""
        return os.stat(self.location(position)).st_size

    def read_other(self, name: str) -> bytes | None:
        """As in the base class."""
        path = self.path / name
        return path.read_bytes() if path.is_file() else None


class ZipFiles(ImageFiles):
    """Files of a zip that is opened for each reading, so that threads and processes share nothing.

    Args:
        path: The zip.
        entries: Of the files, stored or deflated.
    """

    def __init__(self, path: Path, entries: Sequence[zipfile.ZipInfo]) -> None:
        super().__init__(path, [entry.filename for entry in entries])
        columns = [
            (e.header_offset, e.compress_size, e.compress_type, e.CRC, e.file_size) for e in entries
        ]
        self._entries = np.array(columns, dtype=np.int64).reshape(-1, 5)

    def read(self, position: int) -> bytes:
        """As in the base class."""
        offset, length, method, checksum, _ = self._entries[position].tolist()
        with self.path.open('rb') as file:
            # A header of 30 bytes, a name and an extra field come before the content.
            file.seek(offset)
            header = file.read(30)
            skipped = sum(int.from_bytes(header[at : at + 2], 'little') for at in (26, 28))
            file.seek(skipped, os.SEEK_CUR)
            content = file.read(length)
        if method == zipfile.ZIP_DEFLATED:
            content = zlib.decompress(content, -zlib.MAX_WBITS)
        if zlib.crc32(content) != checksum:
            raise ValueError('its checksum in the zip is another one')
        return content

    def size(self, position: int) -> int:
        """As in the base class."""
        return int(self._entries[position, 4])

    def read_other(self, name: str) -> bytes | None:
        """As in the base class."""
        with zipfile.ZipFile(self.path) as archive:
            return archive.read(name) if name in archive.namelist() else None


@dataclass(frozen=True)
class Listing:
    """The images at a place, and what else is there.

    Args:
        files: Images, and files that have the name of one but cannot be read.
        headers: Of each file, or the error of reading it.
        folders: Sub-folders at the top, also empty ones.
        left_out: Number of files that are no images by kind, such as '.txt'.
    """

    files: ImageFiles
    headers: list[ImageHeader | Exception]
    folders: list[str]
    left_out: Counter[str]

    def describe_left_out(self, used: Iterable[str | None] = ()) -> str:
        """Kinds of files that are left out, such as '2 .txt, 1 hidden'; '' if there are none.

        Args:
            used: Files that are no images but used, below ``path``; they do not count.
        """
        others = [name for name in used if name and self.files.read_other(name) is not None]
        counts = self.left_out - Counter(map(kind_of, others))
        return ', '.join(f'{number:,} {kind}' for kind, number in sorted(counts.items()))


def read_headers(
    header: Header, open_file: Callable[[str], IO[bytes]], names: Sequence[str]
) -> list[ImageHeader | Exception]:
    """Read headers, or the errors of reading them.

    Args:
        header: Reads the header of an open file, given its name.
        open_file: Opens a file, given its name.
        names: Of the files.
    """
    headers: list[ImageHeader | Exception] = []
    for name in names:
        try:
            with open_file(name) as file:
                headers.append(header(file, name))
        # Damaged bytes make Pillow raise errors of many types.
        except Exception as error:
            headers.append(error)
    return headers


def kind_of(name: str) -> str:
    """What a file is that is no image: its extension, or that it has none."""
    return os.path.splitext(name)[1].lower() or 'without an extension'


def some_of(names: Sequence[str]) -> str:
    """The first three names."""
    return ', '.join(names[:3]) + (', ...' if len(names) > 3 else '')


def is_hidden(name: str) -> bool:
    """Whether a file is hidden, or of macOS's own in a zip."""
    return any(part.startswith('.') or part == '__MACOSX' for part in name.split('/'))


def describe_error(error: Exception) -> str:
    """Why an image cannot be read."""
    if type(error).__name__ == 'UnidentifiedImageError':
        return 'no image'  # Pillow's text is the address of a Python object
    if type(error) is ValueError:
        return str(error)
    return f'{type(error).__name__}: {error}'
