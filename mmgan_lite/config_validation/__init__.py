"""Find the errors of a config without training."""

from mmgan_lite.config_validation.config_check import check_config, require_valid

__all__ = ['check_config', 'require_valid']
