"""Devices, and weights that fit their model or are refused."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

Device = str | torch.device | None


def load_weights(model: nn.Module, state: Mapping, source: str | Path) -> None:
    """Load all weights of a model, or none of them.

    Args:
        model: The model.
        state: Tensors by their names in the model.
        source: Their file, for the error.

    Raises:
        ValueError: If names or shapes are not those of the model; the first that differ are named.
    """
    expected = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in state.items()}
    differing = [
        f'{name} ({found.get(name, "absent")} in the file, '
        f'{expected.get(name, "absent")} in the model)'
        for name in {**expected, **found}
        if found.get(name) != expected.get(name)
    ]
    if differing:
        text = f'checkpoint must be of the model in the config, but {str(source)!r} differs in'
        such = f'{len(differing)} keys, such as {", ".join(differing[:3])}'
        raise ValueError(f'{text} {such}. Pass the config that it was trained with.')
    model.load_state_dict(state)


def find_device(device: Device = None) -> torch.device:
    """The device of a name; without one a GPU if there is one, else the CPU.

    Raises:
        ValueError: If this machine has no such device, or images on it would have no values.

    Example:
        >>> find_device('cpu')
        device(type='cpu')
    """
    if device is None:
        return torch.device('cuda' if torch.cuda.is_available() else 'cpu')
    try:
        probe = torch.zeros(1, device=device)
        probe.item()  # 'meta' has no values
    except (AssertionError, NotImplementedError, RuntimeError, TypeError) as error:
        # Each kind of device has another error if it is missing.
        text = f'device must be one of this machine, got {device!r}'
        reason = str(error).partition('\n')[0]
        raise ValueError(f"{text} ({reason}). Pass device='cpu'.") from error
    return probe.device
