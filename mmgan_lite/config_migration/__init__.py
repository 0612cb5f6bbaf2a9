"""Configs of MMGeneration and MMagic, as ours: read without running them."""

from mmgan_lite.config_migration.migrate import Migration, migrate_config

__all__ = ['Migration', 'migrate_config']
