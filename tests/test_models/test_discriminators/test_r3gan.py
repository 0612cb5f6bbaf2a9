"""The discriminator of R3GAN."""

import pytest
import torch
from torch import nn

from mmgan_lite.models import R3GANDiscriminator
from mmgan_lite.models.layers import FilteredDownsample, R3GANBlock


def count(network):
    return sum(parameter.numel() for parameter in network.parameters())


def test_parameter_count():
    # A block: 1x1 to twice the channels, grouped 3x3 on 16 channels a group, 1x1 back; two biases.
    block = 256 * 512 + 512 + 512 * 16 * 9 + 512 + 512 * 256
    # The first 1x1, six blocks, a filter of 7x7 a channel, a logit.
    assert count(R3GANDiscriminator()) == 256 + 6 * block + 256 * 49 + 256 == 2_034_432
    # With labels: 64 numbers in place of the logit, and ten vectors of them.
    assert count(R3GANDiscriminator(num_classes=10)) == 2_034_432 + 63 * 256 + 10 * 64


def test_stages_of_other_widths():
    """A 1x1 after the downsampling where the channels change, and none where they do not."""
    network = R3GANDiscriminator((3, 32, 32), (4, 8, 16, 16), (1, 1, 2, 1), (2, 4, 8, 8))
    kinds = [type(layer) for layer in network.layers]
    block, down, convolution = R3GANBlock, FilteredDownsample, nn.Conv2d
    narrow = [block, down, convolution]
    wide = [block, block, down, block]
    tail = [convolution, nn.Flatten, nn.Linear]
    assert kinds == [convolution, *narrow, *narrow, *wide, *tail]
    assert network.layers[-3].groups == 16
    assert not any(m.bias is not None for m in network.layers if isinstance(m, convolution))


def test_logit_is_the_product_with_the_label():
    network = R3GANDiscriminator((1, 8, 8), 8, 1, 4, num_classes=3, embedding_dim=5)
    images, labels = torch.randn(4, 1, 8, 8), torch.tensor([0, 1, 2, 2])
    features = network.layers(images)
    assert features.shape == (4, 5)
    expected = torch.einsum('ne,ne->n', features, network.label_embedding.weight[labels])
    torch.testing.assert_close(network(images, labels), expected)


@torch.no_grad()
@pytest.mark.parametrize('side', [28, 32, 64])
def test_mean_square_at_every_depth(side):
    """Near 1 at first for images of one colour each, which the low-pass filter lets through."""
    network = R3GANDiscriminator((3, side, side), channels=32, blocks_per_stage=1, cardinality=8)
    squares = []
    for layer in network.layers:
        layer.register_forward_hook(lambda m, args, out: squares.append(out.square().mean().item()))
    network(torch.randn(128, 3, 1, 1).expand(-1, -1, side, side))
    assert len(squares) == len(network.layers)
    assert all(0.3 < square < 2 for square in squares[:-1])
    assert 0.05 < squares[-1] < 5  # one number an image, of which a few weights decide


def test_bad_arguments_are_named():
    message = r'cardinality must divide expansion \* channels, got 32 for 2 \* 24 = 48. Pass card'
    with pytest.raises(ValueError, match=message):
        R3GANDiscriminator(channels=24)
    with pytest.raises(ValueError, match=r'channels must be a positive int, or 3 of them'):
        R3GANDiscriminator(channels=(64, 64))
