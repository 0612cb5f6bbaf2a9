"""The small generator for a CPU."""

import pytest
import torch
from torch import nn

from mmgan_lite.models import ResizeConvGenerator


def test_parameter_count():
    # Linear to 96 of 7x7; 3x3 to 96, 48 and 24 with batch norm in the place of a bias; 3x3 to grey.
    start = 64 * 96 * 49 + 96 * 49
    convolutions = 9 * (96 * 96 + 96 * 48 + 48 * 24 + 24) + 1
    norms = 2 * (96 + 48 + 24)
    found = sum(parameter.numel() for parameter in ResizeConvGenerator().parameters())
    assert found == start + convolutions + norms == 441_097


def test_matches_the_network_written_by_hand():
    generator = ResizeConvGenerator(latent_dim=3, image_shape=(1, 8, 12), channels=(6, 5))
    by_hand = nn.Sequential(
        nn.Linear(3, 6 * 4 * 6),
        nn.Unflatten(1, (6, 4, 6)),
        nn.Conv2d(6, 6, 3, padding=1, bias=False),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.UpsamplingNearest2d(scale_factor=2),
        nn.Conv2d(6, 5, 3, padding=1, bias=False),
        nn.BatchNorm2d(5),
        nn.ReLU(),
        nn.Conv2d(5, 1, 3, padding=1),
        nn.Tanh(),
    )
    ours = generator.layers.state_dict().values()  # one layer doubles and convolves
    by_hand.load_state_dict(dict(zip(by_hand.state_dict(), ours, strict=True)))
    latents = torch.randn(7, 3)
    torch.testing.assert_close(generator(latents), by_hand(latents))


@pytest.mark.parametrize(
    ('side', 'channels', 'start'),
    [(28, (8, 4, 2), 7), (32, (8, 4, 2), 8), (32, (8, 4, 2, 2), 4), (64, (8, 8, 4, 2), 8)],
)
def test_channels_say_where_it_starts(side, channels, start):
    generator = ResizeConvGenerator(8, (3, side, side), channels)
    assert generator.layers[1].unflattened_size == (8, start, start)
    assert generator(torch.randn(2, 8)).shape == (2, 3, side, side)


def test_bad_arguments_are_named():
    message = r'sides of 16 times 4, 5, 6, ... pixels for 4 halvings, got \(1, 28, 28\)'
    with pytest.raises(ValueError, match=message):
        ResizeConvGenerator(channels=(8, 8, 8, 8, 8))
    with pytest.raises(ValueError, match=r'channels must be a sequence of positive ints, got 96'):
        ResizeConvGenerator(channels=96)
