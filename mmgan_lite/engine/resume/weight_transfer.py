"""Weights of a checkpoint for a model that is not quite the same."""

import re
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor

_SHOWN = 12


class Transfer(NamedTuple):
    """What a model of other shapes takes of a checkpoint.

    ``state`` has all weights of the model. Those in ``taken`` are the checkpoint's; those in
    ``partly`` have in common with the checkpoint's the leading part of each dimension, and are the
    model's elsewhere; those in ``new`` are the model's. ``unused`` are of the checkpoint alone.
    """

    state: dict[str, Tensor]
    taken: list[str]
    partly: list[str]
    new: list[str]
    unused: list[str]

    def table(self) -> str:
        """The names of all weights but those that are taken, with their shapes."""
        lines = [f'  {text}' for text in (*self.partly, *_by_module('new', self.new))]
        return '\n'.join([*lines, *(f'  {text}' for text in _by_module('not used', self.unused))])


def transfer(model: Mapping[str, Tensor], checkpoint: Mapping[str, Tensor]) -> Transfer:
    """Fit the weights of a checkpoint to a model with other classes, channels or layers.

    Args:
        model: The model's weights by name.
        checkpoint: Those of the checkpoint.

    Example:
        >>> import torch
        >>> model = {'embedding': torch.zeros(3, 2), 'bias': torch.zeros(2)}
        >>> result = transfer(model, {'embedding': torch.ones(2, 2)})
        >>> result.state['embedding'].sum(1), result.new
        (tensor([2., 2., 0.]), ['bias'])
    """
    result = Transfer({}, [], [], [], [key for key in checkpoint if key not in model])
    for name, weight in model.items():
        found = checkpoint.get(name)
        # A tensor without numbers is one that has no shape before it is used: a pool of images.
        if found is not None and (found.shape == weight.shape or weight.numel() == 0):
            result.state[name] = found
            result.taken.append(name)
        elif found is not None and found.ndim == weight.ndim > 0:
            sides = (slice(min(sides)) for sides in zip(weight.shape, found.shape, strict=True))
            common = tuple(sides)
            result.state[name] = weight.detach().clone()
            result.state[name][common] = found[common].to(weight)
            result.partly.append(f'partly: {name} {_shape(weight)} from {_shape(found)}')
        else:
            result.state[name] = weight
            result.new.append(name)
    return result


def _shape(weight: Tensor) -> str:
    return 'x'.join(map(str, weight.shape))


def _by_module(kind: str, names: list[str]) -> list[str]:
    """A line for each module, with the number of its weights."""
    counts = Counter(re.sub(r'\.[^.]+$', '', name) for name in names)
    lines = [f'{kind}: {module} ({number})' for module, number in counts.items()]
    return [*lines[:_SHOWN], *([f'{kind}: {len(lines) - _SHOWN} more'] if lines[_SHOWN:] else [])]
