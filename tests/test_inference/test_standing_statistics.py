"""Statistics of batch norm for the latents that images are drawn from."""

import pytest
import torch

from mmgan_lite.inference import set_standing_statistics


@pytest.fixture
def gan(make_gan):
    ema = dict(type='ExponentialMovingAverage')
    return make_gan(generator=dict(type='DCGANGenerator', **SETTINGS), ema=ema)


SETTINGS = dict(latent_dim=6, image_shape=(1, 8, 8), base_channels=4, num_classes=3)


@pytest.fixture
def make_gan(make_gan):
    discriminator = dict(type='MLPDiscriminator', image_shape=(1, 8, 8), num_classes=3)
    return lambda **parts: make_gan(discriminator=discriminator, **parts)


def state(network):
    return {name: value.clone() for name, value in network.state_dict().items()}


def test_are_the_mean_over_the_passes(gan):
    """Of the first norm, by hand: it sees a linear layer of the latents and the label's vector."""
    network, stream = gan.generator_ema.module, torch.Generator().manual_seed(5)
    means, variances = [], []
    for _ in range(3):
        latents = 0.5 * torch.randn(16, 6, generator=stream)
        labels = torch.randint(3, (16,), generator=stream)
        inputs = torch.cat([latents, network.label_embedding(labels)], dim=1)
        features = network.layers[1](network.layers[0](inputs))
        means.append(features.mean((0, 2, 3)))
        variances.append(features.var((0, 2, 3)))
    before = state(gan)
    set_standing_statistics(gan, 3, batch_size=16, seed=5, truncation=0.5)
    norm = network.layers[2]
    torch.testing.assert_close(norm.running_mean, torch.stack(means).mean(0))
    torch.testing.assert_close(norm.running_var, torch.stack(variances).mean(0))
    assert norm.momentum == 0.1
    assert not any(module.training for module in network.modules())
    changed = {name for name, value in state(gan).items() if not torch.equal(value, before[name])}
    assert {name.split('.')[0] for name in changed} == {'generator_ema'}
    assert {name.rsplit('.')[-1] for name in changed} == {
        'running_mean',
        'running_var',
        'num_batches_tracked',
    }


def test_of_the_last_weights(gan):
    gan.generator.train()
    before = state(gan.generator_ema)
    set_standing_statistics(gan, 1, use_ema=False)
    assert all(torch.equal(v, before[name]) for name, v in gan.generator_ema.state_dict().items())
    assert gan.generator.layers[2].num_batches_tracked == 1
    assert all(module.training for module in gan.generator.modules())


def test_bad_arguments(gan, make_gan):
    with pytest.raises(ValueError, match=r'passes must be an int of at least 1, got 0'):
        set_standing_statistics(gan, 0)
    with pytest.raises(ValueError, match=r'batch_size must be an int of at least 2, got 1'):
        set_standing_statistics(gan, 1, batch_size=1)
    small = dict(channels=4, cardinality=2, image_shape=(1, 8, 8), num_classes=3)
    gan = make_gan(generator=dict(type='R3GANGenerator', **small))
    with pytest.raises(ValueError, match=r'need a generator with batch norm, got R3GANGenerator'):
        set_standing_statistics(gan, 1)
