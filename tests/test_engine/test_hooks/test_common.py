"""A hook of an older config takes the place of the part that does its work now."""

import json
from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmgan_lite.checkpoints import read_checkpoint
from mmgan_lite.engine.hooks.common import active_parts
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


class First(Hook):
    pass


class Second(Hook):
    pass


def test_only_what_no_other_hook_does():
    lines, parts = [], [First(), Second()]
    logger = type('Logger', (), dict(info=staticmethod(lines.append)))

    def active(*hooks):
        return active_parts(Hook(), parts, type('R', (), dict(hooks=hooks, logger=logger)))

    assert active(Hook()) == parts
    assert lines == []
    assert active(Hook(), Second()) == parts[:1]
    assert lines == ['Second: part of Hook now. The hook of the config is used in its place.']


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
    cfg.default_hooks.health.pop('guard')


def former_hooks(cfg):
    cfg.custom_hooks = list(FORMER.values())


@pytest.mark.parametrize('change', [former_keys, former_hooks])
def test_an_older_config_has_the_same_effect(train, change):
    runner, checkpoint, evaluations, log = train(change)
    assert len(evaluations.read_text().splitlines()) == 2
    provenance = json.loads((Path(runner.work_dir) / 'provenance.json').read_text())
    assert len(provenance['runs']) == len(checkpoint['meta']['provenance']) == 1
    assert log.count('The hook of the config is used in its place.') == 3 + (change is former_hooks)
    hooks = {type(hook).__name__: hook for hook in runner.hooks}
    assert hooks['NonFiniteGuardHook'].max_skips == 3
    assert hooks['SafeCheckpointHook'].history_length == 4
    _, expected, _, log = train(lambda cfg: None, 'now')
    assert 'is used in its place' not in log
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
