"""The generator of transposed convolutions."""

import pytest
import torch
from torch import nn

from mmgan_lite.models import DCGANGenerator


def count(network):
    return sum(parameter.numel() for parameter in network.parameters())


def test_parameter_count():
    # Linear without bias to 128 channels of 7x7, batch norm on 128 and 64, and two 4x4
    # convolutions, the last with a bias.
    start = 100 * 128 * 7 * 7
    convolutions = 128 * 64 * 16 + 64 * 1 * 16 + 1
    assert count(DCGANGenerator()) == start + 2 * (128 + 64) + convolutions == 759_681
    # With labels: 10 vectors of 10, and 10 more inputs.
    conditional = DCGANGenerator(num_classes=10)
    assert count(conditional) - 759_681 == 10 * 10 + 10 * 128 * 7 * 7


def test_the_paper_for_64x64():
    """1024 channels at 4x4, then 512, 256, 128, and the image."""
    generator = DCGANGenerator(image_shape=(3, 64, 64), base_channels=128)
    convolutions = [m for m in generator.modules() if isinstance(m, nn.ConvTranspose2d)]
    assert [m.in_channels for m in convolutions] == [1024, 512, 256, 128]
    assert convolutions[-1].out_channels == 3


def test_matches_the_network_written_by_hand():
    generator = DCGANGenerator(latent_dim=3, image_shape=(1, 28, 20), base_channels=4)
    by_hand = nn.Sequential(
        nn.Linear(3, 8 * 7 * 5, bias=False),
        nn.Unflatten(1, (8, 7, 5)),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.ConvTranspose2d(8, 4, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.ConvTranspose2d(4, 1, 4, stride=2, padding=1),
        nn.Tanh(),
    )
    by_hand.load_state_dict(generator.layers.state_dict())
    latents = torch.randn(7, 3)
    torch.testing.assert_close(generator(latents), by_hand(latents))


def test_initialisation_of_the_paper():
    generator = DCGANGenerator()
    for module in generator.modules():
        if isinstance(module, nn.Linear | nn.ConvTranspose2d):
            assert module.weight.std().item() == pytest.approx(0.02, rel=0.05)
        elif isinstance(module, nn.BatchNorm2d):
            assert (module.weight == 1).all()
            assert not module.bias.any()


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match=r'latent_dim must be an int of at least 1, got 0'):
        DCGANGenerator(latent_dim=0)
    with pytest.raises(ValueError, match=r'base_channels must be an int of at least 1, got 0'):
        DCGANGenerator(base_channels=0)
