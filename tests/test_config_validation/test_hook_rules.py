"""Hooks."""

import functools

import pytest
from mmengine.hooks import Hook

ANNEALED = dict(start=1, end=0, iterations=5)


def custom(**hook):
    return {'custom_hooks': [hook]}


@pytest.mark.parametrize(
    ('settings', 'place', 'expected'),
    [
        ({'default_hooks': [dict(type='LoggerHook')]}, 'default_hooks', 'must be dict[str, Hook'),
        ({'custom_hooks': dict(type='EMAHook')}, 'custom_hooks', 'must be list[Hook or dict] or'),
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
         'default_hooks.checkpoint.by_epoch', 'GANCheckpointHook would wait for the end of an'),
        ({'default_hooks.checkpoint.by_epoch': True,
          'train_cfg': dict(type='IterBasedTrainLoop', max_iters=9)},
         'default_hooks.checkpoint.by_epoch', 'must be False where train_cfg counts iterations'),
    ],
)  # fmt: skip
def test_mistakes_are_named_where_they_are(mistakes, settings, place, expected):
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
def test_right_ones(mistakes, settings):
    assert mistakes(settings) == {}


def test_epochs_may_be_counted_where_there_are_any(mistakes):
    settings = {
        'train_cfg': dict(by_epoch=True, max_epochs=2),
        'train_dataloader.sampler.type': 'DefaultSampler',
        'param_scheduler': [dict(type='StepLR', step_size=1)],
        'default_hooks.checkpoint': dict(type='GANCheckpointHook', interval=1),
    }
    assert mistakes(settings) == {}


def test_a_misspelt_default_hook_would_be_there_twice(cfg, mistakes):
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
    assert 'is no argument of Theirs' in found['custom_hooks[0].period']
