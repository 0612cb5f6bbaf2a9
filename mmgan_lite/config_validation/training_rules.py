"""The model of a config, its optimizers, and the schedules of their rates."""

import copy
from collections.abc import Callable, Mapping
from typing import Any

import torch
from mmengine import optim
from mmengine import registry as roots
from torch import nn

from mmgan_lite.config_validation.walk import NO_EPOCHS, ConfigWalk, find, is_known, items_of
from mmgan_lite.engine.optimizers import GANOptimWrapper, MultiOptimWrapperConstructor
from mmgan_lite.engine.optimizers import multi_optim_wrapper as multi
from mmgan_lite.registry import MODELS, build_part
from mmgan_lite.utils.interfaces import HasPlayers

# Keys of ``paramwise_cfg`` in an optim wrapper, and of an entry of ``custom_keys`` in it.
_FACTORS = ('lr_mult', 'decay_mult')
_PARAMWISE = (
    *(*_FACTORS, 'bias_lr_mult', 'bias_decay_mult', 'norm_decay_mult', 'flat_decay_mult'),
    *('dwconv_decay_mult', 'dcn_offset_lr_mult', 'bypass_duplicate', 'custom_keys'),
)


def check_model(walk: ConfigWalk) -> None:
    """Check ``model`` and its wrapper, and build the model without memory for its tensors."""
    if (wrapper := walk.cfg.get('model_wrapper_cfg')) is not None:
        walk.part('model_wrapper_cfg', wrapper, 'MODEL_WRAPPERS', ('module', 'device_ids'))
    cfg = walk.entry('model')
    if cfg is None or (target := walk.part('model', cfg, 'MODELS')) is None:
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


def check_optim_wrapper(walk: ConfigWalk) -> None:
    """Check ``optim_wrapper``, and build it for the model."""
    if (cfg := walk.entry('optim_wrapper')) is None:
        return
    name = cfg.get('constructor', optim.DefaultOptimWrapperConstructor)
    place = 'optim_wrapper.constructor'
    constructor = walk.attempt(place, lambda: find(name, 'OPTIM_WRAPPER_CONSTRUCTORS'))
    given = {k: v for k, v in cfg.items() if k not in ('constructor', 'paramwise_cfg')}
    count, model = len(walk.problems), walk.model
    can_build = []
    if constructor is MultiOptimWrapperConstructor:
        # Any network shows a rate that is not valid, for example.
        model = nn.ModuleDict({key: nn.Linear(1, 1) for key in given}) if model is None else model
        networks = multi.trained_networks(model)
        for key, entry in given.items():
            can_build.append(_check_wrapper(walk, f'optim_wrapper.{key}', entry, networks.get(key)))
    elif constructor is optim.DefaultOptimWrapperConstructor and isinstance(model, HasPlayers):
        single = optim.OptimWrapper(torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1))
        walk.attempt(place, lambda: model.check_optim_wrapper(single))
    elif constructor is optim.DefaultOptimWrapperConstructor:
        can_build.append(_check_wrapper(walk, 'optim_wrapper', cfg, model))
    if None in (model, constructor) or len(walk.problems) > count or not all(can_build):
        return
    given = dict(optim_wrapper_cfg=copy.deepcopy(given), paramwise_cfg=cfg.get('paramwise_cfg'))
    try:
        walk.optim_wrapper = constructor(**given)(model)
    except Exception as error:
        # An optimizer may read values, which meta tensors do not have.
        if 'meta' not in str(error):
            walk.note('optim_wrapper', str(error))
    else:
        _check_built(walk)


def _check_built(walk: ConfigWalk) -> None:
    """Check the clipping of gradients, and that an average counts the images of a batch."""
    built, size = walk.optim_wrapper, (walk.entry('train_dataloader') or {}).get('batch_size')
    wrappers = {'optim_wrapper': built}
    if isinstance(built, optim.OptimWrapperDict):
        wrappers = {f'optim_wrapper.{name}': wrapper for name, wrapper in built.items()}
    for path, wrapper in wrappers.items():
        if given := wrapper.clip_grad_kwargs:
            walk.arguments(f'{path}.clip_grad', wrapper.clip_func, given, ('parameters',))
    if walk.model is None:
        walk.optim_wrapper = None
    elif isinstance(walk.model, HasPlayers) and type(size) is int:
        walk.attempt('model.ema', lambda: walk.model.check_average(built, size))


def _check_wrapper(walk: ConfigWalk, path: str, cfg: Any, network: Any) -> bool:
    """Check one optim wrapper with its optimizer; returns whether this machine can build it."""
    if not isinstance(cfg, dict) or 'optimizer' not in cfg:
        walk.note(path, f"must have optimizer=dict(type='Adam', lr=2e-4) or another, got {cfg!r}.")
        return False
    given = {k: v for k, v in cfg.items() if k not in ('optimizer', 'constructor', 'paramwise_cfg')}
    if isinstance(given.get('clip_grad'), dict):
        del given['clip_grad']  # its type is not that of a part
    default = optim.OptimWrapper if path == 'optim_wrapper' else GANOptimWrapper
    target = walk.part(path, given, 'OPTIM_WRAPPERS', ('optimizer',), default)
    walk.part(f'{path}.optimizer', cfg['optimizer'], 'OPTIMIZERS', ('params',))
    _check_paramwise(walk, f'{path}.paramwise_cfg', cfg, network)
    is_amp = isinstance(target, type) and issubclass(target, optim.AmpOptimWrapper)
    return torch.cuda.is_available() or not is_amp


def _check_paramwise(walk: ConfigWalk, path: str, wrapper: Mapping, network: Any) -> None:
    """Check factors for single weights; MMEngine ignores those that apply to no weight."""
    cfg, optimizer = wrapper.get('paramwise_cfg'), wrapper['optimizer']
    if not isinstance(cfg, dict) or 'constructor' in wrapper:
        return
    walk.keys(path, cfg, _PARAMWISE)
    places = [f'{path}.{key}' for key in cfg]
    names = [] if network is None else [f'.{name}' for name, _ in network.named_parameters()]
    for key, entry in (cfg.get('custom_keys') or {}).items():
        place = f'{path}.custom_keys[{key!r}]'
        walk.keys(place, entry, _FACTORS)
        places += [f'{place}.{factor}' for factor in entry]
        if names and not any(key in name for name in names):
            walk.note(place, f'is in the name of no weight. There are {", ".join(names[:3])}, ...')
    if isinstance(optimizer, dict) and optimizer.get('weight_decay') is None:
        for place in places:
            if place.endswith('decay_mult'):
                walk.note(place, 'is a factor of weight_decay, which the optimizer must have.')


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
        length = 'max_epochs' if in_epochs else 'max_iters'
        end = (walk.entry('train_cfg') or {}).get(length)
        plain = plain if end is None else {'end': end, **plain}
        return walk.build(path, plain, 'PARAM_SCHEDULERS', optimizer=wrapper)
    return None
