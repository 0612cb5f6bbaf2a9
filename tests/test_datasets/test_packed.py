import copy
import hashlib
import json
import os
import pickle
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from PIL import Image
from torch.utils.data import DataLoader

from mmgan_lite.datasets import (
    DigitsDataset,
    EdgesToDigitsDataset,
    ImageBatch,
    ImageFolderDataset,
    InMemoryImageDataset,
    MappedImages,
    PackedImageDataset,
    PackedPairDataset,
    pack_images,
)
from mmgan_lite.engine.hooks import setup_check_hook
from mmgan_lite.version import __version__

# Image i is filled with 10 * i, so that a picture tells which one it is.
IMAGES = (10 * np.arange(5, dtype=np.uint8))[:, None, None, None].repeat(3, 1)
IMAGES = IMAGES.repeat(4, 2).repeat(6, 3)
LABELS = [4, 3, 2, 1, 0]


def make_dataset(labels=LABELS, **kwargs):
    return InMemoryImageDataset(IMAGES, labels, metainfo={'classes': tuple('vwxyz')}, **kwargs)


@pytest.fixture
def packed(tmp_path):
    pack_images(make_dataset(), tmp_path / 'packed')
    return tmp_path / 'packed'


def which(dataset):
    """Which of the five images a dataset holds, in order."""
    return [int(item['inputs'].max()) // 10 for item in dataset]


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_images_of_16_bits(tmp_path):
    images = np.arange(3 * 2, dtype=np.uint16).reshape(3, 1, 2) + 0x8000
    for number, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / f'{number}.png')
    dataset = ImageFolderDataset(tmp_path, channels='L', bit_depth=16)
    pack_images(dataset, tmp_path / 'packed')
    np.testing.assert_array_equal(np.load(tmp_path / 'packed' / 'images.npy'), images[:, None])
    packed = pickle.loads(pickle.dumps(PackedImageDataset(tmp_path / 'packed', verify=True)))
    assert packed[1]['inputs'].dtype == torch.uint16
    batch = packed.__getitems__([2, 0]).inputs
    np.testing.assert_array_equal(batch.numpy(), images[[2, 0], None])
    assert packed.get_subset([2])[0]['inputs'].tolist() == images[2:].tolist()


def test_files_hold_the_images_and_what_they_are(packed):
    np.testing.assert_array_equal(np.load(packed / 'images.npy'), IMAGES)
    np.testing.assert_array_equal(np.load(packed / 'labels.npy'), LABELS)
    assert json.loads((packed / 'meta.json').read_text()) == {
        'count': 5,
        'shape': [3, 4, 6],
        'classes': ['v', 'w', 'x', 'y', 'z'],
        'images_sha256': sha256(packed / 'images.npy'),
        'labels_sha256': sha256(packed / 'labels.npy'),
        'source': {'type': 'InMemoryImageDataset', 'data_root': ''},
        'mmgan_lite': __version__,
    }
    assert sorted(path.name for path in packed.parent.iterdir()) == ['packed']


def test_same_images_give_the_same_files(packed, tmp_path, monkeypatch):
    monkeypatch.setattr('mmgan_lite.datasets.packed._ITEMS_AT_ONCE', 2)
    counts = []
    meta = pack_images(make_dataset(), tmp_path / 'again', 4, counts.append)
    assert counts == [2, 2, 1]
    for name in ('images.npy', 'labels.npy', 'meta.json'):
        assert (tmp_path / 'again' / name).read_bytes() == (packed / name).read_bytes()
    assert meta == json.loads((packed / 'meta.json').read_text())


def test_item_is_a_uint8_tensor_and_an_int(packed):
    dataset = PackedImageDataset(packed)
    assert len(dataset) == 5
    item = dataset[1]
    assert set(item) == {'inputs', 'labels'}
    assert torch.equal(item['inputs'], torch.full((3, 4, 6), 10, dtype=torch.uint8))
    assert type(item['labels']) is int
    assert item['labels'] == 3
    assert dataset[-1]['labels'] == 0
    assert dataset.labels.tolist() == LABELS
    assert dataset.metainfo == {'dataset': 'packed', 'classes': tuple('vwxyz')}
    assert which(dataset) == [0, 1, 2, 3, 4]


def test_without_labels(tmp_path):
    meta = pack_images(InMemoryImageDataset(IMAGES), tmp_path / 'packed')
    assert meta['labels_sha256'] is None
    assert meta['classes'] is None
    assert not (tmp_path / 'packed' / 'labels.npy').exists()
    dataset = PackedImageDataset(tmp_path / 'packed', verify=True)
    assert set(dataset[0]) == {'inputs'}
    assert dataset.labels is None
    assert dataset.metainfo == {'dataset': 'packed'}


def test_batch_is_fetched_in_one_step(packed):
    batch = PackedImageDataset(packed).__getitems__([4, 0, -1])
    assert isinstance(batch, ImageBatch)
    assert batch.inputs[:, 0, 0, 0].tolist() == [40, 0, 40]
    assert batch.labels.tolist() == [0, 4, 0]


def test_items_are_copies_that_may_be_written_to(packed):
    dataset = PackedImageDataset(packed)
    with warnings.catch_warnings():
        warnings.simplefilter('error')  # torch warns of arrays that may not be written to
        dataset[0]['inputs'].fill_(99)
        dataset.__getitems__([0, 1]).inputs.fill_(99)
        dataset.images[0].fill_(99)
        dataset.images[:2].fill_(99)
        dataset.get_data_info(0)['img'].fill(99)
    assert which(dataset) == [0, 1, 2, 3, 4]
    PackedImageDataset(packed, verify=True)


def test_images_are_indexed_as_a_tensor_is(packed):
    images, tensor = PackedImageDataset(packed).images, torch.from_numpy(IMAGES)
    assert isinstance(images, MappedImages)
    assert images.shape == tensor.shape
    assert len(images) == 5
    for index in (0, -1, slice(1, 3), slice(None, None, 2), torch.tensor([4, 0, 0])):
        assert torch.equal(images[index], tensor[index])
    for index in (5, -6, torch.tensor([0, 5])):
        with pytest.raises(IndexError):
            images[index]


def test_subset_of_a_subset_reads_the_same_file(packed):
    images = PackedImageDataset(packed).images.select(slice(1, None)).select(np.array([3, 0]))
    assert images.shape == (2, 3, 4, 6)
    assert images[:][:, 0, 0, 0].tolist() == [40, 10]
    assert images[torch.tensor([1, -2])][:, 0, 0, 0].tolist() == [10, 40]
    with pytest.raises(IndexError):
        images[2]


@pytest.mark.parametrize(
    ('indices', 'expected'),
    [
        (2, [0, 1]),
        (-2, [3, 4]),
        (0, []),
        (100, [0, 1, 2, 3, 4]),
        ([3, 0, -1], [3, 0, 4]),
        (range(1, 3), [1, 2]),
        ([], []),
    ],
)
def test_indices_mean_what_they_mean_in_memory(packed, indices, expected):
    given = PackedImageDataset(packed, indices=indices)
    subset = PackedImageDataset(packed).get_subset(indices)
    in_place = PackedImageDataset(packed)
    in_place.get_subset_(indices)
    for dataset in (given, subset, in_place):
        assert which(dataset) == expected
        assert dataset.labels.tolist() == [LABELS[i] for i in expected]
        assert len(dataset) == len(expected)


def test_subset_is_independent_of_its_origin(packed):
    dataset = PackedImageDataset(packed)
    subset = dataset.get_subset([3])
    assert len(dataset) == 5
    subset.get_subset_(0)
    assert which(dataset) == [0, 1, 2, 3, 4]


def test_pickle_holds_the_path_and_not_the_images(tmp_path, monkeypatch):
    pack_images(InMemoryImageDataset(np.ones((1000, 1, 8, 8), np.uint8)), tmp_path / 'packed')
    monkeypatch.chdir(tmp_path)
    dataset = PackedImageDataset('packed')
    pickled = pickle.dumps(dataset)
    assert len(pickled) < 5000
    monkeypatch.chdir('/')
    for twin in (pickle.loads(pickled), copy.deepcopy(dataset)):
        assert len(twin) == 1000
        assert int(twin[999]['inputs'].min()) == 1


def test_pickle_of_a_subset(packed):
    subset = PackedImageDataset(packed).get_subset([4, 2])
    twin = pickle.loads(pickle.dumps(subset))
    assert which(twin) == [4, 2]
    assert twin.labels.tolist() == [0, 2]


@pytest.mark.parametrize('options', [{}, {'num_workers': 1, 'multiprocessing_context': 'spawn'}])
def test_runner_builds_the_loader_from_a_config(packed, options):
    loader = Runner.build_dataloader(
        {
            'dataset': {'type': 'mmgan_lite.PackedImageDataset', 'data_root': str(packed)},
            'sampler': {'type': 'DefaultSampler', 'shuffle': False},
            'batch_size': 4,
            'collate_fn': {'type': 'mmgan_lite.image_collate'},
            **options,
        }
    )
    batches = list(loader)
    assert [tuple(batch['inputs'].shape) for batch in batches] == [(4, 3, 4, 6), (1, 3, 4, 6)]
    assert torch.cat([batch['labels'] for batch in batches]).tolist() == LABELS


def test_pipeline_gets_what_it_gets_in_memory(packed):
    infos = []
    pipeline = [lambda info: infos.append(info) or info, dict(type='PackImage')]
    for dataset in (PackedImageDataset(packed, pipeline=pipeline), make_dataset(pipeline=pipeline)):
        assert [item['labels'] for item in dataset.__getitems__([3, -1])] == [1, 0]
    for ours, theirs in zip(infos[:2], infos[2:], strict=True):
        np.testing.assert_array_equal(ours.pop('img'), theirs.pop('img'))
        assert ours == theirs


def test_lazy_dataset_opens_when_first_needed(tmp_path):
    dataset = PackedImageDataset(tmp_path / 'packed', lazy_init=True)
    pack_images(make_dataset(), tmp_path / 'packed')
    assert dataset.images.shape == (5, 3, 4, 6)


def test_given_name_and_classes_take_precedence(packed):
    metainfo = {'dataset': 'Grays', 'classes': ('a', 'b', 'c', 'd', 'e')}
    assert PackedImageDataset(packed, metainfo=metainfo).metainfo == metainfo


def test_no_packed_dataset(tmp_path):
    message = r"got '.*', which has no meta\.json\. Pack a folder .* mmgan-lite pack-dataset SOURCE"
    with pytest.raises(FileNotFoundError, match=message):
        PackedImageDataset(tmp_path)


def cut(path):
    path.write_bytes(path.read_bytes()[:-1])


def lengthen(path):
    path.write_bytes(path.read_bytes() + b'\0')


def empty(path):
    path.write_bytes(b'')


def text(path):
    path.write_text('something else')


def as_floats(path):
    np.save(path, np.zeros((5, 3, 4, 6)))


def fewer(path):
    np.save(path, np.load(path)[:4])


@pytest.mark.parametrize('spoil', [Path.unlink, cut, lengthen, empty, text, as_floats, fewer])
def test_spoilt_images_are_noticed_when_opened(packed, spoil):
    spoil(packed / 'images.npy')
    message = r"'.*images\.npy' must be .*, got .* copy it again, or pack the images again"
    with pytest.raises(ValueError, match=message):
        PackedImageDataset(packed)


@pytest.mark.parametrize('spoil', [Path.unlink, cut, empty, text, as_floats, fewer])
def test_spoilt_labels_are_noticed_when_opened(packed, spoil):
    spoil(packed / 'labels.npy')
    message = r"labels\.npy' must be (1-dimensional, of int64, .*|of the shape \[5\], .*), got"
    with pytest.raises(ValueError, match=message):
        PackedImageDataset(packed)


@pytest.mark.parametrize('content', ['', '{"count": 5', '[]', '{"count": 5}', 'null', '5'])
def test_spoilt_meta_is_noticed_when_opened(packed, content):
    (packed / 'meta.json').write_text(content)
    with pytest.raises(ValueError, match=r"meta\.json' must be a file of mmgan-lite pack-dataset"):
        PackedImageDataset(packed)


@pytest.mark.parametrize('name', ['images.npy', 'labels.npy'])
def test_altered_byte_is_noticed_on_request(packed, name):
    PackedImageDataset(packed, verify=True)
    content = bytearray((packed / name).read_bytes())
    content[-8] ^= 1  # the lowest byte of the last label, which are little-endian
    (packed / name).write_bytes(content)
    PackedImageDataset(packed)
    with pytest.raises(ValueError, match=rf"{name}' must be of the sha256 [0-9a-f]+, as in meta"):
        PackedImageDataset(packed, verify=True)


def test_out_that_exists_is_left_alone(packed):
    before = (packed / 'meta.json').read_bytes()
    with pytest.raises(FileExistsError, match=r"must not exist yet, got '.*packed'\. Choose"):
        pack_images(make_dataset().get_subset(2), packed)
    assert (packed / 'meta.json').read_bytes() == before


def test_nothing_is_left_of_what_failed(tmp_path):
    from PIL import Image

    for number, side in enumerate((4, 4, 5)):
        Image.new('L', (side, side)).save(tmp_path / f'{number}.png')
    out = tmp_path / 'new' / 'packed'
    message = r'must have one shape, got \(3, 4, 4\) and \(3, 5, 5\)\. Resize them: image_size=64'
    with pytest.raises(ValueError, match=message):
        pack_images(ImageFolderDataset(tmp_path), out)
    complete = (tmp_path / '1.png').read_bytes()
    (tmp_path / '2.png').write_bytes(complete[: len(complete) // 2 + 8])
    with pytest.raises(ValueError, match=r"2\.png' must be a readable image"):
        pack_images(ImageFolderDataset(tmp_path), out, num_workers=2)

    def interrupt(num_images):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pack_images(make_dataset(), out, on_progress=interrupt)
    assert list(out.parent.iterdir()) == []


def test_killed_run_leaves_nothing_that_opens(tmp_path):
    code = (
        'import os, signal, sys, torch\n'
        'from mmgan_lite.datasets import InMemoryImageDataset, pack_images\n'
        'dataset = InMemoryImageDataset(torch.zeros(5, 1, 8, 8, dtype=torch.uint8))\n'
        'pack_images(dataset, sys.argv[1], 1, lambda num: os.kill(os.getpid(), signal.SIGKILL))\n'
    )
    done = subprocess.run([sys.executable, '-c', code, tmp_path / 'packed'], cwd=tmp_path)
    assert done.returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    assert left.name.startswith('packed.partial-')
    with pytest.raises(FileNotFoundError):
        PackedImageDataset(left)
    pack_images(make_dataset(), tmp_path / 'packed')


def test_nothing_to_pack(tmp_path):
    with pytest.raises(ValueError, match='dataset must have images to pack, got 0'):
        pack_images(make_dataset(indices=0), tmp_path / 'packed')
    with pytest.raises(ValueError, match='num_workers must be an int of at least 1, got 0'):
        pack_images(make_dataset(), tmp_path / 'packed', num_workers=0)


@pytest.mark.skipif(not hasattr(os, 'sysconf'), reason='needs the size of the memory')
def test_file_larger_than_the_memory_is_mapped(tmp_path):
    memory = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')
    count = 2 * memory // (3 * 64 * 64)
    pack_images(InMemoryImageDataset(np.ones((1, 3, 64, 64), np.uint8)), tmp_path / 'packed')
    path = tmp_path / 'packed' / 'images.npy'
    with path.open('wb') as file:  # sparse: takes no room on the disk
        header = {'descr': '|u1', 'fortran_order': False, 'shape': (count, 3, 64, 64)}
        np.lib.format.write_array_header_1_0(file, header)
        try:
            file.truncate(file.tell() + count * 3 * 64 * 64)
        except OSError:
            pytest.skip('the file system has no sparse files of this size')
    meta = json.loads((tmp_path / 'packed' / 'meta.json').read_text())
    (tmp_path / 'packed' / 'meta.json').write_text(json.dumps({**meta, 'count': count}))
    dataset = PackedImageDataset(tmp_path / 'packed', indices=[-1, 0])
    assert dataset.__getitems__([0, 1]).inputs.sum() == 0


def test_base_config(repo, packed):
    init_default_scope('mmgan_lite')
    cfg = Config.fromfile(repo / 'configs' / '_base_' / 'datasets' / 'packed_64x64.py')
    cfg.train_dataloader.dataset.data_root = str(packed)
    batch = next(iter(Runner.build_dataloader(cfg.train_dataloader)))
    assert batch['inputs'].shape == (64, 3, 4, 6)
    assert batch['labels'].shape == (64,)


def test_fingerprint_is_of_the_sums_in_meta_and_reads_no_image(packed, monkeypatch):
    dataset = PackedImageDataset(packed)
    meta = json.loads((packed / 'meta.json').read_text())
    monkeypatch.setattr(MappedImages, '__getitem__', None)
    sums = meta['images_sha256'] + meta['labels_sha256']
    assert dataset.fingerprint() == dict(
        dataset='PackedImageDataset', count=5, sha256=hashlib.sha256(sums.encode()).hexdigest()
    )
    subsets = [PackedImageDataset(packed, indices=i).fingerprint() for i in ([0, 1], [1, 0])]
    assert [found['count'] for found in subsets] == [2, 2]
    assert len({found['sha256'] for found in (dataset.fingerprint(), *subsets)}) == 3


def test_images_stay_in_their_file(packed):
    """On a machine with a GPU too, where ``DataPlacementHook`` moves data in memory."""
    loader = Runner.build_dataloader(
        {
            'dataset': {'type': 'mmgan_lite.PackedImageDataset', 'data_root': str(packed)},
            'sampler': {'type': 'DefaultSampler', 'shuffle': False},
            'batch_size': 4,
            'collate_fn': {'type': 'mmgan_lite.image_collate'},
        }
    )
    reason = setup_check_hook._why_not(loader, torch.device('cuda'))
    assert reason == 'PackedImageDataset does not hold it as one tensor'


def test_pairs_in_one_array(tmp_path):
    edges = EdgesToDigitsDataset(8, indices=6)
    meta = pack_images(edges, tmp_path / 'packed')
    assert (meta['shape'], meta['source_channels']) == ([2, 8, 8], 1)
    pipeline = [dict(type='RandomCropFlip', crop_size=4), dict(type='PackImage')]
    dataset = PackedPairDataset(tmp_path / 'packed', indices=[4, 1])
    for position, item in zip((4, 1), dataset, strict=True):
        assert torch.equal(item['source'], edges[position]['source'])
        assert torch.equal(item['target'], edges[position]['target'])
    (batch,) = DataLoader(dataset, 2, collate_fn=dataset.collate_fn, num_workers=1)
    assert batch['source'].shape == batch['target'].shape == (2, 1, 8, 8)
    cropped = PackedPairDataset(tmp_path / 'packed', pipeline=pipeline)[0]
    assert cropped['source'].shape == cropped['target'].shape == (1, 4, 4)


def test_pairs_and_images_are_told_apart(tmp_path):
    pack_images(EdgesToDigitsDataset(8, indices=2), tmp_path / 'pairs')
    with pytest.raises(ValueError, match=r"of images, got '.*pairs' of pairs\. Take dict"):
        PackedImageDataset(tmp_path / 'pairs')
    pack_images(DigitsDataset(8, indices=2), tmp_path / 'images')
    with pytest.raises(ValueError, match=r"of pairs, got '.*images' of images\. Pack pairs: mmgan"):
        PackedPairDataset(tmp_path / 'images')
