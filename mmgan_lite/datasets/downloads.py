"""Files that torchvision downloads: one process fetches them, and none is ever half there."""

import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from http.client import HTTPException
from pathlib import Path
from typing import Any

from filelock import FileLock

from mmgan_lite.datasets.checksums import SUMS, file_hash, read_checksums


def check_split(split: str, num_train: int) -> str:
    """Return ``split`` if it is one that torchvision's datasets have.

    Raises:
        ValueError: If it is neither ``'train'`` nor ``'test'``.
    """
    if split not in ('train', 'test'):
        raise ValueError(
            f"split must be 'train' or 'test', got {split!r}. "
            f"Pass split='train' for the {num_train:,} images to train on."
        )
    return split


def obtain_files(
    name: str,
    data_root: str | Path,
    folder: str,
    needed: Sequence[str],
    provided: Sequence[str],
    download: bool,
    note_sums: bool = False,
) -> Path:
    """See to it that files of a dataset of torchvision are there.

    Files that are there are only looked at: their folder may be read-only, or shared by many.

    Args:
        name: Of the class in ``torchvision.datasets``.
        data_root: The ``root`` of that class.
        folder: Where it puts its files, below ``data_root``.
        needed: The files that must be there.
        provided: All that a download brings along and is to be kept.
        download: Fetch what is absent; one process of a machine does, and the others wait.
        note_sums: Note the sha256 of what is fetched beside it, for ``verify_checksums``.
            torchvision compares what it fetches with sums of its own, but for some sets those of
            archives only.

    Returns:
        The path of the folder.

    Raises:
        FileNotFoundError: If a file is absent and may not or could not be downloaded.
    """
    root = Path(data_root).expanduser()
    target = root / folder
    if _are_there(target, needed):
        return target
    absent = f"{name} is not in '{target}'"
    listed = f'{", ".join(needed[:-1])} and {needed[-1]}'
    put_there = f'Put {listed} there, or use DigitsDataset.'
    if not download:
        raise FileNotFoundError(
            f'{absent}, and download=False. {put_there} With download=True it is fetched.'
        )
    from torchvision import datasets  # slow to import, and only needed for a download

    source = getattr(datasets, name)
    try:
        root.mkdir(parents=True, exist_ok=True)
        # One process of a machine downloads; the others wait here and then find the files.
        with FileLock(root / f'.{name}.lock'):
            # Left by a process that was killed; under the lock nobody else is writing there.
            for leftover in root.glob(f'.download-{name}-*'):
                shutil.rmtree(leftover)
            if not _are_there(target, needed):
                _download(source, root, folder, provided, note_sums)
    except (HTTPException, OSError, RuntimeError) as error:
        # torchvision collects the errors of its mirrors in a message of many lines.
        reason = f'{type(error).__name__}: {" ".join(str(error).split())}'
        raise FileNotFoundError(
            f'{absent} and could not be downloaded ({reason}). {put_there}'
        ) from error
    return target


def _are_there(folder: Path, names: Sequence[str]) -> bool:
    return all((folder / name).is_file() for name in names)


def _download(
    source: Callable[..., Any], root: Path, folder: str, names: Sequence[str], note_sums: bool
) -> None:
    """Fetch with torchvision; a file appears in its place only when it is complete."""
    with tempfile.TemporaryDirectory(prefix=f'.download-{source.__name__}-', dir=root) as temporary:
        source(root=temporary, download=True)
        fetched, target = Path(temporary, folder), root / folder
        target.mkdir(parents=True, exist_ok=True)
        absent = [name for name in names if not (target / name).exists()]
        if note_sums:  # before the files: one that is there without its sum is never checked
            sums = read_checksums(target) or {}
            sums |= {name: file_hash(fetched / name) for name in absent}
            lines = ''.join(f'{sum_}  {name}\n' for name, sum_ in sorted(sums.items()))
            (fetched / SUMS).write_text(lines)
            os.replace(fetched / SUMS, target / SUMS)
        for name in absent:
            os.replace(fetched / name, target / name)
