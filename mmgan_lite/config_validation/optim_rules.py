"""Optimisers of the networks, and the schedules of their rates."""

import copy
from collections.abc import Mapping
from typing import Any

import torch
from mmengine.optim import AmpOptimWrapper, OptimWrapperDict
from torch import nn

from mmgan_lite.config_validation.config_keys import did_you_mean
from mmgan_lite.config_validation.model_rules import looked_at_values
from mmgan_lite.config_validation.signatures import name_of
from mmgan_lite.config_validation.walk import ConfigWalk, find, sentence

_PARAMWISE = (
    'lr_mult',
    'decay_mult',
    'bias_lr_mult',
    'bias_decay_mult',
    'norm_decay_mult',
    'flat_decay_mult',
    'dwconv_decay_mult',
    'dcn_offset_lr_mult',
    'bypass_duplicate',
    'custom_keys',
)
_CLIPPING: dict[str, Any] = {'norm': nn.utils.clip_grad_norm_, 'value': nn.utils.clip_grad_value_}


def check_optim_wrapper(walk: ConfigWalk, model: Any) -> Any:
    """Check ``optim_wrapper``; returns it for the model, or None.

    Args:
        walk: Through the config.
        model: On the meta device; None where it is wrong itself.
    """
    cfg = walk.entry('optim_wrapper')
    if cfg is None:
        return None
    constructor = cfg.get('constructor', 'DefaultOptimWrapperConstructor')
    target = walk.resolve('optim_wrapper.constructor', constructor, 'OPTIM_WRAPPER_CONSTRUCTORS')
    if target is None:
        return None
    before = walk.noted
    wrappers = {}
    if name_of(target) == 'MultiOptimWrapperConstructor':
        wrappers = {key: value for key, value in cfg.items() if key != 'constructor'}
        _check_networks(walk, model, wrappers)
        for name, entry in wrappers.items():
            _check_wrapper(walk, f'optim_wrapper.{name}', entry, getattr(model, name, None))
    elif name_of(target) == 'DefaultOptimWrapperConstructor':
        wrappers = {'model': cfg}
        if hasattr(model, 'check_optim_wrapper'):
            walk.note(
                'optim_wrapper.constructor',
                "must be 'MultiOptimWrapperConstructor' for a GAN, with generator=dict(...) and "
                'discriminator=dict(...) beside it.',
            )
        else:
            _check_wrapper(walk, 'optim_wrapper', cfg, model, default='OptimWrapper')
    if walk.noted > before or model is None or any(map(_lacks_gpu, wrappers.values())):
        return None
    given = {key: value for key, value in cfg.items() if key != 'constructor'}
    settings = dict(paramwise_cfg=given.pop('paramwise_cfg', None))
    try:
        return target(optim_wrapper_cfg=copy.deepcopy(given), **settings)(model)
    except Exception as error:
        if not looked_at_values(error):
            walk.note('optim_wrapper', sentence(error))
            return None
    model = copy.deepcopy(model).to_empty(device='cpu')
    for parameter in model.parameters():
        nn.init.zeros_(parameter)
    try:
        return target(optim_wrapper_cfg=given, **settings)(model)
    except Exception as error:
        walk.note('optim_wrapper', sentence(error))
        return None


def _lacks_gpu(cfg: Mapping) -> bool:
    """Whether a wrapper is built on a machine with a GPU alone, and this has none."""
    wrapper = find(cfg.get('type'), 'OPTIM_WRAPPERS')
    is_amp = isinstance(wrapper, type) and issubclass(wrapper, AmpOptimWrapper)
    return is_amp and not torch.cuda.is_available()


def _check_networks(walk: ConfigWalk, model: Any, entries: Mapping) -> None:
    """Check that each network that trains has an entry, and no other."""
    if model is None:
        return
    trained = [
        name
        for name, child in model.named_children()
        if any(parameter.requires_grad for parameter in child.parameters())
    ]
    for name in trained:
        if name not in entries:
            walk.note(f'optim_wrapper.{name}', 'is missing, and this network is to train.')
    for name in entries:
        if name not in trained:
            walk.note(
                f'optim_wrapper.{name}',
                f'is no network that trains. {did_you_mean(name, trained)}'
                f'There are: {", ".join(trained)}.',
            )


def _check_wrapper(
    walk: ConfigWalk,
    path: str,
    cfg: Any,
    network: Any,
    default: str = 'mmgan_lite.GANOptimWrapper',
) -> None:
    """One optim wrapper, with its optimiser."""
    if not isinstance(cfg, dict):
        walk.note(path, f"must be a dict with optimizer=dict(type='Adam'), got {cfg!r}.")
        return
    # The clipping has a type, but is no part.
    kept_for_later = ('optimizer', 'constructor', 'paramwise_cfg', 'clip_grad')
    given = {'type': default, **{k: v for k, v in cfg.items() if k not in kept_for_later}}
    right = walk.part(path, given, 'OPTIM_WRAPPERS', ('optimizer',))
    parameters = _stand_ins(network)
    if right and not _lacks_gpu(given):
        plain = torch.optim.SGD(parameters, lr=0.1)
        walk.build(path, given, 'OPTIM_WRAPPERS', optimizer=plain)
    if 'optimizer' not in cfg:
        walk.note(f'{path}.optimizer', "is missing. Add optimizer=dict(type='Adam', lr=2e-4).")
    elif walk.part(f'{path}.optimizer', cfg['optimizer'], 'OPTIMIZERS', ('params',)):
        walk.build(f'{path}.optimizer', cfg['optimizer'], 'OPTIMIZERS', params=parameters)
    _check_clipping(walk, f'{path}.clip_grad', cfg.get('clip_grad'))
    constructor = cfg.get('constructor', 'DefaultOptimWrapperConstructor')
    if getattr(constructor, '__name__', constructor) == 'DefaultOptimWrapperConstructor':
        _check_paramwise(walk, path, cfg, network)


def _stand_ins(network: Any) -> list[nn.Parameter]:
    """Parameters of the same shapes, for an optimiser may take only some."""
    found = [] if network is None else [p for p in network.parameters() if p.requires_grad]
    return [nn.Parameter(torch.zeros(p.shape)) for p in found] or [nn.Parameter(torch.zeros(1))]


def _check_clipping(walk: ConfigWalk, path: str, cfg: Any) -> None:
    if cfg is None:
        return
    if not isinstance(cfg, dict):
        walk.note(path, f'must be a dict such as dict(max_norm=1.0), got {cfg!r}.')
        return
    given = dict(cfg)
    function = _CLIPPING.get(given.pop('type', 'norm'))
    if function is None:
        walk.note(f'{path}.type', f"must be 'norm' or 'value', got {cfg['type']!r}.")
    else:
        walk.arguments(path, function, given, ('parameters',))


def _check_paramwise(walk: ConfigWalk, path: str, wrapper: Mapping, network: Any) -> None:
    """Factors for single weights; one whose key is in no name would change nothing."""
    cfg, path = wrapper.get('paramwise_cfg'), f'{path}.paramwise_cfg'
    if not isinstance(cfg, dict):
        return
    walk.only_known(path, cfg, _PARAMWISE)
    factors = {f'{path}.{key}': key for key in cfg}
    names = [] if network is None else [f'.{name}' for name, _ in network.named_parameters()]
    keys = cfg.get('custom_keys')
    for key, entry in keys.items() if isinstance(keys, dict) else ():
        place = f'{path}.custom_keys[{key!r}]'
        walk.only_known(place, entry, ('lr_mult', 'decay_mult'))
        factors.update({f'{place}.{factor}': factor for factor in entry})
        if names and not any(key in name for name in names):
            walk.note(place, f'is in the name of no weight. There are {", ".join(names[:3])}, ...')
    optimizer = wrapper.get('optimizer')
    if isinstance(optimizer, dict) and optimizer.get('weight_decay') is None:
        for place, factor in factors.items():
            if factor.endswith('decay_mult'):
                walk.note(place, 'is a factor of weight_decay, which the optimizer must be given.')


def check_schedulers(walk: ConfigWalk, wrappers: Any, by_epoch: bool | None) -> Any:
    """Check ``param_scheduler``; returns them as the Runner has them, a dict or a list.

    Args:
        walk: Through the config.
        wrappers: What :func:`check_optim_wrapper` gives.
        by_epoch: Whether training counts epochs; None where that is not known.
    """
    given = walk.cfg.get('param_scheduler')
    networks = dict(wrappers.items()) if isinstance(wrappers, OptimWrapperDict) else {}
    if isinstance(given, dict) and 'type' not in given:
        if networks:
            walk.only_known('param_scheduler', given, list(networks))
        for name in networks:
            if name not in given:
                walk.note(f'param_scheduler.{name}', 'is missing. Add [] for a constant rate.')
        return {
            name: _check_schedule(
                walk, f'param_scheduler.{name}', cfg, networks.get(name), by_epoch
            )
            for name, cfg in given.items()
        }
    if networks:
        return {
            name: _check_schedule(walk, 'param_scheduler', given, wrapper, by_epoch)
            for name, wrapper in networks.items()
        }
    return _check_schedule(walk, 'param_scheduler', given, wrappers, by_epoch)


def _check_schedule(
    walk: ConfigWalk, path: str, given: Any, wrapper: Any, by_epoch: bool | None
) -> list[Any]:
    """The schedulers of one network, those of them that are right."""
    if not isinstance(given, (list, tuple)):
        found = _check_scheduler(walk, path, given, wrapper, by_epoch) if given else None
        return [] if found is None else [found]
    entries = [
        _check_scheduler(walk, f'{path}[{position}]', cfg, wrapper, by_epoch)
        for position, cfg in enumerate(given)
    ]
    return [scheduler for scheduler in entries if scheduler is not None]


def _check_scheduler(
    walk: ConfigWalk, path: str, cfg: Any, wrapper: Any, by_epoch: bool | None
) -> Any:
    plain = dict(cfg) if isinstance(cfg, dict) else cfg
    # Read by the Runner: a schedule in epochs, moved in each iteration.
    converted = isinstance(plain, dict) and plain.pop('convert_to_iter_based', False)
    # Those of rates know theirs, and building tells it of the others.
    added = ('optimizer',) if 'param_name' in (plain or ()) else ('optimizer', 'param_name')
    if walk.part(path, plain, 'PARAM_SCHEDULERS', added) is None:
        return None
    counts_epochs = cfg.get('by_epoch', True)
    if counts_epochs and by_epoch is False and not converted:
        walk.note(
            f'{path}.by_epoch',
            'must be False where train_cfg counts iterations: an epoch never ends there, '
            'and the schedule would never move.',
        )
        return None
    if wrapper is None:
        return None
    length = walk.setting('train_cfg', 'max_epochs' if counts_epochs else 'max_iters')
    if length is not None:  # as the Runner has it
        plain.setdefault('end', length)
    return walk.build(path, plain, 'PARAM_SCHEDULERS', optimizer=wrapper)
