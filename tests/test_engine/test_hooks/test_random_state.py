import random

import numpy as np
import pytest
import torch

from mmgan_lite.engine.hooks.random_state import isolated_random_state

CPU = torch.device('cpu')


def draw():
    return torch.rand(1).item(), np.random.rand(), random.random()


def test_streams_go_on_as_if_nothing_had_been_drawn():
    torch.manual_seed(1), np.random.seed(1), random.seed(1)
    expected = [draw(), draw()]
    torch.manual_seed(1), np.random.seed(1), random.seed(1)
    got = [draw()]
    with isolated_random_state(5, CPU):
        draw()
    assert [*got, draw()] == expected


def test_inside_the_seed_alone_decides():
    drawn = []
    for seed in (5, 5, 6):
        draw()
        with isolated_random_state(seed, CPU):
            drawn.append(draw())
    assert drawn[0] == drawn[1]
    assert all(a != b for a, b in zip(drawn[1], drawn[2], strict=True))


def test_streams_are_put_back_after_an_error():
    torch.manual_seed(1), np.random.seed(1), random.seed(1)
    expected = draw()
    torch.manual_seed(1), np.random.seed(1), random.seed(1)

    def fail():
        with isolated_random_state(5, CPU):
            draw()
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert draw() == expected


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_random_stream_of_the_gpu_is_put_back():
    before = torch.cuda.get_rng_state()
    device = torch.device('cuda', torch.cuda.current_device())
    with isolated_random_state(0, device):
        first = torch.rand(3, device=device)
    assert torch.equal(torch.cuda.get_rng_state(), before)
    with isolated_random_state(0, device):
        assert torch.equal(torch.rand(3, device=device), first)
