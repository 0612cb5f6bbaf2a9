"""Datasets that torchvision downloads: by one process, and each file is complete or not there."""

import os
import pkgutil
import shutil
import tempfile
from collections.abc import Callable, Sequence
from http.client import HTTPException
from pathlib import Path
from typing import Any

from filelock import FileLock

from mmgan_lite.datasets.checksums import SUMS, file_hash, read_checksums
from mmgan_lite.datasets.in_memory import InMemoryImageDataset


class DownloadedDataset(InMemoryImageDataset):
    """Base of datasets whose files torchvision downloads; subclasses override ``load_images``."""

    # The class in torchvision.datasets.
    torchvision_name: str

    def __init__(
        self, data_root: str = 'data', split: str = 'train', download: bool = True, **kwargs: Any
    ) -> None:
        if split not in ('train', 'test'):
            raise ValueError(f"split must be 'train' or 'test', got {split!r}. Pass 'train'.")
        self.split, self.download = split, download
        super().__init__(None, None, data_root=data_root, **kwargs)
        # For reports of an evaluation. As metainfo, MMEngine would take the words for file names.
        name = type(self).__name__.removesuffix('Dataset')
        self._metainfo = {'dataset': name, 'split': split, **self.metainfo}

    def obtain_files(
        self, folder: str, needed: Sequence[str], provided: Sequence[str], note_sums: bool = False
    ) -> Path:
        """Download the files of the dataset, if they are missing and ``download`` is true.

        Existing files are not changed: their folder may be read-only or shared.

        Args:
            folder: The folder below ``data_root``, where the class of torchvision writes.
            needed: The required files.
            provided: All files of a download that are kept.
            note_sums: Write the sha256 of downloaded files, for ``verify_checksums``. For some
                datasets torchvision has checksums of the archives only.

        Returns:
            The path of the folder.

        Raises:
            FileNotFoundError: If a file is missing and may not or could not be downloaded.
        """
        name, root = self.torchvision_name, Path(self.data_root).expanduser()
        target = root / folder
        if _are_there(target, needed):
            return target
        absent = f"{name} is not in '{target}'"
        fix = f'Put {", ".join(needed)} there, or use DigitsDataset'
        if not self.download:
            raise FileNotFoundError(f'{absent}, and download=False. {fix}, or pass download=True.')
        try:
            root.mkdir(parents=True, exist_ok=True)
            # One process of a machine downloads; the others wait here.
            with FileLock(root / f'.{name}.lock'):
                # Left by a killed process; under the lock no other process writes there.
                for leftover in root.glob(f'.download-{name}-*'):
                    shutil.rmtree(leftover)
                if not _are_there(target, needed):
                    _download(torchvision_class(name), root, folder, provided, note_sums)
        except (HTTPException, OSError, RuntimeError) as error:
            # torchvision joins the errors of its mirrors to a message of many lines.
            reason = f'{type(error).__name__}: {" ".join(str(error).split())}'
            raise FileNotFoundError(
                f'{absent} and could not be downloaded ({reason}). {fix}.'
            ) from error
        return target


def torchvision_class(name: str) -> Any:
    """A class of ``torchvision.datasets``, which is slow to import."""
    return pkgutil.resolve_name(f'torchvision.datasets:{name}')


def _are_there(folder: Path, names: Sequence[str]) -> bool:
    return all((folder / name).is_file() for name in names)


def _download(
    source: Callable[..., Any], root: Path, folder: str, names: Sequence[str], note_sums: bool
) -> None:
    """Download with torchvision; a file gets its name when it is complete."""
    with tempfile.TemporaryDirectory(prefix=f'.download-{source.__name__}-', dir=root) as temporary:
        source(root=temporary, download=True)
        fetched, target = Path(temporary, folder), root / folder
        target.mkdir(parents=True, exist_ok=True)
        absent = [name for name in names if not (target / name).exists()]
        if note_sums:  # before the files: one without a checksum is never checked
            sums = read_checksums(target) or {}
            sums |= {name: file_hash(fetched / name) for name in absent}
            lines = ''.join(f'{sum_}  {name}\n' for name, sum_ in sorted(sums.items()))
            (fetched / SUMS).write_text(lines)
            os.replace(fetched / SUMS, target / SUMS)
        for name in absent:
            os.replace(fetched / name, target / name)
