import copy
import hashlib
import pickle

import numpy as np
import pytest
import torch
from mmengine.dataset import ClassBalancedDataset, ConcatDataset, RepeatDataset
from mmengine.runner import Runner
from torch.utils.data import DataLoader, Subset

from mmgan_lite.datasets import ImageBatch, InMemoryImageDataset, image_collate
from mmgan_lite.registry import DATASETS

# Image i is filled with 10 * i, so that a picture tells which one it is.
LABELS = [4, 3, 2, 1, 0]


def make_images():
    return (10 * torch.arange(5, dtype=torch.uint8))[:, None, None, None].repeat(1, 3, 4, 6)


def make_dataset(**kwargs):
    return InMemoryImageDataset(make_images(), LABELS, **kwargs)


def which(dataset):
    """Which of the five images a dataset holds, in order."""
    return [int(image[0, 0, 0]) // 10 for image in dataset.images]


def test_item_is_a_uint8_tensor_and_an_int():
    dataset = make_dataset()
    assert len(dataset) == 5
    item = dataset[1]
    assert set(item) == {'inputs', 'labels'}
    assert torch.equal(item['inputs'], torch.full((3, 4, 6), 10, dtype=torch.uint8))
    assert type(item['labels']) is int
    assert item['labels'] == 3
    assert dataset[-1]['labels'] == 0


def test_item_without_labels():
    assert set(InMemoryImageDataset(make_images())[0]) == {'inputs'}


def test_item_does_not_alias_the_dataset():
    dataset = make_dataset()
    dataset[0]['inputs'].fill_(99)
    dataset.get_data_info(0)['img'].fill(99)
    assert which(dataset) == [0, 1, 2, 3, 4]


def test_grey_data_info_does_not_alias_the_dataset():
    dataset = InMemoryImageDataset(torch.zeros(1, 1, 4, 4, dtype=torch.uint8))
    dataset.get_data_info(0)['img'].fill(99)
    assert int(dataset.images.max()) == 0


@pytest.mark.parametrize('index', [5, -6])
def test_index_out_of_range(index):
    dataset = make_dataset()
    with pytest.raises(IndexError):
        dataset[index]
    with pytest.raises(IndexError):
        dataset.get_data_info(index)


def test_iteration_ends_after_the_last_image():
    assert [item['labels'] for item in make_dataset()] == LABELS


@pytest.mark.parametrize(
    ('indices', 'expected'),
    [
        (2, [0, 1]),
        (-2, [3, 4]),
        (0, []),
        (100, [0, 1, 2, 3, 4]),
        ([3, 0, -1], [3, 0, 4]),
        ((1, 1), [1, 1]),
        (range(1, 3), [1, 2]),
        ([], []),
    ],
)
def test_indices_mean_what_they_mean_to_mmengine(indices, expected):
    given = make_dataset(indices=indices)
    subset = make_dataset().get_subset(indices)
    in_place = make_dataset()
    in_place.get_subset_(indices)
    for dataset in (given, subset, in_place):
        assert which(dataset) == expected
        assert dataset.labels.tolist() == [LABELS[i] for i in expected]
        assert len(dataset) == len(expected)


@pytest.mark.parametrize('indices', [[0, 5], [-6]])
def test_subset_position_out_of_range_leaves_the_dataset_as_it_was(indices):
    dataset = make_dataset()
    with pytest.raises(IndexError):
        dataset.get_subset_(indices)
    assert len(dataset) == 5


def test_subset_indices_of_another_type():
    with pytest.raises(TypeError, match=r'indices must be an int or a list of ints, got set\.'):
        make_dataset().get_subset({1, 2})
    with pytest.raises(TypeError, match='float'):
        make_dataset().get_subset([0.5])


def test_subset_is_independent_of_its_origin():
    dataset = make_dataset(metainfo={'classes': ['a', 'b']}, pipeline=[{'type': 'PackImage'}])
    subset = dataset.get_subset(2)
    subset.images.fill_(99)
    subset._metainfo['classes'].append('c')
    assert which(dataset) == [0, 1, 2, 3, 4]
    assert dataset.metainfo['classes'] == ['a', 'b']
    assert subset.pipeline is not dataset.pipeline


@pytest.mark.parametrize('indices', [3, -3, [0, 1, 2]])
def test_subset_does_not_pickle_the_images_left_out(indices):
    dataset = InMemoryImageDataset(torch.zeros(5000, 1, 8, 8, dtype=torch.uint8), [0] * 5000)
    whole = len(pickle.dumps(dataset))
    assert whole > 5000 * 64
    assert len(pickle.dumps(dataset.get_subset(indices))) < whole / 50
    dataset.get_subset_(indices)
    assert len(pickle.dumps(dataset)) < whole / 50


def test_pickle_and_deepcopy_keep_everything():
    dataset = make_dataset(metainfo={'classes': ('a', 'b')})
    for twin in (pickle.loads(pickle.dumps(dataset)), copy.deepcopy(dataset)):
        assert torch.equal(twin.images, dataset.images)
        assert torch.equal(twin.labels, dataset.labels)
        assert twin.metainfo == {'classes': ('a', 'b')}


class CountingDataset(InMemoryImageDataset):
    METAINFO = {'classes': ('a', 'b'), 'name': 'counting'}
    loads = 0

    def load_images(self):
        self.loads += 1
        return make_images().numpy(), np.array(LABELS, dtype=np.uint8)


@pytest.mark.parametrize(
    'use',
    [
        len,
        lambda d: d[0],
        lambda d: d.__getitems__([0]),
        lambda d: d.get_data_info(0),
        lambda d: d.get_cat_ids(0),
        lambda d: d.get_subset(2),
        lambda d: d.get_subset_(2),
        lambda d: d.images,
        lambda d: d.labels,
    ],
)
def test_lazy_dataset_loads_once_when_first_used(use):
    dataset = CountingDataset(lazy_init=True, indices=4)
    assert dataset.loads == 0
    use(dataset)
    dataset.full_init()
    assert dataset.loads == 1
    assert dataset.labels.dtype == torch.int64
    assert which(dataset) in ([0, 1, 2, 3], [0, 1])


def test_metainfo_argument_takes_precedence_and_is_safe_to_load(tmp_path):
    metainfo = CountingDataset(lazy_init=True, metainfo={'classes': ('x', 'y')}).metainfo
    assert metainfo == {'classes': ('x', 'y'), 'name': 'counting'}
    torch.save(metainfo, tmp_path / 'meta.pth')
    assert torch.load(tmp_path / 'meta.pth', weights_only=True) == metainfo


@pytest.mark.parametrize(
    ('images', 'message'),
    [
        (None, r'images must be an array or a tensor, got NoneType\. Pass images=\.\.\.'),
        (
            torch.zeros(2, 1, 4, 4),
            r'images must be uint8 in 0\.\.255 .* got torch\.float32 .* Scale',
        ),
        (
            np.zeros((2, 4, 4), np.uint8),
            r'shape \(N, C, H, W\).*shape \(2, 4, 4\)\. .* add a channel',
        ),
        (np.zeros((0, 1, 4, 4), np.uint8), r'no side of 0, got .* \(0, 1, 4, 4\)'),
    ],
)
def test_wrong_images(images, message):
    lazy = InMemoryImageDataset(images, lazy_init=True)
    with pytest.raises(ValueError, match=message):
        lazy.full_init()


@pytest.mark.parametrize(
    ('labels', 'message'),
    [
        (
            [0.0] * 5,
            r'labels must be integers of .*got torch\.float32 of shape \(5,\)\. Pass',
        ),
        ([True] * 5, r'labels must be integers of .*got torch\.bool'),
        ([0, 1], r'of shape \(5,\), one for each image, got torch\.int64 of shape \(2,\)\.'),
        (np.zeros((5, 1), int), r'got torch\.int64 of shape \(5, 1\)'),
        ([0, 1, -1, 2, 3], r'labels must be >= 0, got -1\. Number the classes from 0\.'),
    ],
)
def test_wrong_labels(labels, message):
    with pytest.raises(ValueError, match=message):
        InMemoryImageDataset(make_images(), labels)


def test_misspelt_argument_is_answered_with_the_nearest():
    with pytest.raises(TypeError, match="Did you mean 'pipeline'?"):
        DATASETS.build({'type': 'InMemoryImageDataset', 'pipelin': []})


def test_batch_is_fetched_in_one_step():
    batch = make_dataset().__getitems__([4, 0, -1])
    assert isinstance(batch, ImageBatch)
    assert batch.inputs[:, 0, 0, 0].tolist() == [40, 0, 40]
    assert batch.labels.tolist() == [0, 4, 0]


def loader_config(**kwargs):
    return {
        'dataset': {
            'type': 'mmgan_lite.InMemoryImageDataset',
            'images': make_images(),
            'labels': LABELS,
        },
        'sampler': {'type': 'DefaultSampler', 'shuffle': True},
        'batch_size': 4,
        'collate_fn': {'type': 'mmgan_lite.image_collate'},
        **kwargs,
    }


@pytest.mark.parametrize('num_workers', [0, 2])
def test_runner_builds_the_loader_from_a_config(num_workers):
    batches = list(Runner.build_dataloader(loader_config(num_workers=num_workers)))
    assert [tuple(batch['inputs'].shape) for batch in batches] == [(4, 3, 4, 6), (1, 3, 4, 6)]
    pairs = [
        (int(image.max()) // 10, int(label))
        for batch in batches
        for image, label in zip(batch['inputs'], batch['labels'], strict=True)
    ]
    assert sorted(pairs) == [(0, 4), (1, 3), (2, 2), (3, 1), (4, 0)]
    assert batches[0]['labels'].dtype == torch.int64


def test_runner_can_shorten_the_epoch():
    loader = Runner.build_dataloader(loader_config(num_batch_per_epoch=1))
    assert [len(batch['inputs']) for batch in loader] == [4]


def test_torch_subset_keeps_the_fast_path():
    loader = DataLoader(Subset(make_dataset(), [4, 2]), batch_size=2, collate_fn=image_collate)
    assert next(iter(loader))['labels'].tolist() == [0, 2]


def test_mmengine_wrappers():
    twice = ConcatDataset([make_dataset(), make_dataset(lazy_init=True)])
    repeated = RepeatDataset(make_dataset(), times=2)
    for dataset in (twice, repeated):
        loader = DataLoader(dataset, batch_size=10, collate_fn=image_collate)
        assert next(iter(loader))['labels'].tolist() == LABELS * 2


def test_class_balanced_wrapper_repeats_the_rare_class():
    # Frequencies 3/4 and 1/4 at threshold 3/4: factors 1 and ceil(sqrt(3)) = 2.
    dataset = InMemoryImageDataset(make_images()[:4], [0, 0, 1, 0])
    balanced = ClassBalancedDataset(dataset, oversample_thr=0.75)
    assert [balanced[i]['labels'] for i in range(len(balanced))] == [0, 0, 1, 1, 0]


def test_class_balance_without_labels():
    with pytest.raises(ValueError, match=r'labels must be given to balance classes, got InMemory'):
        InMemoryImageDataset(make_images()).get_cat_ids(0)


def test_move_to_a_device():
    dataset = InMemoryImageDataset(torch.zeros(4, 1, 2, 2, dtype=torch.uint8), labels=[0, 1, 2, 3])
    dataset.to('meta')  # the one device besides the CPU that every machine has
    assert dataset.images.device.type == dataset.labels.device.type == 'meta'


def test_pipeline_keeps_images_on_the_cpu():
    images = torch.zeros(4, 1, 2, 2, dtype=torch.uint8)
    dataset = InMemoryImageDataset(images, pipeline=[dict(type='PackImage')])
    with pytest.raises(ValueError, match="device must be 'cpu' for images with a pipeline"):
        dataset.to('meta')


def test_fingerprint_is_a_hash_of_shape_images_and_labels():
    images = make_images()
    content = b'(5, 3, 4, 6)' + images.numpy().tobytes()
    with_labels = content + b'labels' + np.array(LABELS, dtype=np.int64).tobytes()
    assert make_dataset().fingerprint() == dict(
        dataset='InMemoryImageDataset', count=5, sha256=hashlib.sha256(with_labels).hexdigest()
    )
    found = InMemoryImageDataset(images).fingerprint()['sha256']
    assert found == hashlib.sha256(content).hexdigest()


def test_fingerprint_tells_one_pixel_one_label_and_a_subset():
    images = make_images()
    images[4, 2, 3, 5] += 1
    others = [
        make_dataset(),
        InMemoryImageDataset(images, LABELS),
        InMemoryImageDataset(make_images(), [4, 3, 2, 1, 1]),
        InMemoryImageDataset(make_images().transpose(2, 3), LABELS),
        make_dataset(indices=4),
    ]
    assert len({dataset.fingerprint()['sha256'] for dataset in others}) == 5
    assert make_dataset(lazy_init=True).fingerprint() == others[0].fingerprint()
