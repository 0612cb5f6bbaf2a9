import pytest
import torch
from torch import nn

from mmgan_lite.models import ReconstructionRegularizer


class Halves(nn.Module):
    """Reconstructs an image as ``factor`` times itself, and its first row as 0."""

    def __init__(self, factor=0.5):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))
        self.seen = []

    def forward(self, images, labels=None):
        return self.factor * images.mean((1, 2, 3))

    def reconstruct(self, images):
        self.seen.append(images)
        return [(self.factor * images, images), (0 * images[:, :, :1], images[:, :, :1])]


def test_matches_hand_computation():
    network = Halves()
    images = torch.tensor([[[[2.0, -4.0], [6.0, 0.0]]]])
    # 10 (mean(1, 2, 3, 0) + mean(2, 4)) = 10 (1.5 + 3)
    value = ReconstructionRegularizer(weight=10.0)(network, images, torch.randn(1, 1, 2, 2))
    torch.testing.assert_close(value, torch.tensor(45.0))
    value.backward()
    # -10 mean(2, 4, 6, 0)
    torch.testing.assert_close(network.factor.grad, torch.tensor(-30.0))


def test_float32_under_autocast():
    with torch.autocast('cpu', torch.bfloat16):
        value = ReconstructionRegularizer()(Halves(), *torch.rand(2, 3, 1, 2, 2).bfloat16())
    assert value.dtype == torch.float32


def test_discriminator_without_decoders_is_named():
    message = (
        r'needs a discriminator with reconstruct\(images\), but Linear has none\. Take FastGAN'
    )
    with pytest.raises(ValueError, match=message):
        ReconstructionRegularizer().check_network(nn.Linear(1, 1))
    images = torch.zeros(1, 1, 1, 1)
    with pytest.raises(ValueError, match=message):
        ReconstructionRegularizer()(nn.Linear(1, 1), images, images)


class Negative(nn.Module):
    def forward(self, images):
        return -images


@pytest.mark.parametrize('augmentation', [None, Negative()])
def test_gan_gives_the_network_and_what_it_sees(
    augmentation, make_gan, make_batch, make_optim_wrapper
):
    network = Halves()
    network.image_shape, network.num_classes = (1, 4, 4), None
    gan = make_gan(
        discriminator=network,
        regularizers=[dict(type='ReconstructionRegularizer')],
        augmentation=augmentation,
    )
    batch = make_batch()
    log = gan.train_step(batch, make_optim_wrapper(gan))
    images = gan.prepare_batch(batch).images
    (seen,) = network.seen
    torch.testing.assert_close(seen, images if augmentation is None else -images)
    expected = 10 * (0.5 * images.abs().mean() + images[:, :, :1].abs().mean())
    torch.testing.assert_close(log['loss_reconstruction'], expected)
