"""Data sets as the Hugging Face Hub has them."""

import io
import pickle
import sys

import numpy as np
import pytest
from PIL import Image
from torch.utils.data import DataLoader

from mmgan_lite.datasets import ImageFolderDataset, image_collate

datasets = pytest.importorskip('datasets')


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    monkeypatch.setattr(datasets.config, 'HF_DATASETS_CACHE', tmp_path_factory.mktemp('cache'))


def encode(value):
    file = io.BytesIO()
    Image.new('RGB', (6, 4), (value, 0, 0)).save(file, 'PNG')
    return {'bytes': file.getvalue(), 'path': None}


def write(path, num=4, columns=('image',), label=None, start=0):
    """Rows whose images have the red 10, 20, ..., and labels 1, 0, 1, 0, ..."""
    rows = {name: [encode(10 * (start + n + 1)) for n in range(num)] for name in columns}
    features = {name: datasets.Image() for name in columns}
    if label is not None:
        rows['label'] = [(n + 1) % 2 for n in range(num)]
        features['label'] = label
    path.parent.mkdir(parents=True, exist_ok=True)
    table = datasets.Dataset.from_dict(rows, features=datasets.Features(features))
    table.to_parquet(str(path))


def reds(dataset):
    return [int(item['inputs'][0].max()) for item in dataset]


def test_images_and_named_classes_of_several_files(tmp_path):
    label = datasets.ClassLabel(names=['cat', 'dog'])
    write(tmp_path / 'data/train-00000-of-00002.parquet', label=label)
    write(tmp_path / 'data/train-00001-of-00002-ab12.parquet', label=label, start=4)
    (tmp_path / 'README.md').write_text('a card')
    dataset = ImageFolderDataset(tmp_path, image_size=4)
    assert reds(dataset) == [10, 20, 30, 40, 50, 60, 70, 80]
    assert dataset.metainfo['classes'] == ('cat', 'dog')
    assert dataset.labels.tolist() == [1, 0] * 4
    subset = pickle.loads(pickle.dumps(dataset.get_subset([6, 1])))
    assert reds(subset) == [70, 20]
    assert [item['labels'] for item in subset] == [1, 0]
    assert dataset.fingerprint()['count'] == 8


def test_labels_without_names_and_none(tmp_path):
    write(tmp_path / 'a.parquet', label=datasets.Value('int64'))
    dataset = ImageFolderDataset(tmp_path)
    assert dataset.labels.tolist() == [1, 0, 1, 0]
    assert 'classes' not in dataset.metainfo
    assert ImageFolderDataset(tmp_path, labels='label').labels.tolist() == [1, 0, 1, 0]
    assert ImageFolderDataset(tmp_path, labels=False).labels is None


def test_a_broken_image_is_named(tmp_path):
    rows = [encode(10), {'bytes': b'text', 'path': None}]
    features = datasets.Features(image=datasets.Image())
    table = datasets.Dataset.from_dict({'image': rows}, features=features)
    table.to_parquet(str(tmp_path / 'a.parquet'))
    with pytest.raises(ValueError, match=r'got 1 of 2: row 1 \(no image\)'):
        ImageFolderDataset(tmp_path)
    assert reds(ImageFolderDataset(tmp_path, max_corrupt=1)) == [10, 10]


@pytest.mark.parametrize(
    ('spoil', 'labels', 'message'),
    [
        (
            lambda path: [write(path / f'{name}-00.parquet') for name in ('train', 'test')],
            None,
            'of one split, got test, train. Move',
        ),
        (
            lambda path: write(path / 'a.parquet', columns=(), label=datasets.Value('int64')),
            None,
            r'must have one column of images, got 0 \(of the columns label\)',
        ),
        (
            lambda path: write(path / 'a.parquet', columns=('left', 'right')),
            None,
            r'one column of images, got 2 \(left, right\)',
        ),
        (lambda path: (path / 'a.parquet').write_text('x'), None, 'that can be read, got'),
        (lambda path: write(path / 'a.parquet'), 'kind', "must be a column of .*, got 'kind'. It"),
        (
            lambda path: write(path / 'a.parquet', label=datasets.Value('float32')),
            None,
            "labels in column 'label' of .* must be ints >= 0, got float",
        ),
    ],
)
def test_what_cannot_be_used(spoil, labels, message, tmp_path):
    spoil(tmp_path)
    with pytest.raises(ValueError, match=message):
        ImageFolderDataset(tmp_path, labels=labels)


def test_a_package_that_is_missing(tmp_path, monkeypatch):
    write(tmp_path / 'a.parquet')
    monkeypatch.setitem(sys.modules, 'datasets', None)
    with pytest.raises(ValueError, match=r"pip install 'mmgan-lite\[parquet\]'"):
        ImageFolderDataset(tmp_path)


def test_workers_read_it(tmp_path):
    write(tmp_path / 'a.parquet')
    dataset = ImageFolderDataset(tmp_path)
    loader = DataLoader(dataset, batch_size=2, num_workers=1, collate_fn=image_collate)
    found = np.concatenate([batch['inputs'][:, 0, 0, 0] for batch in loader])
    assert found.tolist() == [10, 20, 30, 40]
