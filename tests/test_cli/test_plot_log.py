"""``mmgan-lite plot-log``: curves of trainings as a picture."""

from PIL import Image


def test_picture_of_two_trainings(tool, trained, tmp_path):
    out = tmp_path / 'curves.png'
    result = tool('plot_log', trained, trained, '--out', out, '--keys', 'loss_*')
    assert f'{out} written' in result.stdout
    with Image.open(out) as picture:
        assert min(picture.size) > 100
        assert len(picture.convert('RGB').getcolors(1 << 20)) > 10


def test_keys_that_nothing_has(tool, trained, tmp_path):
    out = tmp_path / 'curves.png'
    result = tool('plot_log', trained, '--out', out, '--keys', 'lots_*', check=False)
    assert result.returncode == 2
    assert 'lots_*' in result.stderr
    assert not out.exists()
