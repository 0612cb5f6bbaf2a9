"""GANs for MMEngine: every part registered, every experiment one config.

Importing this package is cheap: it loads neither torch nor torchvision. Parts are found by their
names in a config (``type='mmgan_lite.GAN'``), without an import.
"""

from typing import Any

from mmgan_lite.catalog import config_path, get_config, list_components, list_configs
from mmgan_lite.utils.migration import redirect_moved_modules
from mmgan_lite.version import __version__

__all__ = [
    'GANInferencer',
    'TranslationInferencer',
    '__version__',
    'config_path',
    'get_config',
    'get_model',
    'list_components',
    'list_configs',
]


def __getattr__(name: str) -> Any:
    # They import torch.
    if name in ('GANInferencer', 'TranslationInferencer', 'get_model'):
        from mmgan_lite import inference

        return vars(inference)[name]
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')


redirect_moved_modules()
