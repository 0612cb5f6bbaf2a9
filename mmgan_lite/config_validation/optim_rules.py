"""Optimizers of the networks, and the schedules of their rates."""

import copy
import functools
from collections.abc import Mapping
from typing import Any

import torch
from mmengine import optim
from torch import nn

from mmgan_lite.config_validation import schema
from mmgan_lite.config_validation.walk import NO_EPOCHS, ConfigWalk, items_of
from mmgan_lite.engine.optimizers import GANOptimWrapper, MultiOptimWrapperConstructor
from mmgan_lite.engine.optimizers import multi_optim_wrapper as multi
from mmgan_lite.utils.interfaces import HasPlayers
from mmgan_lite.utils.validation import did_you_mean


def check_optim_wrapper(walk: ConfigWalk) -> None:
    """Check ``optim_wrapper``, and build it for the model."""
    if (cfg := walk.entry('optim_wrapper')) is None:
        return
    name = cfg.get('constructor', optim.DefaultOptimWrapperConstructor)
    constructor = walk.resolve('optim_wrapper.constructor', name, 'OPTIM_WRAPPER_CONSTRUCTORS')
    given = {k: v for k, v in cfg.items() if k not in ('constructor', 'paramwise_cfg')}
    count, model = len(walk.problems), walk.model
    entries: dict[str, tuple] = {}
    if constructor is MultiOptimWrapperConstructor:
        # Where the model is not valid: of a rate, for example, the network does not matter.
        model = model or nn.ModuleDict({key: nn.Linear(1, 1) for key in given})
        networks = multi.trained_networks(model)
        entries = {f'optim_wrapper.{k}': (entry, networks.get(k)) for k, entry in given.items()}
    elif constructor is optim.DefaultOptimWrapperConstructor and isinstance(model, HasPlayers):
        single = optim.OptimWrapper(torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1))
        walk.attempt('optim_wrapper.constructor', lambda: model.check_optim_wrapper(single))
    elif constructor is optim.DefaultOptimWrapperConstructor:
        entries = {'optim_wrapper': (cfg, model)}
    can_build = [_check_wrapper(walk, path, *entry) for path, entry in entries.items()]
    if None in (model, constructor) or len(walk.problems) > count or not all(can_build):
        return
    settings = dict(optim_wrapper_cfg=given, paramwise_cfg=cfg.get('paramwise_cfg'))
    try:
        built = constructor(**copy.deepcopy(settings))(model)
    except Exception as error:
        # An optimizer may read values, which meta tensors do not have.
        if 'meta' in str(error):
            return
        for path, (entry, network) in entries.items():  # which of them raises?
            if network is not None:
                build = functools.partial(optim.build_optim_wrapper, network)
                wrapper = {'type': _default(path), **copy.deepcopy(entry)}
                walk.attempt(path, functools.partial(build, wrapper), entry)
        if len(walk.problems) == count:
            walk.note('optim_wrapper', str(error))
        return
    wrappers = dict(built.items()) if isinstance(built, optim.OptimWrapperDict) else {'': built}
    for key, wrapper in wrappers.items():
        if wrapper.clip_grad_kwargs:
            path = f'optim_wrapper.{key}.clip_grad'.replace('..', '.')
            walk.arguments(path, wrapper.clip_func, wrapper.clip_grad_kwargs, ('parameters',))
    walk.optim_wrapper = built if walk.model is model else None


def _default(path: str) -> type:
    """The class of an optim wrapper without ``type``."""
    return optim.OptimWrapper if path == 'optim_wrapper' else GANOptimWrapper


def _check_wrapper(walk: ConfigWalk, path: str, cfg: Any, network: Any) -> bool:
    """Check one optim wrapper with its optimizer; returns whether this machine can build it."""
    if not isinstance(cfg, dict) or 'optimizer' not in cfg:
        walk.note(path, f"must have optimizer=dict(type='Adam', lr=2e-4) or another, got {cfg!r}.")
        return False
    given = {k: v for k, v in cfg.items() if k not in ('optimizer', 'constructor', 'paramwise_cfg')}
    if isinstance(given.get('clip_grad'), dict):
        del given['clip_grad']  # its type is not that of a part
    target = walk.part(path, given, 'OPTIM_WRAPPERS', ('optimizer',), _default(path))
    walk.part(f'{path}.optimizer', cfg['optimizer'], 'OPTIMIZERS', ('params',))
    _check_paramwise(walk, f'{path}.paramwise_cfg', cfg, network)
    is_amp = isinstance(target, type) and issubclass(target, optim.AmpOptimWrapper)
    return torch.cuda.is_available() or not is_amp


def _check_paramwise(walk: ConfigWalk, path: str, wrapper: Mapping, network: Any) -> None:
    """Check factors for single weights; MMEngine ignores those that apply to no weight."""
    cfg, optimizer = wrapper.get('paramwise_cfg'), wrapper['optimizer']
    if not isinstance(cfg, dict) or 'constructor' in wrapper:
        return
    groups = {path: (cfg, schema.PARAMWISE)}
    names = [] if network is None else [f'.{name}' for name, _ in network.named_parameters()]
    for key, entry in (cfg.get('custom_keys') or {}).items():
        place = f'{path}.custom_keys[{key!r}]'
        groups[place] = (entry, schema.FACTORS)
        if names and not any(key in name for name in names):
            walk.note(place, f'is in the name of no weight. There are {", ".join(names[:3])}, ...')
    decays = isinstance(optimizer, dict) and optimizer.get('weight_decay') is not None
    for place, (factors, known) in groups.items():
        for factor in factors:
            if factor not in known:
                text = f'is unknown. {did_you_mean(factor, known)} There are {", ".join(known)}.'
                walk.note(f'{place}.{factor}', text)
            elif factor.endswith('decay_mult') and not decays:
                walk.note(f'{place}.{factor}', 'needs weight_decay of the optimizer, got none.')


def check_schedulers(walk: ConfigWalk) -> Any:
    """Check ``param_scheduler``; returns a list as Runner has it, or one for each network."""
    given = walk.cfg.get('param_scheduler')
    networks: dict[str, Any] = {'': walk.optim_wrapper}
    if isinstance(walk.optim_wrapper, optim.OptimWrapperDict):
        networks = dict(walk.optim_wrapper.items())
        walk.attempt('param_scheduler', lambda: multi.check_schedulers(given, networks))
    schedules = dict.fromkeys(networks, ('param_scheduler', given))
    if isinstance(given, dict) and 'type' not in given:
        schedules = {name: (f'param_scheduler.{name}', cfg) for name, cfg in given.items()}
    built: dict[str, list] = {}
    for name, (path, cfg) in schedules.items():
        entries, wrapper = items_of(path, cfg or []), networks.get(name)
        found = [_check_scheduler(walk, place, entry, wrapper) for place, entry in entries.items()]
        built[name] = [scheduler for scheduler in found if scheduler is not None]
    return built.get('', built)


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
        walk.note(f'{path}.by_epoch', f'must be False: {NO_EPOCHS}.')
    elif wrapper is not None:
        # Runner sets the end where it is missing.
        end = walk.setting('train_cfg', 'max_epochs' if in_epochs else 'max_iters')
        plain = plain if end is None else {'end': end, **plain}
        return walk.build(path, plain, 'PARAM_SCHEDULERS', optimizer=wrapper)
    return None


def check_average(walk: ConfigWalk) -> None:
    """Check that an average of weights counts the images of a batch."""
    model, size = walk.model, walk.setting('train_dataloader', 'batch_size')
    if walk.optim_wrapper is not None and type(size) is int and isinstance(model, HasPlayers):
        walk.attempt('model.ema', lambda: model.check_average(walk.optim_wrapper, size))
