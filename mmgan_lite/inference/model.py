"""Build a model from a config and load its trained weights."""

from collections.abc import Mapping
from pathlib import Path

import torch
from mmengine.config import Config
from torch import nn

from mmgan_lite.catalog import config_path
from mmgan_lite.checkpoints import read_checkpoint
from mmgan_lite.models import GAN
from mmgan_lite.registry import MODELS, build_part
from mmgan_lite.utils.migration import either_name


def get_model(
    config: str | Mapping,
    weights: str | Path | None = None,
    device: str = 'cpu',
    allow_mmengine_types: bool = False,
    old_checkpoint: bool = False,
) -> GAN:
    """Build the model of a config, and load its weights if given; no dataset is needed.

    Args:
        config: The complete config, with ``model``; or the path of a config file, or the name of a
            config of the package.
        weights: A checkpoint of a training, read without running code in it; None for the initial
            weights.
        device: Device of the model, such as 'cpu' or 'cuda'.
        allow_mmengine_types: Whether MMEngine may have written ``weights`` without
            ``SafeCheckpointHook``; its log history is then read too, and still no code runs.
        old_checkpoint: Former name of ``allow_mmengine_types``.

    Returns:
        The model, in eval mode.

    Raises:
        ValueError: If there is no such config or device, or the checkpoint is missing, damaged,
            holds code, or is of another model.

    Example:
        >>> get_model('gan_mlp_digits-28x28').sample(2).shape
        torch.Size([2, 1, 28, 28])
    """
    allow = either_name('allow_mmengine_types', allow_mmengine_types, old_checkpoint)
    target = find_device(device)
    if isinstance(config, str):
        config = read_config(config)
    model = build_part(MODELS, config['model'], 'model')
    if weights is not None:
        state = read_checkpoint(weights, allow)['state_dict']
        load_weights(model, state, weights)
    return model.to(target).eval()


def read_config(name: str) -> Mapping:
    """Read the config of a file, or of a name in the package; its code runs.

    Raises:
        ValueError: If there is no such config.
    """
    return Config.fromfile(name if Path(name).is_file() else config_path(name))


def load_weights(model: nn.Module, state: Mapping, source: str | Path) -> None:
    """Load all weights of a model, or none of them.

    Args:
        model: The model.
        state: Tensors by their names in the model.
        source: Their file, for the error.

    Raises:
        ValueError: If names or shapes are not those of the model; the first that differ are named.
    """
    _check_same_model(state, model.state_dict(), source)
    model.load_state_dict(state)


def find_device(device: str | torch.device | None = None) -> torch.device:
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
        found = torch.empty(0, device=device).device
    except (AssertionError, NotImplementedError, RuntimeError, TypeError) as error:
        # Each kind of device has another error if it is missing.
        reason = str(error).partition('\n')[0]
        raise ValueError(
            f"device must be one of this machine, got {device!r} ({reason}). Pass device='cpu'."
        ) from error
    if found.type == 'meta':
        raise ValueError(
            "device must hold values, but 'meta' has none. Pass device='cpu' or 'cuda'."
        )
    return found


def _check_same_model(found: Mapping, expected: Mapping, checkpoint: str | Path) -> None:
    """Raise unless both have the same keys and shapes; the first that differ are named."""
    differing = [
        f'{name} ({_shape(found, name)} in the file, {_shape(expected, name)} in the model)'
        for name in {**expected, **found}
        if _shape(found, name) != _shape(expected, name)
    ]
    if differing:
        raise ValueError(
            f'checkpoint must be of the model in the config, but {str(checkpoint)!r} differs in '
            f'{len(differing)} keys, such as {", ".join(differing[:3])}. '
            'Pass the config that it was trained with.'
        )


def _shape(state: Mapping, name: str) -> str:
    return str(tuple(state[name].shape)) if name in state else 'absent'
