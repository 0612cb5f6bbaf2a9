"""Images and labels of a batch."""

import pytest
import torch
from mmengine.structures import BaseDataElement

from mmgan_lite.utils.image_batch import batch_labels, join_columns, stack_images, stack_labels

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
