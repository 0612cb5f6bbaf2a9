"""Find the mistakes in a config without building what it describes."""

from mmgan_lite.config_validation.config_check import check_config, require_valid

__all__ = ['check_config', 'require_valid']
