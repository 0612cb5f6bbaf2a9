import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mmgan_lite.models import ResizeConvDiscriminator, ResizeConvGenerator
from mmgan_lite.models.networks.resize_conv import ResizeConv2d


@pytest.mark.parametrize('size', [(7, 7), (1, 1), (3, 5)])
def test_same_as_upsampling_and_convolution(size):
    layer = ResizeConv2d(3, 5).double()
    features = torch.randn(2, 3, *size, dtype=torch.double, requires_grad=True)
    doubled = F.interpolate(features, scale_factor=2, mode='nearest')
    expected = F.conv2d(doubled, layer.weight, padding=1)
    found = layer(features)
    torch.testing.assert_close(found, expected)
    direction = torch.randn_like(expected)
    inputs = (features, layer.weight)
    ours = torch.autograd.grad((found * direction).sum(), inputs)
    theirs = torch.autograd.grad((expected * direction).sum(), inputs)
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other)


def test_second_derivative():
    layer = ResizeConv2d(2, 2).double()
    features = torch.randn(1, 2, 3, 3, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda x: layer(x).tanh(), features)


def test_parameter_count_of_generator():
    # Linear to 96 of 7x7; 3x3 to 96, 48 and 24 with batch norm in the place of a bias; 3x3 to gray.
    start = 64 * 96 * 49 + 96 * 49
    convolutions = 9 * (96 * 96 + 96 * 48 + 48 * 24 + 24) + 1
    norms = 2 * (96 + 48 + 24)
    found = sum(parameter.numel() for parameter in ResizeConvGenerator().parameters())
    assert found == start + convolutions + norms == 441_097


def test_matches_the_network_written_by_hand_of_generator():
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


def test_bad_arguments_are_named_of_generator():
    message = r'sides of 16 times 4, 5, 6, ... pixels for 4 halvings, got \(1, 28, 28\)'
    with pytest.raises(ValueError, match=message):
        ResizeConvGenerator(channels=(8, 8, 8, 8, 8))
    with pytest.raises(ValueError, match=r'channels must be a sequence of positive ints, got 96'):
        ResizeConvGenerator(channels=96)


def count(network):
    return sum(parameter.numel() for parameter in network.parameters())


def test_parameter_count_of_discriminator():
    # 3x3 to 24, 4x4 to 48 and 96, 3x3 on 96 and the deviation, linear from 7x7.
    convolutions = (9 * 24 + 24) + (16 * 24 * 48 + 48) + (16 * 48 * 96 + 96) + (9 * 97 * 96 + 96)
    assert count(ResizeConvDiscriminator()) == convolutions + 96 * 49 + 1 == 181_153
    # A vector of the features' length for each label.
    assert count(ResizeConvDiscriminator(num_classes=10)) == 181_153 + 10 * 96 * 49


def test_matches_the_network_written_by_hand_of_discriminator():
    network = ResizeConvDiscriminator((2, 8, 12), channels=(5, 6))
    first, second, third = (m for m in network.layers if isinstance(m, nn.Conv2d))
    images = torch.randn(4, 2, 8, 12)
    features = F.leaky_relu(F.conv2d(images, first.weight, first.bias, padding=1), 0.2)
    features = F.conv2d(features, second.weight, second.bias, stride=2, padding=1)
    features = F.leaky_relu(features, 0.2)
    deviation = features.std(0, unbiased=False).mean()
    features = torch.cat([features, torch.full((4, 1, 4, 6), deviation.item())], 1)
    features = F.leaky_relu(F.conv2d(features, third.weight, third.bias, padding=1), 0.2)
    linear = network.head.linear
    expected = (features.reshape(4, -1) @ linear.weight.T + linear.bias)[:, 0]
    torch.testing.assert_close(network(images), expected, atol=1e-5, rtol=1e-4)


def test_sees_that_images_are_alike():
    """By design: the same image has another logit among copies of itself."""
    network = ResizeConvDiscriminator((1, 16, 16), (4, 4)).eval()
    images = torch.randn(4, 1, 16, 16)
    among_others = network(images)[0]
    among_copies = network(images[:1].expand(4, -1, -1, -1))[0]
    assert (among_others - among_copies).abs() > 1e-4


def test_bad_arguments_are_named_of_discriminator():
    with pytest.raises(ValueError, match=r'sides of 16 times 4, 5, 6, ... pixels for 4 halvings'):
        ResizeConvDiscriminator(channels=(8, 8, 8, 8, 8))
