import pytest
import torch
import torch.nn.functional as F

from mmgan_lite.checkpoints.foreign import mm_sngan


def conv(state, name, before, width, side):
    state[f'{name}.conv.weight'] = torch.randn(width, before, side, side) / before**0.5 / side
    state[f'{name}.conv.bias'] = torch.randn(width)


def without_classes(widths):
    """A generator there, whose norms then have no gains and biases."""
    first = 16 * widths[0]
    state = {'noise2feat.weight': torch.randn(first, 5), 'noise2feat.bias': torch.randn(first)}
    for index, (before, width) in enumerate(zip(widths, widths[1:], strict=False)):
        block = f'conv_blocks.{index}'
        conv(state, f'{block}.conv_1', before, width, 3)
        conv(state, f'{block}.conv_2', width, width, 3)
        conv(state, f'{block}.shortcut', before, width, 1)
        for number, channels in ((1, before), (2, width)):
            state[f'{block}.norm_{number}.norm.running_mean'] = torch.randn(channels)
            state[f'{block}.norm_{number}.norm.running_var'] = torch.rand(channels) + 0.5
            state[f'{block}.norm_{number}.norm.num_batches_tracked'] = torch.tensor(3)
    conv(state, 'to_rgb', widths[-1], 3, 3)
    for name, value in dict(weight=1.0, bias=0.5, running_mean=0.0, running_var=2.0).items():
        state[f'to_rgb.bn.{name}'] = torch.full((widths[-1],), value)
    return state


def theirs(state, latents, blocks):
    """The forward pass, by hand, with their 1e-4 below the root."""

    def layer(features, name, padding):
        weight, bias = (state[f'{name}.conv.{n}'] for n in ('weight', 'bias'))
        return F.conv2d(features, weight, bias, padding=padding)

    def norm(features, name):
        mean, var = (state[f'{name}.running_{n}'][:, None, None] for n in ('mean', 'var'))
        return (features - mean) / (var + 1e-4).sqrt()

    def up(features):
        return F.interpolate(features, scale_factor=2, mode='nearest')

    features = F.linear(latents, state['noise2feat.weight'], state['noise2feat.bias'])
    features = features.unflatten(1, (-1, 4, 4))
    for index in range(blocks):
        block = f'conv_blocks.{index}'
        residual = layer(up(norm(features, f'{block}.norm_1.norm').relu()), f'{block}.conv_1', 1)
        residual = layer(norm(residual, f'{block}.norm_2.norm').relu(), f'{block}.conv_2', 1)
        features = residual + layer(up(features), f'{block}.shortcut', 0)
    features = norm(features, 'to_rgb.bn') + 0.5
    return layer(features.relu(), 'to_rgb', 1).tanh()


@torch.no_grad()
def test_generator_without_classes(made_by, assert_like):
    """Of another depth, with channels that change, and their batch norm."""
    state, latents = without_classes([6, 4, 3]), torch.randn(3, 5)
    expected = theirs(state, latents, blocks=2)
    settings, network = made_by(mm_sngan.generator, state, given=dict(type='SNGANGenerator'))
    assert settings == dict(
        type='ResNetGenerator',
        latent_dim=5,
        image_shape=(3, 16, 16),
        channels=(6, 4, 3),
        num_classes=None,
    )
    assert_like(network(latents), expected)


def discriminator_of(widths):
    state = {'decision.weight': torch.randn(1, widths[-1]), 'decision.bias': torch.randn(1)}
    for name, n in (('conv_1', 3), ('shortcut', 1)):
        conv(state, f'from_rgb.{name}', 3, widths[0], n)
    conv(state, 'from_rgb.conv_2', widths[0], widths[0], 3)
    for index, (before, width) in enumerate(zip(widths, widths[1:], strict=False)):
        conv(state, f'conv_blocks.{index}.conv_1', before, width, 3)
        conv(state, f'conv_blocks.{index}.conv_2', width, width, 3)
        conv(state, f'conv_blocks.{index}.shortcut', before, width, 1)
    return state


@pytest.mark.parametrize(
    ('widths', 'side', 'given', 'halvings', 'kind'),
    [
        ([4, 8, 16, 32, 64], 64, {}, 5, 'BigGANDiscriminator'),
        ([4, 8], 16, {}, 2, 'BigGANDiscriminator'),
        ([4, 8], 16, dict(downsample_cfg=[False]), 1, 'BigGANDiscriminator'),
        ([4, 8], 16, dict(downsample_cfg={'16': [False]}), 1, 'BigGANDiscriminator'),
    ],
)
def test_discriminator_of_other_sizes(made_by, widths, side, given, halvings, kind):
    """The first convolution of a block changes the channels there; no layer has a norm."""
    state = discriminator_of(widths)
    settings, network = made_by(mm_sngan.discriminator, state, (3, side, side), given=given)
    assert (settings['type'], settings['halvings']) == (kind, halvings)
    assert settings['spectral_norm'] is False
    assert network(torch.zeros(2, 3, side, side)).shape == (2,)
