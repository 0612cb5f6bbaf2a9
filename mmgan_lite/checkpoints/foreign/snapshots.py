"""What pickles of NVIDIA's training code have in common: ``G_ema``, ``G``, ``D`` and more."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from mmgan_lite.checkpoints.foreign.ledger import Ledger
from mmgan_lite.checkpoints.foreign.pickles import PickledModule
from mmgan_lite.checkpoints.foreign.source import ForeignFile


class Network(NamedTuple):
    """One of our networks: its config, and its tensors by name."""

    config: dict[str, Any]
    state: dict[str, Tensor]


class Players(NamedTuple):
    """Generator and discriminator, their state in a GAN, and networks that the file lacks."""

    generator: dict[str, Any]
    discriminator: dict[str, Any]
    state: dict[str, Tensor]
    fresh: tuple[str, ...]


# From a module, its tensors and the file to ours; it adds notes to the last.
Converter = Callable[[PickledModule, Ledger, ForeignFile, list[str]], Network]

_FILTER = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8


def convert_players(
    file: ForeignFile,
    ledger: Ledger,
    generator: Converter,
    discriminator: Converter,
    turned_round: Callable[[Mapping[str, Any]], dict[str, Any]],
    notes: list[str],
) -> Players:
    """``G_ema``, ``G`` where it is there, and ``D`` where it is there.

    Args:
        file: The pickle.
        ledger: Its tensors.
        generator: What converts ``G_ema`` and ``G``.
        discriminator: What converts ``D``.
        turned_round: Config of a discriminator that fits a generator, where there is no ``D``.
        notes: What is not as in the original is added.

    Raises:
        ValueError: If a network is not supported, or ``G`` and ``G_ema`` differ.
    """
    average = generator(file.content['G_ema'], ledger.under('G_ema.'), file, notes)
    current = average
    if isinstance(module := file.content.get('G'), PickledModule):
        current = generator(module, ledger.under('G.'), file, notes)
    else:
        notes.append('The file has no G: the generator starts as its average.')
    if current.config != average.config:
        raise file.refuse('has a G and a G_ema of other sizes', 'It is damaged')
    state = {f'generator_ema.module.{name}': tensor for name, tensor in average.state.items()}
    state |= {f'generator.{name}': tensor for name, tensor in current.state.items()}
    if not isinstance(module := file.content.get('D'), PickledModule):
        return Players(average.config, turned_round(average.config), state, ('discriminator',))
    judge = discriminator(module, ledger.under('D.'), file, notes)
    state |= {f'discriminator.{name}': tensor for name, tensor in judge.state.items()}
    return Players(average.config, judge.config, state, ())


def drop_filters(ledger: Ledger, name: str) -> None:
    """Drop the filters of the resampling, if they are [1, 3, 3, 1] as ours; others stay."""
    for path in ledger.names():
        if path == name or path.endswith(f'.{name}'):
            found = ledger.peek(path)
            wanted = _FILTER.outer(_FILTER)
            if found.shape == wanted.shape and torch.allclose(found.float(), wanted, atol=1e-5):
                ledger.drop(path, 'resampling filters, which are rebuilt')


def transposed(ledger: Ledger, name: str) -> Tensor:
    """The weight of a linear layer on one-hot labels, as that of an embedding."""
    return ledger.derive(name, 'transposed').T
