"""Checkpoints: our own files, and those of other projects.

:mod:`~mmgan_lite.checkpoints.files` writes ours and reads them;
:mod:`~mmgan_lite.checkpoints.foreign` converts those of others.
"""

import importlib
import warnings
from typing import Any

from mmgan_lite.checkpoints.files import (
    find_damage,
    load_safely,
    newest_checkpoint,
    no_code,
    not_written,
    read_checkpoint,
    reading,
    require_undamaged,
    write_checkpoint,
    write_sealed,
)

__all__ = [
    'find_damage',
    'load_safely',
    'newest_checkpoint',
    'no_code',
    'not_written',
    'read_checkpoint',
    'reading',
    'require_undamaged',
    'write_checkpoint',
    'write_sealed',
]


def __getattr__(name: str) -> Any:
    """Names that were here before."""
    if name != 'use_safe_loader':
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    place = 'mmgan_lite.engine.mmengine_compat'
    warnings.warn(f'use_safe_loader is in {place} now.', FutureWarning, stacklevel=2)
    return importlib.import_module(place).use_safe_loader
