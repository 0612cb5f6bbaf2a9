"""What a benchmark measures, and what it must not disturb. No test asserts a speed."""

import json
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from torch.utils.data import DataLoader

from mmgan_lite.engine.benchmark import measurement, reference_loop
from mmgan_lite.engine.benchmark.measurement import (
    benchmark_data,
    benchmark_training,
    endless,
    figure,
    profile_training,
)
from mmgan_lite.engine.benchmark.reference_loop import ReferenceLoop
from mmgan_lite.registry import HOOKS

DIGITS = 'configs/gan/gan_mlp_digits-28x28_conditional.py'


@pytest.fixture
def tiny(repo, shrunk_config):
    """The conditional digits config with narrow networks."""
    cfg = shrunk_config(repo / DIGITS)
    cfg.model.generator.hidden_dims = cfg.model.discriminator.hidden_dims = (8, 8)
    return cfg


@pytest.fixture
def loops(tiny, monkeypatch):
    """Keeps the reference loops that a benchmark makes."""
    made = []

    class Kept(ReferenceLoop):
        def __init__(self, *args):
            super().__init__(*args)
            made.append(self)
            self.before = [p.detach().clone() for p in self.gan.generator.parameters()]

    monkeypatch.setattr(reference_loop, 'ReferenceLoop', Kept)
    return made


def test_figure_is_arithmetic():
    found = figure([0.5, 0.25, 1.0], images=64)
    assert found == dict(
        images_per_second=128.0,  # 64 / 0.5
        seconds=0.5,
        min_seconds=0.25,
        max_seconds=1.0,
        blocks=[0.5, 0.25, 1.0],
    )
    assert 'images_per_second' not in figure([0.5])


def test_training_is_measured_in_all_its_parts(tiny, loops):
    before = tiny.to_dict()
    result = benchmark_training(tiny, iters=3, blocks=2)
    assert tiny.to_dict() == before
    assert (result['batch_size'], result['processes'], result['notes']) == (8, 1, [])
    figures = result['figures']
    assert set(figures) == {'runner', 'reference_loop', 'data', 'step', 'overhead'}
    for name, row in figures.items():
        assert len(row['blocks']) == 2
        assert row['seconds'] == pytest.approx(sum(row['blocks']) / 2), name
        if name != 'overhead':
            assert row['images_per_second'] == pytest.approx(8 / row['seconds'])
            assert row['min_seconds'] > 0
    rows = [figures[name]['blocks'] for name in ('overhead', 'runner', 'data', 'step')]
    for overhead, runner, data, step in zip(*rows, strict=True):
        assert overhead == pytest.approx(runner - data - step)
    ratio = result['reference_to_runner']
    assert ratio['blocks'] == [
        pytest.approx(reference / runner)
        for reference, runner in zip(
            figures['reference_loop']['blocks'], figures['runner']['blocks'], strict=True
        )
    ]
    assert 0 < ratio['min'] <= ratio['median'] <= ratio['max']
    if Path('/proc/self/status').is_file():
        assert result['memory']['peak_mib'] > 10
        assert result['memory']['growth_mib'] is not None


def test_mixed_precision_is_compared_with_float32(tiny, loops):
    for network in ('generator', 'discriminator'):
        tiny.optim_wrapper[network]['dtype'] = 'bfloat16'
    result = benchmark_training(tiny, iters=2, blocks=2)
    figures = result['figures']
    assert set(figures) == {'runner', 'reference_loop', 'data', 'step', 'step_float32', 'overhead'}
    pairs = zip(figures['step_float32']['blocks'], figures['step']['blocks'], strict=True)
    assert result['float32_to_step']['blocks'] == [pytest.approx(f32 / own) for f32, own in pairs]
    assert tiny.optim_wrapper.generator.dtype == 'bfloat16'


def test_reference_loop_trains_as_often_as_the_runner(tiny, loops):
    tiny.model.discriminator_steps, tiny.model.generator_steps = 2, 3
    benchmark_training(tiny, iters=4, blocks=1)
    (loop,) = loops
    # A round is 2 untimed and 4 timed iterations, and the first of two rounds does not count.
    assert loop.iteration == 12
    assert {int(state['step']) for state in loop.opt_d.state.values()} == {12}
    assert {int(state['step']) for state in loop.opt_g.state.values()} == {18}  # 12 / 2 * 3
    for before, after, average in zip(
        loop.before, loop.gan.generator.parameters(), loop.ema.parameters(), strict=True
    ):
        assert not torch.equal(before, after)
        assert not torch.equal(before, average)
        assert not torch.equal(after, average)


def test_notes_name_what_is_left_out(tiny):
    tiny.optim_wrapper.generator.clip_grad = dict(max_norm=1.0)
    result = benchmark_training(tiny, iters=1, blocks=1)
    assert set(result['figures']) == {'runner', 'data', 'step', 'overhead'}
    assert 'reference_to_runner' not in result
    assert result['notes'] == ['reference loop left out: it has no clip_grad of the generator']


@pytest.mark.parametrize('key', ['compile', 'activation_checkpointing'])
def test_what_runs_beside_the_runner_has_it_too(tiny, key):
    tiny[key] = dict(disable=True) if key == 'compile' else ['discriminator.layers.0']
    result = benchmark_training(tiny, iters=1, blocks=1)
    assert set(result['figures']) == {'runner', 'data'}
    assert result['notes'] == [f'step and reference loop left out: they have no {key}']


def test_data_without_a_tensor_of_images(tiny, loops):
    pytest.importorskip('mmcv')
    tiny.train_dataloader.dataset.pipeline = [dict(type='PackImage')]
    result = benchmark_training(tiny, iters=1, blocks=1)
    assert result['notes'] == [
        'reference loop: batches are prepared, as the data is no tensor of images'
    ]
    assert loops[0].iteration == 6


def test_epochs_are_measured_across_their_ends(tiny):
    tiny.train_dataloader.sampler = dict(type='DefaultSampler', shuffle=True)
    tiny.train_dataloader.dataset.indices = 20  # batches of 8, 8 and 4
    tiny.train_cfg = dict(by_epoch=True, max_epochs=1)
    tiny.param_scheduler = []
    tiny.log_processor.by_epoch = True
    tiny.default_hooks.checkpoint = dict(type='CheckpointHook', interval=1, by_epoch=True)
    tiny.default_hooks.samples = dict(type='SampleVisualizationHook', interval=1, by_epoch=True)
    assert len(benchmark_training(tiny, iters=3, blocks=2)['figures']['runner']['blocks']) == 2


@HOOKS.register_module()
class WorkDirProbe(Hook):
    """Notes where the Runner worked, and what it logged to the terminal and to its file."""

    seen = {}

    def after_train(self, runner):
        self.seen.update(
            work_dir=Path(runner.work_dir),
            log=Path(runner.logger.log_file).read_text(),
            iterations=runner.iter,
            val_loop=runner.val_loop,
        )


def test_nothing_is_left_behind_and_the_terminal_is_quiet(tiny, capsys):
    tiny.custom_hooks = [dict(type='WorkDirProbe')]
    tiny.default_hooks.logger.interval = 1
    tiny.val_cfg = dict()
    tiny.val_dataloader = dict(tiny.train_dataloader)
    tiny.val_evaluator = dict(type='NotBuilt')
    benchmark_training(tiny, iters=2, blocks=1, runner_only=True)
    seen = WorkDirProbe.seen
    assert not seen['work_dir'].exists()
    assert 'loss_disc' in seen['log']
    assert ' - INFO - ' not in capsys.readouterr().out
    assert seen['val_loop'] is None
    assert seen['iterations'] == 7  # the eighth, the last of two rounds, ends the training
    assert not Path(tiny.work_dir).exists()


def test_runner_alone(tiny):
    result = benchmark_training(tiny, iters=2, blocks=3, runner_only=True)
    assert set(result['figures']) == {'runner'}
    assert len(result['figures']['runner']['blocks']) == 3


def test_turns():
    """Each in its turn, the first round uncounted, and no call between the ends of a block."""
    calls = []

    def find():
        calls.append('find')
        return dict(first=lambda: calls.append('first'), second=lambda: calls.append('second'))

    record = measurement._Record()
    hook = measurement._StepsHook(measurement._turns(record, find, iters=2, blocks=2, lead_in=1))
    hook.before_train(None)
    with pytest.raises(measurement._FinishedError):  # noqa: PT012
        for index in range(100):
            calls.append('runner')
            hook.after_train_iter(None, index)
    a_round = ['first'] * 3 + ['second'] * 3
    turn = ['runner'] * 3
    assert calls == turn + ['find'] + a_round + turn + a_round + turn + a_round
    names = ('runner', 'first', 'second')
    figures = record.report(batch_size=4)['figures']
    assert {name: len(figures[name]['blocks']) for name in names} == dict.fromkeys(names, 2)


def test_turns_go_last_in_an_iteration():
    assert measurement._StepsHook.priority == 'LOWEST'
    assert HOOKS.get('_StepsHook') is None


def test_endless_starts_anew():
    loader = DataLoader([1, 2, 3], batch_size=2)
    batches = endless(loader)
    assert [next(batches).tolist() for _ in range(3)] == [[1, 2], [3], [1, 2]]
    with pytest.raises(ValueError, match=r'must hold a batch of 4 \(batch_size\), got 3 images'):
        next(endless(DataLoader([1, 2, 3], batch_size=4, drop_last=True)))


def test_data_alone_needs_no_model(tiny):
    for key in ('model', 'optim_wrapper', 'train_cfg'):
        tiny.pop(key)
    result = benchmark_data(tiny, iters=2, blocks=3)
    assert set(result['figures']) == {'data'}
    row = result['figures']['data']
    assert len(row['blocks']) == 3
    assert row['images_per_second'] == pytest.approx(8 / sorted(row['blocks'])[1])
    with pytest.raises(ValueError, match=r'must have model, .* but lacks model, train_cfg'):
        benchmark_training(tiny)


@pytest.mark.parametrize(
    ('loader', 'expected'),
    [
        (dict(num_workers=0), 2),
        (dict(num_workers=3), 6),  # PyTorch's prefetch_factor is 2
        (dict(num_workers=3, prefetch_factor=4), 12),
    ],
)
def test_batches_fetched_ahead_do_not_count(loader, expected):
    assert measurement._check(Config(dict(train_dataloader=loader)), []) == expected


@pytest.mark.parametrize('argument', ['iters', 'blocks'])
def test_bad_numbers(tiny, argument):
    for measure in (benchmark_training, benchmark_data):
        with pytest.raises(ValueError, match=f'{argument} must be an int of at least 1, got 0'):
            measure(tiny, **{argument: 0})


def test_profile_records_the_iterations_after_the_warm_up(tiny, tmp_path):
    path = tmp_path / 'trace.json'
    profile_training(tiny, path, warm_up=2)
    names = [event.get('name', '') for event in json.loads(path.read_text())['traceEvents']]
    steps = {name for name in names if name.startswith('ProfilerStep#')}
    assert steps == {f'ProfilerStep#{index}' for index in range(2, 12)}
    assert any(name.startswith('Optimizer.step#') for name in names)
