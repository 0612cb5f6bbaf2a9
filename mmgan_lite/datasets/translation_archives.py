"""Published data for image translation: those of pix2pix and of CycleGAN, in one archive each."""

import gzip
import os
import shutil
import tarfile
import tempfile
import urllib.request
import zipfile
import zlib
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from filelock import FileLock

from mmgan_lite.datasets.checksums import file_hash
from mmgan_lite.utils.validation import check_choice

# Of the authors, in the order in which they are asked.
SERVERS = ('https://efrosgans.eecs.berkeley.edu', 'http://efrosgans.eecs.berkeley.edu')
_PAIRED, _UNPAIRED = ('train', 'val'), ('trainA', 'trainB', 'testA', 'testB')
# Path on a server, and the folders that each archive must hold.
ARCHIVES = {
    **{
        name: (f'pix2pix/datasets/{name}.tar.gz', _PAIRED)
        for name in ('facades', 'maps', 'edges2shoes')
    },
    **{
        name: (f'cyclegan/datasets/{name}.zip', _UNPAIRED)
        for name in ('horse2zebra', 'summer2winter_yosemite')
    },
}
_DAMAGED = (tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, EOFError, zlib.error)
_TIMEOUT = 60.0  # seconds without an answer


class Downloaded(NamedTuple):
    """Where data are; and the sha256 of their archive, None if they were there already."""

    folder: Path
    sha256: str | None


def download_archive(
    name: str,
    out: str | Path,
    on_progress: Callable[[int, int], object] = lambda num_bytes, total: None,
) -> Downloaded:
    """Download and unpack one of :data:`ARCHIVES`, unless it is there.

    The folder gets its name when it is complete; a download that is interrupted leaves none. The
    authors publish no checksums: what arrives is checked for its length and its folders only.

    Args:
        name: One of :data:`ARCHIVES`.
        out: The folder to put the folder ``name`` into.
        on_progress: Called with the bytes so far and in all; 0 if that is not known.

    Raises:
        FileNotFoundError: If it could not be downloaded.
        ValueError: If there is no such name, or the archive is damaged, has files outside its
            folder, or other content.
    """
    path, needed = ARCHIVES[check_choice('name', name, ARCHIVES)]
    root = Path(out).expanduser()
    folder = root / name
    if folder.exists():
        return Downloaded(folder, None)
    root.mkdir(parents=True, exist_ok=True)
    # One process of a machine downloads; the others wait here.
    with FileLock(root / f'.{name}.lock'):
        # Left by a killed process; under the lock no other process writes there.
        for leftover in root.glob(f'.download-{name}-*'):
            shutil.rmtree(leftover)
        if folder.exists():
            return Downloaded(folder, None)
        with tempfile.TemporaryDirectory(prefix=f'.download-{name}-', dir=root) as temporary:
            archive, content = Path(temporary, path.rpartition('/')[2]), Path(temporary, 'content')
            _fetch(path, archive, folder, on_progress)
            try:
                _unpack(archive, content)
            except _DAMAGED as error:
                raise ValueError(
                    f'The archive of {name} must be complete, with all files in its folder, got '
                    f'{type(error).__name__}: {error}. Download it again.'
                ) from error
            if absent := [part for part in needed if not (content / name / part).is_dir()]:
                raise ValueError(
                    f'The archive of {name} must have folders {", ".join(needed)} in {name}, got '
                    f'none named {", ".join(absent)}. Download it by hand and look into it.'
                )
            sha256 = file_hash(archive)
            os.rename(content / name, folder)
    return Downloaded(folder, sha256)


def _fetch(
    path: str, archive: Path, folder: Path, on_progress: Callable[[int, int], object]
) -> None:
    """Download from the first server that has the complete file."""
    reasons = []
    for server in SERVERS:
        try:
            with (
                urllib.request.urlopen(f'{server}/{path}', timeout=_TIMEOUT) as answer,
                archive.open('wb') as file,
            ):
                total, so_far = int(answer.headers.get('Content-Length') or 0), 0
                while chunk := answer.read(1 << 20):
                    file.write(chunk)
                    so_far += len(chunk)
                    on_progress(so_far, total)
            if total and so_far != total:
                raise OSError(f'{so_far:,} of {total:,} bytes')
            return
        except (HTTPException, OSError, ValueError) as error:
            reasons.append(f'{server}: {type(error).__name__}: {error}')
    raise FileNotFoundError(
        f"'{folder}' is not there and {path} could not be downloaded ({'; '.join(reasons)}). "
        'Download it another way, and unpack it there.'
    )


def _unpack(archive: Path, content: Path) -> None:
    """Unpack, but nothing that would lie outside of ``content``."""
    if archive.suffix == '.zip':
        with zipfile.ZipFile(archive) as packed:
            for name in packed.namelist():
                parts = PurePosixPath(name.replace('\\', '/')).parts
                if '..' in parts or parts[:1] == ('/',):
                    raise zipfile.BadZipFile(f'{name!r} would lie outside of its folder')
            packed.extractall(content)
    else:
        with tarfile.open(archive, 'r:gz') as packed_tar:
            # Refuses paths and links that lead outside, and devices.
            packed_tar.extractall(content, filter='data')
