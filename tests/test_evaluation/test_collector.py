"""Features of fakes, real images and training images; their scores are in test_evaluator.py."""

import pytest
import torch
from mmengine.dataset import BaseDataset
from torch import nn

from mmgan_lite.evaluation import ModuleExtractor
from mmgan_lite.evaluation.collector import FeatureCollector, _interleave, data_name, metainfo_of

IMAGES = torch.randint(0, 256, (10, 1, 2, 2), dtype=torch.uint8)


@pytest.fixture
def collector(tmp_path):
    train = [dict(inputs=image, labels=label) for label, image in enumerate(IMAGES)]
    return FeatureCollector(ModuleExtractor(nn.Flatten(), 'pixels'), tmp_path, train)


def floats(images):
    return images.flatten(1) / 127.5 - 1


def test_batches_are_gathered_in_order_and_forgotten(collector):
    for start in (0, 4, 8):
        part = slice(start, start + 4)
        samples = [dict(fake_image=image, gt_label=1, from_ema=True) for image in IMAGES[part]]
        collector.add(samples, dict(inputs=IMAGES.flip(0)[part]), 'some data')
    found = collector.gather()
    assert torch.equal(found.fake.features, floats(IMAGES))
    assert torch.equal(found.real.features, floats(IMAGES.flip(0)))
    assert found.fake.labels.tolist() == [1] * 10
    assert (found.real.labels, found.weights, found.is_new) == (None, 'EMA', True)
    assert collector.gather() is None


def test_model_without_images(collector):
    with pytest.raises(ValueError, match='fake_image must be in each data sample .* got one with'):
        collector.add([dict(fake_image=IMAGES[0]), {}], dict(inputs=IMAGES[:2]), 'some data')


def test_training_images_at_some_positions(collector):
    found = collector.read_train([2, 7])
    assert torch.equal(found.features, floats(IMAGES[[2, 7]]))
    assert found.labels.tolist() == [2, 7]
    assert len(collector.read_train()) == 10
    collector.train_dataset = []
    with pytest.raises(ValueError, match='train_dataset must hold images, got 0'):
        collector.read_train()


def test_rows_of_several_processes_in_turns():
    parts = [torch.tensor([0, 3, 6]), torch.tensor([1, 4]), torch.tensor([2, 5])]
    assert _interleave(parts).tolist() == [0, 1, 2, 3, 4, 5, 6]


def test_names_of_data():
    assert data_name(dict(dataset='MNIST', split='test', classes=()), 'none') == 'MNIST test'
    assert data_name(dict(dataset='MNIST'), 'none') == 'MNIST'
    assert data_name(None, 'none') == data_name({}, 'none') == 'none'
    assert metainfo_of([]) == metainfo_of(None) == {}
    assert metainfo_of(BaseDataset(metainfo=dict(split='a'), lazy_init=True)) == dict(split='a')
