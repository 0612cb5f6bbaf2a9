"""When the networks grow, what they then train on, and what begins anew."""

import itertools

import pytest
import torch
import torch.nn.functional as F

from mmgan_lite.models import GrowingGAN
from mmgan_lite.registry import OPTIM_WRAPPER_CONSTRUCTORS

NETWORKS = dict(image_shape=(1, 16, 16), base_channels=8, max_channels=4)


def make(**settings):
    settings = dict(
        generator=dict(type='PGGANGenerator', latent_dim=4, **NETWORKS),
        discriminator=dict(type='PGGANDiscriminator', **NETWORKS),
        loss=dict(type='HingeGANLoss'),
        ema=dict(type='ExponentialMovingAverage', momentum=0.5),
        growth=dict(fade_images=16, stable_images=8),
        **settings,
    )
    return GrowingGAN(**settings)


def optim_wrapper_of(gan):
    adam = dict(optimizer=dict(type='Adam', lr=1e-3))
    cfg = dict(
        type='MultiOptimWrapperConstructor',
        optim_wrapper_cfg=dict(generator=adam, discriminator=adam),
    )
    return OPTIM_WRAPPER_CONSTRUCTORS.build(cfg)(gan)


def batch(num=4):
    return dict(inputs=torch.randint(256, (num, 1, 16, 16), dtype=torch.uint8))


def test_stages_of_a_training():
    """Batches of 4: 2 iterations at 4x4, 4 of fading to 8x8, 2 at 8x8, 4 of fading to 16x16."""
    gan = make(rates=(1.0, 2.0, 0.5))
    optim_wrapper = optim_wrapper_of(gan)
    log, moments = [], []
    for _ in range(13):
        scalars = gan.train_step(batch(), optim_wrapper)
        (rate,) = optim_wrapper['generator'].get_lr()['lr']
        log += [scalars['stage'], scalars['fade'], rate]
        state = optim_wrapper['discriminator'].optimizer.state
        moments.append(max(int(entry['step']) for entry in state.values()))
    fading = [0.0, 0.25, 0.5, 0.75]
    expected = [(0, 1.0, 1e-3)] * 2
    expected += [(1, fade, 2e-3) for fade in [*fading, 1.0, 1.0]]
    expected += [(2, fade, 5e-4) for fade in [*fading, 1.0]]
    assert log == pytest.approx(list(itertools.chain(*expected)))
    assert moments == [1, 2, *range(1, 7), *range(1, 6)]  # steps since the stage began
    assert gan.images_seen == 52
    for network in (gan.generator, gan.discriminator, gan.generator_ema.module):
        assert (network.stage, network.fade) == (2, 1)


def test_real_images_fade_as_those_of_the_generator():
    gan, images = make(), torch.randn(2, 1, 16, 16)
    assert gan.scaled(images).shape == (2, 1, 4, 4)
    torch.testing.assert_close(gan.scaled(images), F.avg_pool2d(images, 4))
    gan._set_stage(1, 0.25)
    small, smaller = F.avg_pool2d(images, 2), F.avg_pool2d(images, 4).repeat_interleave(2, 2)
    expected = 0.25 * small + 0.75 * smaller.repeat_interleave(2, 3)
    torch.testing.assert_close(gan.scaled(images), expected)
    assert gan.prepare_batch(batch()).images.shape == (4, 1, 8, 8)
    gan._set_stage(2, 1.0)
    torch.testing.assert_close(gan.scaled(images), images, rtol=0, atol=0)


def test_samples_and_losses_at_any_stage():
    gan, latents = make(), torch.randn(3, 4)
    small = gan.generator_ema.module(latents)
    assert small.shape == (3, 1, 4, 4)
    enlarged = small.repeat_interleave(4, 2).repeat_interleave(4, 3)
    torch.testing.assert_close(gan.sample(3, latents=latents), enlarged)
    losses = gan(gan.data_preprocessor(batch())['inputs'], mode='loss')
    assert losses.keys() == {'loss_disc', 'loss_gen'}


def test_state_goes_on_from_a_checkpoint():
    gan, again = make(), make()
    optim_wrapper = optim_wrapper_of(gan)
    for _ in range(4):
        gan.train_step(batch(), optim_wrapper)
    again.load_state_dict(gan.state_dict())
    for each in (gan, again):
        torch.manual_seed(0)
        scalars = each.train_step(batch(), optim_wrapper_of(each))
        assert (scalars['stage'], scalars['fade']) == (1, 0.5)


def test_fine_tuning_has_the_rate_of_its_stage_and_need_not_grow_again():
    grown, gan = make(), make(rates=(1.0, 2.0, 0.5))
    optim_wrapper = optim_wrapper_of(grown)
    for _ in range(13):
        grown.train_step(batch(), optim_wrapper)
    gan.load_state_dict(grown.state_dict())
    gan.check_length(4)
    optim_wrapper = optim_wrapper_of(gan)
    for _ in range(2):
        assert gan.train_step(batch(), optim_wrapper)['stage'] == 2
        assert optim_wrapper['generator'].get_lr()['lr'] == [5e-4]


def test_mistakes_are_named():
    for settings, text in (
        (dict(rates=(1.0, 2.0)), r'rates must be one for each of the 3 stages, got 2'),
        (dict(rates=(1.0, 0.0, 1.0)), r'rates must be a finite number over 0, got 0.0'),
        (dict(cuda_graph=True), r'cuda_graph must be False for networks that grow'),
    ):
        with pytest.raises(ValueError, match=text):
            make(**settings)
    cfg = dict(
        generator=dict(type='PGGANGenerator', latent_dim=4, **NETWORKS),
        discriminator=dict(type='PGGANDiscriminator', **NETWORKS),
        loss=dict(type='HingeGANLoss'),
    )
    with pytest.raises(ValueError, match=r'stable_images must be an int of at least 1, got 0'):
        GrowingGAN(**cfg, growth=dict(fade_images=1, stable_images=0))
    dcgan = dict(type='DCGANDiscriminator', image_shape=(1, 16, 16), base_channels=4)
    with pytest.raises(ValueError, match=r'last_stage and grow_to.*DCGANDiscriminator'):
        GrowingGAN(**cfg | dict(discriminator=dcgan), growth=dict(fade_images=1, stable_images=1))
    with pytest.raises(ValueError, match=r'got 48 images until the last of 3 stages has faded'):
        make().check_length(47)
