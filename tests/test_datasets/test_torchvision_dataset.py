"""Classes of torchvision by name, on files in their formats."""

import inspect

import numpy as np
import pytest
import torchvision.datasets
from PIL import Image
from scipy.io import savemat

from mmgan_lite.datasets import TorchvisionDataset


@pytest.fixture
def svhn(tmp_path):
    """Six images in SVHN's format, filled with 10, 20, ..., of the digits 1, 2, 0, 1, 2, 0."""
    pixels = np.zeros((32, 32, 3, 6), np.uint8) + np.arange(10, 70, 10, dtype=np.uint8)
    # SVHN stores the digit 0 as 10.
    savemat(tmp_path / 'test_32x32.mat', {'X': pixels, 'y': np.array([[1, 2, 10, 1, 2, 10]]).T})
    return tmp_path


@pytest.fixture
def build(svhn, monkeypatch):
    monkeypatch.setattr(torchvision.datasets.SVHN, '_check_integrity', lambda self: True)

    def build(**kwargs):
        given = dict(data_root=str(svhn), arguments=dict(split='test'), download=False)
        return TorchvisionDataset('SVHN', **{**given, **kwargs})

    return build


def test_images_and_labels(build):
    dataset = build()
    assert dataset.labels.tolist() == [1, 2, 0, 1, 2, 0]
    assert [int(item['inputs'].max()) for item in dataset] == [10, 20, 30, 40, 50, 60]
    assert dataset[1]['labels'] == 2
    assert dataset.metainfo == {'dataset': 'SVHN'}


def test_size_channels_and_a_subset(build):
    dataset = build(image_size=(16, 8), channels='L', indices=[5, 0])
    assert dataset.image_shape == (1, 16, 8)
    assert [int(item['inputs'].max()) for item in dataset] == [60, 10]
    assert dataset[0]['inputs'].shape == (1, 16, 8)
    assert dataset.labels.tolist() == [0, 1]
    assert dataset.fingerprint() != build(indices=[5, 1]).fingerprint()


def test_names_of_classes(tmp_path):
    for name in ('cat', 'dog'):
        (tmp_path / name).mkdir()
        Image.new('RGB', (4, 4)).save(tmp_path / name / '0.png')
    dataset = TorchvisionDataset('ImageFolder', tmp_path)
    assert dataset.metainfo['classes'] == ('cat', 'dog')
    assert dataset.labels.tolist() == [0, 1]


def test_labels_that_only_the_items_have():
    dataset = TorchvisionDataset('FakeData', arguments=dict(size=4, image_size=(3, 8, 8)))
    source = torchvision.datasets.FakeData(size=4, image_size=(3, 8, 8))
    assert dataset.labels.tolist() == [source[i][1] for i in range(4)]


def test_targets_that_are_no_labels(build, monkeypatch):
    init = torchvision.datasets.SVHN.__init__

    def unlabeled(self, *args, **kwargs):
        init(self, *args, **kwargs)
        self.labels = np.full(6, -1)

    unlabeled.__signature__ = inspect.signature(init)
    monkeypatch.setattr(torchvision.datasets.SVHN, '__init__', unlabeled)
    dataset = build()
    assert dataset.labels is None
    assert set(dataset[0]) == {'inputs'}


@pytest.mark.parametrize(
    ('name', 'kwargs', 'error', 'message'),
    [
        ('Nothing', {}, ValueError, r"name of a class in torchvision\.datasets, got 'Nothing'"),
        (
            'SVHN',
            dict(arguments=dict(train=True)),
            ValueError,
            r'those of torchvision\.datasets\.SVHN, got train\. It takes root, split',
        ),
        ('SVHN', dict(download=False), FileNotFoundError, "SVHN must be in 'nowhere' or be down"),
        ('FakeData', dict(channels='CMYK'), ValueError, 'channels must be'),
    ],
)
def test_mistakes(name, kwargs, error, message):
    with pytest.raises(error, match=message):
        TorchvisionDataset(name, data_root='nowhere', **kwargs)


def test_items_that_are_no_images():
    arguments = dict(size=2, transform=np.asarray)
    dataset = TorchvisionDataset('FakeData', arguments=arguments)
    with pytest.raises(ValueError, match='Items of FakeData must be images, got ndarray'):
        dataset[0]
