"""What is common to datasets that torchvision downloads; test_mnist and test_cifar do download."""

import hashlib

import pytest

from mmgan_lite.datasets.downloads import check_split, check_sums, file_hash, obtain_files


def test_split_is_returned():
    assert [check_split(split, 3) for split in ('train', 'test')] == ['train', 'test']


def test_unknown_split():
    with pytest.raises(ValueError, match='split must be') as raised:
        check_split('val', 50_000)
    assert str(raised.value) == (
        "split must be 'train' or 'test', got 'val'. "
        "Pass split='train' for the 50,000 images to train on."
    )


def obtain(root, needed, download=False):
    return obtain_files('NoSuchDataset', root, 'set/raw', needed, ['a', 'b', 'c'], download)


def test_files_that_are_there_need_no_torchvision(tmp_path):
    folder = tmp_path / 'set' / 'raw'
    folder.mkdir(parents=True)
    (folder / 'a').touch()
    assert obtain(tmp_path, ['a'], download=True) == folder
    assert [path.name for path in tmp_path.iterdir()] == ['set']


def test_home_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv('HOME', str(tmp_path))
    (tmp_path / 'set' / 'raw').mkdir(parents=True)
    (tmp_path / 'set' / 'raw' / 'a').touch()
    assert obtain('~', ['a']) == tmp_path / 'set' / 'raw'


def test_all_absent_files_are_listed(tmp_path):
    with pytest.raises(FileNotFoundError) as raised:
        obtain(tmp_path, ['a', 'b', 'c'])
    assert str(raised.value) == (
        f"NoSuchDataset is not in '{tmp_path}/set/raw', and download=False. Put a, b and c there, "
        'or use DigitsDataset. With download=True it is fetched.'
    )
    assert list(tmp_path.iterdir()) == []


def test_hash_of_a_file_longer_than_a_chunk(tmp_path):
    content = bytes(range(256)) * 5000
    (tmp_path / 'a').write_bytes(content)
    assert file_hash(tmp_path / 'a') == hashlib.sha256(content).hexdigest()
    assert file_hash(tmp_path / 'a', 'md5') == hashlib.md5(content).hexdigest()


def test_sums_are_of_files_that_have_one(tmp_path):
    for name in 'abc':
        (tmp_path / name).write_text(name)
    assert check_sums(tmp_path, 'abc') == set()
    sums = [f'{hashlib.sha256(name.encode()).hexdigest()}  {name}' for name in 'ab']
    (tmp_path / 'SHA256SUMS').write_text('\n'.join(sums))
    assert check_sums(tmp_path, 'abc') == {'a', 'b'}
    (tmp_path / 'b').write_text('other')
    assert check_sums(tmp_path, 'ac') == {'a'}
    with pytest.raises(ValueError, match='SHA256SUMS, noted when .*, got others for b. Delete'):
        check_sums(tmp_path, 'abc')
