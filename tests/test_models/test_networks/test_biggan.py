import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from mmgan_lite.checkpoints.foreign import mm_biggan
from mmgan_lite.models import BigGANDiscriminator, BigGANGenerator


def count(network):
    return sum(parameter.numel() for parameter in network.parameters())


def test_parameter_counts_for_32x32():
    start, last = 128 * 4096 + 4096, 2 * 256 + 256 * 3 * 9 + 3
    block = 2 * (256 * 256 * 9 + 256) + 256 * 256 + 256
    settings = dict(latent_dim=128, image_shape=(3, 32, 32), num_classes=10, split_latents=False)
    # Each of the six norms has a gain and a bias for each class ...
    unshared = BigGANGenerator(shared_dim=None, **settings)
    assert count(unshared) == start + last + 3 * block + 6 * 2 * 10 * 256 == 4_304_387
    # ... or two linear layers on a vector of 128 numbers for each class.
    shared = BigGANGenerator(**settings)
    assert count(shared) == start + last + 3 * block + 6 * 2 * 128 * 256 + 1280 == 4_668_163
    assert count(BigGANDiscriminator((3, 32, 32), num_classes=10)) == 4_207_361


def test_parameter_counts_for_128x128():
    with torch.device('meta'):
        widths = (1536, 1536, 768, 384, 192, 96)
        generator = BigGANGenerator(120, (3, 128, 128), widths, 1000, attention=4)
        widths = (96, 192, 384, 768, 1536, 1536)
        discriminator = BigGANDiscriminator((3, 128, 128), widths, 5, 1000, attention=1)
    assert (count(generator), count(discriminator)) == (70_433_988, 87_982_370)


def plain(**settings):
    """Small, without spectral norm, its weights away from where training starts."""
    network = BigGANGenerator(
        image_shape=(2, 8, 12), channels=(4, 5), spectral_norm=False, **settings
    )
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    return network.eval()


@pytest.mark.parametrize('num_classes', [None, 3])
def test_matches_the_formula(num_classes):
    """Half of the latents for the start, the other half and the label's vector for the block."""
    generator = plain(latent_dim=6, num_classes=num_classes, shared_dim=4)
    latents, labels = torch.randn(5, 6), None
    condition = latents[:, 3:]
    if num_classes:
        labels = torch.tensor([0, 2, 1, 1, 0])
        condition = torch.cat([generator.label_embedding.weight[labels], condition], dim=1)
    first, block, last = generator.first[0], generator.blocks[0], generator.last[2]

    def norm(features, module):
        gains, biases = condition @ module.gains.weight.T, condition @ module.biases.weight.T
        normalized = F.batch_norm(features, module.norm.running_mean, module.norm.running_var)
        return normalized * (1 + gains[:, :, None, None]) + biases[:, :, None, None]

    def upsample(features):
        return features.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)

    def conv(features, layer):
        return F.conv2d(features, layer.weight, layer.bias, padding=layer.weight.shape[-1] // 2)

    features = (latents[:, :3] @ first.weight.T + first.bias).reshape(5, 4, 4, 6)
    residual = conv(upsample(F.relu(norm(features, block.norm1))), block.conv1)
    residual = conv(F.relu(norm(residual, block.norm2)), block.conv2)
    features = residual + conv(upsample(features), block.shortcut)
    end = generator.last[0]
    features = F.batch_norm(features, end.running_mean, end.running_var, end.weight, end.bias)
    images = conv(F.relu(features), last).tanh()
    torch.testing.assert_close(generator(latents, labels), images, atol=1e-4, rtol=1e-4)


def test_unsplit_latents_enter_at_the_start_alone():
    generator = plain(latent_dim=6, num_classes=3, shared_dim=4, split_latents=False)
    assert generator.first[0].in_features == 6
    assert generator.blocks[0].norm1.gains.in_features == 4
    unconditional = plain(latent_dim=6, split_latents=False)
    assert isinstance(unconditional.blocks[0].norm1, nn.BatchNorm2d)


def test_discriminator_widens_in_the_first_convolution_of_a_block():
    network = BigGANDiscriminator((1, 16, 16), (4, 6), halvings=1)
    sizes = [m.weight.shape[:2] for m in network.blocks[1].residual if isinstance(m, nn.Conv2d)]
    assert sizes == [(6, 4), (6, 6)]


def test_spectral_norm_on_all_but_the_vectors_of_labels():
    settings = dict(image_shape=(1, 16, 16), num_classes=3, attention=1)
    generator = BigGANGenerator(6, channels=4, shared_dim=5, **settings)
    discriminator = BigGANDiscriminator(channels=(4, 4), **settings)
    for network in (generator, discriminator):
        for name, module in network.named_modules():
            if isinstance(module, nn.Conv2d | nn.Linear | nn.Embedding):
                assert is_parametrized(module, 'weight') is (name != 'label_embedding')


def test_initialization():
    network = BigGANGenerator(6, channels=8, num_classes=3, shared_dim=5, spectral_norm=False)
    layers = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear | nn.Embedding)]
    assert len(layers) == 1 + 1 + 2 * (3 + 4) + 1
    for layer in layers:
        matrix = layer.weight.flatten(1)
        matrix = matrix if len(matrix) <= matrix.shape[1] else matrix.T
        torch.testing.assert_close(matrix @ matrix.T, torch.eye(len(matrix)), atol=1e-5, rtol=0)
    discriminator = BigGANDiscriminator((1, 16, 16), (64, 64), num_classes=100, spectral_norm=False)
    network = BigGANDiscriminator((1, 16, 16), (64, 64), 2, 100, (), False, 'normal')
    for layer in (network.blocks[1].residual[1], network.head.embedding):
        assert layer.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert count(network) == count(discriminator)


def test_bad_arguments_are_named():
    message = (
        r'latent_dim must be a multiple of 4, .* each of 3 blocks, got 125. Pass latent_dim=124'
    )
    with pytest.raises(ValueError, match=message):
        BigGANGenerator(125, (3, 32, 32))
    with pytest.raises(
        ValueError, match=r'split_latents=True with labels needs .* shared_dim=None'
    ):
        BigGANGenerator(num_classes=10, shared_dim=None)
    with pytest.raises(ValueError, match=r'shared_dim must be an int of at least 1, got 0'):
        BigGANGenerator(num_classes=10, shared_dim=0)
    for network in (BigGANGenerator, BigGANDiscriminator):
        message = r"initialization must be 'orthogonal' or 'normal', got 'xavier'"
        with pytest.raises(ValueError, match=message):
            network(initialization='xavier')
        with pytest.raises(ValueError, match=r'attention must be the number of a block, from 1 to'):
            network(attention=5)


@torch.no_grad()
def test_generator_computes_what_mmagic_does(golden_of):
    golden = golden_of('mmagic_biggan_generator')
    network = golden.converted(mm_biggan.generator)
    golden.check(network(golden.io['latents'], golden.io['labels']), 'images')


@torch.no_grad()
def test_discriminator_computes_what_mmagic_does(golden_of):
    golden = golden_of('mmagic_biggan_discriminator')
    network = golden.converted(mm_biggan.discriminator, (3, 32, 32))
    golden.check(network(golden.io['images'], golden.io['labels']), 'logits')
