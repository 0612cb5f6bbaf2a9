"""The arguments of Runner, its loops, settings and hooks."""

import functools

import pytest
from mmengine.hooks import Hook


@pytest.mark.parametrize(
    ('settings', 'place', 'expected'),
    [
        ({'train_dataloder': {}}, 'train_dataloder', "Did you mean 'train_dataloader'?"),
        ({'vis_backends': []}, 'vis_backends', 'with an underscore: _vis_backends.'),
        ({'resume': 'iter_10.pth'}, 'resume', "must be bool, got 'iter_10.pth'."),
        ({'load_from': 3}, 'load_from', 'must be Optional[str], got 3.'),
        ({'work_dir': 3}, 'work_dir', 'must be str, got 3.'),
        ({'launcher': 'torchrun'}, 'launcher', "'slurm', 'mpi'], got 'torchrun'."),
        ({'log_level': 'info'}, 'log_level', "'CRITICAL']], got 'info'."),
        ({'val_cfg': None}, 'val_cfg', 'val_dataloader and val_evaluator cannot do without it'),
        ({'val_dataloader': None}, 'val_dataloader', 'val_cfg and val_evaluator cannot do without'),
        ({'train_cfg': {}}, 'train_cfg.by_epoch', 'must be given, or type'),
        ({'train_cfg.by_epoch': 'no'}, 'train_cfg.by_epoch', "must be bool, got 'no'."),
        ({'train_cfg.by_epoch': True}, 'train_cfg.max_iters', "Did you mean 'max_epochs'?"),
        ({'train_cfg.type': 'IterBasedTrainLoop'}, 'train_cfg.by_epoch', 'and not both'),
        ({'train_cfg.max_iters': 1e4}, 'train_cfg.max_iters', 'must be int, got 10000.0.'),
        ({'train_cfg.max_iters': 0}, 'train_cfg.max_iters', 'must be at least 1, got 0.'),
        ({'train_cfg.max_iters': ...}, 'train_cfg.max_iters', 'IterBasedTrainLoop needs it'),
        ({'train_cfg.dynamic_intervals': [1, 2]}, 'train_cfg.dynamic_intervals', 'got [1, 2].'),
        ({'val_cfg.fp61': True}, 'val_cfg.fp61', "Did you mean 'fp16'?"),
        ({'visualizer': {}}, 'visualizer', "must be a dict with type='...', got {}."),
        ({'visualizer': 'Visualizer'},
         'visualizer', "must be Union[Visualizer, Dict, None], got 'Visualizer'."),
        ({'visualizer.vis_backends': [dict(type='WandbBackend')]},
         'visualizer.vis_backends[0].type', "Did you mean 'WandbVisBackend'?"),
        ({'visualizer.vis_backends': [dict(typ='LocalVisBackend')]},
         'visualizer.vis_backends[0]', "must be a dict with type='...', got"),
        ({'log_processor.windw_size': 9}, 'log_processor.windw_size', "mean 'window_size'?"),
        ({'randomness.sead': 3}, 'randomness.sead', "Did you mean 'seed'?"),
        ({'randomness.seed': 1.5}, 'randomness.seed', 'must be an int in [0, 2**32) or None'),
        ({'randomness.deterministic': 'yes'}, 'randomness.deterministic', 'must be bool'),
        ({'auto_scale_lr': dict(enable=True)}, 'auto_scale_lr.base_batch_size', 'got None.'),
        ({'auto_scale_lr': dict(enabled=True)}, 'auto_scale_lr.enabled', "Did you mean 'enable'?"),
        ({'env_cfg': dict(cudnn_bench=True)}, 'env_cfg.cudnn_bench', "mean 'cudnn_benchmark'?"),
        ({'env_cfg': dict(mp_cfg=dict(mp_start='fork'))},
         'env_cfg.mp_cfg.mp_start', "Did you mean 'mp_start_method'?"),
        ({'env_cfg': dict(mp_cfg='fork')}, 'env_cfg.mp_cfg', "must be a dict, got 'fork'."),
        ({'env_cfg': dict(dist_cfg=dict(backnd='gloo'))},
         'env_cfg.dist_cfg.backnd', "Did you mean 'backend'?"),
    ],
)  # fmt: skip
def test_errors_of_settings(mistakes, settings, place, expected):
    found = mistakes(settings)
    assert place in found
    assert expected in found[place]


@pytest.mark.parametrize(
    'settings',
    [
        {'_batch_size': 8, 'sync_bn': 'torch', 'find_unused_parameters': True, 'compile': False},
        {'load_from': None, 'work_dir': None, 'experiment_name': 'mine', 'log_level': 'DEBUG'},
        {'train_cfg.dynamic_intervals': [(1, 1)], 'train_cfg.val_begin': 1},
        {'train_cfg': dict(type='IterBasedTrainLoop', max_iters=8000)},
        {'visualizer': dict(type='Visualizer', save_dir='here', name='mine')},
        {'visualizer.vis_backends': [dict(type='LocalVisBackend', save_dir='here')]},
        {'visualizer.vis_backends': [dict(type='WandbVisBackend', init_kwargs=dict(project='x'))]},
        {'log_processor': dict(type='LogProcessor', num_digits=6, custom_cfg=[
            dict(data_src='loss_gen', method_name='mean', window_size='global')])},
        {'randomness': dict(seed=None, deterministic=True, diff_rank_seed=True)},
        {'auto_scale_lr': dict(enable=True, base_batch_size=64)},
        {'env_cfg': dict(cudnn_benchmark=False, resource_limit=4096,
                         mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
                         dist_cfg=dict(backend='gloo', timeout=1800))},
    ],
)  # fmt: skip
def test_valid_settings(mistakes, settings):
    assert mistakes(settings) == {}


def test_a_schedule_of_nothing(mistakes):
    nothing = dict.fromkeys(('train_cfg', 'train_dataloader', 'optim_wrapper'))
    assert mistakes(nothing) == {'param_scheduler': 'needs an optim_wrapper, got none.'}


def test_every_absent_entry_of_a_group(mistakes):
    text = 'is missing, and val_evaluator cannot do without it.'
    absent = ('val_cfg', 'val_dataloader')
    assert mistakes(dict.fromkeys(absent)) == dict.fromkeys(absent, text)


def test_type_of_the_runner(mistakes):
    assert mistakes({'runner_type': 'FlexibleRunner'}) == {}
    found = mistakes({'runner_type': 'FlexiblRunner'})
    assert "Did you mean 'FlexibleRunner'?" in found['runner_type']


ANNEALED = dict(start=1, end=0, iterations=5)


def custom(**hook):
    return {'custom_hooks': [hook]}


@pytest.mark.parametrize(
    ('settings', 'place', 'expected'),
    [
        ({'default_hooks': [dict(type='LoggerHook')]},
         'default_hooks', 'must be Optional[Dict[str, Union[Hook'),
        ({'custom_hooks': dict(type='EMAHook')},
         'custom_hooks', 'must be Optional[List[Union[Hook, Dict]]]'),
        (custom(type='EMAHok'), 'custom_hooks[0].type', "Did you mean 'EMAHook'?"),
        (custom(type='EarlyStoppingHook'), 'custom_hooks[0].monitor', 'is missing'),
        (custom(type='EmptyCacheHook', priority='VERYHIGH'),
         'custom_hooks[0].priority', 'LOWEST, or an int in [0, 100]'),
        (custom(type='EmptyCacheHook', priority=101), 'custom_hooks[0].priority', 'got 101.'),
        (custom(type='AnnealHook', schedules=[], schedule=[]),
         'custom_hooks[0].schedule', "Did you mean 'schedules'?"),
        (custom(type='AnnealHook', schedules=[dict(target='optimizer.*.lrs', **ANNEALED)]),
         'custom_hooks[0]', "got 'optimizer.*.lrs'"),
        ({'default_hooks.samples': None}, 'default_hooks.samples', '_delete_=True'),
        ({'default_hooks.samples.intervall': 5},
         'default_hooks.samples.intervall', "Did you mean 'interval'?"),
        ({'default_hooks.samples.num_samples': 0}, 'default_hooks.samples', 'num_samples must be'),
        ({'default_hooks.logger.interval': 0}, 'default_hooks.logger.interval', 'at least 1'),
        ({'default_hooks.logger.interval': '50'}, 'default_hooks.logger.interval', 'must be int'),
        ({'default_hooks.checkpoint': 5000}, 'default_hooks.checkpoint', 'must be a dict with'),
        ({'default_hooks.checkpoint.max_keep_ckpt': 2},
         'default_hooks.checkpoint.max_keep_ckpt', "Did you mean 'max_keep_ckpts'?"),
        ({'default_hooks.checkpoint.by_epoch': ...},
         'default_hooks.checkpoint.by_epoch',
         'must be False for GANCheckpointHook: train_cfg counts'),
        ({'default_hooks.checkpoint.by_epoch': True,
          'train_cfg': dict(type='IterBasedTrainLoop', max_iters=9)},
         'default_hooks.checkpoint.by_epoch', 'train_cfg counts iterations, and no epoch ends'),
    ],
)  # fmt: skip
def test_errors_of_hooks(mistakes, settings, place, expected):
    found = mistakes(settings)
    assert list(found) == [place]
    assert expected in found[place]


@pytest.mark.parametrize(
    'settings',
    [
        {'default_hooks.logger2': dict(type='LoggerHook')},
        {'default_hooks.logger': None, 'default_hooks.timer': None, 'custom_hooks': []},
        {'default_hooks.checkpoint': dict(
            type='CheckpointHook', interval=-1, by_epoch=False, save_last=True)},
        custom(type='mmengine.IterTimerHook', priority='low'),
        custom(type='EMAHook', ema_type='ExponentialMovingAverage', momentum=1e-2),
        custom(type='EarlyStoppingHook', monitor='fid', rule='less', strict=False),
        {'param_scheduler': [],
         **custom(type='AnnealHook', schedules=[dict(target='optimizer.*.lr', **ANNEALED)])},
    ],
)  # fmt: skip
def test_valid_hooks(mistakes, settings):
    assert mistakes(settings) == {}


def test_epochs_may_be_counted_where_there_are_any(mistakes):
    settings = {
        'train_cfg': dict(by_epoch=True, max_epochs=2),
        'train_dataloader.sampler.type': 'DefaultSampler',
        'param_scheduler': [dict(type='StepLR', step_size=1)],
        'default_hooks.checkpoint': dict(type='GANCheckpointHook', interval=1),
    }
    assert mistakes(settings) == {}


def test_a_misspelled_default_hook_would_be_there_twice(cfg, mistakes):
    cfg.default_hooks.checkpointt = cfg.default_hooks.pop('checkpoint')
    ((place, text),) = mistakes({}).items()
    assert place == 'default_hooks.checkpointt'
    assert text.endswith("Did you mean 'checkpoint'?")


class Theirs(Hook):
    """Of another project, with ways of its own: -1 is never, and an epoch is what it says."""

    by_epoch = True

    def __init__(self, interval=1):
        self.interval = interval


def make_hook(interval):
    return Theirs(interval)


@pytest.mark.parametrize(
    'hook',
    [
        dict(type=Theirs, interval=-1),
        dict(type=Theirs, interval=0),
        dict(type=make_hook, interval=3),
        dict(type=functools.partial(Theirs, 2)),
        dict(type=functools.partial(Theirs), interval=3),
    ],
)
def test_hooks_of_others_know_their_own_settings(mistakes, hook):
    assert mistakes(custom(**hook)) == {}


def test_what_a_partial_has_is_no_longer_taken(mistakes):
    found = mistakes(custom(type=functools.partial(Theirs, 2), period=3))
    assert "Theirs has no argument 'period'" in found['custom_hooks[0].period']
