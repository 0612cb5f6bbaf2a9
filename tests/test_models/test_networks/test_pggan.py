import copy
import math

import pytest
import torch
import torch.nn.functional as F

from mmgan_lite.checkpoints.foreign import mm_pggan
from mmgan_lite.models import PGGANDiscriminator, PGGANGenerator
from mmgan_lite.models.networks.pggan import GrowingNetwork

SMALL = dict(image_shape=(3, 32, 32), base_channels=128, max_channels=16)


def in_use(network):
    """Parameters that the last stage needs: an image layer each for the other sizes is not."""
    layers = network.to_image if isinstance(network, PGGANGenerator) else network.from_image
    numbers = [sum(p.numel() for p in module.parameters()) for module in (network, layers[:-1])]
    return numbers[0] - numbers[1]


@pytest.mark.parametrize(
    ('side', 'generator', 'discriminator'),
    [
        (128, 22_926_467, 22_932_097),
        (256, 23_036_995, 23_042_625),
        (1024, 23_071_507, 23_077_137),  # 23.1 M each in table 2 of the paper
    ],
)
def test_parameter_counts_of_the_paper(side, generator, discriminator):
    with torch.device('meta'):
        networks = [n(image_shape=(3, side, side)) for n in (PGGANGenerator, PGGANDiscriminator)]
    assert [in_use(network) for network in networks] == [generator, discriminator]


def test_channels_halve_once_they_are_below_the_bound():
    assert PGGANGenerator(4, **SMALL).widths == [16, 16, 16, 8]


def test_layers_by_hand_of_the_discriminator():
    """From 8x8: equalized rates, a mean over 2x2 pixels after the convolution, deviation, head."""
    network = PGGANDiscriminator((2, 8, 12), base_channels=8, max_channels=3, group_size=2)
    first, second = network.stages[0][0], network.stages[0][2]
    images = torch.randn(4, 2, 8, 12)

    def conv(features, layer, gain=2**0.5):
        weight = layer.weight * gain / math.sqrt(layer.weight[0].numel())
        return F.conv2d(features, weight, layer.bias, padding=weight.shape[-1] // 2)

    features = F.leaky_relu(conv(images, network.from_image[1][0]), 0.2)
    features = F.leaky_relu(conv(features, first), 0.2)
    features = F.leaky_relu(F.avg_pool2d(conv(features, second), 2), 0.2)
    deviations = []
    for pair in ((0, 2), (1, 3)):  # the groups
        deviation = features[list(pair)].std(0, correction=0).mean()
        deviations.append(deviation)
    channel = torch.stack(deviations * 2)[:, None, None, None].expand(4, 1, 4, 6)
    features = F.leaky_relu(conv(torch.cat([features, channel], 1), network.head[0]), 0.2)
    hidden, last = network.head[3], network.head[5]
    weight = hidden.weight * math.sqrt(2 / (3 * 24))
    features = F.leaky_relu(F.linear(features.flatten(1), weight, hidden.bias), 0.2)
    logits = F.linear(features, last.weight / math.sqrt(3), last.bias)[:, 0]
    torch.testing.assert_close(network(images), logits, atol=1e-4, rtol=1e-4)


def test_layers_by_hand_of_the_generator():
    """At 8x8: nearest upsampling before the convolution, pixel norm after each activation."""
    network = PGGANGenerator(5, (2, 8, 12), base_channels=8, max_channels=3)
    latents = torch.randn(4, 5)

    def norm(features):
        return features / (features.square().mean(1, keepdim=True).sqrt() + 1e-5)

    def conv(features, weight, bias, gain=2**0.5):
        weight = weight * gain / math.sqrt(weight[0].numel())
        return F.conv2d(features, weight, bias, padding=weight.shape[-1] // 2)

    def activated(features):
        return norm(F.leaky_relu(features, 0.2))

    weight = network.first.weight * math.sqrt(2 / 5) / 4
    features = (norm(latents) @ weight.T).reshape(4, 3, 4, 6) + network.first_bias[:, None, None]
    start, (up, _, _, second, *_) = network.stages[0][0], network.stages[1]
    features = activated(conv(activated(features), start.weight, start.bias))
    # A transposed convolution turns the kernel round.
    kernel = up.weight.flip(2, 3)
    features = activated(conv(F.interpolate(features, scale_factor=2), kernel, up.bias))
    features = activated(conv(features, second.weight, second.bias))
    images = conv(features, network.to_image[1].weight, network.to_image[1].bias, gain=1)
    torch.testing.assert_close(network(latents), images, atol=1e-4, rtol=1e-4)


def test_a_stage_fades_in_from_the_one_before():
    generator, discriminator = PGGANGenerator(4, **SMALL), PGGANDiscriminator(**SMALL)
    latents, images = torch.randn(4, 4), torch.randn(4, 3, 16, 16)
    outputs = {}
    for stage, fade in ((1, 1.0), (2, 0.0), (2, 0.25), (2, 1.0)):
        generator.grow_to(stage, fade)
        discriminator.grow_to(stage, fade)
        outputs[stage, fade] = generator(latents)
        assert generator.image_shape == discriminator.image_shape == (3, 4 << stage, 4 << stage)
        seen = images if stage == 2 else F.avg_pool2d(images, 2)
        outputs[stage, fade, 'logits'] = discriminator(seen)
    enlarged = F.interpolate(outputs[1, 1.0], scale_factor=2)
    torch.testing.assert_close(outputs[2, 0.0], enlarged)
    mixed = 0.75 * enlarged + 0.25 * outputs[2, 1.0]
    torch.testing.assert_close(outputs[2, 0.25], mixed)
    torch.testing.assert_close(outputs[2, 0.0, 'logits'], outputs[1, 1.0, 'logits'])


@pytest.mark.parametrize('network', [PGGANGenerator, PGGANDiscriminator])
def test_state_is_in_checkpoints(network):
    settings = dict(SMALL, latent_dim=4) if network is PGGANGenerator else SMALL
    grown, loaded = network(**settings), network(**settings)
    grown.grow_to(2, 0.3)
    loaded.load_state_dict(grown.state_dict())
    first = torch.randn(4, 4) if network is PGGANGenerator else torch.randn(4, 3, 16, 16)
    for other in (loaded, copy.deepcopy(grown)):
        assert other.image_shape == (3, 16, 16)
        torch.testing.assert_close(other(first), grown(first), rtol=0, atol=0)


def test_only_stages_in_use_learn():
    generator = PGGANGenerator(4, **SMALL)
    generator.grow_to(1)
    generator(torch.randn(2, 4)).sum().backward()
    learned = {n for n, p in generator.named_parameters() if p.grad is not None}
    assert {name.partition('.')[0] for name in learned} == {
        'first',
        'first_bias',
        'stages',
        'to_image',
    }
    assert not [n for n in learned if n.startswith(('stages.2', 'stages.3', 'to_image.0'))]


def test_bad_arguments_are_named():
    network = GrowingNetwork((1, 28, 28), 8, 8)
    for stage in (-1, 3, 1.0):
        with pytest.raises(ValueError, match=r'stage must be an int from 0 to 2, got'):
            network.grow_to(stage)
    for stage, fade in ((1, 1.5), (1, -0.1), (0, 0.5), (1, math.nan)):
        with pytest.raises(ValueError, match=r'fade must lie in \[0, 1\], and be 1 for stage 0, g'):
            network.grow_to(stage, fade)
    with pytest.raises(ValueError, match=r'base_channels must be an int of at least 1, got 0'):
        PGGANGenerator(base_channels=0)
    with pytest.raises(ValueError, match=r'max_channels must be an int of at least 1, got 0'):
        PGGANDiscriminator(max_channels=0)
    with pytest.raises(ValueError, match=r'group_size must be an int of at least 1, got 0'):
        PGGANDiscriminator(group_size=0)
    for network, first in (
        (PGGANGenerator(4, **SMALL), torch.randn(2, 4)),
        (PGGANDiscriminator(**SMALL), torch.randn(2, 3, 32, 32)),
    ):
        with pytest.raises(ValueError, match=r'labels were given to a network without classes'):
            network(first, torch.tensor([0, 1]))


def stages_of(golden, name):
    """Size and share of the new stage in the names of what was recorded."""
    for key in golden.io:
        if key.startswith(f'{name}_'):
            side, fade = key.removeprefix(f'{name}_').split('_', 1)
            yield key, int(math.log2(int(side))) - 2, float(fade.replace('_', '.'))


@torch.no_grad()
def test_generator_computes_what_mmagic_does(golden_of):
    golden = golden_of('mmagic_pggan_generator')
    network = golden.converted(mm_pggan.generator)
    for key, stage, fade in stages_of(golden, 'images'):
        network.grow_to(stage, fade)
        golden.check(network(golden.io['latents']), key)


@torch.no_grad()
def test_discriminator_computes_what_mmagic_does(golden_of):
    golden = golden_of('mmagic_pggan_discriminator')
    network = golden.converted(mm_pggan.discriminator, (3, 32, 32))
    for key, stage, fade in stages_of(golden, 'logits'):
        network.grow_to(stage, fade)
        golden.check(network(golden.io[key.replace('logits', 'images')]), key)
