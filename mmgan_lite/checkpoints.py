"""Files of weights and trainings: read without running code from them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """What training wrote, on the CPU, read without running code from it.

    Args:
        path: A checkpoint.

    Returns:
        The whole checkpoint; ``state_dict`` are the weights.

    Raises:
        ValueError: If the file is missing, damaged, holds code, or is no checkpoint.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f'checkpoint must be a file, but {str(path)!r} is none. Check the path.')
    try:
        checkpoint = torch.load(path, map_location='cpu', weights_only=True)
    except Exception as error:  # a damaged file makes torch.load raise nearly anything
        raise ValueError(
            f'checkpoint {str(path)!r} is damaged, or holds objects that could run code '
            f'({type(error).__name__}: {str(error).partition(chr(10))[0]}). '
            'Train with SafeCheckpointHook, which writes plain tensors and numbers.'
        ) from error
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
