"""Metrics and hooks, by hand from the old configs."""

from mmgan_lite.config_migration import migrate_config


def test_metrics_and_hooks(old):
    migration = migrate_config(old('stylegan2'))
    evaluator = migration.config['val_evaluator']
    assert [m['type'] for m in evaluator['metrics']] == ['FrechetDistance', 'PerceptualPathLength']
    assert evaluator['num_samples'] == 50_000
    assert any("'Equivariance': ours has no such metric" in line for line in migration.listed)
    assert migration.config['default_hooks']['samples'] == dict(interval=5000)
    assert migration.ignored == 4


def test_settings_of_the_evaluation_hook(old):
    config = migrate_config(old('sngan')).config
    assert config['train_cfg'] == dict(by_epoch=False, max_iters=500_000, val_interval=10_000)
    assert [m['type'] for m in config['val_evaluator']['metrics']] == [
        'FrechetDistance',
        'InceptionScore',
    ]
