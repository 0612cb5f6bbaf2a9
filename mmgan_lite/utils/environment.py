"""Environment of a run: versions, machine, commit of the code."""

import os
import platform
import re
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mmengine
import numpy as np
import torch

from mmgan_lite.version import __version__

_SECONDS = 10  # that git may take


def versions() -> dict[str, str | None]:
    """Versions of the packages that results and speed depend on.

    Returns:
        ``mmgan_lite``, ``mmengine``, ``torch``, ``torchvision``, ``numpy``, ``python``, and
        ``cuda`` (that torch was built with; None without).

    Example:
        >>> versions()['torch'] == torch.__version__
        True
    """
    return dict(
        mmgan_lite=__version__,
        mmengine=mmengine.__version__,
        torch=str(torch.__version__),
        torchvision=version('torchvision'),  # without its import, which takes a second
        numpy=np.__version__,
        python=platform.python_version(),
        cuda=torch.version.cuda,
    )


def machine() -> dict[str, Any]:
    """Hardware that speed depends on.

    Returns:
        ``cpu`` (model), ``cores`` (available to this process), ``threads`` (of torch),
        ``memory_gib`` (None if unknown), ``gpu`` (model of the current one, None without) and
        ``gpus`` (number).

    Example:
        >>> machine()['threads'] == torch.get_num_threads()
        True
    """
    return dict(
        cpu=_cpu_name(),
        cores=available_cores(),
        threads=torch.get_num_threads(),
        memory_gib=_memory_gib() if os.name == 'posix' else None,
        gpu=torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        gpus=torch.cuda.device_count(),
    )


def available_cores() -> int:
    """Number of cores that this process may run on."""
    is_linux = platform.system() == 'Linux'
    return len(os.sched_getaffinity(0)) if is_linux else os.cpu_count() or 1


def git_state(folder: str | Path, of_file: str | None = None) -> dict[str, Any] | None:
    """The git commit of a folder.

    Args:
        folder: Any folder of a working tree.
        of_file: A file in that folder that must be under version control, so that a package which
            is only installed below a working tree does not count.

    Returns:
        ``commit`` (40 hex digits) and ``dirty`` (whether a tracked file differs from it); None
        without git, outside a working tree, or before its first commit.

    Example:
        >>> git_state('/') is None
        True
    """
    if of_file is not None and _git(folder, 'ls-files', '--error-unmatch', of_file) is None:
        return None
    commit = _git(folder, 'rev-parse', '--verify', 'HEAD')
    # Without untracked files, as the output of the run is among them.
    changes = _git(folder, 'status', '--porcelain', '--untracked-files=no')
    if commit is None or changes is None:
        return None
    return dict(commit=commit, dirty=bool(changes))


def _git(folder: str | Path, *arguments: str) -> str | None:
    """Output of git; None if it fails, is not installed, or times out."""
    command = ['git', '-C', str(folder), *arguments]
    env = {**os.environ, 'GIT_OPTIONAL_LOCKS': '0'}  # read-only
    try:
        done = subprocess.run(command, check=True, capture_output=True, timeout=_SECONDS, env=env)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode(errors='replace').strip()


def _memory_gib() -> float:
    return round(os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30, 1)


def _cpu_name() -> str:
    """The model of the CPU, which ``platform`` does not give on Linux."""
    info = Path('/proc/cpuinfo')
    found = re.search(r'model name\s*: (.*)', info.read_text()) if info.is_file() else None
    return found[1] if found else platform.processor() or platform.machine()
