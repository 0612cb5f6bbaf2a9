"""What a run depends on beside its config: versions, machine, state of the code."""

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmgan_lite.version import __version__

_GIT_SECONDS = 10


def versions() -> dict[str, str | None]:
    """Versions of what results and speed depend on.

    Returns:
        ``mmgan_lite``, ``mmengine``, ``torch``, ``torchvision``, ``numpy``, ``python``, and
        ``cuda``, the one that torch was built with; None for what is not there.

    Example:
        >>> versions()['torch'] == torch.__version__
        True
    """
    return dict(
        mmgan_lite=__version__,
        mmengine=_version_of('mmengine'),
        torch=str(torch.__version__),
        torchvision=_version_of('torchvision'),  # without its import, which takes a second
        numpy=np.__version__,
        python=platform.python_version(),
        cuda=torch.version.cuda,
    )


def machine() -> dict[str, Any]:
    """The machine as far as it decides speed.

    Returns:
        ``cpu`` (its model), ``cores`` (that this process may run on), ``threads`` (of torch),
        ``memory_gib`` (None where the system does not tell), ``gpu`` (the model of the current one,
        None without) and ``gpus`` (how many).

    Example:
        >>> machine()['threads'] == torch.get_num_threads()
        True
    """
    return dict(
        cpu=_cpu_name(),
        cores=available_cores(),
        threads=torch.get_num_threads(),
        memory_gib=_memory_gib(),
        gpu=torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        gpus=torch.cuda.device_count(),
    )


def available_cores() -> int:
    """Cores that this process may run on."""
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def git_state(folder: str | Path, of_file: str | None = None) -> dict[str, Any] | None:
    """The commit that a folder is at.

    Args:
        folder: Any folder of a working tree.
        of_file: A file in that folder, which must then be under version control: without this a
            package that is installed somewhere below a working tree would pass for a part of it.

    Returns:
        ``commit`` (40 hex digits) and ``dirty`` (whether a file under version control differs from
        it); None without git, outside a working tree, or before its first commit.

    Example:
        >>> git_state('/') is None
        True
    """
    if of_file is not None and _git(folder, 'ls-files', '--error-unmatch', of_file) is None:
        return None
    commit = _git(folder, 'rev-parse', '--verify', 'HEAD')
    # Not the files that git does not know: the run's own output would be among them.
    changes = _git(folder, 'status', '--porcelain', '--untracked-files=no')
    if commit is None or changes is None:
        return None
    return dict(commit=commit, dirty=bool(changes))


def _git(folder: str | Path, *arguments: str) -> str | None:
    """What git prints; None if it fails, is not there, or does not answer in time."""
    try:
        done = subprocess.run(
            ['git', '-C', str(folder), *arguments],
            capture_output=True,
            text=True,
            errors='replace',
            timeout=_GIT_SECONDS,
            env={**os.environ, 'GIT_OPTIONAL_LOCKS': '0'},  # to look is not to write
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _version_of(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30, 1)
    except (AttributeError, OSError, ValueError):
        return None


def _cpu_name() -> str:
    """The model of the CPU; ``platform`` does not know it on Linux."""
    info = Path('/proc/cpuinfo')
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith('model name'):
                return line.partition(':')[2].strip()
    return platform.processor() or platform.machine()
