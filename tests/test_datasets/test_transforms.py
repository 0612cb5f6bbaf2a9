import sys

import mmengine.registry
import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope
from mmengine.structures import BaseDataElement
from torch.utils.data import DataLoader

from mmgan_lite.datasets import InMemoryImageDataset, PackImage, RandomCropFlip, image_collate
from mmgan_lite.registry import TRANSFORMS

# Pixel (y, x) of channel c is 100 c + 10 y + x: an image that tells its own axes.
IMAGE = np.fromfunction(lambda c, y, x: 100 * c + 10 * y + x, (2, 4, 6)).astype(np.uint8)


def make_dataset(pipeline, images=IMAGE[None], labels=(7,), **kwargs):
    return InMemoryImageDataset(images, labels, pipeline=pipeline, **kwargs)


def test_pack_image_moves_the_channels_to_the_front():
    item = TRANSFORMS.build({'type': 'PackImage'})({'img': IMAGE.transpose(1, 2, 0), 'gt_label': 7})
    assert item['labels'] == 7
    torch.testing.assert_close(item['inputs'], torch.from_numpy(IMAGE))


def test_pack_image_keeps_16_bits():
    image = np.array([[[0x8001], [0x8002]]], np.uint16)
    packed = PackImage()({'img': image})['inputs']
    assert packed.dtype == torch.uint16
    assert packed.tolist() == [[[0x8001, 0x8002]]]


def test_pack_image_gives_a_grey_image_its_channel_back():
    item = PackImage()({'img': IMAGE[0]})
    assert set(item) == {'inputs'}
    torch.testing.assert_close(item['inputs'], torch.from_numpy(IMAGE[:1]))


@pytest.mark.parametrize(
    ('image', 'got'),
    [
        (IMAGE.astype(np.float32), r'float32 of shape \(2, 4, 6\)'),
        (IMAGE[None], r'uint8 of shape \(1, 2, 4, 6\)'),
        (torch.from_numpy(IMAGE), 'Tensor'),
    ],
)
def test_pack_image_refuses_what_is_no_uint8_image(image, got):
    with pytest.raises(
        ValueError, match=rf'img must be a uint8 or uint16 array.*got {got}\. Leave Normalize'
    ):
        PackImage()({'img': image})


def test_pipeline_sees_mmcv_names():
    seen = {}

    def record(results):
        seen.update(results)
        return results

    item = make_dataset([record, {'type': 'PackImage'}])[-1]
    assert item['labels'] == 7
    torch.testing.assert_close(item['inputs'], torch.from_numpy(IMAGE))
    np.testing.assert_array_equal(seen.pop('img'), IMAGE.transpose(1, 2, 0))
    assert seen == {'img_shape': (4, 6), 'ori_shape': (4, 6), 'sample_idx': 0, 'gt_label': 7}


def test_mmcv_transforms_in_a_pipeline():
    pytest.importorskip('mmcv')
    flip = {'type': 'RandomFlip', 'prob': 1.0}
    dataset = make_dataset([flip, {'type': 'PackImage'}])
    loader = DataLoader(dataset, batch_size=1, collate_fn=image_collate)
    batch = next(iter(loader))
    assert batch['labels'].tolist() == [7]
    torch.testing.assert_close(batch['inputs'][0], torch.from_numpy(IMAGE).flip(-1))


def test_mmcv_resize_of_a_grey_image():
    pytest.importorskip('mmcv')
    grey = np.full((1, 1, 4, 6), 9, dtype=np.uint8)
    item = make_dataset([{'type': 'Resize', 'scale': (3, 2)}, {'type': 'PackImage'}], grey)[0]
    assert torch.equal(item['inputs'], torch.full((1, 2, 3), 9, dtype=torch.uint8))


def test_our_transforms_are_found_under_another_default_scope():
    with DefaultScope.overwrite_default_scope('mmengine'):
        assert make_dataset([{'type': 'PackImage'}])[0]['labels'] == 7


@pytest.fixture
def without_mmcv(monkeypatch):
    for name in [name for name in sys.modules if name.split('.')[0] == 'mmcv']:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, 'mmcv', None)
    monkeypatch.delitem(mmengine.registry.TRANSFORMS._module_dict, 'Resize', raising=False)


@pytest.mark.usefixtures('without_mmcv')
def test_pipeline_without_mmcv():
    assert make_dataset([{'type': 'PackImage'}])[0]['labels'] == 7
    with pytest.raises(ValueError, match=r"pipeline\[0\] .* got 'Resize'.*'mmgan-lite\[mmcv\]'"):
        make_dataset([{'type': 'Resize', 'scale': (3, 2)}, {'type': 'PackImage'}])


def test_unpacked_item():
    with pytest.raises(
        ValueError, match=r"got an item with img, .*Append dict\(type='PackImage'\)"
    ):
        make_dataset([lambda results: results])[0]


def test_data_samples_of_another_project_pass_through():
    def pack(results):
        sample = BaseDataElement(metainfo={'sample_idx': results['sample_idx']})
        return {'inputs': torch.from_numpy(results['img']), 'data_samples': sample}

    images = np.stack([IMAGE, IMAGE])
    batch = image_collate(make_dataset([pack], images, (0, 1)).__getitems__([1, 0]))
    assert batch['inputs'].shape == (2, 4, 6, 2)
    assert [sample.sample_idx for sample in batch['data_samples']] == [1, 0]


def test_rejected_image_is_replaced_in_training_only():
    def reject_first(results):
        return None if results['sample_idx'] == 0 else results

    images, pipeline = np.stack([IMAGE, IMAGE]), [reject_first, PackImage()]
    assert make_dataset(pipeline, images, (0, 1))[0]['labels'] == 1
    with pytest.raises(Exception, match='should not get `None`'):
        make_dataset(pipeline, images, (0, 1), test_mode=True)[0]


def test_random_crop_covers_the_image_evenly():
    image = np.arange(4)[:, None] * 10 + np.arange(3)  # 4x3; six places for 2x2
    corners = []
    for _ in range(600):
        results = RandomCropFlip(2)(dict(img=image))
        assert results['img_shape'] == results['img'].shape == (2, 2)
        corners.append(int(results['img'][0, 0]))
    values, counts = np.unique(corners, return_counts=True)
    assert values.tolist() == [0, 1, 10, 11, 20, 21]
    assert counts.min() > 60  # of 100; the deviation is 9


def test_every_other_image_is_mirrored():
    image = np.arange(3)[None]
    rows = [tuple(RandomCropFlip(flip=True)(dict(img=image))['img'][0]) for _ in range(200)]
    assert set(rows) == {(0, 1, 2), (2, 1, 0)}
    assert 70 < rows.count((2, 1, 0)) < 130
    assert np.array_equal(RandomCropFlip()(dict(img=image))['img'], image)


def test_crop_larger_than_the_image():
    with pytest.raises(ValueError, match=r'got 4x4 for 3x9\. Resize the images first'):
        RandomCropFlip(4)(dict(img=np.zeros((3, 9, 3))))
