"""Image files in a folder, a zip, or a folder of parquet files.

Listing them reads paths and headers. Their content is read by the process that needs it, from where
it is: nothing is extracted.
"""

import copy
import os
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np

from mmgan_lite.datasets.image_headers import ImageHeader, is_image_name, read_header

# Enough to hide the latency of a network disk.
_THREADS = 16
_NAMES_AT_ONCE = 256

Header = Callable[[IO[bytes], str], ImageHeader]


class ImageFiles:
    """Files in the order of their paths; in each folder, files come before sub-folders.

    Args:
        path: Where they are.
        names: Their paths below it, with ``/``.

    Attributes:
        path: As given.
    """

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


def list_images(path: str | Path, header: Header = read_header) -> Listing:
    """List the images of a folder, at any depth, of a zip, or of a folder of parquet files.

    What is an image shows in the content. Names that begin with a dot and folders ``__MACOSX`` are
    left out. Links to folders are followed, but no folder is listed twice.

    Args:
        path: The folder or zip.
        header: Reads the header of an open file, given its name.

    Raises:
        FileNotFoundError: If there is nothing at ``path``.
        ValueError: If it is another file, a damaged zip or one with a password, or a folder that
            cannot be read.
    """
    path = Path(path).expanduser()
    if path.is_dir():
        try:
            names, folders, left_out = _walk(path)
        except OSError as error:
            raise ValueError(
                f"'{path}' must be a folder that can be read, with all below it, got "
                f'{type(error).__name__}: {error}. Change its permissions, or move that elsewhere.'
            ) from error
        if any(kind_of(name) == '.parquet' for name in names):
            # It imports this module.
            from mmgan_lite.datasets.parquet_files import list_parquet

            return list_parquet(path, names, header)
        headers = _read_in_threads(header, path, names)
        kept = _keep_images(names, headers, left_out)
        files: ImageFiles = FolderFiles(path, [names[i] for i in kept])
    elif path.exists():
        entries, left_out = _zip_entries(path)
        names = [entry.filename for entry in entries]
        folders = sorted({name.split('/')[0] for name in names if '/' in name})
        with zipfile.ZipFile(path) as archive:
            headers = read_headers(header, archive.open, names)
        kept = _keep_images(names, headers, left_out)
        files = ZipFiles(path, [entries[i] for i in kept])
    else:
        raise FileNotFoundError(
            f"There must be a folder or zip of images at '{path}', got nothing. Correct the path."
        )
    return Listing(files, [headers[i] for i in kept], folders, left_out)


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


def _tree_order(name: str) -> list[tuple[bool, str]]:
    *folders, file = name.split('/')
    return [*((True, folder) for folder in folders), (False, file)]


def _walk(root: Path) -> tuple[list[str], list[str], Counter[str]]:
    """Paths of all files, sub-folders at the top, and what is left out."""
    names, folders = [], []
    left_out: Counter[str] = Counter()
    listed = set()
    pending, links = [''], list[str]()
    while pending or links:
        # Links come last, so that a folder is listed where it is.
        below = pending.pop() if pending else links.pop()
        status = os.stat(root / below)
        if (status.st_dev, status.st_ino) in listed:
            left_out['linked twice'] += 1
            continue
        listed.add((status.st_dev, status.st_ino))
        with os.scandir(root / below) as entries:
            for entry in entries:
                name = below + entry.name
                if is_hidden(entry.name):
                    left_out['hidden'] += 1
                elif entry.is_dir():
                    (links if entry.is_symlink() else pending).append(f'{name}/')
                elif entry.is_file() or entry.is_symlink():
                    names.append(name)
                else:
                    left_out['special files'] += 1
        if not below:
            folders = sorted(folder[:-1] for folder in (*pending, *links))
    return sorted(names, key=_tree_order), folders, left_out


def _zip_entries(path: Path) -> tuple[list[zipfile.ZipInfo], Counter[str]]:
    """Entries of the files of a zip, and what is left out."""
    try:
        with zipfile.ZipFile(path) as archive:
            found = {entry.filename: entry for entry in archive.infolist() if not entry.is_dir()}
    except (OSError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"'{path}' must be a folder, or a zip that can be read, got {type(error).__name__}: "
            f'{error}. Pass a folder of images, or write the zip again.'
        ) from error
    if locked := [name for name, entry in found.items() if entry.flag_bits & 1]:
        raise ValueError(
            f"'{path}' must have no password, got {len(locked):,} files that need one "
            f'({some_of(locked)}). Write it again without a password.'
        )
    known = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    if others := [name for name, entry in found.items() if entry.compress_type not in known]:
        raise ValueError(
            f"'{path}' must be stored or deflated, got {len(others):,} files that are compressed "
            f'otherwise ({some_of(others)}). Write it again with zip, or with zip -0.'
        )
    left_out: Counter[str] = Counter()
    for name in [name for name in found if is_hidden(name)]:
        left_out['hidden'] += 1
        del found[name]
    return [found[name] for name in sorted(found, key=_tree_order)], left_out


def _read_in_threads(
    header: Header, path: Path, names: Sequence[str]
) -> list[ImageHeader | Exception]:
    """The headers of files in a folder."""
    parts = [names[i : i + _NAMES_AT_ONCE] for i in range(0, len(names), _NAMES_AT_ONCE)]
    read = partial(read_headers, header, lambda name: (path / name).open('rb'))
    with ThreadPoolExecutor(_THREADS) as pool:
        return [found for part in pool.map(read, parts) for found in part]


def _keep_images(names: Sequence[str], headers: Sequence[Any], left_out: Counter[str]) -> list[int]:
    """Positions of images, and of files with such a name; the others are counted."""
    kept = []
    for position, (name, header) in enumerate(zip(names, headers, strict=True)):
        if isinstance(header, ImageHeader) or is_image_name(name):
            kept.append(position)
        else:
            left_out[kind_of(name)] += 1
    return kept
