import pytest

from mmgan_lite.config_migration import migrate_config


@pytest.fixture
def migrate(old):
    """The model of an old config with changes in its text, and what was listed."""

    def run(name, changes=()):
        migration = migrate_config(old(name, **dict(changes)))
        return migration.config['model'], [line.partition(', ')[2] for line in migration.listed]

    return run


@pytest.mark.parametrize(
    ('there', 'ours'),
    [
        ('vanilla', 'NonSaturatingGANLoss'),
        ('wgan-logistic-ns', 'NonSaturatingGANLoss'),
        ('lsgan', 'LeastSquaresGANLoss'),
        ('wgan', 'WassersteinGANLoss'),
        ('hinge', 'HingeGANLoss'),
    ],
)
def test_losses(migrate, there, ours):
    model, listed = migrate('dcgan', {"'vanilla'": repr(there)})
    assert model['loss'] == dict(type=ours)
    assert listed == []


def test_settings_of_a_loss_that_ours_has_not(migrate):
    changed = "'vanilla', real_label_val=0.9, loss_weight=2.0"
    model, listed = migrate('dcgan', {"'vanilla'": changed})
    assert model['loss'] == dict(type='NonSaturatingGANLoss', label_smoothing=0.1)
    assert listed == ['line 7: model.gan_loss.loss_weight = 2.0: ours has 1']
    model, listed = migrate('dcgan', {"'vanilla'": "'mse'"})
    assert model['loss'] == dict(type='NonSaturatingGANLoss')
    assert listed == ["line 2: gan_type = 'mse': ours is NonSaturatingGANLoss"]


def test_weights_of_regularizers(migrate):
    """R1 of 10 / 2 * 16 in each 16th step is gamma 10 here, as in the paper."""
    model, _ = migrate('stylegan2')
    assert model['regularizers'] == [
        dict(type='R1Regularizer', weight=10.0, interval=16),
        dict(type='PathLengthRegularizer', weight=2.0, interval=4, batch_divisor=2),
    ]
    losses = """vanilla'),
    disc_auxiliary_loss=dict(
        type='R1GradientPenalty', loss_weight=10. / 2. * 16, interval=16, norm_mode='HWC',
        data_info=dict(real_data='real_imgs', discriminator='disc')),
    gen_auxiliary_loss=dict(
        type='GeneratorPathRegularizer', loss_weight=2. * 4, pl_batch_shrink=2, interval=4,
        data_info=dict(generator='gen', num_batches='batch_size'))"""
    older, listed = migrate('dcgan', {"vanilla')": losses})
    found = [
        dict(entry, decay=0.01) if len(entry) > 3 else entry for entry in model['regularizers']
    ]
    assert older['regularizers'] == found
    assert listed == []


def test_shift_of_fake_logits_is_listed(migrate):
    model, listed = migrate('pggan')
    assert model['regularizers'] == [
        dict(type='DriftRegularizer', weight=0.0005),
        dict(type='GradientPenalty', weight=10.0),
    ]
    assert listed[-1].startswith(
        "line 10: model.disc_auxiliary_loss[0].data_info = {'pred': 'disc_pred_fake'}"
    )


def test_growth_and_its_batches(old):
    config = migrate_config(old('pggan')).config
    growth = dict(fade_images=600_000, stable_images=600_000)
    assert config['model']['growth'] == growth
    assert config['train_dataloader']['batch_sampler'] == dict(
        type='GrowingBatchSampler', batch_sizes=(64, 32, 4, 4, 4, 4), growth=growth
    )
    assert config['train_dataloader']['batch_size'] == 64


@pytest.mark.parametrize(
    ('name', 'changes', 'ema'),
    [
        # 0.9999 is a decay; in steps of the generator, of which there is one in five iterations.
        ('sngan', {}, dict(type='ExponentialMovingAverage', momentum=1e-4, start=1000)),
        # Two steps from one update there to the next: 1 - sqrt(0.9999).
        (
            'sngan',
            {'interval=n_disc': 'interval=10'},
            dict(type='ExponentialMovingAverage', momentum=5.00013e-5, start=1000),
        ),
        ('biggan', {}, dict(type='ExponentialMovingAverage', momentum=1e-4, start=1000)),
        ('stylegan2', {}, dict(type='ExponentialMovingAverage', momentum=0.00221561)),
        (
            'stylegan2',
            {"type='ExponentialMovingAverage'": "type='RampUpEMA', ema_kimg=20, ema_rampup=0.1"},
            dict(
                type='HalfLifeMovingAverage',
                half_life=20_000.0,
                images_per_update=4,
                ramp_up=0.1,
            ),
        ),
        ('pggan', {}, dict(type='ExponentialMovingAverage', momentum=1e-3)),
    ],
)
def test_averages(migrate, name, changes, ema):
    assert migrate(name, changes)[0]['ema'] == ema


def test_steps_and_classes(migrate):
    model, _ = migrate('biggan')
    assert model['discriminator_steps'] == 4
    model, _ = migrate('sngan', {', num_classes=num_classes,\n        init': ',\n        init'})
    assert [model[n]['num_classes'] for n in ('generator', 'discriminator')] == [10, 10]
    model, _ = migrate('dcgan', {"type='StaticUnconditionalGAN'": "type='DCGAN', noise_size=7"})
    assert model['generator']['latent_dim'] == 7


def test_adaptive_augmentation(migrate):
    assert migrate('stylegan2')[0]['augmentation'] == dict(
        type='AdaptiveAugment', p=0.0, target=0.6, interval=4, ramp_images=500_000
    )


def test_translation(migrate):
    """The least squares loss there is twice ours, so that the others are halved."""
    model, _ = migrate('cyclegan')
    found = [model[name] for name in ('cycle_weight', 'identity_weight', 'pool_size')]
    assert found == [5.0, 0.05, 50]
    model, _ = migrate('pix2pix')
    assert (model['l1_weight'], model['test_statistics']) == (100.0, 'batch')


def test_other_models_are_named(migrate):
    with pytest.raises(ValueError, match=r"model.type must be one of DCGAN, .*, got 'SinGAN'\. Wr"):
        migrate('dcgan', {"'StaticUnconditionalGAN'": "'SinGAN'"})
