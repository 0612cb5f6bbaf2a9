import numpy as np
import pytest
import torch
from mmengine.runner import Runner

from mmgan_lite.datasets import DigitsDataset, EdgesToDigitsDataset, image_collate


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


def test_edges_are_outlines_as_scipy_has_them():
    ndimage = pytest.importorskip('scipy.ndimage')
    dataset = EdgesToDigitsDataset(indices=20)
    assert dataset.pair_shapes == ((1, 28, 28), (1, 28, 28))
    for item, digit in zip(dataset, DigitsDataset(indices=20).images, strict=True):
        assert torch.equal(item['target'], digit)
        ink = digit[0].numpy() >= 128
        outline = ink & ~ndimage.binary_erosion(ink)  # what is beyond the border is no ink
        np.testing.assert_array_equal(item['source'][0].numpy(), outline * np.uint8(255))


def test_edges_and_digits_in_batches_and_parts():
    train, test = EdgesToDigitsDataset(32, indices=1500), EdgesToDigitsDataset(32, indices=-297)
    assert (len(train), len(test)) == (1500, 297)
    batch = image_collate(train.__getitems__([0, 7]))
    assert set(batch) == {'source', 'target'}
    assert batch['source'].shape == batch['target'].shape == (2, 1, 32, 32)
    assert torch.equal(batch['target'], DigitsDataset(32).images[[0, 7]])
    assert train.fingerprint() != test.fingerprint()


def test_pipeline_of_edges_and_digits():
    pipeline = [dict(type='RandomCropFlip', crop_size=24), dict(type='PackImage')]
    item = EdgesToDigitsDataset(28, pipeline=pipeline, indices=1)[0]
    assert item['source'].shape == item['target'].shape == (1, 24, 24)
    crops = DigitsDataset(28, indices=1).images[0].unfold(1, 24, 1).unfold(2, 24, 1)
    (place,) = (crops == item['target'][0]).all(dim=(-1, -2))[0].nonzero().tolist()
    whole = EdgesToDigitsDataset(28, indices=1)[0]['source']
    top, left = place
    assert torch.equal(item['source'], whole[:, top : top + 24, left : left + 24])
