"""Checkpoints: written atomically, found, and read without running code from them.

A checkpoint is a zip file as ``torch.save`` writes it. Its seal, the SHA-256 of all before it, is
in the comment at the end of the zip file, which ``torch.load`` ignores.
"""

import errno
import functools
import hashlib
import io
import logging
import os
import re
import struct
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer, print_log

from mmgan_lite.utils.atomic_io import atomic_write
from mmgan_lite.utils.migration import either_name

_FORCE, _FORCE_NOT = 'TORCH_FORCE_WEIGHTS_ONLY_LOAD', 'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'
# In a checkpoint of MMEngine one of these comes first.
_MMENGINE_NAMES = ('HistoryBuffer', 'numpy.', 'getattr')

# A zip file ends in this record, whose last two bytes are the length of the comment after it.
_END_SIZE = 22
_END_SIGNATURE = b'PK\x05\x06'
_SEAL = re.compile(rb'mmgan_lite sha256=([0-9a-f]{64}) (time=[0-9]{11}\.[0-9]{3})')
_SEAL_SIZE = len('mmgan_lite sha256=') + 64 + len(' time=00000000000.000')
_BLOCK = 2**20
_NO_ZIP = 'it is no zip file, as torch.save writes them'

# Of the same weights, but without optimizers, so that no training is resumed from them.
_NO_TRAINING = re.compile(r'best_.*|.*-[0-9a-f]{8}')


@contextmanager
def no_code(allow_mmengine_types: bool = False) -> Iterator[None]:
    """Inside, ``torch.load`` runs no code, whoever calls it, and with whatever arguments.

    Args:
        allow_mmengine_types: Whether to read also the types of a checkpoint that MMEngine wrote
            without ``SafeCheckpointHook``: its ``HistoryBuffer`` and numpy's numbers and arrays.
            Still no code is run.

    Example:
        >>> with no_code():
        ...     state = torch.load('weights.pth', weights_only=False)  # doctest: +SKIP
    """
    # The only thing that reaches calls of others, such as mmengine's of a URL and torch-fidelity's
    # of Inception: both pass weights_only=False.
    before = {name: os.environ.pop(name, None) for name in (_FORCE, _FORCE_NOT)}
    os.environ[_FORCE] = '1'
    try:
        with torch.serialization.safe_globals(_mmengine_types() if allow_mmengine_types else []):
            yield
    finally:
        del os.environ[_FORCE]
        os.environ.update({name: value for name, value in before.items() if value is not None})


@contextmanager
def reading(path: str | Path, allow_mmengine_types: bool = False) -> Iterator[None]:
    """:func:`no_code`, and a file that is damaged or holds code gets a clear error.

    Args:
        path: The file that is read inside.
        allow_mmengine_types: As for :func:`no_code`.

    Raises:
        ValueError: If it is damaged or holds code.
    """
    require_undamaged(path)
    try:
        with no_code(allow_mmengine_types):
            yield
    except Exception as error:  # a damaged file makes torch.load raise nearly anything
        if isinstance(error, (OSError, ImportError)) and not os.path.isfile(path):
            raise  # absent, or out of reach
        raise _refused(path, error) from error


class _PickledHistory(HistoryBuffer):
    """MMEngine's ``HistoryBuffer`` as it is in a pickle, without the functions in its state."""

    def __setstate__(self, state: dict) -> None:
        super().__setstate__({k: v for k, v in state.items() if k != 'statistics_methods'})


# The unpickler of torch compares names.
functools.update_wrapper(_PickledHistory, HistoryBuffer, updated=())


def _mmengine_types() -> list[Any]:
    """The types in a checkpoint of MMEngine, each under the name that it has there."""
    types = [np.ndarray, np.dtype, *{type(np.dtype(code)) for code in '?bBhHiIlLqQefd'}]
    # What an array and a number are made by; one version of numpy reads what the other wrote.
    made: dict[str, Any] = dict(_reconstruct=np.empty(0), scalar=np.float64())
    functions = [
        _stand_in(value.__reduce__()[0], f'numpy.{core}.multiarray', name)
        for core in ('core', '_core')
        for name, value in made.items()
    ]
    # Only the names of the functions that are left out above are made with it.
    functions.append(_stand_in(lambda owner, name: None, 'builtins', 'getattr'))
    return [_PickledHistory, *types, *functions]


def _stand_in(function: Callable, module: str, name: str) -> Callable:
    def call(*arguments: Any) -> Any:
        return function(*arguments)

    call.__module__, call.__name__, call.__qualname__ = module, name, name
    return call


def require_undamaged(path: str | Path) -> None:
    """Raise if bytes of a checkpoint changed since it was written; torch itself does not look.

    Args:
        path: A checkpoint. A file of another kind, or none, passes: reading it gives the error.

    Raises:
        ValueError: If its checksum is wrong, or a part of it is missing.
    """
    problem = find_damage(path) if os.path.isfile(path) else None
    if problem not in (None, _NO_ZIP):
        remedy = 'Take another; training goes on from the newest undamaged one by --resume.'
        raise ValueError(f'checkpoint {str(path)!r} is damaged: {problem}. {remedy}')


def _refused(path: str | Path, error: Exception) -> ValueError:
    """The error for a file that ``torch.load`` did not read."""
    text = str(error)
    unknown = re.search(r'GLOBAL (\S+)', text)
    if unknown is None:
        # The rest of what torch says is how to read the file all the same.
        reason = text.rpartition('WeightsUnpickler error: ')[2].strip().partition('\n')[0]
        reason = f'{type(error).__name__}: {reason}'
        problem = f'is damaged, no file of torch, or holds what could run code ({reason})'
        remedy = 'Take another; mmgan-lite convert-checkpoint reads those of other projects.'
    else:
        problem = 'must hold tensors and plain values only, but it names '
        problem += f'{unknown[1]}, which could run code'
        remedy = 'Use only files whose origin you know.'
        if any(name in unknown[1] for name in _MMENGINE_NAMES):
            remedy = 'If MMEngine wrote it without SafeCheckpointHook, pass --allow-mmengine-types'
            remedy += ', or allow_mmengine_types=True; still no code of it runs.'
    return ValueError(f'checkpoint {str(path)!r} {problem}. Nothing of it was run. {remedy}')


def read_checkpoint(
    path: str | Path, allow_mmengine_types: bool = False, old_checkpoint: bool = False
) -> dict[str, Any]:
    """Read a checkpoint to the CPU, without running code from it.

    Args:
        path: A checkpoint.
        allow_mmengine_types: As for :func:`no_code`.
        old_checkpoint: Former name of ``allow_mmengine_types``.

    Returns:
        The complete checkpoint; ``state_dict`` are the weights.

    Raises:
        ValueError: If the file is missing, damaged, holds code, or is no checkpoint.
    """
    allow = either_name('allow_mmengine_types', allow_mmengine_types, old_checkpoint)
    checkpoint = load_safely(path, allow)
    if not isinstance(checkpoint, dict) or not isinstance(checkpoint.get('state_dict'), Mapping):
        text = "has no 'state_dict'. Pass a file that training wrote."
        raise ValueError(f'checkpoint {str(path)!r} {text}')
    return checkpoint


def load_safely(path: str | Path, allow_mmengine_types: bool = False) -> Any:
    """What ``torch.save`` wrote to a file, on the CPU; no code in it runs.

    Args:
        path: The file.
        allow_mmengine_types: As for :func:`no_code`.

    Raises:
        ValueError: If the file is missing, damaged, or holds code.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f'checkpoint must be a file, but {str(path)!r} is none. Check the path.')
    with reading(path, allow_mmengine_types):
        return torch.load(path, map_location='cpu', weights_only=True)


def newest_checkpoint(folder: str | Path) -> Path | None:
    """The newest undamaged checkpoint of a training; warns of damaged ones.

    First comes the one that ``last_checkpoint`` names, then the others by the time at which they
    were written. A training is not resumed from checkpoints without optimizers, such as
    ``best_*.pth``.

    Args:
        folder: The ``work_dir`` of the training.

    Returns:
        Its path; None if there is no undamaged checkpoint.
    """
    damaged: dict[Path, str] = {}
    newest = None
    for path in _candidates(Path(folder)):
        problem = find_damage(path)
        if problem is None:
            newest = path
            break
        damaged[path] = problem
    found = f'The newest undamaged one is {newest}' if newest else 'No other is undamaged'
    for path, problem in damaged.items():
        text = f'Checkpoint {path} is damaged: {problem}. {found}.'
        print_log(text, logger='current', level=logging.WARNING)
    return newest


def find_damage(path: str | Path) -> str | None:
    """What is wrong with the file of a checkpoint, by its checksum; reads all of it.

    A file without a seal is compared with the checksums that a zip file has of its parts.

    Args:
        path: A checkpoint.

    Returns:
        A description of the damage; None if the file is as it was written.
    """
    path = Path(path)
    try:
        seal, is_zip = _read_end(path)
        if seal is not None:
            return None if _digest(path, seal) == seal[1].decode() else 'its checksum is wrong'
        if not is_zip:
            with open(path, 'rb') as file:
                return 'its end is missing' if file.read(2) == b'PK' else _NO_ZIP
        with zipfile.ZipFile(path) as file:
            bad = file.testzip()
        return None if bad is None else f'the checksum of its part {bad!r} is wrong'
    except FileNotFoundError:
        return 'it is not there'
    # The last ones where a damaged directory of the zip file names what cannot be.
    except (OSError, zipfile.BadZipFile, NotImplementedError, ValueError, EOFError) as error:
        return f'it cannot be read ({error})'


def write_checkpoint(checkpoint: Mapping[str, Any], path: str | Path) -> None:
    """Write a checkpoint with a seal, atomically.

    Args:
        checkpoint: Anything that ``torch.save`` can write.
        path: Where to; a file that is there is replaced.

    Raises:
        OSError: If it cannot be written: no space, no permission.
    """
    with io.BytesIO() as file:
        torch.save(checkpoint, file)
        write_sealed(file.getvalue(), path)


def write_sealed(data: bytes, path: str | Path) -> None:
    """Write the bytes that ``torch.save`` has made, with a seal; as :func:`write_checkpoint`."""
    body, end = memoryview(data)[:-_END_SIZE], bytes(data[-_END_SIZE:])
    assert _ends_a_zip(end), 'torch.save writes zip files'
    end = end[:-2] + struct.pack('<H', _SEAL_SIZE)
    written = f'time={time.time():015.3f}'
    digest = hashlib.sha256(body)
    digest.update(end + written.encode())
    seal = f'mmgan_lite sha256={digest.hexdigest()} {written}'
    with atomic_write(path) as temporary, open(temporary, 'wb') as file:
        file.write(body)
        file.write(end + seal.encode())


_REMEDIES = {
    'Make room, or keep fewer by max_keep_ckpts': (errno.ENOSPC, errno.EDQUOT, errno.EFBIG),
    'Make the folder writable again': (errno.EACCES, errno.EPERM, errno.EROFS),
    'Put the folder back': (errno.ENOENT, errno.ENOTDIR, errno.EEXIST),
}


def not_written(caught: OSError, path: str, work_dir: str) -> OSError:
    """An error of the file system that also names file, folder, newest checkpoint and remedy.

    Args:
        caught: The error; the new one has its number, and so its type.
        path: The checkpoint.
        work_dir: Of the training.
    """
    folder, name = os.path.split(path)
    newest = newest_checkpoint(work_dir)
    remedy = next((text for text, codes in _REMEDIES.items() if caught.errno in codes), 'Mend that')
    found = 'there is none before it' if newest is None else f'the newest undamaged one is {newest}'
    remedy += ', or set out_dir of GANCheckpointHook to another disk; then go on by --resume'
    text = f'checkpoint {name!r} could not be written to {folder!r}: {caught.strerror or caught}.'
    error = OSError(caught.errno, f'{text} Training stops; {found}. {remedy}')
    error.__cause__ = caught
    return error


def _candidates(folder: Path) -> list[Path]:
    """Candidates for the newest checkpoint: the one that is named, then the latest written."""
    named = []
    with suppress(OSError):
        text = (folder / 'last_checkpoint').read_text().strip()
        # The folder may have been moved, or the path is from another working directory.
        path = Path(text) if Path(text).is_file() else folder / Path(text).name
        named = [path] if text else []
    folders = [folder, *(path.parent for path in named)]
    found = {path for where in folders for path in where.glob('*.pth')}.difference(named)
    others = [path for path in found if not _NO_TRAINING.fullmatch(path.stem)]
    return named + sorted(others, key=_time_written, reverse=True)


def _time_written(path: Path) -> tuple[float, str]:
    """For sorting; from the seal, as copying a file may change its time."""
    written = 0.0
    with suppress(OSError):
        seal, _ = _read_end(path)
        written = float(seal[2].removeprefix(b'time=')) if seal else path.stat().st_mtime
    return written, path.name


def _read_end(path: Path) -> tuple[re.Match[bytes] | None, bool]:
    """The seal if there is one, and whether the file ends as one of ``torch.save`` does."""
    with open(path, 'rb') as file:
        file.seek(max(os.path.getsize(path) - _SEAL_SIZE, 0))
        tail = file.read()
    return _SEAL.fullmatch(tail), _ends_a_zip(tail[-_END_SIZE:])


def _ends_a_zip(end: bytes) -> bool:
    return end.startswith(_END_SIGNATURE) and end.endswith(b'\0\0')


def _digest(path: Path, seal: re.Match[bytes]) -> str:
    digest = hashlib.sha256()
    left = os.path.getsize(path) - _SEAL_SIZE
    with open(path, 'rb') as file:
        for start in range(0, left, _BLOCK):
            digest.update(file.read(min(_BLOCK, left - start)))
    digest.update(seal[2])
    return digest.hexdigest()
