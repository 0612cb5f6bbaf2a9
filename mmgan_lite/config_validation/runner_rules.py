"""The arguments of Runner, its loops, settings and hooks."""

import functools
from types import SimpleNamespace
from typing import Any

from mmengine import hooks as known_hooks
from mmengine import runner as runners
from mmengine.utils.dl_utils import set_multi_processing
from torch.distributed import init_process_group

from mmgan_lite.config_validation.walk import NO_EPOCHS, ConfigWalk, find, is_known, items_of
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


def check_top_level(walk: ConfigWalk) -> None:
    """Check that each key is read, is of its type, and has the keys that it needs."""
    for key, text in unknown_keys(walk.cfg).items():
        walk.note(key, text)
    if 'runner_type' in walk.cfg:
        walk.attempt('runner_type', lambda: find(walk.cfg['runner_type'], 'RUNNERS'))
    # None is the same as absent, and the train command chooses a folder.
    given = {key: value for key, value in walk.cfg.items() if value is not None}
    known = {key: value for key, value in given.items() if key in RUNNER_KEYS}
    walk.arguments('', runners.Runner, {'work_dir': '', **known}, ('cfg',))
    groups = [('train_dataloader', 'train_cfg', 'optim_wrapper')]
    groups += [(f'{s}_dataloader', f'{s}_cfg', f'{s}_evaluator') for s in ('val', 'test')]
    for group in groups:
        there = [key for key in group if key in given]
        for key in group if there else ():
            if key not in there:
                walk.note(key, f'is missing, and {" and ".join(there)} cannot do without it.')
    if given.get('param_scheduler') and 'optim_wrapper' not in given:
        walk.note('param_scheduler', 'needs an optim_wrapper, got none.')


def check_loops(walk: ConfigWalk) -> None:
    """Check the loops, and whether training counts epochs."""
    for key, loop in (('val_cfg', runners.ValLoop), ('test_cfg', runners.TestLoop)):
        if (cfg := walk.entry(key)) is not None:
            walk.part(key, cfg, 'LOOPS', ('runner', 'dataloader', 'evaluator'), default=loop)
    if (cfg := walk.entry('train_cfg')) is None:
        return
    given = {key: value for key, value in cfg.items() if key != 'by_epoch'}
    by_epoch = cfg.get('by_epoch', False)
    if ('type' in cfg) == ('by_epoch' in cfg):
        remedy = 'Set by_epoch=False to count iterations.'
        walk.note('train_cfg.by_epoch', f'must be given, or type, and not both. {remedy}')
    elif not isinstance(by_epoch, bool):
        walk.note('train_cfg.by_epoch', f'must be bool, got {by_epoch!r}.')
    default = runners.EpochBasedTrainLoop if by_epoch else runners.IterBasedTrainLoop
    target = walk.part('train_cfg', given, 'LOOPS', ('runner', 'dataloader'), default=default)
    for key in ('max_iters', 'max_epochs', 'val_interval'):
        if type(cfg.get(key)) is int and cfg[key] < 1:
            walk.note(f'train_cfg.{key}', f'must be at least 1, got {cfg[key]}.')
    for loop in (runners.EpochBasedTrainLoop, runners.IterBasedTrainLoop):
        if isinstance(target, type) and issubclass(target, loop):
            walk.by_epoch = loop is runners.EpochBasedTrainLoop


def check_settings(walk: ConfigWalk) -> None:
    """Check visualizer, log, seeds and environment."""
    if (cfg := walk.entry('visualizer')) is not None:
        filled = {'name': '', 'save_dir': '', **cfg} if 'type' in cfg else cfg  # by Runner
        walk.part('visualizer', filled, 'VISUALIZERS')
    if cfg := walk.entry('log_processor'):
        cfg = {'type': 'LogProcessor', **cfg}
        if walk.part('log_processor', cfg, 'LOG_PROCESSORS'):
            walk.build('log_processor', cfg, 'LOG_PROCESSORS')
    if cfg := walk.entry('randomness'):
        walk.arguments('randomness', runners.Runner.set_randomness, cfg, ('self',))
        seed = cfg.get('seed')
        if seed is not None and (type(seed) is not int or not 0 <= seed < 2**32):
            walk.note('randomness.seed', f'must be an int in [0, 2**32) or None, got {seed!r}.')
    if cfg := walk.entry('auto_scale_lr'):
        walk.keys('auto_scale_lr', cfg, ('enable', 'base_batch_size'))
        if cfg.get('enable') and not isinstance(size := cfg.get('base_batch_size'), int):
            text = f'must be the batch size that the rates are for, got {size!r}.'
            walk.note('auto_scale_lr.base_batch_size', text)
    environment = walk.entry('env_cfg') or {}
    walk.keys('env_cfg', environment, ('cudnn_benchmark', 'mp_cfg', 'dist_cfg', 'resource_limit'))
    for key, target in (('mp_cfg', set_multi_processing), ('dist_cfg', init_process_group)):
        if not isinstance(given := environment.get(key, {}), dict):
            walk.note(f'env_cfg.{key}', f'must be dict, got {given!r}.')
            continue
        # MMEngine reads these two.
        plain = {k: v for k, v in given.items() if k not in ('init_backend', 'timeout')}
        walk.arguments(f'env_cfg.{key}', target, plain, ('distributed',))


def check_hooks(walk: ConfigWalk) -> dict[str, Any]:
    """Check the hooks; returns those that could be built, by their places."""
    default_hooks = walk.entry('default_hooks') or {}
    custom_hooks = items_of('custom_hooks', walk.cfg.get('custom_hooks') or [])
    hooks: dict[str, Any] = {}
    for name, cfg in default_hooks.items():
        path = f'default_hooks.{name}'
        if cfg is None and name not in _RUNNER_HOOKS:
            text = 'must be a dict, got None, which removes only the hooks of Runner:'
            remedy = 'Write default_hooks=dict(_delete_=True, ...) with the hooks that stay.'
            walk.note(path, f'{text} {", ".join(_RUNNER_HOOKS)}. {remedy}')
        hooks[path] = None if cfg is None else _check_hook(walk, path, cfg)
        for known, default in _RUNNER_HOOKS.items():
            if known not in default_hooks and isinstance(hooks[path], default):
                text = f'would be a second {default.__name__} beside that of Runner.'
                walk.note(path, f'{text} Did you mean {known!r}?')
    hooks |= {path: _check_hook(walk, path, cfg) for path, cfg in custom_hooks.items()}
    return {path: hook for path, hook in hooks.items() if hook is not None}


def _check_hook(walk: ConfigWalk, path: str, cfg: Any) -> Any:
    given = cfg
    if isinstance(cfg, dict):
        given = {key: value for key, value in cfg.items() if key != 'priority'}
        try:
            runners.get_priority(cfg.get('priority') or 'NORMAL')
        except (KeyError, TypeError, ValueError):
            names = f'{", ".join(runners.Priority.__members__)}, or an int in [0, 100]'
            walk.note(f'{path}.priority', f'must be one of {names}, got {cfg["priority"]!r}.')
    target = walk.part(path, given, 'HOOKS')
    # Hooks of MMEngine never run with 0, or divide by it. Other projects have rules of their own.
    if target is not None and is_known(target):
        defaults = {key: p.default for key, p in signature_of(target).parameters.items()}
        interval, by_epoch = ({**defaults, **given}.get(key) for key in ('interval', 'by_epoch'))
        least = -1 if defaults.get('interval') == -1 else 1
        if interval is not None and (interval == 0 or interval < least):
            walk.note(f'{path}.interval', f'must be at least 1, got {interval}.')
            return None
        if by_epoch and walk.by_epoch is False and (interval or 0) > 0:
            walk.note(f'{path}.by_epoch', f'must be False for {name_of(target)}: {NO_EPOCHS}.')
    return None if target is None else walk.build(path, given, 'HOOKS')


def check_annealing(walk: ConfigWalk, hooks: dict[str, Any], schedulers: Any) -> None:
    """Check the targets of each ``AnnealHook`` of ``hooks`` against model and optimizers."""
    loader = walk.entry('train_dataloader') or {}
    runner: Any = SimpleNamespace(
        model=walk.model,
        optim_wrapper=walk.optim_wrapper,
        param_schedulers=schedulers,
        train_dataloader=SimpleNamespace(batch_size=loader.get('batch_size')),
        hooks=list(hooks.values()),
    )
    for path, hook in hooks.items():
        if isinstance(hook, AnnealHook) and walk.optim_wrapper is not None:
            walk.attempt(path, functools.partial(hook.before_train, runner))
