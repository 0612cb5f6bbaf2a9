"""The arguments of Runner, its loops, settings and hooks."""

import functools
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from mmengine import runner as loops
from mmengine.runner import Priority, Runner, get_priority
from mmengine.utils.dl_utils import set_multi_processing
from torch.distributed import init_process_group

from mmgan_lite.config_validation import schema
from mmgan_lite.config_validation.walk import NO_EPOCHS, ConfigWalk, is_known, items_of
from mmgan_lite.engine.hooks.anneal_hook import AnnealHook
from mmgan_lite.utils.config_keys import RUNNER_KEYS, unknown_keys
from mmgan_lite.utils.signatures import name_of, signature_of

_set_randomness: Callable = Runner.set_randomness


def check_top_level(walk: ConfigWalk) -> None:
    """Check that each key is read, is of its type, and has the keys that it needs."""
    for key, text in unknown_keys(walk.cfg).items():
        walk.note(key, text)
    if 'runner_type' in walk.cfg:
        walk.resolve('runner_type', walk.cfg['runner_type'], 'RUNNERS')
    # None is the same as absent, and the train command chooses a folder.
    given = {key: value for key, value in walk.cfg.items() if value is not None}
    known = {key: value for key, value in given.items() if key in RUNNER_KEYS}
    walk.arguments('', Runner, {'work_dir': '', **known}, ('cfg',))
    levels = {key: given[key] for key in ('launcher', 'log_level') if key in given}
    walk.arguments('', schema.options, levels)
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
    for key, loop in (('val_cfg', loops.ValLoop), ('test_cfg', loops.TestLoop)):
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
    default = loops.EpochBasedTrainLoop if by_epoch else loops.IterBasedTrainLoop
    target = walk.part('train_cfg', given, 'LOOPS', ('runner', 'dataloader'), default=default)
    for key in ('max_iters', 'max_epochs', 'val_interval'):
        if type(cfg.get(key)) is int and cfg[key] < 1:
            walk.note(f'train_cfg.{key}', f'must be at least 1, got {cfg[key]}.')
    for loop in (loops.EpochBasedTrainLoop, loops.IterBasedTrainLoop):
        if isinstance(target, type) and issubclass(target, loop):
            walk.by_epoch = loop is loops.EpochBasedTrainLoop


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
        walk.arguments('randomness', _set_randomness, cfg, ('self',))
        seed = cfg.get('seed')
        if seed is not None and (type(seed) is not int or not 0 <= seed < 2**32):
            walk.note('randomness.seed', f'must be an int in [0, 2**32) or None, got {seed!r}.')
    if cfg := walk.entry('auto_scale_lr'):
        added = () if cfg.get('enable') else ('base_batch_size',)
        walk.arguments('auto_scale_lr', schema.auto_scale_lr, cfg, added)
    environment = walk.arguments('env_cfg', schema.env_cfg, walk.entry('env_cfg') or {})
    processes = environment.get('mp_cfg') or {}
    walk.arguments('env_cfg.mp_cfg', set_multi_processing, processes, ('distributed',))
    # These two are read by MMEngine.
    given = environment.get('dist_cfg') or {}
    given = {key: value for key, value in given.items() if key not in ('init_backend', 'timeout')}
    walk.arguments('env_cfg.dist_cfg', init_process_group, given)


def check_hooks(walk: ConfigWalk) -> dict[str, Any]:
    """Check the hooks; returns those that could be built, by their places."""
    default_hooks = walk.entry('default_hooks') or {}
    custom_hooks = items_of('custom_hooks', walk.cfg.get('custom_hooks') or [])
    hooks: dict[str, Any] = {}
    for name, cfg in default_hooks.items():
        path = f'default_hooks.{name}'
        if cfg is None and name not in schema.RUNNER_HOOKS:
            text = 'must be a dict, got None, which removes only the hooks of Runner:'
            remedy = 'Write default_hooks=dict(_delete_=True, ...) with the hooks that stay.'
            walk.note(path, f'{text} {", ".join(schema.RUNNER_HOOKS)}. {remedy}')
        hooks[path] = None if cfg is None else _check_hook(walk, path, cfg)
        for known, default in schema.RUNNER_HOOKS.items():
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
            get_priority(cfg.get('priority') or 'NORMAL')
        except (KeyError, TypeError, ValueError):
            names = f'{", ".join(Priority.__members__)}, or an int in [0, 100]'
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
    runner: Any = SimpleNamespace(
        model=walk.model,
        optim_wrapper=walk.optim_wrapper,
        param_schedulers=schedulers,
        train_dataloader=SimpleNamespace(batch_size=walk.setting('train_dataloader', 'batch_size')),
        hooks=list(hooks.values()),
    )
    for path, hook in hooks.items():
        if isinstance(hook, AnnealHook) and walk.optim_wrapper is not None:
            walk.attempt(path, functools.partial(hook.before_train, runner))
