"""Objectives, regularizers, averages, by hand from the old configs."""

from mmgan_lite.config_migration import migrate_config


def test_stylegan2(old):
    model = migrate_config(old('stylegan2')).config['model']
    assert model['regularizers'] == [
        dict(type='R1Regularizer', weight=10.0, interval=16),  # (10 / 2 * 16) * 2 / 16
        dict(type='PathLengthRegularizer', weight=2.0, interval=4, batch_divisor=2),
    ]
    assert model['augmentation']['target'] == 0.6


def test_an_average_counts_steps_of_the_generator(old):
    model = migrate_config(old('sngan')).config['model']
    assert model['discriminator_steps'] == 5
    assert model['loss'] == dict(type='HingeGANLoss')
    assert (model['ema']['start'], model['ema']['momentum']) == (5000 // 5, 0.0001)


def test_translation(old):
    assert migrate_config(old('pix2pix')).config['model']['l1_weight'] == 100.0
    model = migrate_config(old('cyclegan')).config['model']
    # Half of the old 10: our least squares have a factor of 1/2, the old ones have none.
    assert (model['type'], model['cycle_weight'], model['pool_size']) == ('CycleGAN', 5.0, 50)
