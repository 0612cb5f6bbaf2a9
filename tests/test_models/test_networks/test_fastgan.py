import pytest
import torch
from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from mmgan_lite.models import FastGANDiscriminator, FastGANGenerator


def count(network):
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.fixture
def no_spectral_norm(monkeypatch):
    """It has no parameters, but takes seconds on the meta device."""
    monkeypatch.setattr('mmgan_lite.models.networks.fastgan.add_spectral_norm', lambda _: None)


def excited(network):
    """From which size each size that is excited gets its weights."""
    return {int(stage): int(stage) - network.gap for stage in network.excitations}


def test_parameter_counts_of_generators(no_spectral_norm):
    """Of the published networks for 256x256."""
    with torch.device('meta'):
        generator, lite = FastGANGenerator(), FastGANGenerator(latent_dim=64, lite=True)
    assert count(generator) == 30_622_319
    assert count(lite) == 17_746_147


def test_parameter_count_of_discriminator(no_spectral_norm):
    """For 256x256, by hand; batch norm has two numbers a channel."""
    with torch.device('meta'):
        network = FastGANDiscriminator()
    widths = (16, 32, 64, 128, 256, 512)
    stem = 3 * 16 * 9
    blocks = sum(
        i * o * 16 + o * o * 9 + i * o + 6 * o for i, o in zip(widths, widths[1:], strict=False)
    )
    excitations = sum(i * o * 16 + o * o for i, o in ((16, 128), (32, 256), (64, 512)))
    judges = 512 * 1024 + 2 * 1024 + 1024 * 16 + 256 * 16
    small = 3 * 32 * 16 + sum(i * o * 16 + 2 * o for i, o in ((32, 64), (64, 128), (128, 256)))
    ups = ((128, 64), (64, 64), (64, 32))
    decoders = sum(
        i * 256 * 9 + 2 * 256 + sum(a * 2 * b * 9 + 4 * b for a, b in ups) + 32 * 3 * 9
        for i in (512, 256, 256)
    )
    assert count(network) == stem + blocks + excitations + judges + small + decoders


@pytest.mark.parametrize(
    ('side', 'in_generator', 'in_discriminator'),
    [
        (28, {2: 0}, {2: 0}),
        (32, {3: 0}, {2: 0}),
        (128, {4: 0, 5: 1}, {3: 0, 4: 1}),
        (256, {4: 0, 5: 1, 6: 2}, {3: 0, 4: 1, 5: 2}),
        (1024, {4: 0, 5: 1, 6: 2, 7: 3}, {3: 0, 4: 1, 5: 2}),
    ],
)
def test_which_sizes_are_excited(side, in_generator, in_discriminator):
    """Those of 4x4 to 32x32 and of 64x64 to 512x512, as in the paper; in small images the last."""
    assert excited(FastGANGenerator(4, (3, side, side), base_channels=1)) == in_generator
    assert excited(FastGANDiscriminator((3, side, side), base_channels=1)) == in_discriminator


def test_excitation_matches_hand_computation():
    """For weights w and v: features times sigmoid(v silu(w * sum of the 2x2 means))."""
    network = FastGANGenerator(4, (1, 28, 28), base_channels=1).eval()
    excitation = network.excitations['2']
    for layer, value in zip(excitation.layers[::2], (0.5, 2.0), strict=True):
        torch.nn.utils.parametrize.remove_parametrizations(layer, 'weight')
        nn.init.zeros_(layer.weight)
        layer.weight.data[:, 0] = value
    source = torch.zeros(1, 16, 14, 14)
    source[:, 0, :2, :4] = torch.tensor([0.1, 0.3, 0.5, 0.7])  # two means, 0.2 and 0.6
    hidden = 0.5 * 0.8
    hidden = hidden * torch.tensor(hidden).sigmoid()  # 0.23947
    features = torch.randn(1, 4, 28, 28)
    expected = features * (2 * hidden).sigmoid()  # 0.61747
    torch.testing.assert_close(excitation(source, features), expected)


def test_spectral_norm_on_every_layer():
    for network in (FastGANGenerator(4, (1, 16, 16), 1), FastGANDiscriminator((1, 16, 16), 1)):
        layers = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
        assert all(is_parametrized(layer, 'weight') for layer in layers)


def test_noise_is_drawn_in_training_mode_only():
    network, latents = FastGANGenerator(4, (1, 16, 16), 1), torch.randn(3, 4)
    strengths = [p for name, p in network.named_parameters() if 'strength' in name]
    assert len(strengths) == 2 * 2
    assert not any(strengths)  # the noise is learned from 0
    with torch.no_grad():
        for strength in strengths:
            strength.fill_(0.5)
    images = [network(latents) for _ in range(2)]
    assert not torch.equal(*images)
    network.eval()
    assert torch.equal(network(latents), network(latents))
    assert not [n for n, _ in FastGANGenerator(lite=True).named_parameters() if 'strength' in n]


@pytest.mark.parametrize('side', [8, 28, 32, 128, 512])
def test_reconstructions_have_the_shape_of_their_targets(side):
    network = FastGANDiscriminator((1, side, side), base_channels=1)
    small = (2, 1, *network.small_size)
    for image, target in network.reconstruct(torch.zeros(2, 1, side, side)):
        assert image.shape == target.shape == small
        assert image.abs().max() <= 1


def test_targets_are_means_of_the_image_and_a_quarter_of_it():
    """Four quarters, each with a value of its own; of 512x512 the small image is 128x128."""
    network = FastGANDiscriminator((1, 512, 512), base_channels=1)
    rows = torch.arange(512) // 256
    image = (2.0 * rows[:, None] + rows).expand(6, 1, 512, 512)
    (_, whole), (_, small), (_, part) = network.reconstruct(image)
    assert network.small_size == (128, 128)
    assert torch.equal(whole, image[..., ::4, ::4])
    assert torch.equal(small, whole)
    values = part.mean((1, 2, 3))
    assert torch.equal(part, values[:, None, None, None].expand_as(part))
    assert len(set(values.tolist())) > 1  # each image has a draw of its own
    assert set(values.tolist()) <= {0.0, 1.0, 2.0, 3.0}


def test_part_is_reconstructed_from_its_own_features(monkeypatch):
    """The features of one image, with the same value as the pixels in each quarter."""
    network = FastGANDiscriminator((1, 32, 32), base_channels=1)
    rows = torch.arange(32) // 16
    images = (2.0 * rows[:, None] + rows).expand(8, 1, 32, 32)
    monkeypatch.setattr(network, '_features', lambda x: [nn.functional.avg_pool2d(x, 2)] * 2)
    network.decoders['image'] = network.decoders['part'] = nn.Identity()
    *_, (part, target) = network.reconstruct(images)
    assert torch.equal(part.mean((1, 2, 3)), target.mean((1, 2, 3)))


def test_every_decoder_gets_a_gradient():
    network = FastGANDiscriminator((1, 32, 32), base_channels=1)
    pairs = network.reconstruct(torch.rand(4, 1, 32, 32))
    sum((image - target).abs().mean() for image, target in pairs).backward()
    without = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    # What only the logits depend on.
    assert {name.partition('.')[0] for name in without} == {'judge', 'small_judge'}


def test_logits_are_of_the_image_and_of_the_small_one():
    network = FastGANDiscriminator((1, 32, 32), base_channels=1).eval()
    images = torch.rand(2, 1, 32, 32)
    checks = (-1) ** torch.arange(32)
    other = images + checks * checks[:, None]  # of the same mean in each 2x2 pixels
    logits, of_other = network(images), network(other)
    assert logits.shape == (2, 2 * 25)
    torch.testing.assert_close(logits[:, 25:], of_other[:, 25:])
    assert (logits[:, :25] - of_other[:, :25]).abs().min() > 0


@pytest.mark.parametrize('network', [FastGANGenerator, FastGANDiscriminator])
def test_bad_arguments_are_named(network):
    with pytest.raises(ValueError, match=r'base_channels must be an int of at least 1, got 0\.'):
        network(image_shape=(1, 28, 28), base_channels=0)
