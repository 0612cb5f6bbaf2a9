from mmgan_lite.config_migration import migrate_config


def test_metrics_of_older_configs(old):
    """Those of ``evaluation`` are for the training, those of ``metrics`` for after it."""
    config = migrate_config(old('sngan')).config
    assert config['val_evaluator'] == dict(
        type='GANEvaluator',
        metrics=[dict(type='FrechetDistance'), dict(type='InceptionScore')],
        extractor=dict(type='InceptionV3'),
        num_samples=50_000,
    )
    assert config['train_cfg']['val_interval'] == 10_000
    config = migrate_config(old('dcgan')).config
    assert 'val_evaluator' not in config
    assert config['test_evaluator'] == dict(
        type='GANEvaluator',
        metrics=[
            dict(type='MSSSIM', num_images=10_000),
            dict(type='SlicedWassersteinDistance', num_images=16_384),
        ],
        num_samples=16_384,
    )


def test_metrics_of_newer_configs(old):
    migration = migrate_config(old('stylegan2'))
    metrics = migration.config['val_evaluator']['metrics']
    assert metrics == [
        dict(type='FrechetDistance'),
        dict(type='PerceptualPathLength', num_pairs=50_000),
    ]
    assert all("'Equivariance': ours has no such metric" in line for line in migration.listed)


def test_intervals_of_hooks(old):
    assert migrate_config(old('dcgan')).config['default_hooks'] == dict(
        checkpoint=dict(interval=500), logger=dict(interval=100), samples=dict(interval=1000)
    )
    assert migrate_config(old('stylegan2')).config['default_hooks'] == dict(
        checkpoint=dict(interval=10_000), logger=dict(interval=100), samples=dict(interval=5000)
    )


def test_other_hooks_are_listed(old):
    hook = "custom_hooks = [dict(type='MyHook', interval=3), "
    (line,) = migrate_config(old('biggan', **{'custom_hooks = [': hook})).listed
    assert line.endswith("custom_hooks[0].type = 'MyHook': ours has no such hook")
