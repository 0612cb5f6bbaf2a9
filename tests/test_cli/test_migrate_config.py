"""Configs of MMGeneration and MMagic, from the command line."""

import subprocess
import sys

import pytest

OLD = """
model = dict(
    type='DCGAN',
    generator=dict(type='DCGANGenerator', output_scale=16, base_channels=16, pretrained='a.pth'),
    discriminator=dict(
        type='DCGANDiscriminator', input_scale=16, output_scale=4, out_channels=1))
train_cfg = dict(max_iters=100)
train_dataloader = dict(
    batch_size=4, num_workers=0, dataset=dict(type='BasicImageDataset', data_root='data/images'))
_adam = dict(optimizer=dict(type='Adam', lr=2e-4, betas=(0.5, 0.999)))
optim_wrapper = dict(generator=_adam, discriminator=_adam)
"""


@pytest.fixture
def paths(tmp_path):
    (tmp_path / 'old.py').write_text(OLD)
    return tmp_path / 'old.py', tmp_path / 'new.py'


def test_new_config_is_written_and_right(command, paths):
    old, new = paths
    result = command('migrate-config', str(old), str(new))
    lines = result.stdout.splitlines()
    where = "old.py, line 4: model.generator.pretrained = 'a.pth': ours has no such setting"
    assert lines[0] == f'not migrated: {where}'
    assert lines[1].startswith(f'{new}: 1 settings were not migrated; 0 of the old runtime')
    assert command('check-config', str(new)).stdout == f'{new}: ok\n'


def test_without_a_path_it_is_printed(command, paths):
    result = command('migrate-config', str(paths[0]))
    assert result.stdout.startswith('# From old.py, by mmgan-lite migrate-config.\n# Not migrated:')
    assert not paths[1].exists()


def test_errors(command, paths):
    old, new = paths
    new.write_text('mine = 1')
    result = command('migrate-config', str(old), str(new))
    assert result.returncode == 1
    assert result.stderr == f'error: OUT must be a new file that ends in .py, got {str(new)!r}.\n'
    assert new.read_text() == 'mine = 1'
    result = command('migrate-config', str(old.parent / 'none.py'))
    assert "none.py' cannot be read (No such file or directory). Put it there" in result.stderr


def test_as_a_tool(repo, paths):
    tool = [sys.executable, str(repo / 'tools' / 'migrate_config.py'), *map(str, paths)]
    subprocess.run(tool, check=True, capture_output=True)
    assert paths[1].is_file()
