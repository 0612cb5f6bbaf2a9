"""``mmgan-lite plot-log``: curves of trainings as a picture."""

import json

import pytest
from PIL import Image


@pytest.fixture
def runs(tmp_path):
    """Two work dirs with three lines of log each, as MMEngine writes them."""
    paths = []
    for name in ('first', 'second'):
        folder = tmp_path / name / '20261125_043909' / 'vis_data'
        folder.mkdir(parents=True)
        lines = [dict(loss_gen=1 / step, iter=step, step=step) for step in (10, 20, 30)]
        (folder / 'scalars.json').write_text('\n'.join(map(json.dumps, lines)))
        paths.append(tmp_path / name)
    return paths


def test_picture_of_two_trainings(tool, runs, tmp_path):
    out = tmp_path / 'curves.png'
    result = tool('plot_log', *runs, '--out', out, '--keys', 'loss_*')
    assert f'{out} written' in result.stdout
    with Image.open(out) as picture:
        assert min(picture.size) > 100
        assert len(picture.convert('RGB').getcolors(1 << 20)) > 10


def test_keys_that_nothing_has(tool, runs, tmp_path):
    out = tmp_path / 'curves.png'
    result = tool('plot_log', runs[0], '--out', out, '--keys', 'lots_*', check=False)
    assert result.returncode == 2
    assert 'lots_*' in result.stderr
    assert not out.exists()


def test_out_that_cannot_be_written(tool, runs, tmp_path):
    (tmp_path / 'file').write_text('')
    result = tool('plot_log', runs[0], '--out', tmp_path / 'file' / 'curves.png', check=False)
    assert result.returncode == 1
    assert '--out must be a writable path' in result.stderr
    assert 'Traceback' not in result.stderr
