"""Ways to run a network for a while without leaving a trace in it, and to freeze parts of it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmgan_lite.models.layers import TrackedStyleMapping
from mmgan_lite.utils.validation import did_you_mean


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Eval mode inside; afterwards each module has the mode it had, frozen parts too."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


@contextmanager
def frozen_statistics(network: nn.Module) -> Iterator[None]:
    """Batch norm normalizes by its batch, as in training, but its running statistics stay.

    As does the mean style of a mapping network.

    Each player is passed through in the other's step too. Counting those passes would average
    into its statistics what it did not learn from.
    """
    norms = [
        module
        for module in network.modules()
        if isinstance(module, (_BatchNorm, TrackedStyleMapping))
        and module.training
        and module.track_running_stats
    ]
    for norm in norms:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Neither gradients nor batch statistics reach ``network``; gradients pass through it."""
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        with frozen_statistics(network):
            yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)


@contextmanager
def unchanged_buffers(module: nn.Module) -> Iterator[None]:
    """Put back, in place, whatever passes in training mode write down inside.

    Batch norm's statistics, the vectors of spectral normalization, and those of any other layer.
    """
    before = [(buffer, buffer.clone()) for buffer in module.buffers()]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, value in before:
                buffer.copy_(value)


def freeze(model: nn.Module, names: Sequence[str]) -> None:
    """Leave some weights out of the training; batch norm goes on with its statistics.

    Mo et al. 2020, Freeze the Discriminator, arXiv:2002.10964.

    Args:
        model: Of networks as its children, each of which must keep weights that are trained.
        names: Of modules and weights.

    Raises:
        ValueError: If a name is that of no weight, or nothing of a network is left to train.
    """
    weights = dict(model.named_parameters())
    for name in [names] if isinstance(names, str) else names:
        chosen = [key for key in weights if f'{key}.'.startswith(f'{name}.')]
        if not chosen:
            known = [key for key, _ in model.named_modules() if key]
            raise ValueError(
                f'frozen must name modules or weights of the model, got {name!r}. '
                f'{did_you_mean(name, (*known, *weights), "Print the model for their names.")}'
            )
        for key in chosen:
            weights[key].requires_grad_(False)
        network = name.partition('.')[0]
        if not any(p.requires_grad for p in model.get_submodule(network).parameters()):
            raise ValueError(
                f'frozen must leave weights of {network!r} to train, got {names}. Name fewer.'
            )
