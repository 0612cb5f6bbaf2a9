"""What several hooks need: their parts, numbers from the device, and errors of any process."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.dist import all_gather_object
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor

import mmgan_lite.engine.mmengine_compat as compat


def take_over(owner: Hook, parts: Sequence[Hook], runner: Runner) -> list[Hook]:
    """The parts of a hook, which it calls; those that the config names itself come first.

    Configs from before hooks were merged have entries for them. Their hooks leave the Runner's list
    and take the place of the part of the same class, with the arguments that they have.

    Args:
        owner: The hook that has the parts, in its ``before_run``.
        parts: Its own ones.
        runner: With all hooks of the config.
    """
    named = compat.take_hooks(runner, [type(part) for part in parts])
    for part in parts:
        if type(part) in named:
            name = type(part).__name__
            runner.logger.info(
                f'{name} is part of {type(owner).__name__}, which takes over its arguments. '
                f'The entry of {name} can be removed.'
            )
        else:
            part.before_run(runner)
    return [named.get(type(part), part) for part in parts]


def read_numbers(values: Iterable[Tensor | float]) -> list[float]:
    """Scalars as numbers; those on a device are read together, which waits for it once.

    Args:
        values: Numbers, and tensors of one element.
    """
    # On a CPU there is nothing to wait for.
    known = [v.item() if isinstance(v, Tensor) and v.device.type == 'cpu' else v for v in values]
    tensors = [v.detach().reshape(()) for v in known if isinstance(v, Tensor)]
    read = iter(torch.stack(tensors).tolist() if tensors else [])
    return [next(read) if isinstance(v, Tensor) else v for v in known]


def non_finite(tree: Any) -> list[str]:
    """Names of the tensors that hold NaN or infinity; waits for the device, once.

    Args:
        tree: Tensors in dicts, lists and tuples; anything else in it is ignored.

    Example:
        >>> non_finite(dict(weights=[torch.ones(2), torch.tensor(math.inf)], step=3))
        ['weights.1']
    """
    peaks = dict(_peaks(tree))
    numbers = read_numbers(peaks.values())
    return [name for name, peak in zip(peaks, numbers, strict=True) if not math.isfinite(peak)]


def _peaks(tree: Any, path: str = '') -> Iterator[tuple[str, Tensor]]:
    """The largest magnitude of each tensor, NaN if it holds one, by its name."""
    if isinstance(tree, Tensor):
        if tree.is_floating_point() and tree.numel() > 0:
            yield path, torch.linalg.vector_norm(tree.detach(), ord=math.inf)
        return
    if isinstance(tree, (list, tuple)):
        tree = dict(enumerate(tree))
    for key, value in tree.items() if isinstance(tree, Mapping) else ():
        yield from _peaks(value, f'{path}.{key}' if path else str(key))


@contextmanager
def raised_in_all_processes(kind: type[Exception] = ValueError) -> Iterator[None]:
    """An error of one process is raised in all: the others would wait for it for ever.

    Args:
        kind: Class of the error in the other processes.
    """
    error = None
    try:
        yield
    except Exception as caught:
        error = caught
    messages = all_gather_object(error and f'{type(error).__name__}: {error}')
    if error is not None:
        raise error
    for rank, message in enumerate(messages):
        if message is not None:
            raise kind(f'In process {rank}: {message}')
