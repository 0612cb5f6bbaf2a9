"""What a run depends on beside its config."""

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch

import mmgan_lite
from mmgan_lite.utils import environment
from mmgan_lite.utils.environment import available_cores, git_state, machine, versions


def test_machine():
    found = machine()
    assert found['cpu']
    assert 1 <= found['cores'] == available_cores() <= os.cpu_count()
    assert found['threads'] == torch.get_num_threads()
    assert found['gpus'] == torch.cuda.device_count()
    assert (found['gpu'] is None) == (found['gpus'] == 0)
    assert found['memory_gib'] is None or found['memory_gib'] > 0.1
    json.dumps(found)


def test_versions():
    found = versions()
    assert found['torch'] == torch.__version__
    assert type(found['torch']) is str  # torch's own is a subclass of str
    assert found['numpy'] == np.__version__
    assert found['mmgan_lite'] == mmgan_lite.__version__
    assert found['mmengine'] == importlib.metadata.version('mmengine')
    assert found['python'] == '.'.join(map(str, sys.version_info[:3]))


needs_git = pytest.mark.skipif(shutil.which('git') is None, reason='needs git')


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A working tree with one commit; returns its folder and a way to call git in it."""
    for name in ('GIT_DIR', 'GIT_WORK_TREE', 'GIT_INDEX_FILE'):  # set where a git hook runs tests
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / 'tree'
    folder.mkdir()

    def git(*arguments):
        identity = ('-c', 'user.name=x', '-c', 'user.email=x@example.org')
        command = ['git', '-C', str(folder), *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    git('init', '-q')
    (folder / 'a.py').write_text('1')
    git('add', 'a.py')
    return folder, git


@needs_git
def test_commit_and_changes(tree):
    folder, git = tree
    assert git_state(folder) is None  # there is no commit yet
    git('commit', '-qm', 'x')
    commit = git('rev-parse', 'HEAD')
    assert git_state(folder) == dict(commit=commit, dirty=False)
    (folder / 'output.log').write_text('what the run wrote')
    assert git_state(folder) == dict(commit=commit, dirty=False)
    (folder / 'a.py').write_text('2')
    assert git_state(folder) == dict(commit=commit, dirty=True)
    (folder / 'below').mkdir()
    assert git_state(folder / 'below') == dict(commit=commit, dirty=True)


@needs_git
def test_a_package_installed_below_a_tree_is_no_part_of_it(tree):
    folder, git = tree
    git('commit', '-qm', 'x')
    (folder / 'site').mkdir()
    (folder / 'site' / 'package.py').touch()
    assert git_state(folder / 'site', 'package.py') is None
    assert git_state(folder, 'a.py') is not None


def test_no_tree_no_folder_no_git(tmp_path, monkeypatch):
    assert git_state(tmp_path) is None
    assert git_state(tmp_path / 'absent') is None
    monkeypatch.setenv('PATH', str(tmp_path))
    assert git_state(os.path.dirname(__file__)) is None


def test_a_git_that_hangs_is_given_up(tmp_path, monkeypatch):
    script = tmp_path / 'git'
    script.write_text('#!/bin/sh\nexec sleep 60\n')
    script.chmod(0o755)
    monkeypatch.setenv('PATH', f'{tmp_path}{os.pathsep}{os.environ["PATH"]}')
    monkeypatch.setattr(environment, '_SECONDS', 0.1)
    assert git_state(tmp_path) is None
