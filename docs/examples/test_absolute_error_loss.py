"""Expected values computed on paper."""

import absolute_error_loss  # noqa: F401  (registers the class)
import torch

from mmgan_lite.registry import MODELS


def test_values():
    """Mean absolute errors to 1 and to 0."""
    loss = MODELS.build(dict(type='AbsoluteErrorGANLoss'))
    real = torch.tensor([1.0, 3.0])  # |r - 1| = 0, 2 -> 1
    fake = torch.tensor([0.0, 3.0])  # |f|     = 0, 3 -> 1.5
    torch.testing.assert_close(loss.discriminator(real, fake), torch.tensor(2.5))
    # |f - 1| = 1, 2 -> 1.5
    torch.testing.assert_close(loss.generator(fake), torch.tensor(1.5))


def test_generator_loss_increases_logits():
    """The gradient of a logit below 1 is negative."""
    logits = torch.zeros(2, requires_grad=True)
    MODELS.build(dict(type='AbsoluteErrorGANLoss')).generator(logits).backward()
    assert (logits.grad < 0).all()
