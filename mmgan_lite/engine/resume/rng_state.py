"""What a process trains with besides weights and optimisers: random numbers, begun gradients.

All is in plain types, so that a checkpoint with it stays readable without running code.
"""

import random
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import Tensor

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
    """Put all global random streams where :func:`get_random_state` found them.

    Args:
        state: What that function gave; its tensors may have been moved to another device.
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


def get_partial_gradients(optim_wrapper: OptimWrapper) -> dict[str, list[Tensor | None]]:
    """Gradients of networks that are in the middle of accumulating them.

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
        for name, wrapper in _wrappers(optim_wrapper)
        if not wrapper.should_update()
    }


def set_partial_gradients(
    optim_wrapper: OptimWrapper, gradients: Mapping[str, list[Tensor | None]]
) -> None:
    """Put gradients back that :func:`get_partial_gradients` gave."""
    for name, wrapper in _wrappers(optim_wrapper):
        if name not in gradients:
            continue
        for parameter, gradient in zip(_parameters(wrapper), gradients[name], strict=True):
            parameter.grad = None if gradient is None else gradient.to(parameter.device)


def _device_module(device: torch.device | str) -> Any:
    """The part of torch that knows the kind of device, if it has random numbers of its own."""
    if torch.device(device).type == 'cpu':
        return None
    module = torch.get_device_module(device)
    return module if hasattr(module, 'get_rng_state') else None


def _wrappers(optim_wrapper: OptimWrapper) -> Iterator[tuple[str, OptimWrapper]]:
    if isinstance(optim_wrapper, OptimWrapperDict):
        yield from optim_wrapper.items()
    else:
        yield 'model', optim_wrapper


def _parameters(wrapper: OptimWrapper) -> list[torch.nn.Parameter]:
    return [parameter for group in wrapper.optimizer.param_groups for parameter in group['params']]
