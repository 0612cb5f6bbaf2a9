"""Optimizers, length and rates, by hand from the old configs."""

import pytest

from mmgan_lite.config_migration import migrate_config


def test_lazy_rates_are_computed(old):
    config = migrate_config(old('stylegan2')).config
    optimizer = config['optim_wrapper']['generator']['optimizer']
    assert optimizer['lr'] == pytest.approx(0.002 * 4 / 5)
    assert optimizer['betas'] == pytest.approx((0.0, 0.99 ** (4 / 5)))


def test_linear_decay(old):
    assert migrate_config(old('sngan')).config['param_scheduler'] == [
        dict(
            type='LinearLR', start_factor=1.0, end_factor=0.0, by_epoch=False, begin=0, end=500_000
        )
    ]


def test_a_policy_that_ours_has_not_is_listed(old):
    path = old('sngan', **{"policy='Linear'": "policy='CosineRestart'"})
    assert 'param_scheduler' not in (migration := migrate_config(path)).config
    assert any('lr_config' in line and 'write a scheduler' in line for line in migration.listed)
