"""Migrating from the command line."""

import sys

import pytest

from mmgan_lite.cli import main

_OLD = """
model = dict(
    type='DCGAN',
    generator=dict(type='DCGANGenerator', output_scale=32, base_channels=64, out_channels=1),
    discriminator=dict(type='DCGANDiscriminator', input_scale=32, output_scale=4, in_channels=1,
        out_channels=1))
train_cfg = dict(max_iters=10)
"""


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    (tmp_path / 'old.py').write_text(_OLD)

    def run(*arguments):
        monkeypatch.setattr(sys, 'argv', ['mmgan-lite', *map(str, arguments)])
        main()
        return capsys.readouterr().out

    return run


def test_writes_and_says_what_is_left(run, tmp_path):
    out = tmp_path / 'new.py'
    text = run('migrate-config', tmp_path / 'old.py', out)
    assert 'not migrated: old.py, line 1: train_dataloader: it is not there' in text
    assert f'mmgan-lite check-config {out}' in text
    assert out.read_text() == run('migrate-config', tmp_path / 'old.py')


def test_overwrites_nothing(run, tmp_path):
    with pytest.raises(SystemExit, match='OUT must be a new file that ends in .py'):
        run('migrate-config', tmp_path / 'old.py', tmp_path / 'old.py')
    assert (tmp_path / 'old.py').read_text() == _OLD
