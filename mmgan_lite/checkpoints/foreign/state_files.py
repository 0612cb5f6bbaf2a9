"""Projects that write each network as a bare ``state_dict`` into a file of its own."""

import re
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from mmgan_lite.checkpoints.files import load_safely
from mmgan_lite.checkpoints.foreign.ledger import Ledger
from mmgan_lite.checkpoints.foreign.source import ForeignFile

# Of nn.DataParallel.
_WRAPPER = 'module.'


def tensors_of(file: ForeignFile) -> dict[str, Tensor]:
    """The ``state_dict`` that is the content, without a wrapper's prefix; {} if it is another."""
    return _unwrapped(file.content)


def with_siblings(file: ForeignFile, names: Mapping[str, str]) -> tuple[Ledger, dict[str, str]]:
    """The tensors of a file, and of the other networks of the same training beside it.

    Args:
        file: The file that was given; a network on its own.
        names: Names of the files of other networks, by what they are.

    Returns:
        A ledger in which names begin with that of their file, and these beginnings by what the
        files are: '' for the one that was given.
    """
    others = {
        kind: file.path.with_name(name)
        for kind, name in names.items()
        if name != file.path.name and file.path.with_name(name).is_file()
    }
    starts = {'': f'{file.path.name}: ' if others else ''}
    tensors = {starts[''] + name: tensor for name, tensor in tensors_of(file).items()}
    for kind, path in others.items():
        starts[kind] = f'{path.name}: '
        state = _unwrapped(load_safely(path))
        tensors |= {starts[kind] + name: tensor for name, tensor in state.items()}
    return Ledger(tensors, str(file.path)), starts


def take_batch_norm(ledger: Ledger, theirs: str, ours: str) -> dict[str, Tensor]:
    """Weight, bias and running statistics; ``num_batches_tracked``, which old files lack, is 0."""
    names = ('weight', 'bias', 'running_mean', 'running_var')
    state = {f'{ours}.{name}': ledger.take(f'{theirs}.{name}') for name in names}
    count = f'{theirs}.num_batches_tracked'
    state[f'{ours}.num_batches_tracked'] = (
        ledger.take(count) if count in ledger else torch.tensor(0)
    )
    return state


def drop_instance_statistics(ledger: Ledger) -> None:
    """Drop what old instance norms tracked without using it: they have no weight."""
    for name in ledger.names():
        match = re.fullmatch(r'(.*\.)(running_mean|running_var|num_batches_tracked)', name)
        if match is not None and f'{match[1]}weight' not in ledger:
            ledger.drop(name, 'statistics of instance norm, which has none')


def _unwrapped(content: object) -> dict[str, Tensor]:
    if not isinstance(content, Mapping) or not content:
        return {}
    if not all(isinstance(tensor, Tensor) for tensor in content.values()):
        return {}
    names: Iterable[str] = [str(name) for name in content]
    start = _WRAPPER if all(name.startswith(_WRAPPER) for name in names) else ''
    return {str(name).removeprefix(start): tensor for name, tensor in content.items()}
