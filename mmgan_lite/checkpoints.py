"""Files of weights and trainings: read without running code from them."""

import functools
import os
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner import CheckpointLoader

_FORCE, _FORCE_NOT = 'TORCH_FORCE_WEIGHTS_ONLY_LOAD', 'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'
# In an old checkpoint one of these comes first.
_OLD_NAMES = ('HistoryBuffer', 'numpy.', 'getattr')


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
    try:
        _check_sums(path)
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


def _check_sums(path: str | Path) -> None:
    """Raise if bytes of the file changed: torch writes checksums of all, and does not read them."""
    if os.path.isfile(path) and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as file:
            damaged = file.testzip()
        if damaged is not None:
            raise zipfile.BadZipFile(f'the checksum of {damaged!r} in it differs')


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
    """The newest whole checkpoint of a folder; None where there is none.

    Args:
        folder: Where training writes its checkpoints.
    """
    paths = sorted(Path(folder).glob('*.pth'), key=lambda path: path.stat().st_mtime_ns)
    for path in reversed(paths):
        try:
            read_checkpoint(path)
        except ValueError:
            continue
        return path
    return None
