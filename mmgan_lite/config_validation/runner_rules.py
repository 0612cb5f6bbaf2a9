"""The arguments of Runner, its loops and its settings."""

from collections.abc import Callable

from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner, TestLoop, ValLoop
from mmengine.utils.dl_utils import set_multi_processing
from torch.distributed import init_process_group

from mmgan_lite.config_validation import schema
from mmgan_lite.config_validation.walk import ConfigWalk
from mmgan_lite.utils.config_keys import RUNNER_KEYS, unknown_keys

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
    for key, loop in (('val_cfg', ValLoop), ('test_cfg', TestLoop)):
        if (cfg := walk.entry(key)) is not None:
            walk.part(key, cfg, 'LOOPS', ('runner', 'dataloader', 'evaluator'), default=loop)
    if (cfg := walk.entry('train_cfg')) is None:
        return
    given = {key: value for key, value in cfg.items() if key != 'by_epoch'}
    by_epoch = cfg.get('by_epoch', False)
    if ('type' in cfg) == ('by_epoch' in cfg):
        walk.note(
            'train_cfg.by_epoch',
            'must be given, or type, and not both. Set by_epoch=False to count iterations.',
        )
    elif not isinstance(by_epoch, bool):
        walk.note('train_cfg.by_epoch', f'must be bool, got {by_epoch!r}.')
    default = EpochBasedTrainLoop if by_epoch else IterBasedTrainLoop
    target = walk.part('train_cfg', given, 'LOOPS', ('runner', 'dataloader'), default=default)
    for key in ('max_iters', 'max_epochs', 'val_interval'):
        if type(cfg.get(key)) is int and cfg[key] < 1:
            walk.note(f'train_cfg.{key}', f'must be at least 1, got {cfg[key]}.')
    for loop in (EpochBasedTrainLoop, IterBasedTrainLoop):
        if isinstance(target, type) and issubclass(target, loop):
            walk.by_epoch = loop is EpochBasedTrainLoop


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
        if type(seed := cfg.get('seed')) is int and not 0 <= seed < 2**32:
            walk.note('randomness.seed', f'must be an int in [0, 2**32), got {seed}.')
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
