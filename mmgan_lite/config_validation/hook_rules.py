"""Hooks: built, and those that anneal settings tried on the model."""

import functools
from types import SimpleNamespace
from typing import Any, Protocol, runtime_checkable

from mmengine.hooks import CheckpointHook
from mmengine.runner import Priority, get_priority

from mmgan_lite.config_validation.schema import RUNNER_HOOKS
from mmgan_lite.config_validation.walk import ConfigWalk, is_known
from mmgan_lite.engine.hooks.anneal_hook import AnnealHook


@runtime_checkable
class RunsInIntervals(Protocol):
    """A hook that acts every ``interval`` epochs or iterations."""

    by_epoch: bool
    interval: int


def check_hooks(walk: ConfigWalk) -> dict[str, Any]:
    """Check the hooks; returns those that could be built, by their places."""
    default_hooks = walk.entry('default_hooks') or {}
    custom_hooks = walk.cfg.get('custom_hooks')
    entries = {
        f'default_hooks.{name}': cfg for name, cfg in default_hooks.items() if cfg is not None
    }
    if isinstance(custom_hooks, (list, tuple)):
        entries |= {f'custom_hooks[{position}]': cfg for position, cfg in enumerate(custom_hooks)}
    hooks = {path: _check_hook(walk, path, cfg) for path, cfg in entries.items()}
    for name, cfg in default_hooks.items():
        path = f'default_hooks.{name}'
        if cfg is None and name not in RUNNER_HOOKS:
            walk.note(
                path,
                'must be a dict, got None, which removes only the hooks of Runner itself: '
                f'{", ".join(RUNNER_HOOKS)}. To remove one that a config of _base_ has, write '
                'default_hooks=dict(_delete_=True, ...) with the others.',
            )
        for known, default in RUNNER_HOOKS.items():
            if known not in default_hooks and isinstance(hooks.get(path), default):
                walk.note(
                    path,
                    f'would be added to the {default.__name__} that Runner has under {known!r}. '
                    f'Did you mean {known!r}?',
                )
    return {path: hook for path, hook in hooks.items() if hook is not None}


def _check_hook(walk: ConfigWalk, path: str, cfg: Any) -> Any:
    given = cfg
    if isinstance(cfg, dict) and 'priority' in cfg:
        given = {key: value for key, value in cfg.items() if key != 'priority'}
        _check_priority(walk, f'{path}.priority', cfg['priority'])
    target = walk.part(path, given, 'HOOKS')
    if target is None:
        return None
    # Hooks of MMEngine never run with 0, or divide by it. Other projects have rules of their own.
    interval = given.get('interval') if is_known(target) else None
    least = -1 if isinstance(target, type) and issubclass(target, CheckpointHook) else 1
    if interval is not None and (interval == 0 or interval < least):
        walk.note(f'{path}.interval', f'must be at least 1, got {interval}.')
        return None
    hook = walk.build(path, given, 'HOOKS')
    in_epochs = isinstance(hook, RunsInIntervals) and hook.by_epoch and hook.interval > 0
    if in_epochs and walk.by_epoch is False and is_known(type(hook)):
        walk.note(
            f'{path}.by_epoch',
            f'must be False where train_cfg counts iterations: {type(hook).__name__} would wait '
            'for the end of an epoch.',
        )
    return hook


def _check_priority(walk: ConfigWalk, path: str, value: Any) -> None:
    try:
        get_priority('NORMAL' if value is None else value)
    except (KeyError, TypeError, ValueError):
        names = ', '.join(Priority.__members__)
        walk.note(path, f'must be one of {names}, or an int in [0, 100], got {value!r}.')


def check_annealing(walk: ConfigWalk, hooks: dict[str, Any], schedulers: Any) -> None:
    """Check the targets of each ``AnnealHook`` of ``hooks`` against model and optimizers."""
    if walk.optim_wrapper is None:
        return
    batch_size = walk.setting('train_dataloader', 'batch_size')
    runner: Any = SimpleNamespace(
        model=walk.model,
        optim_wrapper=walk.optim_wrapper,
        param_schedulers=schedulers,
        train_dataloader=SimpleNamespace(batch_size=batch_size),
        hooks=list(hooks.values()),
    )
    for path, hook in hooks.items():
        if isinstance(hook, AnnealHook):
            walk.attempt(path, functools.partial(hook.before_train, runner))
