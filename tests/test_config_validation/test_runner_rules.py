"""What the Runner itself is given."""

import pytest


@pytest.mark.parametrize(
    ('settings', 'place', 'expected'),
    [
        ({'train_dataloder': {}}, 'train_dataloder', "Did you mean 'train_dataloader'?"),
        ({'vis_backends': []}, 'vis_backends', 'begins with an underscore: _vis_backends.'),
        ({'resume': 'iter_10.pth'}, 'resume', "must be bool, got 'iter_10.pth'."),
        ({'load_from': 3}, 'load_from', 'must be str or None, got 3.'),
        ({'work_dir': 3}, 'work_dir', 'must be str, got 3.'),
        ({'launcher': 'torchrun'}, 'launcher', "slurm, mpi, got 'torchrun'."),
        ({'log_level': 'info'}, 'log_level', "CRITICAL, got 'info'."),
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
        ({'visualizer': {}}, 'visualizer', 'must name its class'),
        ({'visualizer': 'Visualizer'}, 'visualizer', "dict or None, got 'Visualizer'."),
        ({'visualizer.vis_backends': [dict(type='WandbBackend')]},
         'visualizer.vis_backends[0].type', "Did you mean 'WandbVisBackend'?"),
        ({'visualizer.vis_backends': [dict(typ='LocalVisBackend')]},
         'visualizer.vis_backends[0]', 'must name its class'),
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
def test_mistakes_are_named_where_they_are(mistakes, settings, place, expected):
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
def test_right_ones(mistakes, settings):
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
