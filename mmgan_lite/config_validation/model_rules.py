"""The model of a config, on torch's meta device, where tensors have a shape and no memory."""

import copy
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from mmgan_lite.config_validation.walk import ConfigWalk, is_known
from mmgan_lite.registry import MODELS, build_part


def check_model(walk: ConfigWalk) -> Any:
    """Check ``model`` and its wrapper; returns the model on the meta device, or None."""
    if (wrapper := walk.cfg.get('model_wrapper_cfg')) is not None:
        walk.part('model_wrapper_cfg', wrapper, 'MODEL_WRAPPERS', ('module', 'device_ids'))
    cfg = walk.entry('model')
    target = None if cfg is None else walk.part('model', cfg, 'MODELS')
    if cfg is None or target is None:
        return None
    # Runner passes this one to a model that has none.
    if walk.cfg.get('data_preprocessor'):
        cfg = {'data_preprocessor': walk.cfg['data_preprocessor'], **cfg}
    count = len(walk.problems)
    model = walk.attempt('model', lambda: _on_meta(lambda: MODELS.parent.build(cfg)))
    if model is None and is_known(target):
        error = walk.problems.pop()
        for key, value in cfg.items():
            _build_parts_in(walk, f'model.{key}', key, value)
        if len(walk.problems) == count:
            walk.problems.append(error)
    return model


def _on_meta(build: Callable[[], nn.Module]) -> nn.Module:
    """Build there, or on the CPU if a part reads values, which meta tensors do not have."""
    try:
        with torch.device('meta'):
            return build()
    except Exception as error:
        if 'meta' not in str(error):
            raise
    with torch.device('cpu'):
        return build().to('meta')


def _build_parts_in(walk: ConfigWalk, path: str, key: str, value: Any) -> None:
    """Build the parts of a model by themselves, to find the one that raises."""
    if isinstance(value, (list, tuple)):
        for position, item in enumerate(value):
            _build_parts_in(walk, f'{path}[{position}]', key, item)
    # An average needs the network, and an initializer is no module.
    elif isinstance(value, Mapping) and 'type' in value and key not in ('ema', 'init_cfg'):
        part = copy.deepcopy(value)
        walk.attempt(path, lambda: _on_meta(lambda: build_part(MODELS, part, key)), value)
