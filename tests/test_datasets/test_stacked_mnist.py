"""Stacked MNIST on the twenty images of the tiny MNIST, and on the real one where it is."""

import pickle
import re

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from mmgan_lite.datasets import ImageBatch, MNISTDataset, StackedImages, StackedMNISTDataset


@pytest.fixture
def make_dataset(tiny_mnist_root):
    def make(num_images=500, **arguments):
        return StackedMNISTDataset(
            tiny_mnist_root, num_images=num_images, download=False, **arguments
        )

    return make


def digits_of(image, mnist):
    """Which images of MNIST the three channels are; those of the tiny one are all different."""
    return [int((mnist.images[:, 0] == channel).all((1, 2)).nonzero()) for channel in image]


@pytest.mark.parametrize('split', ['train', 'test'])
def test_channels_are_digits_and_the_label_tells_them(split, make_dataset, tiny_mnist_root):
    dataset, mnist = make_dataset(split=split), MNISTDataset(tiny_mnist_root, split)
    assert len(dataset) == 500
    for item in dataset[0], dataset[17], dataset[-1]:
        assert set(item) == {'inputs', 'labels'}
        assert item['inputs'].shape == (3, 28, 28)
        assert item['inputs'].dtype == torch.uint8
        red, green, blue = (int(mnist.labels[i]) for i in digits_of(item['inputs'], mnist))
        assert item['labels'] == 100 * red + 10 * green + blue
        assert dataset.metainfo['classes'][item['labels']] == f'{red}{green}{blue}'


def test_all_digits_in_all_channels_by_chance(make_dataset, tiny_mnist_root):
    dataset, mnist = make_dataset(), MNISTDataset(tiny_mnist_root)
    picked = torch.tensor([digits_of(item['inputs'], mnist) for item in dataset])
    for channel in picked.T:
        # 25 expected of each.
        counts = torch.bincount(channel, minlength=20)
        assert 5 < counts.min() <= counts.max() < 50
    for one, other in ((0, 1), (1, 2), (0, 2)):
        # Independent: equal in one case of 20.
        assert 5 < (picked[:, one] == picked[:, other]).sum() < 50


def test_the_same_triples_for_ever(make_dataset):
    # numpy's frozen generator, by hand: what a seed gives must not change.
    rows = np.random.RandomState(0).randint(20, size=(500, 3))
    labels = (rows % 10) @ [100, 10, 1]
    np.testing.assert_array_equal(make_dataset().labels.numpy(), labels)
    assert make_dataset().labels[:4].tolist() == [250, 337, 998, 462]
    assert not torch.equal(make_dataset(seed=1).labels, make_dataset().labels)


def test_a_longer_dataset_begins_with_a_shorter(make_dataset):
    short, long = make_dataset(30), make_dataset(400)
    assert torch.equal(long.images[:30], short.images[:])
    assert torch.equal(long.labels[:30], short.labels)


def test_batch_in_one_step_equals_the_items(make_dataset):
    dataset = make_dataset()
    batch = dataset.__getitems__([3, 0, -1, 3])
    assert isinstance(batch, ImageBatch)
    assert batch.labels.dtype == torch.int64
    for item, index in zip(batch, (3, 0, 499, 3), strict=True):
        assert torch.equal(item['inputs'], dataset[index]['inputs'])
        assert item['labels'] == dataset[index]['labels']


def test_only_the_digits_are_held(make_dataset):
    dataset = make_dataset(10_000)
    # 20 digits, and three int64 positions for each image.
    assert dataset.images.nbytes == 20 * 28 * 28 + 10_000 * 3 * 8
    assert dataset.images.shape == (10_000, 3, 28, 28)
    assert len(pickle.dumps(dataset)) < 400_000
    assert torch.equal(pickle.loads(pickle.dumps(dataset))[7]['inputs'], dataset[7]['inputs'])


@pytest.mark.parametrize(
    ('indices', 'expected'), [(2, [0, 1]), (-2, [498, 499]), ([3, 0, -1], [3, 0, 499])]
)
def test_subsets(indices, expected, make_dataset):
    whole = make_dataset()
    for subset in (make_dataset(indices=indices), whole.get_subset(indices)):
        assert torch.equal(subset.images[:], whole.images[torch.tensor(expected)])
        assert subset.labels.tolist() == [int(whole.labels[i]) for i in expected]
    assert len(whole) == 500


def test_position_out_of_range(make_dataset):
    dataset = make_dataset()
    with pytest.raises(IndexError):
        dataset[500]
    with pytest.raises(IndexError):
        dataset.get_subset_([500])
    assert len(dataset) == 500


def test_pipeline_gets_an_array_of_its_own(make_dataset):
    dataset = make_dataset(pipeline=[dict(type='PackImage')])
    info = dataset.get_data_info(2)
    assert info['img'].shape == (28, 28, 3)
    info['img'].fill(0)
    plain = make_dataset()[2]
    assert torch.equal(dataset[2]['inputs'], plain['inputs'])
    assert dataset[2]['labels'] == plain['labels']


def test_moves_to_a_device(make_dataset):
    dataset = make_dataset()
    dataset.to('meta')  # the one device besides the CPU that every machine has
    assert dataset.images.device.type == 'meta'
    assert dataset.labels.device.type == 'meta'
    assert dataset.images[:5].shape == (5, 3, 28, 28)


@pytest.mark.gpu
def test_batches_are_made_on_a_gpu(make_dataset):
    dataset = make_dataset()
    expected = dataset.__getitems__([4, 9])
    dataset.to('cuda')
    assert dataset.images.device.type == 'cuda'
    batch = dataset.__getitems__([4, 9])
    assert batch.inputs.is_cuda
    assert torch.equal(batch.inputs.cpu(), expected.inputs)
    assert torch.equal(batch.labels.cpu(), expected.labels)


def test_stacked_images_by_hand():
    digits = torch.arange(4, dtype=torch.uint8)[:, None, None]
    images = StackedImages(digits, torch.tensor([[0, 1, 2], [3, 3, 0]]))
    assert images[1].flatten().tolist() == [3, 3, 0]
    assert images[:].flatten().tolist() == [0, 1, 2, 3, 3, 0]
    assert images.index_select(0, torch.tensor([1, 0])).flatten().tolist() == [3, 3, 0, 0, 1, 2]


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(num_images=0), 'num_images must be an int of at least 1, got 0.'),
        (dict(num_images=1e5), 'num_images must be an int of at least 1, got 100000.0.'),
        (dict(seed=-1), 'seed must be an int in [0, 2**32), got -1. Pass seed=0.'),
        (dict(seed=None), 'seed must be an int in [0, 2**32), got None.'),
        (dict(split='val'), "split must be 'train' or 'test', got 'val'."),
    ],
)
def test_arguments_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        StackedMNISTDataset(**arguments, lazy_init=True)


def test_absent_files_are_those_of_mnist(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"MNIST is not in '.*MNIST/raw', and download=F"):
        StackedMNISTDataset(str(tmp_path), download=False)


def test_base_config_loads(repo, tiny_mnist_root):
    init_default_scope('mmgan_lite')
    cfg = Config.fromfile(repo / 'configs/_base_/datasets/stacked_mnist_28x28.py').train_dataloader
    assert cfg.dataset.num_images == 128_000
    cfg.dataset.update(data_root=tiny_mnist_root, num_images=100)
    batch = next(iter(Runner.build_dataloader(cfg, seed=0)))
    assert batch['inputs'].shape == (64, 3, 28, 28)
    assert batch['labels'].shape == (64,)


def test_real_mnist(mnist_root):
    dataset = StackedMNISTDataset(mnist_root, download=False, num_images=26_000)
    # MNIST's digits are not quite even: 5421 fives and 6742 ones of 60,000. Of 26,000 images a
    # class has 26 on average, and none is without any.
    counts = torch.bincount(dataset.labels, minlength=1000)
    assert len(counts) == 1000
    assert counts.min() > 0
    share = (dataset.labels // 100 == 1).float().mean()
    assert abs(share - 6742 / 60_000) < 4 * (0.1 / 26_000) ** 0.5


def test_fingerprint_tells_other_triples_and_other_digits(make_dataset):
    same = [make_dataset().fingerprint() for _ in range(2)]
    assert same[0] == same[1]
    assert same[0]['count'] == 500
    others = [make_dataset(seed=1), make_dataset(split='test'), make_dataset(indices=499)]
    found = {same[0]['sha256'], *(dataset.fingerprint()['sha256'] for dataset in others)}
    assert len(found) == 4
