"""Build a model from a config and load what training wrote."""

from collections.abc import Mapping
from pathlib import Path

import torch
from mmengine.config import Config
from torch import Tensor

from mmgan_lite.catalog import config_path
from mmgan_lite.models import GAN
from mmgan_lite.registry import MODELS, build_part


def get_model(config: str | Mapping, weights: str | Path | None = None, device: str = 'cpu') -> GAN:
    """Build the model of a config, and load its weights if given; no dataset is needed.

    Args:
        config: The whole config, with ``model``; or the path of a config file, or the name of one
            that comes with the package.
        weights: A checkpoint that training wrote, read without running code from it; None leaves
            the model as it is initialised.
        device: Where the model goes, such as 'cpu' or 'cuda'.

    Returns:
        The model, in eval mode.

    Raises:
        ValueError: If there is no such config, or the checkpoint is missing, damaged, holds code,
            or is of another model.

    Example:
        >>> get_model('gan_mlp_digits-28x28').sample(2).shape
        torch.Size([2, 1, 28, 28])
    """
    if isinstance(config, str):
        config = _read_config(config)
    model = build_part(MODELS, config['model'], 'model')
    if weights is not None:
        state = _read_checkpoint(Path(weights))
        _check_same_model(state, model.state_dict(), weights)
        model.load_state_dict(state)
    return model.to(device).eval()


def _read_config(name: str) -> Mapping:
    return Config.fromfile(name if Path(name).is_file() else config_path(name))


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


def _read_checkpoint(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise ValueError(f'checkpoint must be a file, but {str(path)!r} is none. Check the path.')
    try:
        state = torch.load(path, map_location='cpu', weights_only=True)
    except Exception as error:  # a damaged file makes torch.load raise nearly anything
        raise ValueError(
            f'checkpoint {str(path)!r} is damaged, or holds objects that could run code '
            f'({type(error).__name__}: {str(error).partition(chr(10))[0]}). '
            'Train with SafeCheckpointHook, which writes plain tensors and numbers.'
        ) from error
    if not isinstance(state, dict) or not isinstance(state.get('state_dict'), Mapping):
        raise ValueError(
            f"checkpoint {str(path)!r} has no 'state_dict'. Pass a file that training wrote."
        )
    return dict(state['state_dict'])
