"""Atomic writes."""

import os

import pytest

from mmgan_lite.utils.atomic_io import TEMPORARY_FILES, atomic_write


def test_it_is_not_there_before_its_end(tmp_path):
    path = tmp_path / 'a.txt'
    with atomic_write(path) as temporary:
        temporary.write_text('new')
        assert not path.exists()
        assert temporary.parent == tmp_path
        assert str(os.getpid()) in temporary.name  # two processes may write the same file
        assert list(tmp_path.glob(TEMPORARY_FILES)) == [temporary]
    assert path.read_text() == 'new'
    assert [file.name for file in tmp_path.iterdir()] == ['a.txt']


def test_it_is_on_the_disk_before_it_gets_its_name(tmp_path, monkeypatch):
    path, flushed = tmp_path / 'a.txt', []
    monkeypatch.setattr(
        os, 'fsync', lambda descriptor: flushed.append((os.fstat(descriptor).st_ino, path.exists()))
    )
    with atomic_write(path) as temporary:
        temporary.write_text('new')
    # The file under its other name first; then the folder, which has its name now.
    assert flushed == [(path.stat().st_ino, False), (tmp_path.stat().st_ino, True)]


@pytest.mark.parametrize('step', ['fsync', 'replace'])
def test_what_was_there_stays_if_writing_fails(tmp_path, monkeypatch, step):
    path = tmp_path / 'a.txt'
    path.write_text('old')

    def fail(*_):
        raise OSError('No space left on device')

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match='No space left'), atomic_write(path) as temporary:
        temporary.write_text('new')
    assert path.read_text() == 'old'
    assert [file.name for file in tmp_path.iterdir()] == ['a.txt']


def test_its_folder_is_made(tmp_path):
    with atomic_write(tmp_path / 'new' / 'a.txt') as temporary:
        temporary.write_text('new')
    assert (tmp_path / 'new' / 'a.txt').read_text() == 'new'
