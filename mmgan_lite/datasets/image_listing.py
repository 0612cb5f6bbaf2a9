"""Which images there are in a folder, a zip, or a folder of parquet files."""

import os
import zipfile
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from mmgan_lite.datasets.image_files import (
    FolderFiles,
    Header,
    ImageFiles,
    Listing,
    ZipFiles,
    is_hidden,
    kind_of,
    read_headers,
    some_of,
)
from mmgan_lite.datasets.image_headers import ImageHeader, is_image_name, read_header
from mmgan_lite.datasets.parquet_files import is_parquet, list_parquet

# Enough to hide the latency of a network disk.
_THREADS = 16
_NAMES_AT_ONCE = 256


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
        if any(map(is_parquet, names)):
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
