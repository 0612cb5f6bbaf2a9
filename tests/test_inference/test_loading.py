"""Devices, and weights that fit their model."""

import pytest
import torch
from torch import nn

from mmgan_lite.inference.loading import find_device, load_weights
from mmgan_lite.models.translation import ImagePool


def test_all_weights_or_none():
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = {name: torch.ones_like(value) for name, value in before.items()}
    wrong = {**state, '1.bias': torch.ones(2)}
    with pytest.raises(ValueError, match=r'1.bias \(\(2,\) in the file, \(1,\) in the model\)'):
        load_weights(model, wrong, 'x.pth')
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])
    load_weights(model, state, 'x.pth')
    assert all(bool((value == 1).all()) for value in model.state_dict().values())


def test_a_pool_has_the_shape_of_the_images_that_it_saw():
    trained, built = ImagePool(2), ImagePool(2)
    trained.query(torch.ones(1, 3, 4, 4))
    load_weights(built, trained.state_dict(), 'x.pth')
    assert torch.equal(built.images, trained.images)


@pytest.mark.parametrize('device', ['gpu', 'cuda:99', 'xla', 3.5])
def test_device_that_is_not_there(device):
    with pytest.raises(ValueError, match=r'device must be one of this machine, got .*device=.cpu'):
        find_device(device)


def test_device_without_values():
    with pytest.raises(ValueError, match=r"device must be one of this machine, got 'meta'"):
        find_device('meta')


def test_best_device_by_default():
    assert find_device().type == ('cuda' if torch.cuda.is_available() else 'cpu')
