"""Devices, and weights that fit their model or are refused."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from mmgan_lite.models import GAN, AdversarialModel, TranslationModel

Device = str | torch.device | None

# Kind of a model, what it does, and who uses it.
_KINDS: tuple[tuple[type[AdversarialModel], str, str], ...] = (
    (GAN, 'draws images from latents', 'mmgan-lite sample, or GANInferencer'),
    (TranslationModel, 'translates images', 'mmgan-lite translate, or TranslationInferencer'),
)


class LoadedModel(NamedTuple):
    """A model with its weights, and where they are from.

    Attributes:
        model: Not moved to a device, nor put into eval mode.
        cfg: The config that it was built from; None for a model that was given.
        info: ``iteration`` and ``name`` of the training, and ``origin`` of weights of another
            project; or the header of a published file.
        classes: Names of the classes in the order of the labels, None if unknown.
    """

    model: Any
    cfg: Any
    info: dict[str, Any]
    classes: tuple[str, ...] | None


def check_kind(model: nn.Module, kind: type[AdversarialModel] | None) -> None:
    """Check that a model is one that draws, or one that translates.

    Raises:
        ValueError: If it is not of the kind; who uses a model of its own kind is named.
    """
    if kind is None or isinstance(model, kind):
        return
    (wanted,) = (does for known, does, _ in _KINDS if issubclass(kind, known))
    text = f'model must be one that {wanted}, got a {type(model).__name__}'
    for known, does, users in _KINDS:
        if isinstance(model, known):
            raise ValueError(f'{text}, which {does}. Use {users}.')
    raise ValueError(f'{text}. Pass weights of a {kind.__name__}.')


# Of a buffer whose shape is that of the data, such as the images of an ImagePool.
_UNKNOWN = (0,)


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
        and not (name in found and expected.get(name) == _UNKNOWN)
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
