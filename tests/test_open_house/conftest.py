"""Each file here adds another kind of GAN by registered parts alone, without a private name."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

import mmgan_lite
from mmgan_lite.config_validation import check_config

ITERATIONS, CUT = 8, 5
ADAM = dict(optimizer=dict(type='Adam', lr=2e-3, betas=(0.5, 0.99)))


class Interruption(Hook):
    """Ctrl-C after the checkpoint of this iteration."""

    priority = 'LOWEST'

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter + 1 == CUT:
            raise KeyboardInterrupt


def bytes_of(state):
    """All tensors of a nested state, as bytes, by their path."""
    if isinstance(state, torch.Tensor):
        return {'': state.contiguous().reshape(-1).view(torch.uint8).tolist()}
    items = state.items() if isinstance(state, dict) else enumerate(state)
    nested = {key: value for key, value in items if isinstance(value, (dict, list, torch.Tensor))}
    return {f'{k}.{p}': b for k, value in nested.items() for p, b in bytes_of(value).items()}


@pytest.fixture
def prove_open(tmp_path):
    """Check a config, train it, and compare with a training that was cut and resumed."""

    def load(settings, name):
        runtime = Config.fromfile(mmgan_lite.config_path('_base_/default_runtime.py'))
        schedule = dict(train_cfg=dict(by_epoch=False, max_iters=ITERATIONS))
        cfg = Config({**runtime.to_dict(), **schedule, **settings})
        cfg.work_dir, cfg.resume, cfg.experiment_name = str(tmp_path / name), True, f'open_{name}'
        cfg.default_hooks.checkpoint.interval = 1
        cfg.default_hooks.samples.interval = 4
        return cfg

    def prove(**settings):
        assert [str(finding) for finding in check_config(load(settings, 'checked'))] == []
        runner = Runner.from_cfg(load(settings, 'complete'))
        runner.train()
        cut = Runner.from_cfg(load(settings, 'cut'))
        cut.register_hook(Interruption())
        with pytest.raises(KeyboardInterrupt):
            cut.train()
        Runner.from_cfg(load(settings, 'cut')).train()
        complete, resumed = (
            torch.load(Path(tmp_path, name, f'iter_{ITERATIONS}.pth'), weights_only=True)
            for name in ('complete', 'cut')
        )
        for key in ('state_dict', 'optimizer'):
            assert bytes_of(complete[key]) == bytes_of(resumed[key]) != {}, key
        return runner

    return prove


@pytest.fixture
def digits():
    """A loader of the embedded digits, 28x28."""
    return dict(
        batch_size=8,
        dataset=dict(type='DigitsDataset'),
        sampler=dict(type='InfiniteSampler', shuffle=True),
        collate_fn=dict(type='mmgan_lite.image_collate'),
    )


@pytest.fixture
def optim_wrapper():
    """Adam for each of the names."""

    def make(*names):
        return dict(constructor='MultiOptimWrapperConstructor', **dict.fromkeys(names, ADAM))

    return make
