"""Hooks: built, and tried where what they do to the model can be tried without training."""

from collections.abc import Collection
from types import SimpleNamespace
from typing import Any

import mmengine.hooks
from mmengine.runner import get_priority

from mmgan_lite.config_validation.walk import ConfigWalk, is_known, sentence

# Runner's own, which it adds where a config has none of the name.
_DEFAULT_HOOKS = {
    'runtime_info': 'RuntimeInfoHook',
    'timer': 'IterTimerHook',
    'sampler_seed': 'DistSamplerSeedHook',
    'logger': 'LoggerHook',
    'param_scheduler': 'ParamSchedulerHook',
    'checkpoint': 'CheckpointHook',
}


def check_hooks(walk: ConfigWalk, by_epoch: bool | None) -> dict[str, Any]:
    """Check the hooks; returns those that could be built, by where they stand.

    Args:
        walk: Through the config.
        by_epoch: Whether training counts epochs; None where that is not known.
    """
    hooks: dict[str, Any] = {}
    default_hooks = walk.entry('default_hooks') or {}
    for name, cfg in default_hooks.items():
        path = f'default_hooks.{name}'
        if cfg is not None:
            hooks[path] = _check_hook(walk, path, cfg)
            _check_default_name(walk, path, hooks[path], default_hooks)
        elif name not in _DEFAULT_HOOKS:
            walk.note(
                path,
                'must be a dict, got None, which takes out only hooks of the Runner itself: '
                f'{", ".join(_DEFAULT_HOOKS)}. To be rid of one that a config of _base_ has, write '
                'default_hooks=dict(_delete_=True, ...) with those that stay.',
            )
    custom_hooks = walk.cfg.get('custom_hooks')
    for position, cfg in enumerate(custom_hooks if isinstance(custom_hooks, (list, tuple)) else ()):
        path = f'custom_hooks[{position}]'
        hooks[path] = _check_hook(walk, path, cfg)
    built = {path: hook for path, hook in hooks.items() if hook is not None}
    for path, hook in built.items():
        waits = by_epoch is False and getattr(hook, 'by_epoch', False) and _interval(hook) > 0
        if waits and is_known(type(hook)):
            walk.note(
                f'{path}.by_epoch',
                f'must be False where train_cfg counts iterations: {type(hook).__name__} would '
                'wait for the end of an epoch.',
            )
    return built


def _is_class(target: Any, base: type) -> bool:
    """Whether it is one; a part may also be made by a function."""
    return isinstance(target, type) and issubclass(target, base)


def _interval(hook: Any) -> int:
    return getattr(hook, 'interval', -1)


def _check_hook(walk: ConfigWalk, path: str, cfg: Any) -> Any:
    given = cfg
    if isinstance(cfg, dict) and 'priority' in cfg:
        given = {key: value for key, value in cfg.items() if key != 'priority'}
        _check_priority(walk, f'{path}.priority', cfg['priority'])
    target = walk.part(path, given, 'HOOKS')
    if isinstance(cfg, dict) and type(interval := cfg.get('interval')) is int:
        # MMEngine's take 0 as never, or divide by it. What others take it for, they know.
        saves = _is_class(target, mmengine.hooks.CheckpointHook)
        if is_known(target) and (interval < (-1 if saves else 1) or interval == 0):
            walk.note(f'{path}.interval', f'must be at least 1, got {interval}.')
            return None
    return None if target is None else walk.build(path, given, 'HOOKS')


def _check_priority(walk: ConfigWalk, path: str, value: Any) -> None:
    if value is None:
        return
    try:
        get_priority(value)
    except (KeyError, TypeError, ValueError):
        names = ', '.join(mmengine.runner.Priority.__members__)
        walk.note(path, f'must be one of {names}, or an int in [0, 100], got {value!r}.')


def _check_default_name(walk: ConfigWalk, path: str, hook: Any, names: Collection[str]) -> None:
    """A misspelt name of a default hook: the Runner would add another under the right one."""
    for known, default in _DEFAULT_HOOKS.items():
        if known not in names and isinstance(hook, getattr(mmengine.hooks, default)):
            walk.note(
                path,
                f'would be added to the {default} that the Runner has under {known!r}. '
                f'Did you mean {known!r}?',
            )


def check_annealing(
    walk: ConfigWalk, hooks: dict[str, Any], model: Any, optim_wrapper: Any, schedulers: Any
) -> None:
    """Check the targets of each ``AnnealHook`` against model and optimisers, where these are right.

    Args:
        walk: Through the config.
        hooks: What :func:`check_hooks` gives.
        model: On the meta device, or None.
        optim_wrapper: For the model, or None.
        schedulers: As the Runner has them.
    """
    if model is None or optim_wrapper is None:
        return
    batch_size = walk.setting('train_dataloader', 'batch_size')
    runner = SimpleNamespace(
        model=model,
        optim_wrapper=optim_wrapper,
        param_schedulers=schedulers,
        train_dataloader=SimpleNamespace(batch_size=batch_size),
        hooks=list(hooks.values()),
    )
    for path, hook in hooks.items():
        if type(hook).__name__ == 'AnnealHook':
            try:
                hook.before_train(runner)
            except Exception as error:
                walk.note(path, sentence(error))
