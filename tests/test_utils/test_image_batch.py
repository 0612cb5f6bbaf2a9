"""Images and labels of a batch."""

import numpy as np
import pytest
import torch
from mmengine.structures import BaseDataElement
from PIL import Image

from mmgan_lite.utils.image_batch import (
    BOTH_DEPTHS,
    as_rgb,
    batch_labels,
    describe_as_rgb,
    join_columns,
    stack_images,
    stack_labels,
    to_8_bits,
)

IMAGES = torch.randint(0, 256, (5, 1, 2, 2), dtype=torch.uint8)


def test_images_of_a_list():
    assert torch.equal(stack_images(list(IMAGES), 'inputs', ''), IMAGES)
    assert torch.equal(stack_images(tuple(IMAGES), 'inputs', ''), IMAGES)
    assert stack_images(IMAGES, 'inputs', '') is IMAGES


def test_images_that_differ_or_are_floats():
    with pytest.raises(ValueError, match=r'inputs must be of one shape in a batch, got \[\(1, 2, '):
        stack_images([IMAGES[0], IMAGES[0, 0]], 'inputs', '')
    with pytest.raises(ValueError, match=r'fake must be uint8 .* got torch.float32 .* Do so\.$'):
        stack_images(IMAGES.float(), 'fake', 'Do so.')
    with pytest.raises(ValueError, match=r'inputs must be uint8 .* got torch.uint8 \(1, 2, 2\)'):
        stack_images(IMAGES[0], 'inputs', '')


def pixels(*channels):
    """An image of a row of pixels, from the values of each channel."""
    return torch.tensor(channels, dtype=torch.uint8)[None, :, None]


def test_depths():
    deep = torch.arange(65536).to(torch.uint16)
    found = to_8_bits(deep)
    assert found.dtype == torch.uint8
    assert np.array_equal(found.numpy(), np.rint(np.arange(65536) / 257))
    assert to_8_bits(IMAGES) is IMAGES
    deep = IMAGES.to(torch.uint16)
    assert stack_images(deep, 'inputs', '', BOTH_DEPTHS) is deep
    with pytest.raises(ValueError, match=r'inputs must be uint8 .* 0 to 255, got torch.uint16'):
        stack_images(deep, 'inputs', '')
    message = r'uint8 \(N, C, H, W\) of 0 to 255 or uint16 .* of 0 to 65,535, got torch.float32'
    with pytest.raises(ValueError, match=message):
        stack_images(IMAGES.float(), 'inputs', '', BOTH_DEPTHS)


def test_gray_and_color_as_rgb():
    gray, color = pixels([0, 7, 255]), pixels([1, 2], [3, 4], [5, 6])
    assert as_rgb(gray)[0, :, 0].tolist() == [[0, 7, 255]] * 3
    assert torch.equal(as_rgb(color), color)
    assert (describe_as_rgb(1), describe_as_rgb(3)) == (None, None)


def test_bands_as_rgb():
    bands = torch.arange(5 * 6, dtype=torch.uint8).view(1, 5, 2, 3)
    assert torch.equal(as_rgb(bands), bands[:, :3])
    assert describe_as_rgb(5) == 'first three of 5 bands'


def test_alpha_as_rgb_is_on_white():
    # 10 * 51 / 255 + 255 * 204 / 255 = 2 + 204; 1 and 2 of 255 parts of black are 254 and 253.
    gray = pixels([3, 3, 10, 0, 0], [0, 255, 51, 1, 2])
    assert as_rgb(gray)[0, :, 0].tolist() == [[255, 3, 206, 254, 253]] * 3
    # A third of the color: 255 - 85 + c / 3.
    color = pixels([0, 0], [90, 90], [255, 255], [85, 0])
    assert as_rgb(color)[0, :, 0].tolist() == [[170, 255], [200, 255], [255, 255]]
    assert describe_as_rgb(2) == describe_as_rgb(4) == 'alpha composited on white'


@pytest.mark.parametrize('channels', [1, 2, 3, 4, 7])
def test_floats_as_rgb(channels):
    """As of bytes, but not rounded."""
    images = torch.randint(0, 256, (9, channels, 5, 5), dtype=torch.uint8)
    found = as_rgb(images.float())
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, as_rgb(images).float(), atol=0.501, rtol=0)


def test_alpha_as_rgb_is_the_nearest_value():
    color, alpha = torch.meshgrid(torch.arange(256), torch.arange(256), indexing='ij')
    images = torch.stack([color, color, color, alpha]).to(torch.uint8)[None]
    exact = (color.double() * alpha + 255.0 * (255 - alpha)) / 255
    found = as_rgb(images)[0]
    assert ((found[0] - exact).abs() < 0.5).all()
    assert torch.equal(found[0], found[2])
    # Pillow rounds in two steps.
    layer = Image.fromarray(images[0].permute(1, 2, 0).numpy())
    white = Image.new('RGBA', layer.size, 'white')
    theirs = torch.from_numpy(np.array(Image.alpha_composite(white, layer)))
    assert (theirs[..., 0].int() - found[0].int()).abs().max() <= 1


@pytest.mark.parametrize(
    'labels', [[3, 1], (3, 1), [torch.tensor(3), torch.tensor([1])], torch.tensor([[3], [1]])]
)
def test_labels_are_int64(labels):
    found = stack_labels(labels)
    assert found.dtype is torch.int64
    assert found.tolist() == [3, 1]


@pytest.mark.parametrize('labels', [None, [], [3, None]])
def test_labels_that_are_missing(labels):
    assert stack_labels(labels) is None


def test_labels_that_are_no_ints():
    with pytest.raises(ValueError, match=r'labels must be ints, got torch.float32. Number the'):
        stack_labels([0.5])


def test_labels_of_a_batch():
    samples = [BaseDataElement(gt_label=torch.tensor([label])) for label in (3, 1)]
    assert batch_labels(dict(labels=[3, 1])).tolist() == [3, 1]
    assert batch_labels(dict(inputs=None, data_samples=samples)).tolist() == [3, 1]
    assert batch_labels(dict(data_samples=[*samples, BaseDataElement()])) is None
    assert batch_labels(dict(inputs=None)) is None


def test_columns_of_several_parts():
    parts = [(torch.zeros(1), None, torch.ones(1)), (torch.ones(2), None, None)]
    first, second, third = join_columns(parts)
    assert first.tolist() == [0, 1, 1]
    assert second is third is None
    assert join_columns([(torch.zeros(2),)] * 3, torch.stack)[0].shape == (3, 2)
    assert join_columns([]) == []
