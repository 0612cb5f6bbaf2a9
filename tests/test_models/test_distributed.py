"""Two processes on the CPU: same weights on both, different latents, one kind of checkpoint."""

import os
import subprocess
import sys

import pytest
import torch
from mmengine.config import Config

from mmgan_lite.apis import get_model

# Each process adds what it ends with; the hook runs in both.
PROBE = """
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

@HOOKS.register_module()
class Probe(Hook):
    def after_train(self, runner):
        gan = runner.model.module
        latents = torch.randn(3)
        torch.save(dict(state={k: v.clone() for k, v in gan.state_dict().items()}, latents=latents),
                   f'{runner.work_dir}/rank_{runner.rank}.pth')
"""


@pytest.fixture(scope='module')
def work_dir(request, tmp_path_factory):
    """Four iterations in two processes, started as a user does."""
    folder = tmp_path_factory.mktemp('two')
    repo = request.path.parents[2]
    (folder / 'probe.py').write_text(PROBE)
    (folder / 'two.py').write_text(
        f"_base_ = '{repo}/configs/gan/gan_mlp_digits-28x28_conditional.py'\n"
        "custom_imports = dict(imports=['probe'])\n"
        "work_dir = 'work'\n"
        'train_cfg = dict(max_iters=4)\n'
        'model = dict(generator=dict(hidden_dims=(16, 16)), discriminator_steps=2)\n'
        "custom_hooks = [dict(type='Probe')]\n"
    )
    launch = ['-m', 'torch.distributed.run', '--standalone', '--nproc-per-node=2']
    tool = [str(repo / 'tools' / 'train.py'), 'two.py', '--launcher', 'pytorch']
    environment = dict(os.environ)
    environment['PYTHONPATH'] += f':{folder}'
    result = subprocess.run(
        [sys.executable, *launch, *tool],
        cwd=folder,
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    return folder / 'work'


def test_all_processes_end_with_the_same_weights_and_drew_different_latents(work_dir):
    first, second = (torch.load(work_dir / f'rank_{rank}.pth') for rank in (0, 1))
    running = ('running_mean', 'running_var')  # statistics of the batches that each process saw
    names = [name for name in first['state'] if not name.endswith(running)]
    assert any(name.startswith('generator_ema.') for name in names)
    for name in names:
        assert torch.equal(first['state'][name], second['state'][name]), name
    assert not torch.equal(first['latents'], second['latents'])


def test_checkpoint_of_two_loads_into_one(work_dir):
    gan = get_model(
        Config.fromfile(work_dir / 'two.py', import_custom_modules=False), work_dir / 'iter_4.pth'
    )
    saved = torch.load(work_dir / 'rank_0.pth')['state']
    for name, value in gan.state_dict().items():
        assert torch.equal(value, saved[name]), name


def test_only_the_first_process_draws(work_dir):
    assert (work_dir / 'samples' / 'samples_iter-00000004.png').is_file()
