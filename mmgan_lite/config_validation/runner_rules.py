"""What the Runner itself is given: its arguments, loops and settings."""

import inspect
from typing import Any

from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner, TestLoop, ValLoop
from mmengine.utils.dl_utils import set_multi_processing
from torch.distributed import init_process_group

from mmgan_lite.config_validation.config_keys import RUNNER_KEYS, unknown_keys
from mmgan_lite.config_validation.signatures import check_arguments
from mmgan_lite.config_validation.walk import ConfigWalk

_set_randomness: Any = Runner.set_randomness
_LOG_LEVELS = ('DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL')
# MMEngine's own, and what it hands on.
_CONNECTION = ('backend', 'init_backend', *inspect.signature(init_process_group).parameters)
_LAUNCHERS = ('none', 'pytorch', 'slurm', 'mpi')


def check_top_level(walk: ConfigWalk) -> None:
    """Check that each key is read, is of its type, and has what it cannot do without."""
    for key, text in unknown_keys(walk.cfg).items():
        walk.note(key, text)
    if 'runner_type' in walk.cfg:
        walk.resolve('runner_type', walk.cfg['runner_type'], 'RUNNERS')
    given = {key: value for key, value in walk.cfg.items() if key in RUNNER_KEYS}
    # Absent is the same as None, and the command that trains chooses a folder.
    given = {key: value for key, value in given.items() if value is not None}
    for key, text in check_arguments(Runner, {'work_dir': '', **given}, ('cfg',)).items():
        walk.note(key, text)
    groups = [('train_dataloader', 'train_cfg', 'optim_wrapper')]
    groups += [(f'{s}_dataloader', f'{s}_cfg', f'{s}_evaluator') for s in ('val', 'test')]
    for group in groups:
        absent = [key for key in group if walk.cfg.get(key) is None]
        if 0 < len(absent) < 3:
            there = ' and '.join(key for key in group if key not in absent)
            for key in absent:
                walk.note(key, f'is missing, and {there} cannot do without it.')
    if walk.cfg.get('param_scheduler') and walk.cfg.get('optim_wrapper') is None:
        walk.note('param_scheduler', 'needs an optim_wrapper, got none.')


def check_loops(walk: ConfigWalk) -> bool | None:
    """Check the loops; returns whether training counts epochs, None where that is not known."""
    for key, loop in (('val_cfg', ValLoop), ('test_cfg', TestLoop)):
        if (cfg := walk.entry(key)) is not None:
            walk.part(key, cfg, 'LOOPS', ('runner', 'dataloader', 'evaluator'), default=loop)
    cfg = walk.entry('train_cfg')
    if cfg is None:
        return None
    given = dict(cfg)
    by_epoch = given.pop('by_epoch', None)
    if ('type' in cfg) == ('by_epoch' in cfg):
        walk.note(
            'train_cfg.by_epoch',
            'must be given, or type, and not both. Set by_epoch=False to count iterations.',
        )
    elif 'by_epoch' in cfg and not isinstance(by_epoch, bool):
        walk.note('train_cfg.by_epoch', f'must be bool, got {by_epoch!r}.')
    default = EpochBasedTrainLoop if by_epoch else IterBasedTrainLoop
    target = walk.part('train_cfg', given, 'LOOPS', ('runner', 'dataloader'), default=default)
    for key in ('max_iters', 'max_epochs', 'val_interval'):
        if type(cfg.get(key)) is int and cfg[key] < 1:
            walk.note(f'train_cfg.{key}', f'must be at least 1, got {cfg[key]}.')
    is_known = isinstance(target, type) and issubclass(
        target, (EpochBasedTrainLoop, IterBasedTrainLoop)
    )
    if not is_known:
        return None
    return issubclass(target, EpochBasedTrainLoop)


def check_settings(walk: ConfigWalk) -> None:
    """Check log, pictures, seeds, environment and launcher."""
    if (cfg := walk.entry('visualizer')) is not None:
        # As the Runner does.
        walk.part('visualizer', {'name': '', 'save_dir': '', **cfg}, 'VISUALIZERS')
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
        walk.only_known('auto_scale_lr', cfg, ('enable', 'base_batch_size'))
        if cfg.get('enable') and not isinstance(cfg.get('base_batch_size'), int):
            walk.note(
                'auto_scale_lr.base_batch_size',
                f'must be the batch size that the rates are for, got '
                f'{cfg.get("base_batch_size")!r}.',
            )
    _check_environment(walk)
    level = walk.cfg.get('log_level', 'INFO')
    if isinstance(level, str) and level not in _LOG_LEVELS:
        walk.note('log_level', f'must be one of {", ".join(_LOG_LEVELS)}, got {level!r}.')
    launcher = walk.cfg.get('launcher', 'none')
    if launcher not in _LAUNCHERS:
        walk.note('launcher', f'must be one of {", ".join(_LAUNCHERS)}, got {launcher!r}.')


def _check_environment(walk: ConfigWalk) -> None:
    cfg = walk.entry('env_cfg') or {}
    keys = ('cudnn_benchmark', 'mp_cfg', 'dist_cfg', 'resource_limit')
    walk.only_known('env_cfg', cfg, keys)
    for key in ('mp_cfg', 'dist_cfg'):
        if key in cfg and not isinstance(cfg[key], dict):
            walk.note(f'env_cfg.{key}', f'must be a dict, got {cfg[key]!r}.')
    processes = cfg.get('mp_cfg')
    if isinstance(processes, dict):
        walk.arguments('env_cfg.mp_cfg', set_multi_processing, processes, ('distributed',))
    walk.only_known('env_cfg.dist_cfg', cfg.get('dist_cfg'), _CONNECTION)
