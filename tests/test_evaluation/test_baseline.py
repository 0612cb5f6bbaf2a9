"""Real images in the place of the fakes."""

import pytest
import torch
from torch import nn

from mmgan_lite.datasets import InMemoryImageDataset
from mmgan_lite.evaluation import Comparison, ModuleExtractor, Samples
from mmgan_lite.evaluation.baseline import RealBaseline, data_name

TRAIN = torch.arange(100, dtype=torch.uint8).view(100, 1, 1, 1)


@pytest.fixture
def make_baseline(tmp_path):
    def make(images=None):
        dataset = None
        if images is not None:
            meta = dict(dataset='Numbers', split='train')
            dataset = InMemoryImageDataset(images, torch.arange(len(images)) % 7, metainfo=meta)
        return RealBaseline(dataset, ModuleExtractor(nn.Flatten(), 'pixels'), tmp_path)

    return make


def features(num):
    return Samples(torch.arange(num, dtype=torch.float32)[:, None], labels=torch.arange(num))


def images(num, labels=None):
    return Samples(
        labels=labels, images=200 + torch.arange(num, dtype=torch.uint8).view(-1, 1, 1, 1)
    )


def values(samples):
    return samples.images.flatten().tolist()


def test_halves_of_the_real_images(make_baseline):
    found, text = make_baseline().of(Comparison(features(5), features(9)))
    assert text == 'the real images in two halves of 4'
    both = torch.cat([found.fake.features, found.real.features]).flatten().tolist()
    assert len({*both}) == len(both) == 8
    assert torch.equal(found.fake.features[:, 0].long(), found.fake.labels)


def test_training_images_evenly_spread(make_baseline):
    found, text = make_baseline(TRAIN).of(Comparison(features(4), features(9)))
    assert text == '4 images of Numbers train'
    expected = TRAIN[[0, 33, 66, 99]].flatten(1) / 127.5 - 1
    torch.testing.assert_close(found.fake.features, expected)
    assert len(found.real) == 9
    assert len(make_baseline(TRAIN).train) == 100


def test_images_in_random_order(make_baseline):
    labels = torch.arange(34)
    comparison = Comparison(images(34, labels), images(8, labels[:8]))
    found, text = make_baseline(TRAIN).of(comparison)
    assert text == '34 images of Numbers train'
    assert sorted(values(found.fake)) == list(range(0, 100, 3))
    assert values(found.fake) != sorted(values(found.fake))
    assert found.fake.labels.tolist() == [value % 7 for value in values(found.fake)]
    again, _ = make_baseline(TRAIN).of(comparison)
    assert values(again.fake) == values(found.fake)


def test_equal_training_images_all_count(make_baseline):
    found, _ = make_baseline(TRAIN[:1].expand(9, -1, -1, -1)).of(Comparison(images(9), images(2)))
    assert len(found.fake) == 9


def test_images_have_labels_only_where_fakes_have_them(make_baseline):
    """Else fakes would be paired over all classes, and real images within theirs."""
    labeled = images(8, torch.arange(8))
    for baseline in (make_baseline(), make_baseline(TRAIN)):
        assert baseline.of(Comparison(images(8), labeled))[0].fake.labels is None
        assert baseline.of(Comparison(labeled, labeled))[0].fake.labels is not None


@pytest.mark.parametrize('samples', [features(2), images(2)])
def test_no_training_images(samples, tmp_path):
    baseline = RealBaseline([], ModuleExtractor(nn.Flatten(), 'pixels'), tmp_path)
    with pytest.raises(ValueError, match='train_dataset must hold images, got 0'):
        baseline.of(Comparison(samples, samples))
    with pytest.raises(ValueError, match='train_dataset must hold images, got 0'):
        _ = baseline.train


def test_names_of_data():
    assert data_name(dict(dataset='MNIST', split='test', classes=()), 'none') == 'MNIST test'
    assert data_name(dict(dataset='MNIST'), 'none') == 'MNIST'
    assert data_name(None, 'none') == data_name({}, 'none') == 'none'
