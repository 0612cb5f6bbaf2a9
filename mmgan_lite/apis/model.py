"""Build a model from a config and load what training wrote."""

from collections.abc import Mapping
from pathlib import Path

from mmengine.config import Config

from mmgan_lite.catalog import config_path
from mmgan_lite.checkpoints import read_checkpoint
from mmgan_lite.models import GAN
from mmgan_lite.registry import MODELS, build_part


def get_model(
    config: str | Mapping,
    weights: str | Path | None = None,
    device: str = 'cpu',
    old_checkpoint: bool = False,
) -> GAN:
    """Build the model of a config, and load its weights if given; no dataset is needed.

    Args:
        config: The whole config, with ``model``; or the path of a config file, or the name of one
            that comes with the package.
        weights: A checkpoint that training wrote, read without running code from it; None leaves
            the model as it is initialised.
        device: Where the model goes, such as 'cpu' or 'cuda'.
        old_checkpoint: Whether MMEngine wrote ``weights`` without ``SafeCheckpointHook``; its log
            history is then read too, and still no code run.

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
        state = read_checkpoint(weights, old_checkpoint)['state_dict']
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
