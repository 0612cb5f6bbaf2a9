"""The arguments of Runner, its loops, settings and hooks."""

import functools
from types import SimpleNamespace
from typing import Any

from mmengine import hooks as known_hooks
from mmengine import runner as runners

from mmgan_lite.config_validation.walk import NO_EPOCHS, ConfigWalk, Part, find, is_known
from mmgan_lite.engine.hooks.anneal_hook import AnnealHook
from mmgan_lite.utils.config_keys import RUNNER_KEYS, unknown_keys
from mmgan_lite.utils.signatures import name_of, signature_of

# Hooks that Runner adds under these names of default_hooks.
_RUNNER_HOOKS = {
    'runtime_info': known_hooks.RuntimeInfoHook,
    'timer': known_hooks.IterTimerHook,
    'sampler_seed': known_hooks.DistSamplerSeedHook,
    'logger': known_hooks.LoggerHook,
    'param_scheduler': known_hooks.ParamSchedulerHook,
    'checkpoint': known_hooks.CheckpointHook,
}


def check_entries(walk: ConfigWalk) -> None:
    """Check that each entry is read, and has its type, parts, and the entries that it needs."""
    for key, text in unknown_keys(walk.cfg).items():
        walk.note(key, text)
    if 'runner_type' in walk.cfg:
        walk.attempt('runner_type', lambda: find(walk.cfg['runner_type'], 'RUNNERS'))
    # None is the same as absent, and the train command chooses a folder.
    given = {key: value for key, value in walk.cfg.items() if value is not None}
    known = {key: value for key, value in given.items() if key in RUNNER_KEYS}
    valid = walk.arguments('', runners.Runner, {'work_dir': '', **known}, ('cfg',))
    groups = [('train_dataloader', 'train_cfg', 'optim_wrapper')]
    groups += [(f'{s}_dataloader', f'{s}_cfg', f'{s}_evaluator') for s in ('val', 'test')]
    for group in groups:
        there = [key for key in group if key in given]
        for key in group if there else ():
            if key not in there:
                walk.note(key, f'is missing, and {" and ".join(there)} cannot do without it.')
    if given.get('param_scheduler') and 'optim_wrapper' not in given:
        walk.note('param_scheduler', 'needs an optim_wrapper, got none.')
    if 'train_cfg' in valid:
        valid['train_cfg'] = _check_train_cfg(walk, valid['train_cfg'])
    for key, value in {**valid, 'model_wrapper_cfg': walk.cfg.get('model_wrapper_cfg')}.items():
        walk.inside(key, value, key)
    for loop in (runners.EpochBasedTrainLoop, runners.IterBasedTrainLoop):
        if 'train_cfg' in walk.parts and walk.parts['train_cfg'].is_a(loop):
            walk.by_epoch = loop is runners.EpochBasedTrainLoop


def _check_train_cfg(walk: ConfigWalk, cfg: dict) -> dict:
    """Check the numbers of the training loop; returns it with its class, as Runner chooses that."""
    by_epoch = cfg.get('by_epoch', False)
    if ('type' in cfg) == ('by_epoch' in cfg):
        remedy = 'Set by_epoch=False to count iterations.'
        walk.note('train_cfg.by_epoch', f'must be given, or type, and not both. {remedy}')
    elif not isinstance(by_epoch, bool):
        walk.note('train_cfg.by_epoch', f'must be bool, got {by_epoch!r}.')
    for key in ('max_iters', 'max_epochs', 'val_interval'):
        if type(cfg.get(key)) is int and cfg[key] < 1:
            walk.note(f'train_cfg.{key}', f'must be at least 1, got {cfg[key]}.')
    return {'type': runners.EpochBasedTrainLoop, **cfg} if by_epoch else cfg


def check_settings(walk: ConfigWalk) -> None:
    """Check log, seeds, environment and the scaling of rates."""
    if 'log_processor' in walk.parts:
        walk.build('log_processor')
    seed = walk.entry('randomness').get('seed')
    if seed is not None and (type(seed) is not int or not 0 <= seed < 2**32):
        walk.note('randomness.seed', f'must be an int in [0, 2**32) or None, got {seed!r}.')
    environment, scaling = walk.entry('env_cfg'), walk.entry('auto_scale_lr')
    walk.keys('env_cfg', environment, ('cudnn_benchmark', 'mp_cfg', 'dist_cfg', 'resource_limit'))
    for key, value in environment.items():
        walk.inside(f'env_cfg.{key}', value, f'env_cfg.{key}')
    walk.keys('auto_scale_lr', scaling, ('enable', 'base_batch_size'))
    if scaling.get('enable') and not isinstance(size := scaling.get('base_batch_size'), int):
        text = f'must be the batch size that the rates are for, got {size!r}.'
        walk.note('auto_scale_lr.base_batch_size', text)


def check_hooks(walk: ConfigWalk, schedulers: Any) -> None:
    """Check the hooks, and the targets of each ``AnnealHook`` against model and optimizers."""
    default_hooks = walk.entry('default_hooks')
    for name in default_hooks:
        if default_hooks[name] is None and name not in _RUNNER_HOOKS:
            text = 'must be a dict, got None, which removes only the hooks of Runner:'
            remedy = 'Write default_hooks=dict(_delete_=True, ...) with the hooks that stay.'
            walk.note(f'default_hooks.{name}', f'{text} {", ".join(_RUNNER_HOOKS)}. {remedy}')
    hooks = {path: _check_hook(walk, path, part) for path, part in walk.of_kind('HOOKS')}
    size = walk.entry('train_dataloader').get('batch_size')
    runner: Any = SimpleNamespace(
        model=walk.model,
        optim_wrapper=walk.optim_wrapper,
        param_schedulers=schedulers,
        train_dataloader=SimpleNamespace(batch_size=size),
        hooks=list(hooks.values()),
    )
    for path, hook in hooks.items():
        for known, default in _RUNNER_HOOKS.items():
            is_second = path.startswith('default_hooks.') and isinstance(hook, default)
            if is_second and known not in default_hooks:
                text = f'would be a second {default.__name__} beside that of Runner.'
                walk.note(path, f'{text} Did you mean {known!r}?')
        if isinstance(hook, AnnealHook) and walk.optim_wrapper is not None:
            walk.attempt(path, functools.partial(hook.before_train, runner))


def _check_hook(walk: ConfigWalk, path: str, part: Part) -> Any:
    """Check its priority and how often it runs; returns the hook, or None if it is not valid."""
    try:
        runners.get_priority(part.cfg.get('priority') or 'NORMAL')
    except (KeyError, TypeError, ValueError):
        names = f'{", ".join(runners.Priority.__members__)}, or an int in [0, 100]'
        walk.note(f'{path}.priority', f'must be one of {names}, got {part.cfg["priority"]!r}.')
    # Hooks of MMEngine never run with 0, or divide by it. Other projects have rules of their own.
    if is_known(part.target):
        defaults = {key: p.default for key, p in signature_of(part.target).parameters.items()}
        interval, by_epoch = ({**defaults, **part.cfg}.get(key) for key in ('interval', 'by_epoch'))
        least = -1 if defaults.get('interval') == -1 else 1
        if interval is not None and (interval == 0 or interval < least):
            walk.note(f'{path}.interval', f'must be at least 1, got {interval}.')
            return None
        if by_epoch and walk.by_epoch is False and (interval or 0) > 0:
            text = f'must be False for {name_of(part.target)}: {NO_EPOCHS}.'
            walk.note(f'{path}.by_epoch', text)
    return walk.build(path)
