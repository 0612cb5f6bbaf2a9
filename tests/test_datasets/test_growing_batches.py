import itertools

import pytest
from mmengine.dataset import InfiniteSampler

from mmgan_lite.datasets import GrowingBatchSampler

GROWTH = dict(fade_images=4, stable_images=8)


def test_sizes_follow_the_stages():
    """8 images at 4, then 12 at 2 (in its fade and after), and 1 from there on."""
    sampler = GrowingBatchSampler(InfiniteSampler(range(5), shuffle=False), 4, (4, 2, 1), GROWTH)
    batches = list(itertools.islice(sampler, 10))
    assert [len(batch) for batch in batches] == [4, 4, 2, 2, 2, 2, 2, 2, 1, 1]
    assert list(itertools.chain(*batches)) == [index % 5 for index in range(22)]


def test_sizes_are_of_images_of_all_processes(monkeypatch):
    monkeypatch.setattr('mmgan_lite.datasets.growing_batches.get_world_size', lambda: 2)
    sampler = GrowingBatchSampler(range(100), 4, (4, 2, 1), GROWTH)
    assert list(itertools.islice(sampler.sizes(), 6)) == [4, 2, 2, 2, 1, 1]


def test_mistakes_are_named():
    with pytest.raises(ValueError, match=r'batch_sizes must begin with batch_size of the data lo'):
        GrowingBatchSampler(range(8), 4, (2, 2), GROWTH)
    with pytest.raises(ValueError, match=r'batch_sizes must be an int of at least 1, got 0'):
        GrowingBatchSampler(range(8), 4, (4, 0), GROWTH)
