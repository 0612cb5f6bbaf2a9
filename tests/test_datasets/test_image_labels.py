"""Labels from folders, tables and NVIDIA's lists."""

import json
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from mmgan_lite.datasets import ImageFolderDataset
from mmgan_lite.datasets.image_labels import natural_order


def save(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new('L', (4, 4)).save(path)
    return root


@pytest.fixture
def folder(tmp_path):
    return save(tmp_path / 'data', 'a.png', 'b.png', 'c.png')


@pytest.fixture
def log_messages(monkeypatch):
    found = []
    monkeypatch.setattr(
        'mmgan_lite.datasets.image_labels.print_log', lambda text, *args: found.append(text)
    )
    return found


def test_natural_order():
    names = ['10', '2', 'a10', 'a9', '1b', 'B', '01']
    assert sorted(names, key=natural_order) == ['01', '1b', '2', '10', 'B', 'a9', 'a10']


def test_sub_folders_are_numbered_in_natural_order(tmp_path):
    save(tmp_path, '10/x.png', '2/x.png', '1/x.png')
    dataset = ImageFolderDataset(tmp_path)
    assert dataset.metainfo['classes'] == ('1', '2', '10')
    paths = [Path(dataset.get_data_info(i)['img_path']).parent.name for i in range(3)]
    assert paths == ['1', '10', '2']
    assert dataset.labels.tolist() == [0, 2, 1]


@pytest.mark.parametrize('header', ['', 'file,label\n', '\ufefffile,label\r\n'])
def test_a_table_of_numbers(folder, header):
    (folder / 'labels.csv').write_text(f'{header}b.png,0\n./c.png,7\n\na.png,3\n')
    dataset = ImageFolderDataset(folder, labels='labels.csv')
    assert dataset.labels.tolist() == [3, 0, 7]
    assert 'classes' not in dataset.metainfo
    assert dataset[2]['labels'] == 7


def test_a_table_is_not_left_out(folder, monkeypatch):
    found = []
    monkeypatch.setattr(
        'mmgan_lite.datasets.image_folder.print_log', lambda text, *args: found.append(text)
    )
    (folder / 'labels.csv').write_text('a.png,0\nb.png,0\nc.png,1\n')
    ImageFolderDataset(folder, labels='labels.csv')
    ImageFolderDataset(folder, labels=folder / 'labels.csv')
    assert found == []
    (folder.parent / 'other.csv').write_text((folder / 'labels.csv').read_text())
    ImageFolderDataset(folder, labels=folder.parent / 'other.csv')
    assert found == [f"'{folder}': files that are no images are left out: 1 .csv."]


def test_a_table_of_names_that_lies_elsewhere(folder, tmp_path):
    table = tmp_path / 'labels.CSV'
    table.write_text('"b.png","dog, large"\nc.png,cat 10\na.png,cat 9\n')
    for labels in (table, str(table)):
        dataset = ImageFolderDataset(folder, labels=labels)
        assert dataset.metainfo['classes'] == ('cat 9', 'cat 10', 'dog, large')
        assert dataset.labels.tolist() == [0, 2, 1]


@pytest.mark.parametrize('is_zip', [False, True])
@pytest.mark.parametrize('labels', [[1, 0], None])
def test_the_list_of_nvidias_tools(tmp_path, is_zip, labels):
    names = ['00000/img00000000.png', '00000/img00000001.png']
    root = save(tmp_path / 'data', *names)
    rows = None if labels is None else [list(row) for row in zip(names, labels, strict=True)]
    (root / 'dataset.json').write_text(json.dumps({'labels': rows}))
    if is_zip:
        with zipfile.ZipFile(tmp_path / 'data.zip', 'w') as archive:
            for name in (*names, 'dataset.json'):
                archive.write(root / name, name)
        root = tmp_path / 'data.zip'
    dataset = ImageFolderDataset(root)
    assert len(dataset) == 2
    assert 'classes' not in dataset.metainfo  # the folder is none
    if labels is None:
        assert dataset.labels is None
    else:
        assert dataset.labels.tolist() == labels
    assert ImageFolderDataset(root, labels=False).labels is None


@pytest.mark.parametrize(
    ('name', 'text', 'message'),
    [
        (
            'l.csv',
            'a.png,1\nb.png,1\nb.png,2\nd.png,1\n',
            r"'l\.csv' must have one label for each of the 3 images in '.*', got 1 images without "
            r'a label \(c\.png\) and 1 labels of files that are no images there \(d\.png\) and 1 '
            r'files with several labels \(b\.png\)\. Correct it',
        ),
        ('l.csv', 'a.png,1\nb.png;1\n', r"must be file,label, got 'b\.png;1' as row 2\. Correct"),
        ('l.csv', 'a.png,1\nb.png,\n', r"got 'b\.png,' as row 2"),
        ('l.csv', 'file,label\na.png,1,2\n', r"got 'a\.png,1,2' as row 2"),
        ('l.csv', 'name,class\na.png,1\n', r'3 images without a label|2 images without'),
        ('l.csv', b'\xff\xfe', 'must be a CSV file in UTF-8'),
        ('l.txt', 'a.png 1', r"must be a \.csv or \.json file, got 'l\.txt'"),
        ('l.json', '{"labels": [["a.png", 0.5]]}', r"must be ints >= 0, got 0\.5 for 'a\.png'"),
        ('l.json', '{"labels": [["a.png", [0, 1]]]}', r"got \[0, 1\] for 'a\.png'"),
        ('l.json', '{"labels": [["a.png", -1]]}', 'got -1'),
        ('l.json', '{"labels": [["a.png", true]]}', 'got True'),
        ('l.json', '{}', r"l\.json' must be .*, got KeyError: 'labels'\. Write it with"),
        ('l.json', '[1', 'got JSONDecodeError'),
        ('l.json', '{"labels": [["a.png"]]}', 'got ValueError: not enough'),
    ],
)
def test_bad_lists(folder, name, text, message):
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError, match=message):
        ImageFolderDataset(folder, labels=name)


def test_a_list_that_is_not_there(folder):
    with pytest.raises(FileNotFoundError, match=r"labels must be a \.csv .* got 'no\.csv', which"):
        ImageFolderDataset(folder, labels='no.csv')
    with pytest.raises(ValueError, match='labels must be a file, False or None, got True'):
        ImageFolderDataset(folder, labels=True)


def test_uneven_and_absent_classes_are_reported(tmp_path, log_messages):
    save(tmp_path, *(f'many/{n}.png' for n in range(20)), 'few/0.png', 'few/1.png')
    ImageFolderDataset(tmp_path)
    assert log_messages == [
        'The classes are uneven: 20 images of many, 2 of few. To draw rare ones more often, wrap '
        'the dataset in ClassBalancedDataset.'
    ]
    log_messages.clear()
    rows = ''.join(f'many/{n}.png,0\n' for n in range(20))
    (tmp_path / 'l.csv').write_text(f'{rows}few/0.png,2\nfew/1.png,3\n')
    ImageFolderDataset(tmp_path, labels='l.csv')
    assert log_messages[0].startswith('1 of 4 classes have no image (1).')
    assert log_messages[1].startswith('The classes are uneven: 20 images of 0, 1 of 2.')
