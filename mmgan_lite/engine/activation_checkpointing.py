"""Activation checkpointing: features are computed again in the backward pass instead of being kept.

Chen et al. 2016, Training Deep Nets with Sublinear Memory Cost, arXiv:1604.06174.
"""

import functools
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from torch import nn
from torch.nn.utils.parametrize import is_parametrized
from torch.utils.checkpoint import checkpoint

from mmgan_lite.utils.interfaces import HasPlayers, unwrap_model
from mmgan_lite.utils.validation import did_you_mean


@runtime_checkable
class _TracksStatistics(Protocol):
    """Batch norm, or a mapping network with the mean style."""

    track_running_stats: bool


def checkpoint_activations(model: nn.Module, modules: str | Sequence[str]) -> None:
    """Let modules keep their inputs alone, and compute the rest again in the backward pass.

    Losses and gradients are the same, also those of a gradient, as in R1 and path length: random
    numbers are drawn again as they were.

    Args:
        model: Changed in place.
        modules: Names of modules in it, such as 'discriminator.blocks.128'. Each is called with
            positional arguments.

    Raises:
        ValueError: If there is no such module, a second pass through one would change it, or the
            model is recorded as a CUDA graph.
    """
    for module in find_checkpointed(model, modules):
        # MMEngine's own wrapper is the reentrant form, which has no gradient of a gradient.
        module.forward = functools.partial(checkpoint, module.forward, use_reentrant=False)


def find_checkpointed(model: nn.Module, modules: str | Sequence[str]) -> list[Any]:
    """The modules of these names, checked as in :func:`checkpoint_activations`."""
    if isinstance(model, HasPlayers) and model.cuda_graph:
        raise ValueError(
            'activation_checkpointing needs cuda_graph=False, because it reads the state of the '
            'random numbers, got cuda_graph=True. Leave one of them out.'
        )
    names = [modules] if isinstance(modules, str) else modules
    return [_find(model, name) for name in names]


def _find(model: nn.Module, name: str) -> Any:
    found: Any = model
    for part in name.split('.'):
        found = unwrap_model(found)._modules.get(part)
        if found is None:
            known = [key for key, _ in model.named_modules() if key]
            remedy = did_you_mean(name, known, 'Print the model for their names.')
            raise ValueError(
                f'activation_checkpointing must name modules of the model, got {name!r}. {remedy}'
            )
    for key, module in found.named_modules(prefix=name):
        counts = isinstance(module, _TracksStatistics) and module.track_running_stats
        if counts or is_parametrized(module):
            raise ValueError(
                'activation_checkpointing needs modules that a second pass does not change, got '
                f'{name!r} with the {type(module).__name__} {key!r}: statistics and spectral norm '
                'count each pass. Name others, such as the blocks of StyleGAN2.'
            )
    return found
