"""Optimizers of the networks, and the schedules of their rates."""

import copy
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import torch
from mmengine.optim import (
    AmpOptimWrapper,
    DefaultOptimWrapperConstructor,
    OptimWrapper,
    OptimWrapperDict,
    build_optim_wrapper,
)
from torch import nn

from mmgan_lite.config_validation.schema import paramwise_cfg, weight_factors
from mmgan_lite.config_validation.walk import ConfigWalk
from mmgan_lite.engine.optimizers import GANOptimWrapper, MultiOptimWrapperConstructor
from mmgan_lite.engine.optimizers.multi_optim_wrapper import check_schedulers as check_names

_CLIPPING: dict[str, Any] = {'norm': nn.utils.clip_grad_norm_, 'value': nn.utils.clip_grad_value_}


@runtime_checkable
class ChecksTraining(Protocol):
    """A model that trains with several optim wrappers: :class:`~mmgan_lite.models.GAN`."""

    def check_optim_wrapper(self, optim_wrapper: Any) -> None:
        """Raise ``ValueError`` unless there is one for each network."""

    def check_average(self, optim_wrapper: Any, batch_size: int) -> None:
        """Raise ``ValueError`` if an average of weights counts another number of images."""


def check_optim_wrapper(walk: ConfigWalk, model: Any) -> Any:
    """Check ``optim_wrapper``; returns it for the model, or None.

    Args:
        walk: Through the config.
        model: On the meta device; None if it is not valid.
    """
    if (cfg := walk.entry('optim_wrapper')) is None:
        return None
    name = cfg.get('constructor', DefaultOptimWrapperConstructor)
    constructor = walk.resolve('optim_wrapper.constructor', name, 'OPTIM_WRAPPER_CONSTRUCTORS')
    given = {k: v for k, v in cfg.items() if k not in ('constructor', 'paramwise_cfg')}
    count = len(walk.problems)
    has_gpu = True
    if constructor is MultiOptimWrapperConstructor:
        networks = {} if model is None else dict(model.named_children())
        for key, entry in given.items():
            path = f'optim_wrapper.{key}'
            has_gpu &= _check_wrapper(walk, path, entry, networks.get(key, model), GANOptimWrapper)
    elif constructor is DefaultOptimWrapperConstructor and isinstance(model, ChecksTraining):
        single = OptimWrapper(torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1))
        walk.attempt('optim_wrapper.constructor', lambda: model.check_optim_wrapper(single))
    elif constructor is DefaultOptimWrapperConstructor:
        has_gpu = _check_wrapper(walk, 'optim_wrapper', cfg, model, OptimWrapper)
    if constructor is None or model is None or not has_gpu or len(walk.problems) > count:
        return None
    settings = dict(optim_wrapper_cfg=given, paramwise_cfg=cfg.get('paramwise_cfg'))
    try:
        wrapper = constructor(**copy.deepcopy(settings))(model)
    except Exception as error:
        # An optimizer that reads values, which meta tensors do not have, is checked by itself.
        if 'meta' not in str(error):
            walk.note('optim_wrapper', str(error))
        return None
    if isinstance(model, ChecksTraining):
        walk.attempt('optim_wrapper', lambda: model.check_optim_wrapper(wrapper))
    return wrapper


def _check_wrapper(walk: ConfigWalk, path: str, cfg: Any, network: Any, default: type) -> bool:
    """Check one optim wrapper with its optimizer; returns False if it needs a GPU to be built."""
    if not isinstance(cfg, dict) or 'optimizer' not in cfg:
        walk.note(
            path, f"needs an optimizer, got {cfg!r}. Add optimizer=dict(type='Adam', lr=2e-4)."
        )
        return True
    count = len(walk.problems)
    # The type in clip_grad is not that of a part.
    others = ('optimizer', 'constructor', 'paramwise_cfg', 'clip_grad')
    given = {key: value for key, value in cfg.items() if key not in others}
    target = walk.part(path, given, 'OPTIM_WRAPPERS', ('optimizer',), default)
    walk.part(f'{path}.optimizer', cfg['optimizer'], 'OPTIMIZERS', ('params',))
    _check_clipping(walk, f'{path}.clip_grad', cfg.get('clip_grad'))
    _check_paramwise(walk, f'{path}.paramwise_cfg', cfg, network)
    is_amp = isinstance(target, type) and issubclass(target, AmpOptimWrapper)
    if is_amp and not torch.cuda.is_available():
        return False
    if len(walk.problems) == count:
        zeros = nn.Linear(1, 1) if network is None else _with_zeros(network)
        entry = copy.deepcopy({'type': default, **cfg})
        walk.attempt(path, lambda: build_optim_wrapper(zeros, entry), cfg)
    return True


def _with_zeros(network: nn.Module) -> nn.Module:
    """The network on the CPU, with parameters that take no memory."""
    network = copy.deepcopy(network)
    zeros = {
        name: torch.zeros((), dtype=parameter.dtype).expand(parameter.shape)
        for name, parameter in network.named_parameters()
    }
    network.load_state_dict(zeros, strict=False, assign=True)
    return network


def _check_clipping(walk: ConfigWalk, path: str, cfg: Any) -> None:
    if cfg is None:
        return
    if not isinstance(cfg, dict):
        walk.note(path, f'must be a dict such as dict(max_norm=1.0), got {cfg!r}.')
    elif (kind := cfg.get('type', 'norm')) not in _CLIPPING:
        walk.note(f'{path}.type', f"must be 'norm' or 'value', got {kind!r}.")
    else:
        given = {key: value for key, value in cfg.items() if key != 'type'}
        walk.arguments(path, _CLIPPING[kind], given, ('parameters',))


def _check_paramwise(walk: ConfigWalk, path: str, wrapper: Mapping, network: Any) -> None:
    """Check factors for single weights; MMEngine ignores one that applies to no weight."""
    cfg = wrapper.get('paramwise_cfg')
    if not isinstance(cfg, dict) or 'constructor' in wrapper:
        return
    walk.arguments(path, paramwise_cfg, cfg)
    factors = {f'{path}.{key}': key for key in cfg}
    names = [] if network is None else [f'.{name}' for name, _ in network.named_parameters()]
    keys = cfg.get('custom_keys')
    for key, entry in keys.items() if isinstance(keys, dict) else ():
        place = f'{path}.custom_keys[{key!r}]'
        if isinstance(entry, dict):
            walk.arguments(place, weight_factors, entry)
            factors |= {f'{place}.{factor}': factor for factor in entry}
        if names and not any(key in name for name in names):
            walk.note(place, f'is in the name of no weight. There are {", ".join(names[:3])}, ...')
    optimizer = wrapper['optimizer']
    if isinstance(optimizer, dict) and optimizer.get('weight_decay') is None:
        for place, factor in factors.items():
            if factor.endswith('decay_mult'):
                walk.note(place, 'is a factor of weight_decay, which the optimizer must be given.')


def check_schedulers(walk: ConfigWalk, wrappers: Any, by_epoch: bool | None) -> Any:
    """Check ``param_scheduler``; returns them as Runner has them: a list, or one for each network.

    Args:
        walk: Through the config.
        wrappers: The result of :func:`check_optim_wrapper`.
        by_epoch: Whether training counts epochs; None if that is not known.
    """
    given = walk.cfg.get('param_scheduler')
    networks: dict[str, Any] = {'': wrappers}
    if isinstance(wrappers, OptimWrapperDict):
        networks = dict(wrappers.items())
        walk.attempt('param_scheduler', lambda: check_names(given, networks))
    if not isinstance(given, dict) or 'type' in given:
        checked = _check_schedule(walk, 'param_scheduler', given, by_epoch)
        schedules = {name: _build(walk, checked, wrapper) for name, wrapper in networks.items()}
        return schedules.get('', schedules)
    schedules = {}
    for name, cfg in given.items():
        checked = _check_schedule(walk, f'param_scheduler.{name}', cfg, by_epoch)
        schedules[name] = _build(walk, checked, networks.get(name))
    return schedules


def _check_schedule(
    walk: ConfigWalk, path: str, given: Any, by_epoch: bool | None
) -> dict[str, dict]:
    """The valid schedulers of a network, by their places."""
    if isinstance(given, (list, tuple)):
        entries = {f'{path}[{position}]': cfg for position, cfg in enumerate(given)}
    else:
        entries = {path: given} if given else {}
    return {p: cfg for p, cfg in entries.items() if _check_scheduler(walk, p, cfg, by_epoch)}


def _check_scheduler(walk: ConfigWalk, path: str, cfg: Any, by_epoch: bool | None) -> bool:
    plain, converted = cfg, False
    added: tuple[str, ...] = ('optimizer',)
    if isinstance(cfg, dict):
        # Read by Runner: a schedule in epochs that is updated in each iteration.
        plain = {key: value for key, value in cfg.items() if key != 'convert_to_iter_based'}
        converted = cfg.get('convert_to_iter_based', False)
        # Those of rates set it themselves; building finds where it is missing.
        added += () if 'param_name' in cfg else ('param_name',)
    if walk.part(path, plain, 'PARAM_SCHEDULERS', added) is None:
        return False
    if cfg.get('by_epoch', True) and by_epoch is False and not converted:
        walk.note(
            f'{path}.by_epoch',
            'must be False where train_cfg counts iterations: no epoch ends there, and the '
            'schedule would not change the rate.',
        )
        return False
    return True


def _build(walk: ConfigWalk, schedule: Mapping[str, dict], wrapper: Any) -> list[Any]:
    built = []
    for path, cfg in schedule.items() if wrapper is not None else ():
        length = 'max_epochs' if cfg.get('by_epoch', True) else 'max_iters'
        # Runner sets the end where it is missing.
        end = dict(end=walk.setting('train_cfg', length))
        plain = {k: v for k, v in {**end, **cfg}.items() if k != 'convert_to_iter_based'}
        built.append(walk.build(path, plain, 'PARAM_SCHEDULERS', optimizer=wrapper))
    return [scheduler for scheduler in built if scheduler is not None]
