import pytest
import torch
from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from mmgan_lite.checkpoints.foreign import mm_sngan
from mmgan_lite.models import SAGANDiscriminator, SAGANGenerator
from mmgan_lite.models.layers import SelfAttention


def count(network):
    return sum(parameter.numel() for parameter in network.parameters())


def test_parameter_counts():
    """For 32x32: ten classes; a block 256 wide, and attention on 256 channels at 16x16."""
    with torch.device('meta'):
        small = SAGANGenerator(image_shape=(3, 32, 32), num_classes=10)
        widths = (1024, 1024, 512, 256, 128, 64)
        large = SAGANGenerator(128, (3, 128, 128), widths, num_classes=1000, attention=4)
    start = 128 * 4096 + 4096
    block = 2 * (256 * 256 * 9 + 256) + (256 * 256 + 256) + 2 * 2 * 10 * 256
    attention = 2 * 256 * 32 + 2 * 256 * 128 + 1
    last = 2 * 256 + 256 * 3 * 9 + 3
    assert count(small) == start + 3 * block + attention + last == 4_386_308
    assert count(large) == 42_017_412


def test_parameter_count_of_discriminator():
    network = SAGANDiscriminator((3, 32, 32), num_classes=10)
    # SNGAN's, whose count test_resnet has, ten vectors, and attention on 128 channels.
    assert count(network) == 1_053_825 + 10 * 128 + 2 * 128 * 16 + 2 * 128 * 64 + 1


@pytest.mark.parametrize('num_classes', [None, 3])
def test_spectral_norm_on_every_layer(num_classes):
    networks = [
        SAGANGenerator(4, (1, 16, 16), 8, num_classes),
        SAGANDiscriminator((1, 16, 16), (8, 8), num_classes=num_classes),
    ]
    labels = None if num_classes is None else torch.tensor([0, 2])
    for network, first in zip(
        networks, (torch.randn(2, 4), torch.randn(2, 1, 16, 16)), strict=True
    ):
        with torch.no_grad():
            for _ in range(50):  # each pass is a step of the power iteration
                network(first, labels)
        network.eval()
        kinds = nn.Conv2d | nn.Linear | nn.Embedding
        layers = [module for module in network.modules() if isinstance(module, kinds)]
        assert all(is_parametrized(layer, 'weight') for layer in layers)
        largest = [torch.linalg.matrix_norm(layer.weight.flatten(1), ord=2) for layer in layers]
        torch.testing.assert_close(torch.stack(largest), torch.ones(len(layers)), atol=0.05, rtol=0)


def test_attention_is_where_it_is_asked_for():
    generator = SAGANGenerator(4, (1, 32, 32), (8, 8, 4, 2), attention=(1, 3))
    assert {n: a.theta.in_channels for n, a in generator.attention.items()} == {'1': 8, '3': 2}
    discriminator = SAGANDiscriminator((1, 32, 32), (4, 6, 8), attention=(1, 2))
    kinds = [isinstance(block, SelfAttention) for block in discriminator.blocks]
    assert kinds == [False, True, False, True, False]
    without = SAGANDiscriminator((1, 32, 32), (4, 6, 8), attention=())
    assert not [m for m in without.modules() if isinstance(m, SelfAttention)]


@pytest.mark.parametrize('attention', [0, 3, 1.0, (1, 1), '1'])
def test_bad_attention_is_named(attention):
    message = r'attention must be the number of a block, from 1 to 2, several of them, or \(\) for'
    with pytest.raises(ValueError, match=message):
        SAGANGenerator(attention=attention)


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match=r'channels must be a positive int, or 3 of them'):
        SAGANGenerator(channels=(8, 8))
    with pytest.raises(ValueError, match=r'halvings must be an int from 1 to the number of blocks'):
        SAGANDiscriminator(channels=(8,), halvings=2)
    with pytest.raises(ValueError, match=r'channels must be an int of at least 2, got 1'):
        SAGANDiscriminator(channels=(1, 8), attention=1)


@torch.no_grad()
def test_generator_computes_what_mmagic_does(golden_of):
    golden = golden_of('mmagic_sagan_generator')
    network = golden.converted(mm_sngan.generator)
    golden.check(network(golden.io['latents'], golden.io['labels']), 'images')


@torch.no_grad()
def test_discriminator_computes_what_mmagic_does(golden_of):
    golden = golden_of('mmagic_sagan_discriminator')
    network = golden.converted(mm_sngan.discriminator, (3, 32, 32))
    for images, logits in (('images', 'logits'), ('fake_images', 'fake_logits')):
        golden.check(network(golden.io[images], golden.io['labels']), logits)
