"""Optimizers of the networks, and the schedules of their rates."""

import copy
from collections.abc import Mapping
from typing import Any

import torch
from mmengine import optim
from torch import nn

from mmgan_lite.config_validation import schema
from mmgan_lite.config_validation.walk import ConfigWalk
from mmgan_lite.engine.optimizers import GANOptimWrapper, MultiOptimWrapperConstructor
from mmgan_lite.engine.optimizers import multi_optim_wrapper as multi
from mmgan_lite.utils.interfaces import HasPlayers


def check_optim_wrapper(walk: ConfigWalk) -> None:
    """Check ``optim_wrapper``, and build it for the model."""
    if (cfg := walk.entry('optim_wrapper')) is None:
        return
    model = walk.model
    name = cfg.get('constructor', optim.DefaultOptimWrapperConstructor)
    constructor = walk.resolve('optim_wrapper.constructor', name, 'OPTIM_WRAPPER_CONSTRUCTORS')
    given = {k: v for k, v in cfg.items() if k not in ('constructor', 'paramwise_cfg')}
    count, can_build = len(walk.problems), None not in (model, constructor)
    if constructor is MultiOptimWrapperConstructor:
        networks = {} if model is None else multi.trained_networks(model)
        for key, entry in given.items():
            path = f'optim_wrapper.{key}'
            can_build &= _check_wrapper(walk, path, entry, networks.get(key), GANOptimWrapper)
    elif constructor is optim.DefaultOptimWrapperConstructor and isinstance(model, HasPlayers):
        single = optim.OptimWrapper(torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1))
        walk.attempt('optim_wrapper.constructor', lambda: model.check_optim_wrapper(single))
    elif constructor is optim.DefaultOptimWrapperConstructor:
        can_build &= _check_wrapper(walk, 'optim_wrapper', cfg, model, optim.OptimWrapper)
    if not can_build or len(walk.problems) > count:
        return
    settings = dict(optim_wrapper_cfg=given, paramwise_cfg=cfg.get('paramwise_cfg'))
    try:
        walk.optim_wrapper = constructor(**copy.deepcopy(settings))(model)
    except Exception as error:
        # An optimizer may read values, which meta tensors do not have.
        if 'meta' not in str(error):
            walk.note('optim_wrapper', str(error))


def _check_wrapper(walk: ConfigWalk, path: str, cfg: Any, network: Any, default: type) -> bool:
    """Check one optim wrapper with its optimizer; returns whether this machine can build it."""
    if not isinstance(cfg, dict) or 'optimizer' not in cfg:
        walk.note(
            path, f"needs an optimizer, got {cfg!r}. Add optimizer=dict(type='Adam', lr=2e-4)."
        )
        return True
    count = len(walk.problems)
    others = ('optimizer', 'constructor', 'paramwise_cfg', 'clip_grad')
    given = {key: value for key, value in cfg.items() if key not in others}
    target = walk.part(path, given, 'OPTIM_WRAPPERS', ('optimizer',), default)
    walk.part(f'{path}.optimizer', cfg['optimizer'], 'OPTIMIZERS', ('params',))
    _check_paramwise(walk, f'{path}.paramwise_cfg', cfg, network)
    is_amp = isinstance(target, type) and issubclass(target, optim.AmpOptimWrapper)
    can_build = torch.cuda.is_available() or not is_amp
    if can_build and len(walk.problems) == count:
        zeros = nn.Linear(1, 1) if network is None else _with_zeros(network)
        entry = copy.deepcopy({'type': default, **cfg})
        built = walk.attempt(path, lambda: optim.build_optim_wrapper(zeros, entry), cfg)
        if built is not None and built.clip_grad_kwargs:
            clipping = built.clip_grad_kwargs
            walk.arguments(f'{path}.clip_grad', built.clip_func, clipping, ('parameters',))
    return can_build


def _with_zeros(network: nn.Module) -> nn.Module:
    """The network on the CPU, with parameters that take no memory."""
    network = copy.deepcopy(network)
    zeros = {
        name: torch.zeros((), dtype=parameter.dtype).expand(parameter.shape)
        for name, parameter in network.named_parameters()
    }
    network.load_state_dict(zeros, strict=False, assign=True)
    return network


def _check_paramwise(walk: ConfigWalk, path: str, wrapper: Mapping, network: Any) -> None:
    """Check factors for single weights; MMEngine ignores one that applies to no weight."""
    cfg = wrapper.get('paramwise_cfg')
    if not isinstance(cfg, dict) or 'constructor' in wrapper:
        return
    walk.arguments(path, schema.paramwise_cfg, cfg)
    factors = {f'{path}.{key}': key for key in cfg}
    names = [] if network is None else [f'.{name}' for name, _ in network.named_parameters()]
    keys = cfg.get('custom_keys')
    for key, entry in keys.items() if isinstance(keys, dict) else ():
        place = f'{path}.custom_keys[{key!r}]'
        if isinstance(entry, dict):
            walk.arguments(place, schema.custom_key, entry)
            factors |= {f'{place}.{factor}': factor for factor in entry}
        if names and not any(key in name for name in names):
            walk.note(place, f'is in the name of no weight. There are {", ".join(names[:3])}, ...')
    optimizer = wrapper['optimizer']
    if isinstance(optimizer, dict) and optimizer.get('weight_decay') is None:
        for place, factor in factors.items():
            if factor.endswith('decay_mult'):
                walk.note(place, 'is a factor of weight_decay, which the optimizer must be given.')


def check_schedulers(walk: ConfigWalk) -> Any:
    """Check ``param_scheduler``; returns a list as Runner has it, or one for each network."""
    given = walk.cfg.get('param_scheduler')
    networks: dict[str, Any] = {'': walk.optim_wrapper}
    if isinstance(walk.optim_wrapper, optim.OptimWrapperDict):
        networks = dict(walk.optim_wrapper.items())
        walk.attempt('param_scheduler', lambda: multi.check_schedulers(given, networks))
    if isinstance(given, dict) and 'type' not in given:
        return {
            name: _check_schedule(walk, f'param_scheduler.{name}', cfg, networks.get(name))
            for name, cfg in given.items()
        }
    schedules = {
        name: _check_schedule(walk, 'param_scheduler', given, wrapper)
        for name, wrapper in networks.items()
    }
    return schedules.get('', schedules)


def _check_schedule(walk: ConfigWalk, path: str, given: Any, wrapper: Any) -> list[Any]:
    """The valid schedulers of one network."""
    entries = {path: given} if given else {}
    if isinstance(given, (list, tuple)):
        entries = {f'{path}[{position}]': cfg for position, cfg in enumerate(given)}
    found = [_check_scheduler(walk, place, cfg, wrapper) for place, cfg in entries.items()]
    return [scheduler for scheduler in found if scheduler is not None]


def _check_scheduler(walk: ConfigWalk, path: str, cfg: Any, wrapper: Any) -> Any:
    plain = dict(cfg) if isinstance(cfg, dict) else {}
    # Read by Runner: a schedule in epochs that is updated in each iteration.
    converted = plain.pop('convert_to_iter_based', False)
    # Schedulers of rates set param_name themselves; building finds where it is missing.
    added = ('optimizer',) if 'param_name' in plain else ('optimizer', 'param_name')
    if walk.part(path, plain or cfg, 'PARAM_SCHEDULERS', added) is None:
        return None
    in_epochs = plain.get('by_epoch', True)
    if in_epochs and walk.by_epoch is False and not converted:
        walk.note(
            f'{path}.by_epoch',
            'must be False where train_cfg counts iterations: no epoch ends there, and the '
            'schedule would not change the rate.',
        )
        return None
    length = walk.setting('train_cfg', 'max_epochs' if in_epochs else 'max_iters')
    if length is not None:  # as Runner does
        plain.setdefault('end', length)
    if wrapper is None:
        return None
    return walk.build(path, plain, 'PARAM_SCHEDULERS', optimizer=wrapper)
