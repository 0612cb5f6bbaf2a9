"""What is common to datasets that torchvision downloads; test_mnist and test_cifar do download."""

import numpy as np
import pytest

from mmgan_lite.datasets.downloads import DownloadedDataset, torchvision_class


class TenDataset(DownloadedDataset):
    torchvision_name = 'Ten'

    def load_images(self):
        return np.zeros((10, 1, 2, 2), np.uint8), range(10)


def test_subclass_reads_its_split():
    dataset = TenDataset(split='test', indices=3)
    assert (len(dataset), dataset.split) == (3, 'test')
    assert dataset.metainfo == dict(dataset='Ten', split='test')


def test_class_of_torchvision_by_its_name():
    from torchvision.datasets import KMNIST

    assert torchvision_class('KMNIST') is KMNIST


def test_unknown_split():
    with pytest.raises(ValueError, match="split must be 'train' or 'test', got 'val'"):
        TenDataset(split='val')


def obtain(root, needed, download=False):
    dataset = TenDataset(str(root), download=download)
    dataset.torchvision_name = 'NoSuchDataset'
    return dataset.obtain_files('set/raw', needed, ['a', 'b', 'c'])


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
        f"NoSuchDataset is not in '{tmp_path}/set/raw', and download=False. Put a, b, c there, or "
        'use DigitsDataset, or pass download=True.'
    )
    assert list(tmp_path.iterdir()) == []
