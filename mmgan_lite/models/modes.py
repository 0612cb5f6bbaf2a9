"""Ways to run a network for a while without leaving a trace in it."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmgan_lite.models.layers import TrackedStyleMapping


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
