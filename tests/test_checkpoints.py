"""Files of trainings are written whole, read whole, or refused."""

import errno
import hashlib
import os
import re
import zipfile
from pathlib import Path

import pytest
import torch

from mmgan_lite import checkpoints
from mmgan_lite.checkpoints import (
    find_damage,
    newest_checkpoint,
    read_checkpoint,
    whole_file,
    write_checkpoint,
)


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write a checkpoint of one number, a second after the one before."""
    clock = iter(range(1_000_000_000, 1_000_001_000))
    monkeypatch.setattr(checkpoints.time, 'time', lambda: next(clock))

    def write(name, value=1.0):
        path = tmp_path / name
        write_checkpoint(dict(state_dict=dict(weight=torch.full((300,), value))), path)
        return path

    return write


def test_a_checkpoint_comes_back_whole(tmp_path):
    write_checkpoint(dict(state_dict=dict(weight=torch.ones(2)), meta=dict(iter=3)), tmp_path / 'a')
    checkpoint = read_checkpoint(tmp_path / 'a')
    assert checkpoint['meta'] == dict(iter=3)
    assert torch.equal(checkpoint['state_dict']['weight'], torch.ones(2))
    assert find_damage(tmp_path / 'a') is None
    assert [path.name for path in tmp_path.iterdir()] == ['a']


def test_seal_is_the_comment_of_a_zip_file(write):
    path = write('iter_1.pth')
    assert torch.load(path, mmap=True, weights_only=True)['state_dict']['weight'].sum() == 300
    with zipfile.ZipFile(path) as file:
        assert file.testzip() is None
        comment = file.comment
    digest, when = re.fullmatch(
        rb'mmgan_lite sha256=(\w{64}) (time=01000000000.000)', comment
    ).groups()
    body = path.read_bytes().removesuffix(comment)
    assert hashlib.sha256(body + when).hexdigest() == digest.decode()


def test_no_file(tmp_path):
    with pytest.raises(ValueError, match=r"checkpoint must be a file, but '.*none.pth' is none"):
        read_checkpoint(tmp_path / 'none.pth')
    assert find_damage(tmp_path / 'none.pth') == 'it is not there'


def test_each_cut_and_each_flipped_bit_is_found(write, tmp_path):
    data = write('iter_1.pth').read_bytes()
    bad = tmp_path / 'bad.pth'
    for length in [0, 1, 21, 22, 500, *range(len(data) - 130, len(data))]:
        bad.write_bytes(data[:length])
        assert find_damage(bad) is not None, length
    for position in [*range(0, len(data), 97), *range(len(data) - 130, len(data))]:
        flipped = bytearray(data)
        flipped[position] ^= 1 << position % 8
        bad.write_bytes(flipped)
        assert find_damage(bad) is not None, position
        with pytest.raises(ValueError, match='is damaged'):
            read_checkpoint(bad)


def test_damage_of_a_file_without_seal(tmp_path):
    path = tmp_path / 'iter_1.pth'
    torch.save(dict(state_dict=dict(weight=torch.ones(300))), path)
    assert find_damage(path) is None
    data = bytearray(path.read_bytes())
    data[data.index(torch.ones(300).numpy().tobytes()) + 600] ^= 1
    path.write_bytes(data)
    assert re.fullmatch(r"the checksum of its part '.*data/0' is wrong", find_damage(path))


def test_newest_is_the_one_that_is_named(write, tmp_path):
    assert newest_checkpoint(tmp_path) is None
    paths = [write(f'iter_{number}.pth') for number in (9, 10)]
    assert newest_checkpoint(tmp_path) == paths[1]  # written last
    (tmp_path / 'last_checkpoint').write_text(str(paths[0]))
    assert newest_checkpoint(tmp_path) == paths[0]


def test_newest_in_a_folder_that_was_moved(write, tmp_path):
    path = write('iter_1.pth')
    write('iter_2.pth')
    (tmp_path / 'last_checkpoint').write_text('/elsewhere/iter_1.pth')
    assert newest_checkpoint(tmp_path) == path


def test_newest_lies_where_it_is_named(write, tmp_path):
    (tmp_path / 'far').mkdir()
    (tmp_path / 'work').mkdir()
    older, newer = write('far/iter_1.pth'), write('far/iter_2.pth')
    (tmp_path / 'work' / 'last_checkpoint').write_text(str(newer))
    assert newest_checkpoint(tmp_path / 'work') == newer
    newer.write_bytes(b'')
    assert newest_checkpoint(tmp_path / 'work') == older


def test_newest_passes_over_what_is_damaged(write, tmp_path, capture_log):
    older, newer, newest = [write(f'iter_{number}.pth') for number in (1, 2, 3)]
    write('best_fid_iter_4.pth')
    write('iter_4-0123abcd.pth')
    (tmp_path / 'last_checkpoint').write_text(str(newest))
    newest.write_bytes(newest.read_bytes()[:-200])
    flipped = bytearray(newer.read_bytes())
    flipped[500] ^= 1
    newer.write_bytes(flipped)
    assert newest_checkpoint(tmp_path) == older
    assert f'{newest} is damaged: its end is missing' in capture_log()
    assert f'{newer} is damaged: its checksum is wrong. The newest whole one is' in capture_log()
    older.unlink()
    assert newest_checkpoint(tmp_path) is None
    assert 'No other is whole' in capture_log()


@pytest.fixture
def capture_log(monkeypatch):
    lines = []
    monkeypatch.setattr(checkpoints, 'print_log', lambda text, **_: lines.append(text))
    return lambda: '\n'.join(lines)


@pytest.mark.parametrize('step', ['fsync', 'replace'])
def test_what_was_there_stays_if_writing_fails(write, tmp_path, monkeypatch, step):
    path = write('iter_1.pth')

    def fail(*_):
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match='No space left'):
        write('iter_1.pth', value=2.0)
    assert read_checkpoint(path)['state_dict']['weight'].sum() == 300
    assert [file.name for file in tmp_path.iterdir()] == ['iter_1.pth']


def test_whole_file_is_not_there_before_its_end(tmp_path):
    path = tmp_path / 'a.txt'
    with whole_file(path) as temporary:
        temporary.write_text('new')
        assert not path.exists()
        assert temporary.parent == tmp_path
        assert list(Path(tmp_path).glob(checkpoints.TEMPORARY_FILES)) == [temporary]
    assert path.read_text() == 'new'
