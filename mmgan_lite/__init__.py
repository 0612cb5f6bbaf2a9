"""GANs for MMEngine: every part registered, every experiment one config.

Importing this package is cheap: it loads neither torch nor torchvision. The parts are found by
their names in a config (``type='mmgan_lite.GAN'``); nothing has to be imported for that.
"""

from mmgan_lite.version import __version__

__all__ = ['__version__']
