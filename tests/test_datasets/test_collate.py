import pytest
import torch
from mmengine.dataset import default_collate, pseudo_collate

from mmgan_lite.datasets import ImageBatch, image_collate


def make_batch():
    """Two images, filled with 10 and 20, labelled 3 and 2."""
    images = torch.tensor([10, 20], dtype=torch.uint8)[:, None, None, None].repeat(1, 3, 4, 6)
    return ImageBatch(images, torch.tensor([3, 2]))


def test_batch_reads_like_a_list_of_items():
    batch = make_batch()
    assert len(batch) == 2
    assert [item['labels'] for item in batch] == [3, 2]
    assert batch[-1]['labels'] == 2
    assert batch[1:].inputs.unique().tolist() == [20]
    with pytest.raises(IndexError):
        batch[2]


def test_list_of_items_is_stacked():
    collated = image_collate(list(make_batch()))
    assert torch.equal(collated['inputs'], make_batch().inputs)
    assert torch.equal(collated['labels'], torch.tensor([3, 2]))


def test_collate_takes_the_batch_without_touching_items():
    batch = make_batch()
    collated = image_collate(batch)
    assert collated['inputs'] is batch.inputs
    assert collated['labels'] is batch.labels
    assert set(image_collate(ImageBatch(batch.inputs))) == {'inputs'}


@pytest.mark.parametrize('collate', [default_collate, torch.utils.data.default_collate])
def test_other_collate_functions_see_a_list_of_items(collate):
    collated = collate(make_batch())
    assert collated['inputs'].shape == (2, 3, 4, 6)
    assert collated['inputs'].dtype == torch.uint8
    assert torch.equal(collated['labels'], torch.tensor([3, 2]))


def test_pseudo_collate_sees_a_list_of_items():
    collated = pseudo_collate(make_batch())
    assert [int(image.max()) for image in collated['inputs']] == [10, 20]
    assert collated['labels'] == [3, 2]


def test_images_of_different_shape_in_a_batch():
    items = [{'inputs': torch.zeros(1, 4, 4)}, {'inputs': torch.zeros(1, 4, 5)}]
    with pytest.raises(ValueError, match=r'got \(1, 4, 4\) and \(1, 4, 5\)\. Resize them'):
        image_collate(items)


@pytest.mark.parametrize('item', [dict(img=3, gt_label=1), (torch.zeros(1, 4, 4), 1)])
def test_items_without_an_image(item):
    with pytest.raises(ValueError, match=r"hold the image under 'inputs', got .*PackImage"):
        image_collate([item])


def test_pairs_and_their_names():
    item = dict(source=torch.ones(1, 4, 4), target=torch.zeros(3, 4, 4), name='a.png')
    batch = image_collate([item, {**item, 'name': 'b.png'}])
    assert batch['source'].shape == (2, 1, 4, 4)
    assert batch['target'].shape == (2, 3, 4, 4)
    assert batch['name'] == ['a.png', 'b.png']
    with pytest.raises(ValueError, match=r'got \(3, 4, 4\) and \(3, 4, 5\)'):
        image_collate([item, {**item, 'target': torch.zeros(3, 4, 5)}])
