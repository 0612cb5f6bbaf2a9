"""``mmgan-lite inspect-data``: a summary of a folder, and a grid."""

import numpy as np
import pytest
from PIL import Image

from mmgan_lite.cli import main


@pytest.fixture
def folder(tmp_path):
    """Images of two classes, one of them twice, and files that are none."""
    stream = np.random.default_rng(0)
    for name, size, mode in (('a/1', 20, 'RGB'), ('a/2', 20, 'RGBA'), ('b/1', 12, 'L')):
        channels = {'RGB': (3,), 'RGBA': (4,), 'L': ()}[mode]
        path = tmp_path / 'my photos' / f'{name}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = stream.integers(1, 256, (size, 24, *channels), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
    folder = tmp_path / 'my photos'
    (folder / 'b' / '2.png').write_bytes((folder / 'a' / '1.png').read_bytes())
    (folder / 'b' / '3.png').write_text('no image')
    (folder / 'notes.txt').touch()
    return folder


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Run ``mmgan-lite inspect-data`` in this process; returns what it prints."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr('sys.argv', ['mmgan-lite', 'inspect-data', *map(str, arguments)])
        main()
        return capsys.readouterr().out

    return run


def test_summary_and_picture(run, folder):
    lines = run(folder).splitlines()
    assert lines[0] == f'{folder}: 4 images'
    found = {line[2:12].strip(): line[14:] for line in lines[1:-1]}
    assert found == {
        'formats': 'PNG: 4',
        'modes': 'RGB: 2, RGBA: 1, L: 1',
        'bits': '8: 4',
        'alpha': '1 of 4',
        'animated': '0 of 4',
        'sizes': '24x20: 3, 24x12: 1',
        'width': '24 to 24, median 24',
        'height': '12 to 20, median 20',
        'classes': '2 (a: 2, b: 3)',
        'left out': '1 .txt',
        'unreadable': '1 (b/3.png (no image))',
        'copies': '1 (a/1.png = b/2.png)',
        'picture': 'work_dirs/my photos/images.png',
    }
    assert lines[-1] == f"To train on them: mmgan-lite train --data '{folder}'"
    assert Image.open(folder.parent / 'work_dirs/my photos/images.png').size == (198, 198)


def test_wrong_labels_are_no_error(run, folder):
    Image.new('RGB', (8, 8)).save(folder / 'flat.png')
    assert 'with 1 directly and 5 in sub-folders' in run(folder, '--out', 'grid.png')
    assert (folder.parent / 'grid.png').is_file()


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (('nowhere',), "error: There must be a folder or zip of images at 'nowhere', got nothing"),
        (('empty',), "error: 'empty' must hold images, got 0 and other files: 1 .txt."),
        (('my photos', '--channels', 'CMYK'), "error: channels must be 'L', 'RGB', 'RGBA' or a n"),
        (('my photos', '--out', 'empty/notes.txt/x.png'), 'error: --out must be a writable path'),
        (('my photos', '--out', 'x.jpg'), 2),
    ],
)
def test_mistakes_are_answered_without_a_traceback(run, folder, arguments, message):
    empty = folder.parent / 'empty'
    empty.mkdir()
    (empty / 'notes.txt').touch()
    with pytest.raises(SystemExit) as error:
        run(*arguments)
    assert str(error.value.code)[: len(str(message))] == str(message)
