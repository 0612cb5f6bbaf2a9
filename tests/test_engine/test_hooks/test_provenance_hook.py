"""What a run was made of is in its folder and its checkpoints, and compared on resume."""

import hashlib
import json
import os
import sys
from pathlib import Path

import pytest
import torch

from mmgan_lite.checkpoints import read_checkpoint
from mmgan_lite.datasets import InMemoryImageDataset
from mmgan_lite.engine.hooks import ProvenanceHook, provenance_hook
from mmgan_lite.utils.environment import machine, versions


def dataset(last=0):
    images = torch.zeros(12, 1, 4, 6, dtype=torch.uint8)
    images[11, 0, 3, 5] = last
    return InMemoryImageDataset(images)


@pytest.fixture
def run(make_runner, fake_gan, tmp_path):
    """Train so many iterations; the Runner afterwards."""

    def run(max_iters=2, data=None, **settings):
        hooks = [ProvenanceHook(), dict(type='SafeCheckpointHook')]
        runner = make_runner(
            fake_gan(), hooks, max_iters=max_iters, dataset=data or dataset(), **settings
        )
        runner.train()
        return runner

    return run


def runs(tmp_path):
    return json.loads((tmp_path / 'provenance.json').read_text())['runs']


def log_of(runner):
    folder = Path(runner.work_dir) / runner.timestamp
    return next(folder.rglob('*.log')).read_text()


def test_entry(run, tmp_path):
    runner = run()
    (entry,) = runs(tmp_path)
    assert entry['config'] == runner.cfg.pretty_text
    assert entry['config_sha256'] == hashlib.sha256(entry['config'].encode()).hexdigest()
    assert entry['command'] == sys.argv
    assert entry['versions'] == versions()
    assert entry['machine'] == machine()
    assert entry['data'] == dataset().fingerprint()
    assert (entry['seed'], entry['iteration'], entry['processes']) == (0, 0, 1)
    assert set(entry['git']) == {'working_directory', 'package'}
    assert entry['time'].endswith('+00:00')
    assert entry['load_from'] is None
    assert not list(tmp_path.glob('.*'))


def test_checkpoints_carry_it_without_the_config_that_they_have_already(run, tmp_path):
    run()
    (entry,) = runs(tmp_path)
    entry.pop('config')
    assert read_checkpoint(tmp_path / 'iter_2.pth')['meta']['provenance'] == [entry]


def test_a_resumed_run_adds_an_entry_to_file_and_checkpoint(run, tmp_path):
    run()
    resumed = run(4, resume=True)
    first, second = runs(tmp_path)
    assert (first['iteration'], second['iteration']) == (0, 2)
    carried = read_checkpoint(tmp_path / 'iter_4.pth')['meta']['provenance']
    assert [entry['iteration'] for entry in carried] == [0, 2]
    assert 'training data is not that' not in log_of(resumed)


def test_another_training_in_the_same_folder_has_no_part_in_the_checkpoints(run, tmp_path):
    run()
    run(3, load_from=str(tmp_path / 'iter_2.pth'), data=dataset(last=9))
    assert len(runs(tmp_path)) == 2
    assert runs(tmp_path)[1]['data'] == dataset(last=9).fingerprint()
    assert len(read_checkpoint(tmp_path / 'iter_3.pth')['meta']['provenance']) == 1


def test_other_data_is_told_on_resume(run, tmp_path):
    run()
    resumed = run(4, resume=True, data=dataset(last=1))
    log = log_of(resumed)
    before, now = (dataset(last).fingerprint() for last in (0, 1))
    assert 'WARNING - The training data is not that of the checkpoint' in log
    assert f'{before} then, {now} now. Restore the old data' in log


def test_other_versions_are_told_on_resume(run, monkeypatch):
    run()
    monkeypatch.setattr(provenance_hook, 'versions', lambda: {'torch': '99'})
    log = log_of(run(4, resume=True))
    assert 'Resumed with other versions than before' in log
    assert "{'torch': '99'} now" in log


def test_a_checkpoint_of_a_run_without_the_hook(make_runner, fake_gan, run, tmp_path):
    make_runner(fake_gan(), [dict(type='SafeCheckpointHook')], max_iters=2).train()
    run(4, resume=True)
    assert [entry['iteration'] for entry in runs(tmp_path)] == [2]


def test_a_dataset_that_tells_no_fingerprint(run, fake_dataset, tmp_path):
    run(data=fake_dataset())
    assert runs(tmp_path)[0]['data'] == dict(dataset='FakeDataset', count=12, sha256=None)


@pytest.mark.parametrize('content', ['{"runs": [', '[]', '{"runs": 3}', ''])
def test_a_damaged_file_is_put_aside(run, tmp_path, content):
    (tmp_path / 'provenance.json').write_text(content)
    run()
    assert len(runs(tmp_path)) == 1
    assert (tmp_path / 'provenance.json.damaged').read_text() == content


def test_a_write_that_fails_leaves_the_file_as_it_was(run, tmp_path, monkeypatch):
    run()
    before = (tmp_path / 'provenance.json').read_bytes()

    def full(*_args, **_kwargs):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(os, 'fsync', full)
    with pytest.raises(OSError, match='No space left'):
        run(4, resume=True)
    assert (tmp_path / 'provenance.json').read_bytes() == before
