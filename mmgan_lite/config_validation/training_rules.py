"""The model of a config, its optimizers, and the schedules of their rates."""

import copy
import functools
from collections.abc import Callable, Mapping
from typing import Any

import torch
from mmengine import optim
from mmengine import registry as roots
from torch import nn

from mmgan_lite.config_validation.walk import NO_EPOCHS, ConfigWalk, Place, find, is_known
from mmgan_lite.engine.activation_checkpointing import find_checkpointed
from mmgan_lite.engine.mmengine_compat import named_wrappers
from mmgan_lite.engine.optimizers import GANOptimWrapper, MultiOptimWrapperConstructor
from mmgan_lite.engine.optimizers import multi_optim_wrapper as multi
from mmgan_lite.registry import MODELS, build_part
from mmgan_lite.utils.interfaces import HasPlayers

_WRAPPER = Place('OPTIM_WRAPPERS', (), GANOptimWrapper, ('constructor', 'paramwise_cfg'))
_ENTRY = _WRAPPER._replace(read=(*_WRAPPER.read, 'lazy_correction'))
# Keys of ``paramwise_cfg`` in an optim wrapper, and of an entry of ``custom_keys`` in it.
_FACTORS = ('lr_mult', 'decay_mult')
_PARAMWISE = (
    *(*_FACTORS, 'bias_lr_mult', 'bias_decay_mult', 'norm_decay_mult', 'flat_decay_mult'),
    *('dwconv_decay_mult', 'dcn_offset_lr_mult', 'bypass_duplicate', 'custom_keys'),
)


def build_model(walk: ConfigWalk) -> None:
    """Build the model without memory for its tensors."""
    if 'model' not in walk.parts:
        return
    cfg, target, *_ = walk.parts['model']
    # Runner passes this one to a model that has none.
    if preprocessor := walk.cfg.get('data_preprocessor'):
        cfg = {'data_preprocessor': preprocessor, **cfg}
    walk.model = walk.attempt('model', lambda: _on_meta(roots.MODELS.build, cfg))
    if (names := walk.cfg.get('activation_checkpointing')) and isinstance(walk.model, HasPlayers):
        key = 'activation_checkpointing'
        walk.attempt(key, lambda: find_checkpointed(walk.model, names))
    if walk.model is None and is_known(target):
        error, count = walk.problems.pop(), len(walk.problems)
        for path, part in walk.of_kind('MODELS'):  # to find those that raise by themselves
            if part.owner is target and not part.place.added:  # an average needs the network
                build = functools.partial(build_part, MODELS, argument=path)
                walk.attempt(path, functools.partial(_on_meta, build, part.cfg), part.cfg)
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


def check_optim_wrapper(walk: ConfigWalk) -> None:
    """Check ``optim_wrapper``, and build it for the model."""
    if not isinstance(cfg := walk.cfg.get('optim_wrapper'), dict):
        return
    name, place = cfg.get('constructor', 'DefaultOptimWrapperConstructor'), 'optim_wrapper'
    count, model, networks = len(walk.problems), walk.model, {place: walk.model}
    look_up = functools.partial(find, name, 'OPTIM_WRAPPER_CONSTRUCTORS')
    constructor = walk.attempt(f'{place}.constructor', look_up)
    if constructor is MultiOptimWrapperConstructor:
        entries = {k: v for k, v in cfg.items() if k not in _WRAPPER.read}
        # Any network shows a rate that is not valid, for example.
        model = nn.ModuleDict({k: nn.Linear(1, 1) for k in entries}) if model is None else model
        networks = {f'{place}.{k}': v for k, v in multi.trained_networks(model).items()}
        for key, entry in entries.items():
            if isinstance(entry, dict):  # of others the constructor has an error
                walk.part(f'{place}.{key}', entry, _ENTRY)
    elif constructor is optim.DefaultOptimWrapperConstructor and isinstance(model, HasPlayers):
        single = optim.OptimWrapper(torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1))
        walk.attempt(f'{place}.constructor', lambda: model.check_optim_wrapper(single))
    elif constructor is optim.DefaultOptimWrapperConstructor:
        walk.part(place, cfg, _WRAPPER._replace(default=optim.OptimWrapper))
    parts = walk.of_kind('OPTIM_WRAPPERS')
    for path, part in parts:
        has_default = path == place or 'constructor' not in part.cfg
        if has_default and isinstance(part.cfg.get('paramwise_cfg'), dict):
            network = None if walk.model is None else networks.get(path)
            _check_paramwise(walk, f'{path}.paramwise_cfg', part.cfg, network)
        dtype, is_amp = part.cfg.get('dtype'), part.is_a(optim.AmpOptimWrapper)
        if is_amp and isinstance(dtype, str) and dtype not in part.target.valid_dtypes:
            known = ', '.join(part.target.valid_dtypes)
            walk.note(f'{path}.dtype', f'must be one of {known}, got {dtype!r}.')
    needs_gpu = any(part.is_a(optim.AmpOptimWrapper) for _, part in parts)
    can_build = len(walk.problems) == count and model is not None
    if can_build and (torch.cuda.is_available() or not needs_gpu):
        _build_optim_wrapper(walk, cfg, model)


def _build_optim_wrapper(walk: ConfigWalk, cfg: dict, model: nn.Module) -> None:
    """Also check the clipping of gradients, and that an average counts the images of a batch."""
    try:
        built = optim.build_optim_wrapper(model, cfg)
    except Exception as error:
        # An optimizer may read values, which meta tensors do not have.
        if 'meta' not in str(error):
            walk.note('optim_wrapper', str(error))
        return
    for name, wrapper in named_wrappers(built).items():
        path = 'optim_wrapper' if wrapper is built else f'optim_wrapper.{name}'
        if given := wrapper.clip_grad_kwargs:
            walk.arguments(f'{path}.clip_grad', wrapper.clip_func, given, ('parameters',))
    walk.optim_wrapper = None if walk.model is None else built
    size = walk.entry('train_dataloader').get('batch_size')
    if isinstance(walk.model, HasPlayers) and type(size) is int:
        walk.attempt('model.ema', lambda: walk.model.check_average(built, size))


def _check_paramwise(walk: ConfigWalk, path: str, wrapper: Mapping, network: Any) -> None:
    """Check factors for single weights; MMEngine ignores those that apply to no weight."""
    cfg, optimizer = wrapper['paramwise_cfg'], wrapper['optimizer']
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
    """Check and build ``param_scheduler``: a list as Runner has it, or one for each network."""
    networks: dict[str, Any] = {'': walk.optim_wrapper}
    if isinstance(walk.optim_wrapper, optim.OptimWrapperDict):
        networks = dict(walk.optim_wrapper.items())
        given = walk.cfg.get('param_scheduler')
        walk.attempt('param_scheduler', lambda: multi.check_schedulers(given, networks))
    built: dict[str, list] = {name: [] for name in networks}
    for path, part in walk.of_kind('PARAM_SCHEDULERS'):
        cfg, in_epochs = part.cfg, part.cfg.get('by_epoch', True)
        # Runner updates one with this key in each iteration.
        if in_epochs and walk.by_epoch is False and not cfg.get('convert_to_iter_based'):
            walk.note(f'{path}.by_epoch', f'must be False: {NO_EPOCHS}.')
            continue
        # Runner sets the end where it is missing.
        length = walk.entry('train_cfg').get('max_epochs' if in_epochs else 'max_iters')
        end = {} if length is None or 'end' in cfg else {'end': length}
        name = path.partition('[')[0].partition('.')[2]
        for network, wrapper in networks.items():
            if wrapper is not None and name in ('', network):
                scheduler = walk.build(path, **end, optimizer=wrapper)
                built[network] += [] if scheduler is None else [scheduler]
    return built.get('', built)
