"""The model of a config, on torch's meta device, where tensors have a shape and no memory."""

import copy
from collections.abc import Callable, Mapping
from typing import Any

import torch
from mmengine import registry as roots
from torch import nn

from mmgan_lite.config_validation.walk import ConfigWalk, is_known, items_of
from mmgan_lite.registry import MODELS, build_part


def check_model(walk: ConfigWalk) -> None:
    """Check ``model`` and its wrapper, and build the model."""
    if (wrapper := walk.cfg.get('model_wrapper_cfg')) is not None:
        walk.part('model_wrapper_cfg', wrapper, 'MODEL_WRAPPERS', ('module', 'device_ids'))
    cfg = walk.entry('model')
    target = None if cfg is None else walk.part('model', cfg, 'MODELS')
    if cfg is None or target is None:
        return
    # Runner passes this one to a model that has none.
    if preprocessor := walk.cfg.get('data_preprocessor'):
        cfg = {'data_preprocessor': preprocessor, **cfg}
    count = len(walk.problems)
    walk.model = walk.attempt('model', lambda: _on_meta(roots.MODELS.build, cfg))
    if walk.model is None and is_known(target):
        error = walk.problems.pop()
        for key, value in cfg.items():
            _build_parts_in(walk, f'model.{key}', key, value)
        walk.problems += [error] if len(walk.problems) == count else []


def _on_meta(build: Callable[..., nn.Module], cfg: Any) -> nn.Module:
    """Build there, or on the CPU if a part reads values, which meta tensors do not have."""
    try:
        with torch.device('meta'):
            return build(copy.deepcopy(cfg))
    except Exception as error:
        if 'meta' not in str(error):
            raise
    with torch.device('cpu'):
        return build(copy.deepcopy(cfg)).to('meta')


def _build_parts_in(walk: ConfigWalk, path: str, key: str, value: Any) -> None:
    """Build the parts of a model by themselves, to find those that raise."""
    if isinstance(value, (list, tuple)):
        for place, item in items_of(path, value).items():
            _build_parts_in(walk, place, key, item)
    # An average needs the network, and an initializer is no module.
    elif isinstance(value, Mapping) and 'type' in value and key not in ('ema', 'init_cfg'):
        walk.attempt(path, lambda: _on_meta(lambda cfg: build_part(MODELS, cfg, key), value), value)
