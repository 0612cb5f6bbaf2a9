"""From the data loader into the model and back."""

import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.structures import BaseDataElement, LabelData

from mmgan_lite.models import ImageBatchPreprocessor


def test_bytes_become_floats_of_minus_one_to_one():
    pixels = torch.tensor([0, 51, 102, 153, 204, 255], dtype=torch.uint8).reshape(1, 1, 2, 3)
    images = ImageBatchPreprocessor()(dict(inputs=pixels))['inputs']
    assert images.dtype == torch.float32
    expected = torch.tensor([-1, -0.6, -0.2, 0.2, 0.6, 1]).reshape(1, 1, 2, 3)
    torch.testing.assert_close(images, expected)


def test_every_byte_survives_the_way_there_and_back():
    pixels = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
    preprocessor = ImageBatchPreprocessor()
    assert torch.equal(preprocessor.to_uint8(preprocessor(dict(inputs=pixels))['inputs']), pixels)


def test_to_uint8_rounds_and_cuts():
    images = torch.tensor([-2.0, -1.0, -0.999, 0.0, 0.9999, 3.0])
    # (-0.999 + 1) * 127.5 = 0.1275; half of 255 rounds to the even 128.
    assert ImageBatchPreprocessor.to_uint8(images).tolist() == [0, 0, 0, 128, 255, 255]


def test_16_bits_become_floats_and_come_back():
    preprocessor = ImageBatchPreprocessor(bit_depth=16)
    # A fifth of 65535 is 13107.
    pixels = torch.tensor([0, 13107, 32768, 32769, 52428, 65535]).to(torch.uint16)
    images = preprocessor(dict(inputs=pixels.view(1, 1, 2, 3)))['inputs']
    assert images.dtype == torch.float32
    expected = torch.tensor([-1, -0.6, 1 / 65535, 3 / 65535, 0.6, 1]).view(1, 1, 2, 3)
    torch.testing.assert_close(images, expected, rtol=0, atol=6e-8)
    pixels = torch.arange(65536).to(torch.uint16).view(1, 1, 256, 256)
    assert torch.equal(preprocessor.to_uint16(preprocessor(dict(inputs=pixels))['inputs']), pixels)


def test_to_uint16_rounds_and_cuts():
    # (0.5 + 1) * 32767.5 = 49151.25; half of 65535 rounds to the even 32768.
    images = torch.tensor([-2.0, -1.0, 0.0, 0.5, 1.0, 3.0])
    for dtype in (torch.float32, torch.bfloat16):  # all of them are exact in both
        found = ImageBatchPreprocessor.to_uint16(images.to(dtype))
        assert found.tolist() == [0, 0, 32768, 49151, 65535, 65535]


@pytest.mark.gpu
def test_16_bits_on_a_gpu():
    preprocessor = ImageBatchPreprocessor(bit_depth=16).cuda()
    pixels = torch.arange(65536).to(torch.uint16).view(1, 1, 256, 256)
    images = preprocessor(dict(inputs=pixels))['inputs']
    assert images.is_cuda
    assert torch.equal(preprocessor.to_uint16(images).cpu(), pixels)


def test_data_and_model_of_different_depths():
    images = torch.zeros(1, 1, 2, 2, dtype=torch.uint8)
    with pytest.raises(
        ValueError,
        match=r'inputs must be uint16 .* to 65,535, got torch.uint8 .*'
        r'Give the dataset bit_depth=16 too, or take it out of the data pre',
    ):
        ImageBatchPreprocessor(bit_depth=16)(dict(inputs=images))
    with pytest.raises(
        ValueError,
        match=r'inputs must be uint8 .* to 255, got torch.uint16 .*'
        r'16 bits need its bit_depth=16',
    ):
        ImageBatchPreprocessor()(dict(inputs=images.to(torch.uint16)))


@pytest.mark.parametrize('bit_depth', [12, '16', True, None])
def test_bad_bit_depth(bit_depth):
    with pytest.raises(ValueError, match=r'bit_depth must be 8 or 16, got .*Pass 16 where'):
        ImageBatchPreprocessor(bit_depth=bit_depth)


def test_labels_in_each_form_of_the_mm_world():
    image = torch.zeros(1, 2, 2, dtype=torch.uint8)
    preprocessor = ImageBatchPreprocessor()
    stacked = dict(inputs=torch.stack([image, image]), labels=torch.tensor([3, 7]))
    listed = pseudo_collate([dict(inputs=image, labels=3), dict(inputs=image, labels=7)])
    samples = pseudo_collate(
        [
            dict(inputs=image, data_samples=BaseDataElement(gt_label=torch.tensor([k])))
            for k in (3, 7)
        ]
    )
    label_data = pseudo_collate(
        [dict(inputs=image, data_samples=BaseDataElement(gt_label=k)) for k in (3, 7)]
    )
    for batch in (stacked, listed, samples, label_data):
        out = preprocessor(batch)
        assert out['inputs'].shape == (2, 1, 2, 2)
        assert out['labels'].dtype == torch.int64
        assert out['labels'].tolist() == [3, 7]


def test_no_labels_no_key():
    images = torch.zeros(1, 1, 2, 2, dtype=torch.uint8)
    assert list(ImageBatchPreprocessor()(dict(inputs=images))) == ['inputs']
    unlabeled = dict(inputs=images, data_samples=[LabelData()])
    assert list(ImageBatchPreprocessor()(unlabeled)) == ['inputs']


def test_the_batch_itself_is_not_changed():
    pixels = torch.full((1, 1, 2, 2), 7, dtype=torch.uint8)
    ImageBatchPreprocessor()(dict(inputs=pixels))
    assert pixels.unique().tolist() == [7]


def test_bad_batches():
    preprocessor = ImageBatchPreprocessor()
    with pytest.raises(ValueError, match=r"its images under 'inputs', got \['img'\].*PackImage"):
        preprocessor(dict(img=1))
    with pytest.raises(ValueError, match=r'inputs must be uint8.*got torch.float32 \(1, 1, 2, 2\)'):
        preprocessor(dict(inputs=torch.zeros(1, 1, 2, 2)))
    with pytest.raises(
        ValueError, match=r'inputs must be uint8 \(N, C, H, W\).*got torch.uint8 \(2, 2\)'
    ):
        preprocessor(dict(inputs=torch.zeros(2, 2, dtype=torch.uint8)))
    mixed = [torch.zeros(1, size, size, dtype=torch.uint8) for size in (2, 3)]
    with pytest.raises(ValueError, match=r'one shape in a batch, got \[\(1, 2, 2\), \(1, 3, 3\)\]'):
        preprocessor(dict(inputs=mixed))


def test_source_and_target_of_translation():
    batch = ImageBatchPreprocessor()(
        dict(
            source=torch.tensor([[[[0, 255]]]], dtype=torch.uint8),
            target=[torch.tensor([[[255]]], dtype=torch.uint8)],
        )
    )
    assert batch.keys() == {'source', 'target'}
    assert batch['source'].tolist() == [[[[-1, 1]]]]
    assert batch['target'].tolist() == [[[[1]]]]
