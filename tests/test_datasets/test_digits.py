import numpy as np
import pytest
import torch
from mmengine.runner import Runner

from mmgan_lite.datasets import DigitsDataset


def test_digits_are_those_of_scikit_learn():
    expected = pytest.importorskip('sklearn.datasets').load_digits()
    dataset = DigitsDataset(image_size=8)
    scaled = np.round(expected.images * 255 / 16).astype(np.uint8)
    np.testing.assert_array_equal(dataset.images[:, 0].numpy(), scaled)
    np.testing.assert_array_equal(dataset.labels.numpy(), expected.target)


@pytest.mark.parametrize(
    ('image_size', 'shape'), [(28, (1, 28, 28)), ((32, 16), (1, 32, 16)), ([9, 8], (1, 9, 8))]
)
def test_image_size(image_size, shape):
    item = DigitsDataset(image_size=image_size, indices=3)[2]
    assert item['inputs'].shape == shape
    assert item['inputs'].dtype == torch.uint8
    assert item['labels'] == 2


def test_enlarged_digits_look_like_those_of_pillow():
    image_module = pytest.importorskip('PIL.Image')
    stored = DigitsDataset(image_size=8, indices=1).images[0, 0].numpy()
    enlarged = image_module.fromarray(stored).resize((28, 28), image_module.Resampling.BICUBIC)
    ours = DigitsDataset(image_size=28, indices=1).images[0, 0].numpy()
    # Pillow's cubic has a = -0.5, PyTorch's a = -0.75: alike, not equal.
    assert np.abs(ours.astype(float) - np.asarray(enlarged)).mean() < 5


def test_classes_and_counts():
    dataset = DigitsDataset(image_size=8)
    assert dataset.metainfo['classes'] == tuple('0123456789')
    # From the data set's description (optdigits.names, class distribution of the test part).
    counts = [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert torch.bincount(dataset.labels).tolist() == counts


@pytest.mark.parametrize('image_size', [7, (28, 4), (28, 28, 1)])
def test_wrong_image_size(image_size):
    with pytest.raises(ValueError, match=r'image_size must be an int >= 8 or a pair .* got '):
        DigitsDataset(image_size=image_size)


def test_loader_with_spawned_workers():
    loader = Runner.build_dataloader(
        {
            'dataset': {'type': 'mmgan_lite.DigitsDataset', 'image_size': 8, 'indices': 6},
            'sampler': {'type': 'DefaultSampler', 'shuffle': False},
            'batch_size': 3,
            'num_workers': 2,
            'multiprocessing_context': 'spawn',
            'collate_fn': {'type': 'mmgan_lite.image_collate'},
        },
        seed=0,
    )
    assert [batch['labels'].tolist() for batch in loader] == [[0, 1, 2], [3, 4, 5]]


def test_a_folder_is_refused():
    with pytest.raises(ValueError, match='data_root must be left out'):
        DigitsDataset(data_root='data')
