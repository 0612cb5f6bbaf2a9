"""A subset of the images of a loop."""

import pytest
import torch

from mmgan_lite.evaluation.image_pool import ImagePool, LoopImages, merge_images, number_keys


def numbered(numbers):
    """An image of one pixel for each number."""
    return torch.tensor(list(numbers), dtype=torch.uint8).view(-1, 1, 1, 1)


def numbers_of(pool):
    return pool.samples().images.flatten().tolist()


def fill(pool, numbers, batch=7):
    """Images with their numbers as labels."""
    numbers = list(numbers)
    for start in range(0, len(numbers), batch):
        part = numbers[start : start + batch]
        pool.add(number_keys(part), numbered(part), torch.tensor(part))
    return pool


def test_all_images_where_they_fit():
    pool = fill(ImagePool(50), range(50))
    found = numbers_of(pool)
    assert sorted(found) == list(range(50))
    assert found != sorted(found)
    assert pool.samples().labels.tolist() == found
    assert found == numbers_of(fill(ImagePool(60), range(50)))


def test_subset_depends_neither_on_order_nor_on_batches():
    found = numbers_of(fill(ImagePool(20), range(200)))
    assert len({*found}) == 20
    assert numbers_of(fill(ImagePool(20), reversed(range(200)), batch=1)) == found


def test_subset_is_even():
    """Over 250 numbers: the mean of 100 is 124.5 with a deviation of 5.6."""
    found = torch.tensor(numbers_of(fill(ImagePool(100), range(250)))).double()
    assert abs(found.mean() - 124.5) < 17
    assert 60 < found.std() < 85


def test_image_that_is_there_already():
    pool = fill(fill(ImagePool(20), range(10)), range(5, 15))
    assert sorted(numbers_of(pool)) == list(range(15))


def test_memory_of_a_batch_is_not_kept():
    pool = ImagePool(2)
    images = numbered(range(100))
    pool.add(number_keys(range(100)), images)
    images.zero_()
    assert numbers_of(pool) != [0, 0]
    assert all(image.untyped_storage().nbytes() == 1 for image, _ in pool._rows.values())


def test_no_labels():
    pool = ImagePool(5)
    assert len(pool.samples()) == 0
    pool.add(number_keys(range(3)), numbered(range(3)))
    assert pool.samples().labels is None


def test_loop_counts_real_images_once_and_all_fakes():
    images = LoopImages(100)
    fakes, reals = numbered([7] * 6), numbered([1, 2, 3, 1, 2, 3])
    images.add(fakes[:4], None, reals[:4], torch.arange(4))
    images.add(fakes[4:], None, reals[4:], torch.arange(2))
    assert numbers_of(images.fake) == [7] * 6
    assert sorted(numbers_of(images.real)) == [1, 2, 3]


def test_images_of_several_processes(monkeypatch):
    """Fake n is the n-th of all, as the processes take turns; the last one is the sampler's."""
    monkeypatch.setattr('mmgan_lite.evaluation.image_pool.get_world_size', lambda: 2)
    parts = []
    for rank in range(2):
        monkeypatch.setattr('mmgan_lite.evaluation.image_pool.get_rank', lambda rank=rank: rank)
        images = LoopImages(40)
        for start in (rank, rank + 10):
            numbers = numbered(range(start, start + 10, 2))
            images.add(numbers, None, numbers % 19, None)
        parts.append(images)
    fakes, reals = merge_images(parts, 19, 40)
    assert sorted(numbers_of(fakes)) == sorted(numbers_of(reals)) == list(range(19))
    alone = fill(ImagePool(40), range(19))
    assert numbers_of(fakes) == numbers_of(alone)
    fakes, reals = merge_images(parts, 19, 5)
    assert numbers_of(fakes) == numbers_of(alone)[:5]
    assert len(numbers_of(reals)) == 5


@pytest.mark.parametrize(('world', 'share'), [(1, 10), (3, 4), (20, 1)])
def test_processes_share_the_memory(monkeypatch, world, share):
    monkeypatch.setattr('mmgan_lite.evaluation.image_pool.get_world_size', lambda: world)
    images = LoopImages(10)
    assert images.fake.capacity == images.real.capacity == share
