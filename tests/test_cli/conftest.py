"""The tools as a user runs them, from a directory that is not the repo."""

import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]


@pytest.fixture(scope='session')
def tool(tmp_path_factory):
    """Run a tool in an empty directory; returns the finished process."""
    cwd = tmp_path_factory.mktemp('elsewhere')

    def run(name, *arguments, check=True):
        command = [sys.executable, str(REPO / 'tools' / f'{name}.py'), *map(str, arguments)]
        result = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
        assert not check or result.returncode == 0, result.stderr
        return result

    run.cwd, run.configs = cwd, REPO / 'configs' / 'gan'
    return run


@pytest.fixture(scope='session')
def trained(tool):
    """A conditional GAN after two iterations, in the work dir that the config names."""
    tool(
        'train',
        tool.configs / 'gan_mlp_digits-28x28_conditional.py',
        '--seed',
        7,
        '--no-validate',
        '--cfg-options',
        'train_cfg.max_iters=2',
        'model.generator.hidden_dims=(16,16)',
    )
    return tool.cwd / 'work_dirs' / 'gan_mlp_digits-28x28_conditional'


@pytest.fixture(scope='session')
def command():
    """Run ``mmgan-lite`` with arguments; returns the finished process."""

    def run(*arguments):
        code = 'from mmgan_lite.cli import main; main()'
        return subprocess.run(
            [sys.executable, '-c', code, *arguments], capture_output=True, text=True
        )

    return run
