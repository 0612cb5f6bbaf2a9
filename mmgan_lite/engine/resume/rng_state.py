"""The state of a process besides weights and optimizers: random numbers, partial gradients.

All of it is in plain types, so that a checkpoint with it stays readable without running code.
"""

import contextlib
import random
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from mmengine.optim import OptimWrapper
from torch import Tensor

from mmgan_lite.engine.mmengine_compat import named_wrappers

_NUMPY_KEYS = ('name', 'keys', 'position', 'has_gauss', 'gauss')


def get_random_state(device: torch.device | str = 'cpu') -> dict[str, Any]:
    """State of all global random streams of this process.

    Args:
        device: Where the model is; the stream of a GPU is that of its kind's current device.

    Returns:
        ``python``, ``numpy``, ``torch`` and, where ``device`` has one, ``device``: numbers,
        strings, tuples, and tensors on the CPU.

    Example:
        >>> state = get_random_state()
        >>> numbers = random.random(), np.random.rand(), torch.rand(())
        >>> set_random_state(state)
        >>> numbers == (random.random(), np.random.rand(), torch.rand(()))
        True
    """
    numpy_state: dict[str, Any] = dict(zip(_NUMPY_KEYS, np.random.get_state(), strict=True))
    numpy_state['keys'] = torch.from_numpy(np.asarray(numpy_state['keys'], dtype=np.int64))
    state = dict(python=random.getstate(), numpy=numpy_state, torch=torch.get_rng_state())
    module = _device_module(device)
    if module is not None:
        state['device'] = module.get_rng_state().cpu()
    return state


def set_random_state(state: Mapping[str, Any], device: torch.device | str = 'cpu') -> None:
    """Restore all global random streams to what :func:`get_random_state` returned.

    Args:
        state: What that function returned; its tensors may have been moved to another device.
        device: Where the model is now. A state from another kind of device leaves its stream as
            it is.
    """
    version, keys, gauss = state['python']
    random.setstate((version, tuple(keys), gauss))
    numpy_state = dict(state['numpy'])
    numpy_state['keys'] = numpy_state['keys'].cpu().numpy().astype(np.uint32)
    np.random.set_state(tuple(numpy_state[key] for key in _NUMPY_KEYS))
    torch.set_rng_state(state['torch'].cpu())
    module = _device_module(device)
    if module is not None and 'device' in state:
        module.set_rng_state(state['device'].cpu())


@contextlib.contextmanager
def isolated_random_state(seed: int, device: torch.device | str = 'cpu') -> Iterator[None]:
    """Seed all global random streams, and restore them at the end.

    Args:
        seed: Of Python's, numpy's and torch's streams inside.
        device: Where random numbers may be drawn besides the CPU.

    Example:
        >>> state = torch.get_rng_state()
        >>> with isolated_random_state(0):
        ...     drawn = torch.randn(3)
        >>> torch.equal(state, torch.get_rng_state())
        True
    """
    state = get_random_state(device)
    try:
        random.seed(seed)
        np.random.seed(seed)
        # Not torch.manual_seed: it would reseed GPUs whose state is not restored.
        torch.default_generator.manual_seed(seed)
        module = _device_module(device)
        if module is not None:
            module.manual_seed(seed)
        yield
    finally:
        set_random_state(state, device)


def get_partial_gradients(optim_wrapper: OptimWrapper) -> dict[str, list[Tensor | None]]:
    """Gradients of the networks that have begun to accumulate them.

    Args:
        optim_wrapper: One wrapper, or a dict of them.

    Returns:
        For each wrapper that has made some of its ``accumulative_counts`` backward passes, the
        gradients of its parameters, copied to the CPU; None for a parameter without.
    """
    return {
        name: [
            None if p.grad is None else p.grad.detach().clone().cpu() for p in _parameters(wrapper)
        ]
        for name, wrapper in named_wrappers(optim_wrapper).items()
        if not wrapper.should_update()
    }


def set_partial_gradients(
    optim_wrapper: OptimWrapper, gradients: Mapping[str, list[Tensor | None]]
) -> None:
    """Restore the gradients that :func:`get_partial_gradients` returned."""
    for name, wrapper in named_wrappers(optim_wrapper).items():
        if name not in gradients:
            continue
        for parameter, gradient in zip(_parameters(wrapper), gradients[name], strict=True):
            parameter.grad = None if gradient is None else gradient.to(parameter.device)


def _device_module(device: torch.device | str) -> Any:
    """The module of torch for a device that has random numbers of its own, such as a GPU."""
    kind = torch.device(device).type
    # Tensors on the meta device have no numbers.
    return None if kind in ('cpu', 'meta') else torch.get_device_module(device)


def _parameters(wrapper: OptimWrapper) -> list[torch.nn.Parameter]:
    return [parameter for group in wrapper.optimizer.param_groups for parameter in group['params']]
