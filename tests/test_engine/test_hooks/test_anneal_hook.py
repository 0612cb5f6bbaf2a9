"""Settings follow their schedules: values by hand, exactly on resume, and mistakes found early."""

import itertools
import math
import re
from types import SimpleNamespace

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn

from mmgan_lite.engine.hooks import AnnealHook, DeferredLogHook, anneal_hook

ADAM = dict(optimizer=dict(type='Adam', lr=1e-3, betas=(0.0, 0.9)))
R1_AND_DRIFT = [dict(type='R1Regularizer', weight=1.0), dict(type='DriftRegularizer', weight=1.0)]
HALF_LIFE = dict(type='HalfLifeMovingAverage', half_life=9.0, images_per_update=4)


@pytest.fixture
def make_setting(make_gan, make_optim_wrapper):
    """As much of a Runner as the hook looks at: two Adams, two regularisers, an average."""

    def make(batch_size=4, schedulers=None, adam=ADAM, **parts):
        gan = make_gan(**{**dict(regularizers=R1_AND_DRIFT, ema=HALF_LIFE), **parts})
        return SimpleNamespace(
            model=gan,
            optim_wrapper=make_optim_wrapper(gan, generator=adam, discriminator=adam),
            train_dataloader=SimpleNamespace(batch_size=batch_size),
            param_schedulers=schedulers,
            hooks=[],
            iter=0,
        )

    return make


def follow(runner, read, at, **schedule):
    """What ``read`` gives in each of the iterations ``at`` under one schedule."""
    hook = AnnealHook([schedule])
    hook.before_train(runner)
    values = []
    for runner.iter in at:
        hook.before_train_iter(runner, batch_idx=runner.iter)
        values.append(read(runner))
    return values


def settings_of(network, key):
    return lambda runner: runner.optim_wrapper[network].param_groups[0][key]


def test_half_cosine_over_images(make_setting):
    """Batches of 4: iterations 0, 25, 50, 75, 100 are at 0, 1/4, 1/2, 3/4 and all of 400 images."""
    eighth = (1 - math.cos(math.pi / 4)) / 2
    expected = [2e-4, 2e-4 - 1.5e-4 * eighth, 1.25e-4, 5e-5 + 1.5e-4 * eighth, 5e-5, 5e-5]
    values = follow(
        make_setting(),
        settings_of('generator', 'lr'),
        (0, 25, 50, 75, 100, 1000),
        target='optimizer.generator.lr',
        start=2e-4,
        end=5e-5,
        images=400,
    )
    assert values == pytest.approx(expected)
    assert (values[0], values[-1]) == (2e-4, 5e-5)


def test_linear_over_iterations_from_a_beginning(make_setting):
    values = follow(
        make_setting(),
        lambda runner: runner.model.regularizers[1].weight.item(),
        (0, 10, 12, 15, 18, 20, 30),
        target='model.regularizers.1.weight',
        start=1.0,
        end=0.0,
        shape='linear',
        begin=10,
        iterations=10,
    )
    assert values == pytest.approx([1.0, 1.0, 0.8, 0.5, 0.2, 0.0, 0.0])


def test_steps(make_setting):
    """Three intervals of ten iterations: the value of the beginning of each, and the end's."""
    values = follow(
        make_setting(),
        settings_of('discriminator', 'betas'),
        (0, 9, 10, 19, 20, 29, 30, 40),
        target='optimizer.discriminator.betas.1',
        start=0.6,
        end=0.9,
        shape='linear',
        iterations=30,
        steps=3,
    )
    seconds = [0.6, 0.6, 0.7, 0.7, 0.8, 0.8, 0.9, 0.9]
    assert [beta for _, beta in values] == pytest.approx(seconds)
    assert {first for first, _ in values} == {0.0}
    assert all(isinstance(betas, tuple) for betas in values)


def test_one_step_is_a_jump(make_setting):
    values = follow(
        make_setting(),
        settings_of('generator', 'weight_decay'),
        (0, 6, 7, 8),
        target='optimizer.generator.weight_decay',
        start=0.5,
        end=0.25,
        iterations=7,
        steps=1,
    )
    assert values == [0.5, 0.5, 0.25, 0.25]


def test_star_stands_for_all(make_setting):
    def read(runner):
        rates = [wrapper.param_groups[0]['lr'] for wrapper in runner.optim_wrapper.values()]
        return rates + [part.weight.item() for part in runner.model.regularizers]

    schedule = dict(start=1.0, end=0.5, shape='linear', iterations=2)
    runner = make_setting()
    rates = follow(runner, read, [1], target='optimizer.*.lr', **schedule)
    assert rates == [[0.75, 0.75, 1.0, 1.0]]
    weights = follow(runner, read, [2], target='model.regularizers.*.weight', **schedule)
    assert weights == [[0.75, 0.75, 0.5, 0.5]]


def test_images_are_those_of_all_processes(make_setting, monkeypatch):
    monkeypatch.setattr(anneal_hook, 'get_world_size', lambda: 3)
    values = follow(
        make_setting(batch_size=2),
        lambda runner: runner.model.generator_ema.half_life.item(),
        (0, 1, 2, 3),  # 6 images an iteration
        target='model.generator_ema.half_life',
        start=0.0,
        end=24.0,
        shape='linear',
        images=12,
    )
    assert values == [0.0, 12.0, 24.0, 24.0]


def test_found_through_wrappers(make_setting):
    """One around the model and one around a part of it, as under several processes."""
    runner = make_setting()
    regularizers = runner.model.regularizers
    runner.model.regularizers = nn.DataParallel(regularizers)
    runner.model = nn.DataParallel(runner.model)
    values = follow(
        runner,
        lambda _: regularizers[0].weight.item(),
        [1],
        target='model.regularizers.0.weight',
        start=0.0,
        end=2.0,
        shape='linear',
        iterations=4,
    )
    assert values == [0.5]


def test_a_value_that_stays_is_not_written_again(make_setting):
    runner = make_setting()
    weight = runner.model.regularizers[0].weight
    versions = follow(
        runner,
        lambda _: weight._version,  # torch counts what is written in place
        range(12),
        target='model.regularizers.0.weight',
        start=1.0,
        end=0.0,
        iterations=8,
        steps=2,
    )
    assert [b - a for a, b in itertools.pairwise(versions)] == [0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0]


class Probe(Hook):
    """Notes what each iteration was trained with, and interrupts one if asked to."""

    priority = 'LOWEST'

    def __init__(self, interrupt_at=None):
        self.interrupt_at = interrupt_at
        self.seen = {}

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        group = runner.optim_wrapper['generator'].param_groups[0]
        model = runner.model
        parts = (model.regularizers[0].weight, model.generator_ema.half_life)
        self.seen[runner.iter] = (group['lr'], group['betas'], *map(float, parts))
        if runner.iter == self.interrupt_at:
            raise KeyboardInterrupt


@pytest.fixture
def config(repo, shrunk_config):
    def load(**settings):
        cfg = shrunk_config(repo / 'configs/gan/gan_mlp_digits-28x28.py', iterations=6)
        cfg.param_scheduler = []
        cfg.default_hooks.checkpoint.interval = 3
        cfg.model.regularizers = [dict(type='R1Regularizer', weight=1.0)]
        cfg.model.ema = dict(type='HalfLifeMovingAverage', half_life=0, images_per_update=8)
        time = dict(images=40)  # 8 an iteration: over after five
        cfg.custom_hooks = [
            dict(
                type='AnnealHook',
                schedules=[
                    dict(target='optimizer.*.lr', start=1e-3, end=1e-4, **time),
                    dict(target='optimizer.*.betas.1', start=0.9, end=0.99, **time),
                    dict(target='model.regularizers.0.weight', start=1.0, end=0.1, **time),
                    dict(target='model.generator_ema.half_life', start=0, end=100, **time),
                ],
            )
        ]
        cfg.update(settings)
        return cfg

    return load


def train(cfg, interrupt_at=None):
    probe = Probe(interrupt_at)
    runner = Runner.from_cfg(cfg)
    runner.register_hook(probe)
    if interrupt_at is None:
        runner.train()
    else:
        with pytest.raises(KeyboardInterrupt):
            runner.train()
    return runner, probe.seen


def test_resumed_run_goes_on_exactly(config, tmp_path):
    _, whole = train(config(work_dir=str(tmp_path / 'whole')))
    _, first = train(config(), interrupt_at=2)
    _, second = train(config(resume=True))
    assert (list(first), list(second)) == ([0, 1, 2], [3, 4, 5])
    assert {**first, **second} == whole
    share = (1 - math.cos(0.6 * math.pi)) / 2  # 24 of 40 images
    lr, betas, weight, half_life = second[3]
    assert lr == pytest.approx(1e-3 - 9e-4 * share)
    assert betas == pytest.approx((0.0, 0.9 + 0.09 * share))
    assert (weight, half_life) == pytest.approx((1 - 0.9 * share, 100 * share))
    assert second[5] == (1e-4, (0.0, 0.99), pytest.approx(0.1), 100.0)


def test_values_are_logged(config):
    runner, _ = train(config())
    scalars = runner.message_hub.log_scalars
    share = (1 - math.cos(0.2 * math.pi)) / 2

    def logged(name):
        return list(scalars[f'train/{name}'].data[0])

    assert logged('regularizers.0.weight')[:2] == pytest.approx([1.0, 1 - 0.9 * share])
    assert logged('generator_ema.half_life')[-1] == 100.0
    assert logged('discriminator.betas.1')[:2] == pytest.approx([0.9, 0.9 + 0.09 * share])
    # By MMEngine, as ever, and with the value that the iteration trained with.
    assert logged('generator.lr')[:2] == pytest.approx([1e-3, 1e-3 - 9e-4 * share])


def test_comes_before_what_logs():
    assert AnnealHook.priority == 'HIGHEST'
    assert DeferredLogHook.priority == 'VERY_HIGH'


LR = dict(target='optimizer.*.lr', start=1e-3, end=0.0, iterations=10)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (
            dict(ends=3),
            r"ends: Schedule has no argument 'ends'. Did you mean 'end'\? Its arguments are: tar",
        ),
        (
            dict(images=10),
            r"Either images or iterations of the schedule of 'optimizer.\*.lr' .* got images=10",
        ),
        (dict(iterations=None), r'got images=None and iterations=None. Pass one of them'),
        (
            dict(iterations=0),
            r"iterations of .* 'optimizer.\*.lr' must be finite and over 0, got 0",
        ),
        (dict(iterations=None, images=-5), r'images of .* must be finite and over 0, got -5'),
        (dict(start='1e-3'), r"start: must be float, got '1e-3'"),
        (dict(end=math.nan), r'end of .* must be finite, got nan'),
        (dict(begin=-1), r'begin of .* must be finite and at least 0, got -1'),
        (dict(shape='cosin'), r"must be .*\['cosine', 'linear'\], got 'cosin'"),
        (dict(shape=['cosine']), r"shape: must be .*'linear'\], got \['cosine'\]"),
        (dict(steps=0), r'steps must be an int of at least 1, got 0'),
        (dict(target=3), r'target: must be str, got 3'),
    ],
)
def test_schedule_that_is_none(change, message):
    with pytest.raises(ValueError, match=message):
        AnnealHook([{**LR, **change}])


def test_entry_that_is_missing():
    with pytest.raises(ValueError, match=r"'start': 0}, end: is missing, and Schedule needs it"):
        AnnealHook([dict(target='optimizer.*.lr', start=0)])


@pytest.mark.parametrize('schedules', [[], LR, None, [LR, 3]])
def test_no_list_of_schedules(schedules):
    with pytest.raises(ValueError, match='schedules must be a list of dicts, got'):
        AnnealHook(schedules)


@pytest.mark.parametrize(
    ('target', 'near'),
    [
        ('optimizer.generator.beta.1', 'optimizer.generator.betas.1'),
        ('optimizer.*.betas.2', 'optimizer.generator.betas.1'),
        ('model.regularizers.2.weight', 'model.regularizers.1.weight'),
        ('model.generator_ema.halflife', 'model.generator_ema.half_life'),
        ('the weather', None),
    ],
)
def test_unknown_target(make_setting, target, near):
    question = 'Check the name. ' if near is None else f'Did you mean {near!r}? '
    message = re.escape(f'got {target!r}. {question}There are: ')
    with pytest.raises(ValueError, match=message) as error:
        AnnealHook([{**LR, 'target': target}]).before_train(make_setting())
    names = str(error.value).partition('There are: ')[2].rstrip('.').split(', ')
    assert {
        'optimizer.discriminator.lr',
        'optimizer.generator.betas.0',
        'optimizer.generator.weight_decay',
        'model.regularizers.0.weight',
        'model.generator_ema.half_life',
    } < set(names)


def test_two_schedules_for_one_target(make_setting):
    second = {**LR, 'target': 'optimizer.generator.lr'}
    message = r"generator.lr must have one schedule, got target='optimizer.\*.lr' and target='opti"
    with pytest.raises(ValueError, match=message):
        AnnealHook([LR, second]).before_train(make_setting())


def test_two_hooks_for_one_target(make_setting):
    runner = make_setting()
    runner.hooks = [AnnealHook([LR]), AnnealHook([LR])]
    runner.hooks[0].before_train(runner)
    with pytest.raises(ValueError, match=r"one schedule, got another AnnealHook and target='optim"):
        runner.hooks[1].before_train(runner)


@pytest.mark.parametrize(
    ('scheduler', 'target'),
    [
        (dict(type='LinearLR', start_factor=1.0, end_factor=0.1), 'optimizer.*.lr'),
        (dict(type='LinearMomentum', start_factor=1.0, end_factor=0.1), 'optimizer.*.betas.0'),
    ],
)
def test_param_scheduler_drives_it_too(config, scheduler, target):
    cfg = config(param_scheduler=[dict(**scheduler, by_epoch=False, begin=0, end=4)])
    cfg.custom_hooks[0].schedules = [dict(target=target, start=0.1, end=0.0, images=10)]
    with pytest.raises(ValueError, match=r'one schedule, got param_scheduler and target=.*Remove'):
        Runner.from_cfg(cfg).train()


def test_groups_that_differ(make_setting):
    runner = make_setting()
    group = runner.optim_wrapper['generator'].param_groups[0]
    half = group['params'][:2]
    group['params'] = group['params'][2:]
    runner.optim_wrapper['generator'].optimizer.add_param_group(dict(params=half, lr=5e-4))
    message = r'generator.lr must be the same in all parameter groups, got \[0.001, 0.0005\]'
    with pytest.raises(ValueError, match=message):
        AnnealHook([LR]).before_train(runner)


@pytest.mark.parametrize(
    ('target', 'end', 'message'),
    [
        ('optimizer.*.betas.1', 99, r'betas.1 must lie in \[0, 1\), got start=0.001, end=99'),
        ('optimizer.*.lr', -1e-3, r'generator.lr must lie in \[0, inf\), .* end=-0.001. Correct'),
    ],
)
def test_value_that_no_optimizer_takes(make_setting, target, end, message):
    with pytest.raises(ValueError, match=message):
        AnnealHook([{**LR, 'target': target, 'end': end}]).before_train(make_setting())


def test_images_without_a_batch_size(make_setting):
    schedule = {**LR, 'iterations': None, 'images': 10}
    with pytest.raises(ValueError, match='needs batches of one size, got .* a batch_sampler'):
        AnnealHook([schedule]).before_train(make_setting(batch_size=None))


def test_recorded_iterations_need_steps(make_setting):
    runner = make_setting(cuda_graph=True)
    betas = dict(target='optimizer.*.betas.1', start=0.9, end=0.99, images=1e6)
    with pytest.raises(ValueError, match=r'must change in steps under cuda_graph=True.*steps=4'):
        AnnealHook([betas]).before_train(runner)
    weight = dict(target='model.regularizers.*.weight', start=1.0, end=0.1, images=1e6)
    AnnealHook([dict(**betas, steps=4), LR, weight]).before_train(runner)


def test_single_optim_wrapper(config):
    cfg = config()
    cfg.optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.1))
    with pytest.raises(ValueError, match=r'one wrapper each .* got a single OptimWrapper'):
        Runner.from_cfg(cfg).train()


def test_model_with_one_optimizer(make_runner, fake_gan):
    """Of another project: its optimiser has no network's name in front."""
    schedule = dict(target='optimizer.lr', start=0.5, end=0.1, shape='linear', iterations=2)
    runner = make_runner(fake_gan(), hooks=[dict(type='AnnealHook', schedules=[schedule])])
    runner.train()
    assert list(runner.message_hub.log_scalars['train/lr'].data[0]) == pytest.approx(
        [0.5, 0.3, 0.1, 0.1]
    )


@pytest.mark.gpu
def test_never_waits_for_the_gpu(make_setting):
    runner = make_setting()
    runner.model.cuda()
    hook = AnnealHook([dict(target='model.*.half_life', start=0.0, end=9.0, iterations=9)])
    hook.before_train(runner)
    torch.cuda.set_sync_debug_mode('error')
    try:
        for runner.iter in range(9):
            hook.before_train_iter(runner, batch_idx=runner.iter)
            hook.after_train_iter(runner, batch_idx=runner.iter, outputs={})
    finally:
        torch.cuda.set_sync_debug_mode('default')
