"""The classifier's objective against hand values."""

import math

import pytest
import torch

from mmgan_lite.models import AuxiliaryClassifierLoss
from mmgan_lite.registry import MODELS

# Softmax (3/4, 1/4), and the wrong way round.
RIGHT = torch.tensor([[math.log(3.0), 0.0], [0.0, math.log(3.0)]])
LABELS = torch.tensor([0, 1])
WRONG = RIGHT.flip(1)


def test_values_by_hand():
    """The discriminator's classifier learns on real images and on fakes, as in the paper."""
    loss = MODELS.build(dict(type='AuxiliaryClassifierLoss'))
    expected = torch.tensor(-math.log(3 / 4) - math.log(1 / 4))
    torch.testing.assert_close(loss.discriminator(RIGHT, WRONG, LABELS), expected)
    torch.testing.assert_close(loss.generator(WRONG, LABELS), torch.tensor(-math.log(1 / 4)))


def test_weights():
    loss = AuxiliaryClassifierLoss(weight_discriminator=0.5, weight_generator=3.0)
    expected = -0.5 * (math.log(3 / 4) + math.log(1 / 4))
    torch.testing.assert_close(loss.discriminator(RIGHT, WRONG, LABELS), torch.tensor(expected))
    torch.testing.assert_close(loss.generator(RIGHT, LABELS), torch.tensor(-3 * math.log(3 / 4)))


def test_generator_is_drawn_to_its_class():
    logits = torch.zeros(2, 3, requires_grad=True)
    AuxiliaryClassifierLoss().generator(logits, torch.tensor([0, 2])).backward()
    # softmax - one-hot, over two images
    expected = torch.tensor([[-2.0, 1.0, 1.0], [1.0, 1.0, -2.0]]) / 6
    torch.testing.assert_close(logits.grad, expected)


def test_float32_under_autocast_and_from_bfloat16():
    loss = AuxiliaryClassifierLoss()
    expected = loss.generator(WRONG, LABELS)
    with torch.autocast('cpu', torch.bfloat16):
        assert torch.equal(loss.generator(WRONG, LABELS), expected)
    value = loss.generator(WRONG.bfloat16(), LABELS)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, expected, atol=0.01, rtol=0)


def test_gradcheck():
    loss = AuxiliaryClassifierLoss()
    real, fake = (x.double().requires_grad_() for x in (RIGHT, WRONG))
    assert torch.autograd.gradcheck(loss.discriminator, (real, fake, LABELS))
    assert torch.autograd.gradcheck(loss.generator, (fake, LABELS))


@pytest.mark.parametrize('name', ['weight_discriminator', 'weight_generator'])
@pytest.mark.parametrize('value', [-1.0, math.inf, math.nan, '1', None])
def test_weight_out_of_its_range(name, value):
    with pytest.raises(ValueError, match=f'{name} must be a finite number of at least 0, got'):
        AuxiliaryClassifierLoss(**{name: value})
