"""Whole configs."""

import pytest
from mmengine.config import Config

from mmgan_lite.config_migration import migrate_config
from mmgan_lite.registry import MODELS


def test_the_text_is_the_config(old, old_name, tmp_path):
    migration = migrate_config(old(old_name))
    path = tmp_path / 'new.py'
    path.write_text(migration.text)
    config = Config.fromfile(path)
    assert config.model.to_dict() == migration.config['model']
    assert config.train_cfg.max_iters == migration.config['train_cfg']['max_iters']
    assert MODELS.get(config.model.type) is not None
    for line in migration.listed:
        assert ', line ' in line
        assert line in migration.text


def test_a_base_alone_is_an_error(old):
    with pytest.raises(ValueError, match='must be a config of a GAN, with model'):
        migrate_config(old('x', "log_level = 'INFO'\n"))
