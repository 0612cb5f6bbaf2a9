import copy

import torch

from mmgan_lite.models import ImagePool


def batch(*values):
    return torch.tensor(values, dtype=torch.float32).reshape(-1, 1, 1, 1)


def test_is_filled_first():
    pool = ImagePool(3)
    for values in ((1, 2), (3,)):
        assert torch.equal(pool.query(batch(*values)), batch(*values))
    assert pool.images.flatten().tolist() == [1, 2, 3]
    assert pool.count == 3


def test_a_full_pool_gives_back_old_images_for_half_of_the_new():
    torch.manual_seed(0)
    pool = ImagePool(50)
    pool.query(torch.arange(50.0).reshape(-1, 1, 1, 1))
    old = 0
    for first in range(50, 1050, 10):
        kept = set(pool.images.flatten().tolist())
        fakes = torch.arange(first, first + 10.0).reshape(-1, 1, 1, 1)
        seen = pool.query(fakes)
        for fake, given in zip(fakes.flatten().tolist(), seen.flatten().tolist(), strict=True):
            swapped = given != fake
            old += swapped
            assert (given in kept) == swapped
            assert (fake in pool.images.flatten().tolist()) == swapped
            assert (given in pool.images.flatten().tolist()) == 0
    assert 430 < old < 570  # of 1,000


def test_a_batch_that_fills_it_and_one_that_is_larger():
    pool = ImagePool(3)
    pool.query(batch(1, 2))
    seen = pool.query(batch(3, 4, 5, 6, 7))
    assert seen[0] == 3
    assert seen.shape == (5, 1, 1, 1)
    known = {*pool.images.flatten().tolist(), *seen.flatten().tolist()}
    assert known == {1, 2, 3, 4, 5, 6, 7}  # none is lost


def test_state_goes_on_from_a_checkpoint():
    pool = ImagePool(4)
    empty = copy.deepcopy(pool.state_dict())
    pool.query(batch(1, 2, 3))
    again = ImagePool(4)
    again.load_state_dict(empty)
    again.load_state_dict(pool.state_dict())
    results = []
    for each in (pool, again):
        torch.manual_seed(0)
        results.append([each.query(batch(4, 5, 6)).flatten().tolist(), each.images.tolist()])
    assert results[0] == results[1]
