import pytest

from mmgan_lite.config_migration import migrate_config


def test_optimizers_of_older_and_newer_configs(old):
    for name, rates in (('dcgan', (4e-4, 1e-4)), ('stylegan2', (0.0016, 0.002 * 16 / 17))):
        wrapper = migrate_config(old(name)).config['optim_wrapper']
        networks = ('generator', 'discriminator')
        found = [wrapper[network]['optimizer']['lr'] for network in networks]
        assert found == pytest.approx(rates)
        assert all(isinstance(b, float) for b in wrapper['generator']['optimizer']['betas'])


def test_translation_has_them_of_several_networks(old):
    for name in ('pix2pix', 'cyclegan'):
        wrapper = migrate_config(old(name)).config['optim_wrapper']
        assert wrapper['discriminator'] == dict(
            optimizer=dict(type='Adam', lr=2e-4, betas=(0.5, 0.999))
        )


def test_settings_of_a_wrapper(old):
    changed = """'AmpOptimWrapper', accumulative_counts=2, loss_scale='dynamic', optimizer="""
    migration = migrate_config(old('pix2pix', **{"'OptimWrapper', optimizer=": changed}))
    wrapper = migration.config['optim_wrapper']['generator']
    assert (wrapper['dtype'], wrapper['accumulative_counts']) == ('float16', 2)
    assert migration.listed == []


def test_length_and_linear_decay(old):
    config = migrate_config(old('cyclegan')).config
    assert config['train_cfg'] == dict(by_epoch=False, max_iters=270_000)
    assert config['param_scheduler'] == [
        dict(
            type='LinearLR',
            start_factor=1.0,
            end_factor=0.0,
            by_epoch=False,
            begin=135_000,
            end=270_000,
        )
    ]


def test_schedulers_of_newer_configs(old):
    added = """
param_scheduler = [
    dict(type='LinearLrInterval', interval=1350, by_epoch=False, start_factor=0.0002, end_factor=0,
         begin=40000, end=80000),
    dict(type='mmengine.MultiStepLR', milestones=[1000], gamma=0.5, by_epoch=False),
    dict(type='ReduceOnPlateauLR', monitor='fid')]
"""
    migration = migrate_config(old('pix2pix', **{'dataroot = ': f'{added}dataroot = '}))
    linear, steps = migration.config['param_scheduler']
    assert [linear[key] for key in ('start_factor', 'begin', 'end')] == [1.0, 40_000, 80_000]
    assert steps == dict(type='MultiStepLR', milestones=[1000], gamma=0.5, by_epoch=False)
    assert migration.listed[0].endswith(
        "type = 'ReduceOnPlateauLR': write one of MMEngine in its place"
    )


def test_other_policies_and_epochs_are_listed(old):
    policy = "lr_config = dict(policy='Step', step=[1000], gamma=0.5)"
    changes = {'lr_config = None': policy, 'total_iters = 5000': 'total_epochs = 5'}
    migration = migrate_config(old('dcgan', **changes))
    assert migration.config['train_cfg']['max_iters'] == 100_000
    texts = [line.partition(': ')[2] for line in migration.listed]
    assert texts == [
        'max_iters: it is not there, and 100000 is taken',
        "lr_config.policy = 'Step': write a scheduler of MMEngine in param_scheduler",
        'total_epochs = 5: the length here is max_iters: epochs times batches',
    ]


def test_rates_of_stages(old):
    schedule = "transition_kimgs=600, g_lr_schedule={'64': 0.0015, '128': 0.002}"
    config = migrate_config(old('pggan', **{'transition_kimgs=600': schedule})).config
    assert config['model']['rates'] == (1.0, 1.0, 1.0, 1.0, 1.5, 2.0)
