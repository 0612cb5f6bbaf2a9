"""Fails when MMEngine changes something that is not part of its public interface."""

import contextlib
import functools
import multiprocessing
import uuid
import warnings
from collections import deque
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import InfiniteSampler, default_collate, pseudo_collate
from mmengine.evaluator import Evaluator
from mmengine.fileio import FileClient
from mmengine.hooks import Hook
from mmengine.logging import HistoryBuffer
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.registry import DefaultScope
from mmengine.runner import CheckpointLoader, EpochBasedTrainLoop, IterBasedTrainLoop, Runner
from mmengine.runner import runner as runner_module
from torch import nn
from torch.utils.checkpoint import checkpoint
from torch.utils.data import DataLoader

from mmgan_lite.datasets import (
    ImageFolderDataset,
    InMemoryImageDataset,
    PackedImageDataset,
    image_collate,
)
from mmgan_lite.engine import mmengine_compat
from mmgan_lite.engine.mmengine_compat import (
    CountedOptimWrapper,
    LazyHistoryBuffer,
    OrderedCheckpointHook,
    accumulative_counts,
    call_at_end,
    end_workers,
    is_over,
    is_resumed,
    loaded_checkpoint,
    named_wrappers,
    passes_made,
    replace_next_epoch,
    restart_indices,
    resume_from,
    set_batches,
    train_loop,
    use_safe_loader,
    validation_is_due,
)
from mmgan_lite.engine.optimizers import GANOptimWrapperDict


class Toy(BaseModel):
    """Counts its batches."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.seen = []

    def forward(self, inputs, mode):
        raise NotImplementedError

    def train_step(self, data, optim_wrapper):
        self.seen.append(data.tolist() if isinstance(data, torch.Tensor) else data)
        return {}

    def val_step(self, data):
        return []


class Count(Evaluator):
    def __init__(self):
        super().__init__([])

    def process(self, *_args, **_kwargs):
        pass

    def evaluate(self, size):
        return dict(size=size)


def make_runner(tmp_path, by_epoch=False, validates=False, **settings):
    length = dict(max_epochs=2) if by_epoch else dict(max_iters=4)
    loader = dict(
        dataset=list(range(6)), sampler=dict(type='DefaultSampler', shuffle=False), batch_size=2
    )
    if validates:
        settings |= dict(val_cfg=dict(), val_dataloader=loader, val_evaluator=Count())
        length['val_interval'] = 2 if not by_epoch else 1
    return Runner(
        model=Toy(),
        work_dir=str(tmp_path),
        train_dataloader=dict(loader, collate_fn=dict(type='default_collate')),
        train_cfg=dict(by_epoch=by_epoch, **length),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        default_hooks=dict(checkpoint=None, logger=None),
        experiment_name=uuid.uuid4().hex,
        **settings,
    )


def test_what_a_runner_resumes_from(tmp_path):
    runner = make_runner(tmp_path, load_from='a.pth')
    assert (is_resumed(runner), loaded_checkpoint(runner)) == (False, 'a.pth')
    resume_from(runner, 'b.pth')
    assert (is_resumed(runner), loaded_checkpoint(runner)) == (True, 'b.pth')
    with pytest.raises(FileNotFoundError, match='b.pth'):
        runner.load_or_resume()
    resume_from(runner, None)
    assert (is_resumed(runner), loaded_checkpoint(runner)) == (False, None)
    runner.load_or_resume()


def test_loop_that_is_not_built(tmp_path):
    runner = make_runner(tmp_path)
    assert train_loop(runner) is None
    loop = runner.train_loop
    assert train_loop(runner) is loop


DIGITS = dict(
    dataset=dict(type='mmgan_lite.DigitsDataset', image_size=8),
    sampler=dict(type='DefaultSampler', shuffle=False),
    batch_size=2,
)


@pytest.mark.parametrize(
    ('scope', 'settings', 'expected'),
    [
        ('mmgan_lite', {}, image_collate),
        ('mmgan_lite', dict(num_batch_per_epoch=1), image_collate),
        ('mmgan_lite', dict(dataset=[1]), pseudo_collate),
        ('mmgan_lite', dict(collate_fn=dict(type='pseudo_collate')), pseudo_collate),
        (
            'mmgan_lite',
            dict(collate_fn=dict(_delete_=True, type='default_collate')),
            default_collate,
        ),
        ('mmgan_lite', dict(collate_fn=dict(type='mmgan_lite.image_collate')), image_collate),
        ('mmengine', {}, pseudo_collate),
        (None, {}, pseudo_collate),
    ],
)
def test_collate_function_of_a_dataset(scope, settings, expected):
    with DefaultScope.overwrite_default_scope(scope):
        loader = Runner.build_dataloader({**DIGITS, **settings})
    function = loader.collate_fn
    assert (function.func if isinstance(function, functools.partial) else function) is expected
    with DefaultScope.overwrite_default_scope(scope):
        assert Runner.build_dataloader(loader) is loader
    assert loader.collate_fn is function


def test_datasets_have_a_collate_function():
    for dataset in (InMemoryImageDataset, ImageFolderDataset, PackedImageDataset):
        assert dataset.collate_fn is image_collate


def test_schedules_lack_a_network():
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    networks = dict(a=OptimWrapper(optimizer), b=OptimWrapper(optimizer))
    schedules = dict(a=dict(type='ConstantLR'))
    runner = SimpleNamespace(optim_wrapper=GANOptimWrapperDict(**networks))
    with pytest.raises(ValueError, match=r"param_scheduler has no entry for 'b' \(found: 'a'\)"):
        Runner.build_param_scheduler(runner, schedules)
    runner.optim_wrapper = OptimWrapperDict(**networks)
    runner._build_param_scheduler = lambda scheduler, optimizer: [scheduler]
    with pytest.raises(KeyError, match='b'):
        Runner.build_param_scheduler(runner, schedules)


@pytest.mark.parametrize(
    ('kind', 'warns'), [(OptimWrapperDict, True), (GANOptimWrapperDict, False)]
)
def test_schedules_step_before_a_network_that_waits_for_its_turn(kind, warns):
    """The warning is MMEngine's, for any other dict of optim wrappers."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    networks = kind(a=OptimWrapper(optimizer))
    runner = SimpleNamespace(optim_wrapper=networks, _train_loop=None, train_dataloader=[0])
    runner._build_param_scheduler = functools.partial(Runner._build_param_scheduler, runner)
    schedules = Runner.build_param_scheduler(runner, dict(type='LinearLR', by_epoch=False))
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter('always')
        for _ in range(2):
            schedules['a'][0].step()
    texts = [str(warning.message) for warning in found]
    assert ['before `optimizer.step()`' in text for text in texts] == [True] * warns


@pytest.mark.skipif(torch.cuda.is_available(), reason='pins memory for the GPU')
@pytest.mark.parametrize(('scope', 'pins'), [('mmgan_lite', False), ('mmengine', True)])
def test_no_memory_is_pinned_without_a_gpu(scope, pins):
    with DefaultScope.overwrite_default_scope(scope):
        assert Runner.build_dataloader({**DIGITS, 'pin_memory': True}).pin_memory == pins


@pytest.mark.parametrize(('scope', 'short'), [('mmgan_lite', True), ('mmengine', False)])
def test_console_is_short_and_the_file_is_not(tmp_path, capsys, monkeypatch, scope, short):
    monkeypatch.setattr('time.sleep', lambda _: None)
    monkeypatch.setattr(FileClient, '_instances', {})  # it warns at the first one only
    runner = make_runner(
        tmp_path,
        default_scope=scope,
        cfg=Config(dict(a=1)),
        custom_hooks=[dict(type='CheckpointHook'), dict(type='LoggerHook')],
    )
    runner.train()
    runner.logger.info('Any other line.')
    console = capsys.readouterr().out
    file = next(tmp_path.glob('*/*.log')).read_text()
    for text in (
        'System environment',
        'GPU number',
        'Config:',
        'SyncBN',
        'Hooks will be executed',
        '"FileClient" will be deprecated',
        '"HardDiskBackend" is the alias',
    ):
        assert text in file
        assert (text in console) != short, text
    assert 'Any other line.' in console


class CallsAtEnd(Hook):
    def __init__(self):
        self.calls = []

    def before_run(self, runner):
        for name in ('first', 'second'):
            self.trains = call_at_end(runner, lambda name=name: self.calls.append(name))


@pytest.mark.parametrize('fails', ['nowhere', 'at its start', 'in an iteration'])
def test_end_of_a_training(tmp_path, fails):
    runner, hook = make_runner(tmp_path), CallsAtEnd()
    runner.register_hook(hook)
    if fails == 'at its start':
        resume_from(runner, 'no.pth')
    elif fails == 'in an iteration':
        runner.model.train_step = lambda data, optim_wrapper: 1 / 0
    with (
        contextlib.nullcontext()
        if fails == 'nowhere'
        else pytest.raises((ZeroDivisionError, FileNotFoundError))
    ):
        runner.train()
    assert (hook.trains, hook.calls) == (True, ['second', 'first'])
    runner.call_hook('before_run')  # as an evaluation does
    assert (hook.trains, hook.calls) == (False, ['second', 'first'])


@pytest.mark.parametrize('persistent', [False, True])
def test_workers_end_and_start_again(persistent):
    others = set(multiprocessing.active_children())
    loader = DataLoader(range(6), 2, num_workers=1, persistent_workers=persistent)
    loop = IterBasedTrainLoop(SimpleNamespace(), loader, max_iters=4)
    for _ in range(2):
        assert next(loop.dataloader_iterator).tolist() == [0, 1]
        (worker,) = set(multiprocessing.active_children()) - others
        end_workers(loop)
        assert worker.exitcode == 0


@pytest.mark.parametrize(
    ('by_epoch', 'iterations', 'due'),
    [(False, 1, False), (False, 2, True), (False, 4, True), (True, 2, False), (True, 3, True)],
)
def test_due_validation(tmp_path, by_epoch, iterations, due):
    runner = make_runner(tmp_path, by_epoch, validates=True)
    loop = runner.train_loop
    loop._iter, loop._epoch = iterations, iterations // 3 if by_epoch else 0
    runner.val_loop  # noqa: B018  # builds it
    assert validation_is_due(runner) == due


@pytest.mark.parametrize(('by_epoch', 'length'), [(False, 4), (True, 6)])
def test_a_training_that_is_over(tmp_path, by_epoch, length):
    runner = make_runner(tmp_path, by_epoch)
    found = []
    for runner.train_loop._iter in (length - 1, length, length + 1):
        found.append(is_over(runner))
    assert found == [False, True, True]


def test_no_validation_is_due_without_one(tmp_path):
    assert not validation_is_due(make_runner(tmp_path))


@pytest.mark.parametrize('runs', [True, False])
def test_one_epoch_by_another_function(tmp_path, runs):
    runner = make_runner(tmp_path, by_epoch=True)
    assert isinstance(runner.train_loop, EpochBasedTrainLoop)
    calls = []
    replace_next_epoch(runner.train_loop, lambda: calls.append(runner.epoch) or runs)
    runner.train()
    assert calls == [0]
    assert runner.epoch == 2
    assert len(runner.model.seen) == (3 if runs else 6)


def test_batches_and_passes(tmp_path, monkeypatch):
    monkeypatch.setattr('mmengine.runner.loops.time.sleep', lambda seconds: None)
    runner = make_runner(tmp_path)
    assert isinstance(runner.train_loop, IterBasedTrainLoop)
    assert passes_made(runner.train_loop) == 0
    set_batches(runner.train_loop, iter(['rest of a pass']), passes=3)
    runner.train()
    assert runner.model.seen == ['rest of a pass', [0, 1], [2, 3], [4, 5]]
    assert passes_made(runner.train_loop) == 4
    assert passes_made(make_runner(tmp_path, by_epoch=True).train_loop) == 0


def test_endless_sampler_from_its_first_index():
    sampler = InfiniteSampler(range(5), shuffle=True, seed=3)
    loader = DataLoader(range(5), batch_size=4, sampler=sampler)
    first = next(iter(loader)).tolist()
    with pytest.raises(StopIteration):  # its stream ended with the first pass
        next(iter(loader))
    restart_indices(sampler)
    assert next(iter(loader)).tolist() == first


def test_optim_wrappers():
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    wrapper = OptimWrapper(optimizer, accumulative_counts=3)
    assert accumulative_counts(wrapper) == 3
    counted = CountedOptimWrapper(optimizer, accumulative_counts=3)
    assert counted.accumulative_counts == 3
    counted.inner_count = 2
    assert not counted.should_update()
    counted.inner_count += 1
    assert counted.should_update()
    assert named_wrappers(wrapper) == dict(model=wrapper)
    assert named_wrappers(OptimWrapperDict(generator=wrapper)) == dict(generator=wrapper)


def test_loaders_of_checkpoints(tmp_path, monkeypatch):
    schemes = {
        prefix: loader.loader if isinstance(loader, mmengine_compat._SafeLoader) else loader
        for prefix, loader in CheckpointLoader._schemes.items()
    }
    monkeypatch.setattr(CheckpointLoader, '_schemes', dict(schemes))
    torch.save(dict(history=HistoryBuffer([1.0], [1])), tmp_path / 'a.pth')
    use_safe_loader()
    use_safe_loader()
    with pytest.raises(ValueError, match='pass --allow-mmengine-types'):
        CheckpointLoader.load_checkpoint(str(tmp_path / 'a.pth'))
    use_safe_loader(allow_mmengine_types=True)
    assert set(CheckpointLoader.load_checkpoint(str(tmp_path / 'a.pth'))) == {'history'}
    assert CheckpointLoader._schemes.keys() == schemes.keys()
    for prefix, loader in CheckpointLoader._schemes.items():
        assert loader.loader is schemes[prefix]


class Doubled(LazyHistoryBuffer):
    """Its values are doubled when they are first read."""

    ready = False

    def settle(self):
        if not self.ready:
            self.ready = True
            self.values = self.values * 2


@pytest.mark.parametrize(
    ('read', 'expected'),
    [
        (lambda h: h.mean(), 3.0),
        (lambda h: h.current(), 4.0),
        (lambda h: h.max(), 4.0),
        (lambda h: h.data[0].tolist(), [2.0, 4.0]),
        (lambda h: h.statistics('mean'), 3.0),
    ],
)
def test_history_is_settled_before_it_is_read(read, expected):
    assert read(Doubled([1.0, 2.0], [1, 1])) == expected


def test_history_takes_updates():
    history = Doubled([1.0], [1])
    history.update(3.0, count=2)
    assert history.data[0].tolist() == [2.0, 3.0]
    assert np.array_equal(history.data[1], [1, 2])


class Recording(OrderedCheckpointHook):
    """Notes what is written and deleted, in order."""

    out_dir, max_keep_ckpts = '/out', 1

    def __init__(self, **settings):
        super().__init__(by_epoch=False, **settings)
        self.out_dir, self.done = '/out', []
        self.file_backend = SimpleNamespace(
            join_path=lambda *parts: '/'.join(parts), isfile=lambda path: 1 / 0
        )

    def write(self, runner, path, meta):
        self.done.append(f'write {path}')
        self.last_ckpt = path

    def remove(self, path):
        self.done.append(f'remove {path}')

    def _publish_model(self, runner, path):
        self.done.append(f'publish {path}')


def recorder(tmp_path, metrics=None, **settings):
    hook, runner = Recording(max_keep_ckpts=1, **settings), make_runner(tmp_path)
    hook.keep_ckpt_ids, hook.best_ckpt_path = deque([2], 1), '/out/best_score_iter_2.pth'
    runner.train_loop._iter = 4
    runner.save_checkpoint = lambda folder, filename, **_: hook.done.append(f'write {filename}')
    runner.message_hub.update_info('best_score', 1.0)
    hook.last_ckpt = '/out/iter_2.pth'
    return hook, runner


def test_old_checkpoints_are_deleted_last(tmp_path):
    hook, runner = recorder(tmp_path)
    hook._save_checkpoint(runner)
    assert hook.done == ['write /out/iter_5.pth', 'remove /out/iter_2.pth']
    assert runner.message_hub.get_info('keep_ckpt_ids') == [5]


@pytest.mark.parametrize('better', [True, False])
def test_the_best_is_deleted_when_there_is_a_better_one(tmp_path, better):
    hook, runner = recorder(tmp_path, save_best='score', rule='greater')
    hook.after_val_epoch(runner, dict(score=2.0 if better else 0.5))
    if better:
        assert hook.done == [
            'write best_score_iter_4.pth',
            'write /out/iter_4.pth',
            'remove /out/iter_2.pth',
            'remove /out/best_score_iter_2.pth',
        ]
        assert hook.best_ckpt_path == '/out/best_score_iter_4.pth'
    else:
        assert hook.done == []
        assert hook.best_ckpt_path == '/out/best_score_iter_2.pth'


def test_rule_of_a_score():
    hook = Recording(save_best='auto')
    with pytest.raises(ValueError, match='a specific rule must be specified'):
        hook.set_best_of(['score'])
    hook = Recording(save_best='auto', less_keys=['score'])
    hook.set_best_of(['score'])
    assert (hook.key_indicators, hook.rules) == (['score'], ['less'])


def test_publishing(tmp_path):
    hook, runner = recorder(tmp_path, published_keys=['meta'])
    hook.after_train(runner)
    assert hook.done[0] == 'publish /out/iter_2.pth'


def test_activation_checkpointing_of_a_runner(repo, shrunk_config):
    """MMEngine's own form raises in R1; here the regularized first iteration passes."""
    cfg = shrunk_config(repo / 'configs/r3gan/r3gan_resizeconv_digits-28x28.py', iterations=1)
    cfg.activation_checkpointing = ['discriminator.layers.2']
    assert [regularizer.type[:2] for regularizer in cfg.model.regularizers] == ['R1', 'R2']
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert runner.iter == 1
    assert runner.model.discriminator.layers[2].forward.func is checkpoint
    # Of another model it stays MMEngine's.
    model = nn.ModuleDict(dict(layer=nn.Linear(1, 1)))
    runner_module.turn_on_activation_checkpointing(model, 'layer')
    assert model['layer'].forward.__wrapped__.__self__ is model['layer']


def test_compile_of_a_runner(repo, shrunk_config):
    """Each network, and not the training step as in MMEngine, which has no second derivative."""
    cfg = shrunk_config(repo / 'configs/r3gan/r3gan_resizeconv_digits-28x28.py', iterations=1)
    cfg.compile = dict(backend='aot_eager')
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert runner.iter == 1
    assert 'train_step' not in vars(runner.model)
    assert runner.model.discriminator._compiled_call_impl is not None
    assert runner.model.generator._compiled_call_impl is not None


def test_private_names_are_used_here_only(repo):
    """Other modules use the functions of this one."""
    names = ('runner._', 'loop._', '_accumulative_counts', '._inner_count', '._schemes')
    names += ('.build_func =', 'Runner.build_dataloader =', 'Runner.build_param_scheduler =')
    own = mmengine_compat.__file__
    found = [
        (str(path.relative_to(repo)), name)
        for path in sorted((repo / 'mmgan_lite').rglob('*.py'))
        for name in names
        if str(path) != own and name in path.read_text()
    ]
    assert found == [('mmgan_lite/registry.py', '.build_func =')]  # tests/test_registry.py
