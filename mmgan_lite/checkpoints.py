"""Files of weights and trainings: written whole, found, and read without running code from them.

A checkpoint is a zip file as ``torch.save`` writes it. Its seal, the SHA-256 of all before it,
stands in the comment that a zip file may end in, so that it cannot be lost or left behind, and
``torch.load`` passes over it.
"""

import contextlib
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
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer, print_log
from mmengine.runner import CheckpointLoader

from mmgan_lite.utils.atomic_io import atomic_write

_FORCE, _FORCE_NOT = 'TORCH_FORCE_WEIGHTS_ONLY_LOAD', 'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'
# In an old checkpoint one of these comes first.
_OLD_NAMES = ('HistoryBuffer', 'numpy.', 'getattr')

# A zip file ends in this record, whose last two bytes are the length of the comment after it.
_END_SIZE = 22
_END_SIGNATURE = b'PK\x05\x06'
_SEAL = re.compile(rb'mmgan_lite sha256=([0-9a-f]{64}) (time=[0-9]{11}\.[0-9]{3})')
_SEAL_SIZE = len('mmgan_lite sha256=') + 64 + len(' time=00000000000.000')
_BLOCK = 2**20
_NO_ZIP = 'it is no zip file, as torch.save writes them'

# Of the same weights, but nothing to go on from: they hold no optimisers.
_NO_TRAINING = re.compile(r'best_.*|.*-[0-9a-f]{8}')


@contextmanager
def no_code(old_checkpoint: bool = False) -> Iterator[None]:
    """Inside, ``torch.load`` runs no code, whoever calls it, and with whatever arguments.

    Args:
        old_checkpoint: Whether to take also what MMEngine writes without ``SafeCheckpointHook``:
            its ``HistoryBuffer`` and numpy's numbers and arrays. Nothing else, and still no code.

    Example:
        >>> with no_code():
        ...     state = torch.load('weights.pth', weights_only=False)  # doctest: +SKIP
    """
    # The only thing that reaches calls of others, such as mmengine's of a URL and torch-fidelity's
    # of Inception: both ask for weights_only=False.
    before = {name: os.environ.pop(name, None) for name in (_FORCE, _FORCE_NOT)}
    os.environ[_FORCE] = '1'
    try:
        with torch.serialization.safe_globals(_old_types() if old_checkpoint else []):
            yield
    finally:
        del os.environ[_FORCE]
        os.environ.update({name: value for name, value in before.items() if value is not None})


@contextmanager
def reading(path: str | Path, old_checkpoint: bool = False) -> Iterator[None]:
    """:func:`no_code`, and a file that is damaged or holds code is refused in our words.

    Args:
        path: What is read inside.
        old_checkpoint: As for :func:`no_code`.

    Raises:
        ValueError: If it is damaged or holds code.
    """
    require_undamaged(path)
    try:
        with no_code(old_checkpoint):
            yield
    except Exception as error:  # a damaged file makes torch.load raise nearly anything
        if isinstance(error, (OSError, ImportError)) and not os.path.isfile(path):
            raise  # absent, or out of reach
        raise _refused(path, error) from error


def use_safe_loader(old_checkpoint: bool = False) -> None:
    """Let MMEngine load checkpoints without running code from them, in this process from now on.

    That is what a Runner resumes from, ``load_from``, and ``init_cfg`` of the kind 'Pretrained'.
    ``SafeCheckpointHook`` calls it before a run, and so do the commands.

    Args:
        old_checkpoint: As for :func:`no_code`, in all loads until the next call.
    """
    for prefix, loader in dict(CheckpointLoader._schemes).items():
        original: Any = getattr(loader, 'loader_that_runs_code', loader)
        safe = _safe_loader(original, old_checkpoint)
        CheckpointLoader.register_scheme(prefix, safe, force=True)


def _safe_loader(loader: Callable, old_checkpoint: bool) -> Callable:
    @functools.wraps(loader)  # MMEngine logs its name
    def load(filename: str, map_location: Any = None) -> Any:
        with reading(os.path.expanduser(filename), old_checkpoint):
            return loader(filename, map_location)

    load.loader_that_runs_code = loader  # type: ignore[attr-defined]
    return load


class _OldHistory(HistoryBuffer):
    """MMEngine's ``HistoryBuffer`` as it lies in a pickle, without the functions in its state."""

    def __setstate__(self, state: dict) -> None:
        super().__setstate__({k: v for k, v in state.items() if k != 'statistics_methods'})


def _old_types() -> list[Any]:
    """What a checkpoint of MMEngine names, each under the name that it has there."""
    numpy_core = getattr(np, '_core', None) or np.core  # the latter before numpy 2
    types = [np.ndarray, np.dtype, *{type(np.dtype(code)) for code in '?bBhHiIlLqQefd'}]
    # One version of numpy reads what the other wrote.
    functions = [
        _stand_in(getattr(numpy_core.multiarray, name), f'numpy.{core}.multiarray', name)
        for core in ('core', '_core')
        for name in ('_reconstruct', 'scalar')
    ]
    # Only the names of the functions that are left out above are made with it.
    functions.append(_stand_in(lambda owner, name: None, 'builtins', 'getattr'))
    for key in ('__module__', '__name__', '__qualname__'):
        setattr(_OldHistory, key, getattr(HistoryBuffer, key))
    return [_OldHistory, *types, *functions]


def _stand_in(function: Callable, module: str, name: str) -> Callable:
    def call(*arguments: Any) -> Any:
        return function(*arguments)

    call.__module__, call.__name__, call.__qualname__ = module, name, name
    return call


def require_undamaged(path: str | Path) -> None:
    """Raise if bytes of a checkpoint changed since it was written; torch itself does not look.

    Args:
        path: A checkpoint. A file of another kind, or none, passes: who reads it tells better.

    Raises:
        ValueError: If its checksum is wrong, or a part of it is missing.
    """
    problem = find_damage(path) if os.path.isfile(path) else None
    if problem not in (None, _NO_ZIP):
        raise ValueError(
            f'checkpoint {str(path)!r} is damaged: {problem}. Take another; training goes on from '
            'the newest whole one by mmgan-lite train CONFIG --resume.'
        )


def _refused(path: str | Path, error: Exception) -> ValueError:
    """What to say of a file that ``torch.load`` did not take."""
    text = str(error)
    unknown = re.search(r'GLOBAL (\S+)', text)
    if unknown is None:
        # The rest of what torch says is how to read the file all the same.
        reason = text.rpartition('WeightsUnpickler error: ')[2].strip().partition('\n')[0]
        return ValueError(
            f'checkpoint {str(path)!r} is damaged, no file of torch, or holds what could run code '
            f'({type(error).__name__}: {reason}). Nothing of it was run. Take another.'
        )
    remedy = 'Nothing of it was run. Use only files whose origin you know.'
    if any(name in unknown[1] for name in _OLD_NAMES):
        remedy = (
            'Nothing of it was run. If MMEngine wrote it without SafeCheckpointHook, pass '
            '--old-checkpoint, or old_checkpoint=True: its log history is then read too, '
            'and still no code run.'
        )
    return ValueError(
        f'checkpoint {str(path)!r} must hold tensors and plain values only, but it names '
        f'{unknown[1]}, which could run code. {remedy}'
    )


def read_checkpoint(path: str | Path, old_checkpoint: bool = False) -> dict[str, Any]:
    """What training wrote, on the CPU, read without running code from it.

    Args:
        path: A checkpoint.
        old_checkpoint: Whether MMEngine wrote it without ``SafeCheckpointHook``; its log history
            is then read too, and still no code run.

    Returns:
        The whole checkpoint; ``state_dict`` are the weights.

    Raises:
        ValueError: If the file is missing, damaged, holds code, or is no checkpoint.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f'checkpoint must be a file, but {str(path)!r} is none. Check the path.')
    with reading(path, old_checkpoint):
        checkpoint = torch.load(path, map_location='cpu', weights_only=True)
    if not isinstance(checkpoint, dict) or not isinstance(checkpoint.get('state_dict'), Mapping):
        raise ValueError(
            f"checkpoint {str(path)!r} has no 'state_dict'. Pass a file that training wrote."
        )
    return checkpoint


def newest_checkpoint(folder: str | Path) -> Path | None:
    """The newest whole checkpoint of a training; damaged ones are passed over, with a warning.

    First comes the one that ``last_checkpoint`` names, then the others by the time at which they
    were written. Checkpoints without optimisers, such as ``best_*.pth``, are none to go on from.

    Args:
        folder: The ``work_dir`` of the training.

    Returns:
        Its path; None if there is no whole checkpoint.
    """
    damaged: list[str] = []
    for path in _candidates(Path(folder)):
        problem = find_damage(path)
        if problem is None:
            for other in damaged:
                print_log(
                    f'Checkpoint {other}. The newest whole one is {path}.',
                    logger='current',
                    level=logging.WARNING,
                )
            return path
        damaged.append(f'{path} is damaged: {problem}')
    for other in damaged:
        print_log(
            f'Checkpoint {other}. No other is whole.', logger='current', level=logging.WARNING
        )
    return None


def find_damage(path: str | Path) -> str | None:
    """What is wrong with the file of a checkpoint, by its checksum; reads all of it.

    A file without our seal is held against the checksums that a zip file has of its parts.

    Args:
        path: A checkpoint.

    Returns:
        What is wrong, in words; None if the file is as it was written.
    """
    path = Path(path)
    try:
        seal, is_zip = _read_end(path)
        if seal is not None:
            return None if _digest(path, seal) == seal[1].decode() else 'its checksum is wrong'
        if not is_zip:
            return 'its end is missing' if _starts_a_zip(path) else _NO_ZIP
        with zipfile.ZipFile(path) as file:
            bad = file.testzip()
        return None if bad is None else f'the checksum of its part {bad!r} is wrong'
    except FileNotFoundError:
        return 'it is not there'
    # The last ones where a damaged directory of the zip file names what cannot be.
    except (OSError, zipfile.BadZipFile, NotImplementedError, ValueError, EOFError) as error:
        return f'it cannot be read ({error})'


def write_checkpoint(checkpoint: Mapping[str, Any], path: str | Path) -> None:
    """Write a checkpoint with a seal; afterwards it is there as a whole, or as it was before.

    Args:
        checkpoint: What ``torch.save`` can write.
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


def _candidates(folder: Path) -> list[Path]:
    """What may be the newest checkpoint, first the one that is named, then the latest written."""
    named = []
    folders = [folder]
    with contextlib.suppress(OSError):
        text = (folder / 'last_checkpoint').read_text().strip()
        if text:
            # The folder may have been moved, or the path is from another working directory.
            path = Path(text) if Path(text).is_file() else folder / Path(text).name
            named = [path]
            folders.append(path.parent)
    others = {
        path
        for where in folders
        for path in where.glob('*.pth')
        if path not in named and not _NO_TRAINING.fullmatch(path.stem)
    }
    return named + sorted(others, key=_time_written, reverse=True)


def _time_written(path: Path) -> tuple[float, str]:
    """For sorting; from the seal, as copying a file may change its time."""
    with contextlib.suppress(OSError):
        seal, _ = _read_end(path)
        if seal is not None:
            return float(seal[2].removeprefix(b'time=')), path.name
        return path.stat().st_mtime, path.name
    return 0.0, path.name


def _read_end(path: Path) -> tuple[re.Match[bytes] | None, bool]:
    """The seal if there is one, and whether the file ends as one of ``torch.save`` does."""
    with open(path, 'rb') as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - _SEAL_SIZE, 0))
        tail = file.read()
    end = tail[-_END_SIZE:]
    return _SEAL.fullmatch(tail), _ends_a_zip(end)


def _starts_a_zip(path: Path) -> bool:
    with open(path, 'rb') as file:
        return file.read(2) == b'PK'


def _ends_a_zip(end: bytes) -> bool:
    return end.startswith(_END_SIGNATURE) and end.endswith(b'\0\0')


def _digest(path: Path, seal: re.Match[bytes]) -> str:
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        left = file.seek(0, os.SEEK_END) - _SEAL_SIZE
        file.seek(0)
        while left > 0 and (block := file.read(min(_BLOCK, left))):
            digest.update(block)
            left -= len(block)
    digest.update(seal[2])
    return digest.hexdigest()
