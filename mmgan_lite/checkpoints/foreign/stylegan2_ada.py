"""StyleGAN2 of NVIDIA's stylegan2-ada-pytorch and stylegan3: pickles of persistent modules.

Karras et al. 2020, Training Generative Adversarial Networks with Limited Data, arXiv:2006.06676.
"""

from collections.abc import Mapping

from mmgan_lite.checkpoints.foreign.pickles import PickledModule
from mmgan_lite.checkpoints.foreign.source import Conversion, ForeignFile


def recognizes(file: ForeignFile) -> bool:
    """A dict of persistent modules, of which ``G_ema`` has a mapping and a synthesis network."""
    found = file.content.get('G_ema') if isinstance(file.content, Mapping) else None
    return isinstance(found, PickledModule) and {'mapping', 'synthesis'} <= found.children().keys()


def convert(file: ForeignFile) -> Conversion:
    """``G``, ``D`` and ``G_ema`` as a GAN with an average."""
    raise NotImplementedError
