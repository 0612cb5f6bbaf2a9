"""The model of a config, on torch's meta device: shapes and, once it is built, no memory."""

import copy
from typing import Any

import torch
from mmengine import registry as roots

from mmgan_lite import registry as ours
from mmgan_lite.config_validation.walk import ConfigWalk, sentence, shortened


def check_model(walk: ConfigWalk) -> Any:
    """Check ``model`` and its wrapper; returns the model on the meta device, or None."""
    if walk.cfg.get('model_wrapper_cfg') is not None:
        wrapper = walk.cfg['model_wrapper_cfg']
        walk.part('model_wrapper_cfg', wrapper, 'MODEL_WRAPPERS', ('module', 'device_ids'))
    cfg = walk.entry('model')
    if cfg is None or not walk.part('model', cfg, 'MODELS'):
        return None
    # Runner hands this one over where the model has none.
    if walk.cfg.get('data_preprocessor'):
        cfg = {'data_preprocessor': walk.cfg['data_preprocessor'], **cfg}
    try:
        with torch.device('meta'):
            return roots.MODELS.build(copy.deepcopy(cfg))
    except Exception as error:  # whatever a class may raise
        return _build_anew(walk, cfg, 'cpu' if looked_at_values(error) else 'meta')


def _build_anew(walk: ConfigWalk, cfg: dict[str, Any], device: str) -> Any:
    with torch.device(device):
        try:
            return roots.MODELS.build(copy.deepcopy(cfg)).to('meta')
        except Exception as error:
            before = walk.noted
            for key, value in cfg.items():
                _build_parts_in(walk, f'model.{key}', key, value)
            if walk.noted == before:
                walk.note('model', sentence(error))
            return None


def looked_at_values(error: Exception) -> bool:
    """Whether it comes of values, which nothing on the meta device has, and is no mistake."""
    return 'meta' in str(error)


def _build_parts_in(walk: ConfigWalk, path: str, key: str, value: Any) -> None:
    """Build the parts of a part by themselves, so that each tells its mistake."""
    if isinstance(value, (list, tuple)):
        for position, item in enumerate(value):
            _build_parts_in(walk, f'{path}[{position}]', key, item)
    # An average needs the network that it is of, and how to initialise is no part of the model.
    elif isinstance(value, dict) and 'type' in value and key not in ('ema', 'init_cfg'):
        try:
            ours.build_part(ours.MODELS, copy.deepcopy(value), key)
        except Exception as error:
            walk.note(path, f'{sentence(error)} (in {shortened(value)})')
