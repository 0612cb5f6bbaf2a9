"""Hooks that include others, numbers from the device, and errors of any process."""

import json
import math
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmgan_lite.checkpoints import read_checkpoint
from mmgan_lite.engine.hooks import common, safe_checkpoint_hook
from mmgan_lite.engine.hooks.common import take_over
from mmgan_lite.models import AdversarialModel, Player
from mmgan_lite.registry import MODELS

# What default_runtime.py had before hooks were merged.
FORMER = dict(
    data_placement=dict(type='DataPlacementHook'),
    non_finite_guard=dict(type='NonFiniteGuardHook', max_skips=3),
    corrupt_images=dict(type='CorruptImageHook'),
    provenance=dict(type='ProvenanceHook'),
    safe_checkpoint=dict(type='SafeCheckpointHook', history_length=4),
    evaluation_log=dict(type='EvaluationLogHook'),
)


class Part(Hook):
    def __init__(self, value=0):
        self.value, self.runs = value, 0

    def before_run(self, runner):
        self.runs += 1


class Other(Part):
    pass


class Owner(Hook):
    def __init__(self):
        self.parts = [Part(), Other()]

    def before_run(self, runner):
        self.parts = take_over(self, self.parts, runner)


@pytest.mark.parametrize('before', [True, False])
def test_a_hook_of_the_config_takes_the_place_of_a_part(before):
    lines, named, owner, last = [], Part(5), Owner(), Hook()
    runner = Runner.__new__(Runner)
    runner.logger = SimpleNamespace(info=lines.append)
    runner._hooks = [*[named] * before, owner, *[named] * (not before), last]
    for _ in range(2):  # a Runner may run twice
        runner.call_hook('before_run')
    assert runner.hooks == [owner, last]
    assert owner.parts[0] is named
    assert [(part.value, part.runs) for part in owner.parts] == [(5, 2), (0, 2)]
    assert lines == [
        'Part is part of Owner, which takes over its arguments. The entry of Part can be removed.'
    ]


@pytest.mark.parametrize('device', ['cpu', 'meta'])
def test_numbers_are_read_in_order(device, monkeypatch):
    monkeypatch.setattr(torch, 'stack', lambda tensors: torch.tensor([7.0] * len(tensors)))
    read = common.read_numbers([1, torch.ones(1, device=device), 2.5])
    assert read == [1, 1 if device == 'cpu' else 7, 2.5]


def test_what_is_not_finite_is_named():
    bad = torch.tensor([1.0, math.nan])
    tree = dict(a=[torch.ones(2), (bad.half(),)], b=-bad / 0, c=torch.ones(1).long(), d=math.nan)
    assert common.non_finite(tree) == ['a.1.0', 'b']
    assert common.non_finite(dict(empty=torch.empty(0), none=None)) == []


def test_an_error_is_raised_as_it_is_in_its_process():
    with pytest.raises(KeyError, match='here'), common.raised_in_all_processes():
        raise KeyError('here')


def test_an_error_of_another_process(monkeypatch):
    monkeypatch.setattr(common, 'all_gather_object', lambda mine: [mine, 'KeyError: there'])
    with (
        pytest.raises(OSError, match='In process 1: KeyError: there'),
        common.raised_in_all_processes(OSError),
    ):
        pass


@pytest.fixture
def train(repo, shrunk_config):
    def run(change, name='former'):
        cfg = shrunk_config(repo / 'configs/gan/gan_mlp_digits-28x28.py', 6)
        cfg.train_cfg.val_interval = 3
        cfg.default_hooks.checkpoint.interval = 3
        change(cfg)
        cfg.work_dir += name
        cfg.experiment_name = f'{name}_{change.__name__}'
        runner = Runner.from_cfg(cfg)
        runner.train()
        folder = Path(cfg.work_dir)
        (evaluations,) = folder.glob(f'{runner.timestamp}*/evaluations.jsonl')
        log = next(folder.glob(f'{runner.timestamp}*/*.log')).read_text()
        return runner, read_checkpoint(folder / 'iter_6.pth'), evaluations, log

    return run


def former_keys(cfg):
    cfg.default_hooks.update(FORMER)


def former_hooks(cfg):
    cfg.custom_hooks = list(FORMER.values())


@pytest.mark.parametrize('change', [former_keys, former_hooks])
def test_an_older_config_has_the_same_effect(train, change, monkeypatch):
    monkeypatch.setattr(safe_checkpoint_hook, '_BOUND_INTERVAL', 6)
    runner, checkpoint, evaluations, log = train(change)
    assert len(evaluations.read_text().splitlines()) == 2
    provenance = json.loads((Path(runner.work_dir) / 'provenance.json').read_text())
    assert len(provenance['runs']) == len(checkpoint['meta']['provenance']) == 1
    assert log.count('which takes over its arguments') == 6
    assert len(runner.hooks) == 10
    lengths = {history.max_length for history in runner.message_hub.log_scalars.values()}
    assert lengths == {4}  # history_length
    _, expected, _, log = train(lambda cfg: None, 'now')
    assert 'takes over' not in log
    assert checkpoint.keys() == expected.keys()
    for name, value in expected['state_dict'].items():
        assert checkpoint['state_dict'][name].equal(value), name


def test_another_checkpoint_hook_in_the_default_runtime(train):
    """Its files are plain and have the provenance all the same."""

    def change(cfg):
        cfg.default_hooks.checkpoint = dict(type='CheckpointHook', interval=3, by_epoch=False)

    runner, checkpoint, _, _ = train(change)
    assert [entry['iteration'] for entry in checkpoint['meta']['provenance']] == [0]
    assert type(runner.hooks[-1]).__name__ == 'SafeCheckpointHook'


@MODELS.register_module()
class Mirror(AdversarialModel):
    """Two networks without samples, probe or labels."""

    def __init__(self):
        super().__init__({name: Player((name,), name) for name in ('left', 'right')})
        self.left, self.right = (torch.nn.Linear(64, 64) for _ in range(2))

    def losses(self, player, batch):
        images = batch.images.flatten(1) / 255
        sign = 1 if player == 'left' else -1
        return {f'loss_{player}': sign * (self.left(images) - self.right(images)).square().mean()}


def test_hooks_that_do_not_apply_stay_out(repo, shrunk_config):
    cfg = shrunk_config(repo / 'configs/gan/gan_mlp_digits-28x28.py', 3)
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.model = dict(type='Mirror')
    cfg.train_dataloader.dataset.image_size = 8
    adam = dict(optimizer=dict(type='Adam', lr=1e-3))
    cfg.optim_wrapper = dict(constructor='MultiOptimWrapperConstructor', left=adam, right=adam)
    cfg.default_hooks.health.guard = dict(max_skips=1)
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert runner.iter == 3
    assert (Path(cfg.work_dir) / 'iter_3.pth').is_file()
    log = next(Path(cfg.work_dir).glob(f'{runner.timestamp}*/*.log')).read_text()
    assert log.count('draws no samples of a Mirror') == log.count('not measure a Mirror') == 1
