import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from mmgan_lite.checkpoints.foreign import mm_sngan
from mmgan_lite.models import ResNetDiscriminator, ResNetGenerator
from mmgan_lite.models.layers import ClassBatchNorm2d


def count(network):
    return sum(parameter.numel() for parameter in network.parameters())


def test_parameter_count_of_the_paper_for_32x32_of_generator():
    # Linear 128 -> 256 of 4x4; three blocks of two 3x3, a 1x1 and two norms; norm and a 3x3 to RGB.
    start = 128 * 256 * 16 + 256 * 16
    block = 2 * (256 * 256 * 9 + 256) + 256 * 256 + 256 + 2 * 2 * 256
    last = 2 * 256 + 256 * 3 * 9 + 3
    generator = ResNetGenerator(image_shape=(3, 32, 32))
    assert count(generator) == start + 3 * block + last == 4_276_739


def test_the_paper_for_128x128():
    channels = (16, 16, 8, 4, 2, 1)  # a 64th of 1024, 1024, 512, 256, 128, 64
    generator = ResNetGenerator(8, (3, 128, 128), channels)
    assert [block.conv1.out_channels for block in generator.blocks] == [16, 8, 4, 2, 1]
    assert generator(torch.randn(2, 8)).shape == (2, 3, 128, 128)


def test_matches_the_formula_in_the_order_of_the_paper():
    generator = ResNetGenerator(3, (2, 8, 12), channels=(4, 5)).eval()
    latents = torch.randn(6, 3)
    first, block, last = generator.first[0], generator.blocks[0], generator.last[2]

    def norm(features, module):
        return F.batch_norm(
            features, module.running_mean, module.running_var, module.weight, module.bias
        )

    def upsample(features):
        return features.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)

    features = (latents @ first.weight.T + first.bias).reshape(6, 4, 4, 6)
    residual = upsample(F.relu(norm(features, block.norm1)))
    residual = F.conv2d(residual, block.conv1.weight, block.conv1.bias, padding=1)
    residual = F.relu(norm(residual, block.norm2))
    residual = F.conv2d(residual, block.conv2.weight, block.conv2.bias, padding=1)
    shortcut = F.conv2d(upsample(features), block.shortcut.weight, block.shortcut.bias)
    features = F.relu(norm(residual + shortcut, generator.last[0]))
    images = F.conv2d(features, last.weight, last.bias, padding=1).tanh()
    torch.testing.assert_close(generator(latents), images)


def test_labels_enter_by_the_norm_of_the_blocks():
    generator = ResNetGenerator(8, (1, 16, 16), 4, num_classes=3)
    assert generator.conditioning == 'class_norm'
    norms = [m for m in generator.modules() if isinstance(m, ClassBatchNorm2d)]
    assert len(norms) == 2 * 2
    # Gains 1 and biases 0: the labels have no part yet.
    latents = torch.randn(1, 8)
    generator.eval()
    torch.testing.assert_close(
        generator(latents, torch.tensor([0])), generator(latents, torch.tensor([2]))
    )


def test_labels_enter_by_the_latents():
    generator = ResNetGenerator(8, (1, 16, 16), 4, num_classes=3, conditioning='embedding')
    assert generator.first[0].in_features == 8 + 3
    assert not [m for m in generator.modules() if isinstance(m, ClassBatchNorm2d)]
    norms = [m for m in generator.modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(norms) == 2 * 2 + 1


def test_bad_arguments_are_named():
    message = r'channels must be a positive int, or 3 of them, one for each stage, got \(8, 8\)'
    with pytest.raises(ValueError, match=message):
        ResNetGenerator(channels=(8, 8))
    with pytest.raises(ValueError, match=r"'class_norm', 'embedding', got 'projection'"):
        ResNetGenerator(num_classes=10, conditioning='projection')


def test_parameter_count_of_the_paper_for_32x32_of_discriminator():
    # Two 3x3 and a 1x1 from RGB; a block with a shortcut that changes the size, two that have none.
    first = (3 * 128 * 9 + 128) + (128 * 128 * 9 + 128) + (3 * 128 + 128)
    block = 2 * (128 * 128 * 9 + 128)
    shortcut = 128 * 128 + 128
    expected = first + 3 * block + shortcut + 128 + 1
    for spectral_norm in (True, False):
        network = ResNetDiscriminator((3, 32, 32), spectral_norm=spectral_norm)
        assert count(network) == expected == 1_053_825


@pytest.mark.parametrize(
    ('conditioning', 'more'),
    [('projection', 10 * 128), ('classifier', 10 * 128 + 10), ('embedding', 7840 + 128 * 10)],
)
def test_parameter_count_with_labels(conditioning, more):
    # An embedded map is one more channel into the 3x3 and the 1x1 of the first block.
    network = ResNetDiscriminator(num_classes=10, conditioning=conditioning)
    assert count(network) == count(ResNetDiscriminator()) + more


def test_projection_is_the_default():
    assert ResNetDiscriminator(channels=(4, 4), num_classes=3).conditioning == 'projection'
    assert ResNetDiscriminator(channels=(4, 4)).conditioning is None


def test_matches_the_formula_in_the_order_of_the_papers():
    network = ResNetDiscriminator(
        (2, 16, 24), (4, 5, 6), halvings=2, num_classes=3, spectral_norm=False
    )
    first, second, third = network.blocks
    images, labels = torch.randn(4, 2, 16, 24), torch.tensor([0, 1, 2, 0])

    def conv(features, layer):
        return F.conv2d(features, layer.weight, layer.bias, padding=layer.weight.shape[-1] // 2)

    def halve(features):
        return features.unflatten(2, (-1, 2)).unflatten(4, (-1, 2)).mean((3, 5))

    residual = conv(F.relu(conv(images, first.residual[0])), first.residual[2])
    features = halve(residual) + halve(conv(images, first.shortcut[1]))
    residual = conv(F.relu(conv(F.relu(features), second.residual[1])), second.residual[3])
    features = halve(residual) + halve(conv(features, second.shortcut[1]))
    residual = conv(F.relu(conv(F.relu(features), third.residual[1])), third.residual[3])
    features = residual + conv(features, third.shortcut[0])
    assert features.shape == (4, 6, 4, 6)
    summed = F.relu(features).sum((2, 3))
    linear = network.head.linear
    logits = (summed @ linear.weight.T + linear.bias)[:, 0]
    logits = logits + (summed * network.head.embedding.weight[labels]).sum(1)
    torch.testing.assert_close(network(images, labels), logits, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize('conditioning', ['projection', 'classifier'])
def test_spectral_norm_on_every_layer(conditioning):
    network = ResNetDiscriminator((1, 16, 16), (6, 8, 8), num_classes=3, conditioning=conditioning)
    layers = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear | nn.Embedding)]
    # Two 3x3 each and shortcuts in two blocks; logit; embedding or classifier.
    assert len(layers) == 6 + 2 + 1 + 1
    with torch.no_grad():
        for _ in range(50):  # each pass is a step of the power iteration
            network(torch.randn(2, 1, 16, 16), torch.tensor([0, 1]), conditioning == 'classifier')
    network.eval()
    for layer in layers:
        assert is_parametrized(layer, 'weight')
        largest = torch.linalg.matrix_norm(layer.weight.flatten(1), ord=2)
        assert largest.item() == pytest.approx(1, abs=0.02)


def test_spectral_norm_leaves_the_map_at_the_input():
    network = ResNetDiscriminator((1, 16, 16), (4, 4), num_classes=3, conditioning='embedding')
    assert not is_parametrized(network.label_embedding)
    assert is_parametrized(network.head.linear)


def test_spectral_norm_can_be_left_out():
    network = ResNetDiscriminator((1, 16, 16), (4, 4), spectral_norm=False)
    assert not [m for m in network.modules() if is_parametrized(m)]


@pytest.mark.parametrize('halvings', [0, 5, 1.0])
def test_bad_halvings_are_named(halvings):
    message = rf'halvings must be an int from 1 to the number of blocks, 4, got {halvings}'
    with pytest.raises(ValueError, match=message):
        ResNetDiscriminator(halvings=halvings)


def test_bad_sizes_and_channels_are_named():
    message = r'sides of 8 times 2, 3, 4, ... pixels for 3 halvings, got \(1, 28, 28\)'
    with pytest.raises(ValueError, match=message):
        ResNetDiscriminator(halvings=3)
    with pytest.raises(ValueError, match=r'channels must be a sequence of positive ints, got 128'):
        ResNetDiscriminator(channels=128)


@torch.no_grad()
def test_generator_computes_what_mmagic_does(golden_of):
    golden = golden_of('mmagic_sngan_generator')
    network = golden.converted(mm_sngan.generator)
    golden.check(network(golden.io['latents'], golden.io['labels']), 'images')


@torch.no_grad()
def test_discriminator_computes_what_mmagic_does(golden_of):
    golden = golden_of('mmagic_sngan_discriminator')
    network = golden.converted(mm_sngan.discriminator, (3, 32, 32))
    for images, logits in (('images', 'logits'), ('fake_images', 'fake_logits')):
        golden.check(network(golden.io[images], golden.io['labels']), logits)
