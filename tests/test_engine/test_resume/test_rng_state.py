"""Random streams and begun gradients come back."""

import pickle
import random

import numpy as np
import pytest
import torch

from mmgan_lite.engine.resume.rng_state import (
    get_partial_gradients,
    get_random_state,
    isolated_random_state,
    set_partial_gradients,
    set_random_state,
)


def draw():
    return random.random(), random.gauss(0, 1), np.random.randn(), torch.randn(3).tolist()


def test_all_streams_go_on_where_they_were(tmp_path):
    random.gauss(0, 1), np.random.randn()  # each keeps a second number for the next call
    torch.save(get_random_state(), tmp_path / 'state.pth')
    expected = [draw() for _ in range(3)]
    draw()
    set_random_state(torch.load(tmp_path / 'state.pth', weights_only=True))
    assert [draw() for _ in range(3)] == expected


def test_state_is_a_copy():
    state = get_random_state()
    before = pickle.dumps(state)
    draw()
    assert pickle.dumps(state) == before


def test_streams_go_on_as_if_nothing_had_been_drawn():
    torch.manual_seed(1), np.random.seed(1), random.seed(1)
    expected = [draw(), draw()]
    torch.manual_seed(1), np.random.seed(1), random.seed(1)
    got = [draw()]
    with isolated_random_state(5):
        draw()
    assert [*got, draw()] == expected


def test_inside_the_seed_alone_decides():
    drawn = []
    for seed in (5, 5, 6):
        draw()
        with isolated_random_state(seed):
            drawn.append(draw())
    assert drawn[0] == drawn[1]
    assert all(a != b for a, b in zip(drawn[1], drawn[2], strict=True))


def test_streams_are_put_back_after_an_error():
    torch.manual_seed(1), np.random.seed(1), random.seed(1)
    expected = draw()
    torch.manual_seed(1), np.random.seed(1), random.seed(1)

    def fail():
        with isolated_random_state(5):
            draw()
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert draw() == expected


@pytest.mark.gpu
def test_random_stream_of_the_gpu_is_put_back():
    before = torch.cuda.get_rng_state()
    device = torch.device('cuda', torch.cuda.current_device())
    with isolated_random_state(0, device):
        first = torch.rand(3, device=device)
    assert torch.equal(torch.cuda.get_rng_state(), before)
    with isolated_random_state(0, device):
        assert torch.equal(torch.rand(3, device=device), first)


def test_gradients_in_the_middle_of_an_accumulation(make_gan, make_optim_wrapper, make_batch):
    def begin():
        torch.manual_seed(0)
        gan = make_gan()
        sgd = dict(optimizer=dict(type='SGD', lr=0.1), accumulative_counts=2)
        return gan, make_optim_wrapper(gan, discriminator=sgd)

    batches = make_batch(), make_batch()
    gan, wrapper = begin()
    wrapper.initialize_count_status(gan, 0, 4)
    assert get_partial_gradients(wrapper) == {}
    torch.manual_seed(1)
    gan.train_step(batches[0], wrapper)
    kept, weights = get_partial_gradients(wrapper), gan.state_dict()
    assert list(kept) == ['discriminator']  # the generator has stepped
    weights = {key: value.clone() for key, value in weights.items()}
    torch.manual_seed(2)
    gan.train_step(batches[1], wrapper)

    other, its_wrapper = begin()
    other.load_state_dict(weights)
    its_wrapper.initialize_count_status(other, 1, 4)
    set_partial_gradients(its_wrapper, kept)
    torch.manual_seed(2)
    other.train_step(batches[1], its_wrapper)
    for key, value in gan.state_dict().items():
        assert torch.equal(value, other.state_dict()[key]), key
