import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from mmgan_lite.checkpoints.foreign import mm_biggan
from mmgan_lite.models import BigGANDeepDiscriminator, BigGANDeepGenerator


def count(network):
    return sum(parameter.numel() for parameter in network.parameters())


def test_parameter_counts_for_128x128():
    """Those of MMagic; the generator's authors have 128 channels in place of 3 at the end."""
    with torch.device('meta'):
        widths = (2048, 2048, 1024, 512, 256, 128)
        common = dict(num_classes=1000, spectral_norm=False)  # which has no parameters
        generator = BigGANDeepGenerator(128, (3, 128, 128), widths, attention=4, **common)
        widths = widths[::-1]
        discriminator = BigGANDeepDiscriminator((3, 128, 128), widths, 5, attention=1, **common)
    assert (count(generator), count(discriminator)) == (50_244_484, 34_590_210)
    released = count(generator) + (128 - 3) * (128 * 3 * 3 + 1)
    assert released == 50_388_609  # 50.4 M in the paper


def test_parameter_counts_for_32x32():
    common = dict(num_classes=10, spectral_norm=False)

    def block(channels, out, seen):
        inner = channels // 4
        convs = channels * inner + inner + 2 * (inner * inner * 9 + inner) + inner * out + out
        return convs + 2 * seen * (channels + 3 * inner)

    start, last = 256 * 4096 + 4096, 2 * 256 + 256 * 3 * 9 + 3
    generator = BigGANDeepGenerator(128, (3, 32, 32), **common)
    assert count(generator) == start + 6 * block(256, 256, 256) + last + 1280
    discriminator = BigGANDeepDiscriminator((3, 32, 32), **common)
    stem, head = 3 * 256 * 9 + 256, 257 + 2560
    assert count(discriminator) == stem + 6 * block(256, 256, 0) + head


def plain(network_class, *args, **settings):
    """Without spectral norm, its weights away from where training starts."""
    network = network_class(*args, spectral_norm=False, **settings)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    return network.eval()


def conv(features, layer):
    return F.conv2d(features, layer.weight, layer.bias, padding=layer.weight.shape[-1] // 2)


@pytest.mark.parametrize('num_classes', [None, 3])
def test_generator_matches_the_formula(num_classes):
    """All latents, and the label's vector, for the start and for each norm; dropped channels."""
    generator = plain(BigGANDeepGenerator, 6, (2, 8, 12), (9, 5), num_classes, shared_dim=4)
    seen, labels = torch.randn(5, 6), None
    latents = seen
    if num_classes:
        labels = torch.tensor([0, 2, 1, 1, 0])
        seen = torch.cat([latents, generator.label_embedding.weight[labels]], dim=1)
    first, last = generator.first[0], generator.last[2]

    def norm(features, module):
        gains, biases = seen @ module.gains.weight.T, seen @ module.biases.weight.T
        normalized = F.batch_norm(features, module.norm.running_mean, module.norm.running_var)
        return normalized * (1 + gains[:, :, None, None]) + biases[:, :, None, None]

    def twice(features):
        return features.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)

    features = (seen @ first.weight.T + first.bias).reshape(5, 9, 4, 6)
    for block, size in zip(generator.blocks[0], (lambda x: x, twice), strict=True):
        norms, convs = block.norms, block.convs
        residual = conv(F.relu(norm(features, norms[0])), convs[0])
        residual = conv(size(F.relu(norm(residual, norms[1]))), convs[1])
        residual = conv(F.relu(norm(residual, norms[2])), convs[2])
        residual = conv(F.relu(norm(residual, norms[3])), convs[3])
        features = residual + size(features[:, : residual.shape[1]])
    end = generator.last[0]
    features = F.batch_norm(features, end.running_mean, end.running_var, end.weight, end.bias)
    images = conv(F.relu(features), last).tanh()
    torch.testing.assert_close(generator(latents, labels), images, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize('num_classes', [None, 3])
def test_discriminator_matches_the_formula(num_classes):
    """Half the size in the first block of a pair, whose shortcut adds channels."""
    network = plain(BigGANDeepDiscriminator, (2, 8, 12), (4, 8, 8), 1, num_classes)
    images = torch.randn(5, 2, 8, 12)

    def branch(features, block, size):
        convs = [m for m in block.residual if isinstance(m, nn.Conv2d)]
        for layer in convs[:3]:
            features = conv(F.relu(features), layer)
        return conv(size(F.relu(features)), convs[3])

    def half(features):
        return F.avg_pool2d(features, 2)

    stem, (first, *others), pair = network.blocks
    features = conv(images, stem)
    past = half(features)
    past = torch.cat([past, conv(past, first.added)], dim=1)
    features = past + branch(features, first, half)
    for block in (*others, *pair):
        assert block.added is None
        features = features + branch(features, block, lambda x: x)
    features = F.relu(features).sum((2, 3))
    logits = features @ network.head.linear.weight[0] + network.head.linear.bias
    labels = None
    if num_classes:
        labels = torch.tensor([0, 2, 1, 1, 0])
        logits = logits + (features * network.head.embedding.weight[labels]).sum(1)
    torch.testing.assert_close(network(images, labels), logits, atol=1e-4, rtol=1e-4)


def test_widths_inside_of_blocks():
    generator = BigGANDeepGenerator(4, (1, 8, 8), (32, 16))
    sizes = [[layer.weight.shape[:2] for layer in block.convs] for block in generator.blocks[0]]
    assert sizes == [[(8, 32), (8, 8), (8, 8), (32, 8)], [(8, 32), (8, 8), (8, 8), (16, 8)]]
    network = BigGANDeepDiscriminator((1, 8, 8), (16, 32), halvings=1)
    convs = [m for m in network.blocks[1][0].residual if isinstance(m, nn.Conv2d)]
    assert [m.weight.shape[:2] for m in convs] == [(8, 16), (8, 8), (8, 8), (32, 8)]
    assert network.blocks[1][0].added.weight.shape[:2] == (16, 16)


def test_attention_comes_after_a_pair():
    generator = BigGANDeepGenerator(4, (1, 16, 16), (32, 16, 8), attention=1)
    assert generator.attention['1'].theta.in_channels == 16
    network = BigGANDeepDiscriminator((1, 16, 16), (8, 16, 32), attention=1)
    assert network.blocks[2].theta.in_channels == 16


def test_spectral_norm_on_all_but_the_vectors_of_labels():
    settings = dict(image_shape=(1, 16, 16), num_classes=3, attention=1)
    generator = BigGANDeepGenerator(6, channels=4, shared_dim=5, **settings)
    discriminator = BigGANDeepDiscriminator(channels=(4, 4, 4), **settings)
    for network in (generator, discriminator):
        for name, module in network.named_modules():
            if isinstance(module, nn.Conv2d | nn.Linear | nn.Embedding):
                assert is_parametrized(module, 'weight') is (name != 'label_embedding')


def test_initialization():
    network = BigGANDeepDiscriminator((1, 8, 8), (64, 64), 1, spectral_norm=False)
    matrix = network.blocks[1][0].residual[1].weight.flatten(1)
    torch.testing.assert_close(matrix @ matrix.T, torch.eye(16), atol=1e-5, rtol=0)
    network = BigGANDeepGenerator(100, (1, 8, 8), 64, initialization='normal')
    for layer in (network.first[0], network.blocks[0][0].norms[0].gains):
        weight = layer.parametrizations.weight.original
        assert weight.std().item() == pytest.approx(0.02, rel=0.05)


def test_bad_arguments_are_named():
    message = r'channels must not grow .* got 16 after 8. Pass channels=8'
    with pytest.raises(ValueError, match=message):
        BigGANDeepGenerator(4, (1, 8, 8), (8, 16))
    message = r'channels must not fall .* got 8 after 16. Pass 16 in its place'
    with pytest.raises(ValueError, match=message):
        BigGANDeepDiscriminator((1, 8, 8), (16, 8), 1)
    with pytest.raises(ValueError, match=r'shared_dim must be an int of at least 1, got 0'):
        BigGANDeepGenerator(shared_dim=0)
    message = r'halvings must be an int from 1 to the number of blocks, 1, got 2'
    with pytest.raises(ValueError, match=message):
        BigGANDeepDiscriminator((1, 16, 16), (16, 16), 2)
    with pytest.raises(ValueError, match=r'number of blocks, 0, got 1. Pass .* or more channels'):
        BigGANDeepDiscriminator((1, 16, 16), (16,), 1)
    for network in (BigGANDeepGenerator, BigGANDeepDiscriminator):
        message = r"initialization must be 'orthogonal' or 'normal', got 'xavier'"
        with pytest.raises(ValueError, match=message):
            network(initialization='xavier')
        with pytest.raises(ValueError, match=r'attention must be the number of a block, from 1 to'):
            network(attention=4)


@torch.no_grad()
def test_generator_computes_what_mmagic_does(golden_of):
    golden = golden_of('mmagic_biggan_deep_generator')
    network = golden.converted(mm_biggan.deep_generator)
    golden.check(network(golden.io['latents'], golden.io['labels']), 'images')


@torch.no_grad()
def test_discriminator_computes_what_mmagic_does(golden_of):
    golden = golden_of('mmagic_biggan_deep_discriminator')
    network = golden.converted(mm_biggan.deep_discriminator, (3, 16, 16))
    golden.check(network(golden.io['images'], golden.io['labels']), 'logits')
