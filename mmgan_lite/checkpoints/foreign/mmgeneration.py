"""GANs of MMGeneration: ``.pth`` files with ``generator_ema.*``."""

from mmgan_lite.checkpoints.foreign import mm
from mmgan_lite.checkpoints.foreign.source import Conversion, ForeignFile


def recognizes(file: ForeignFile) -> bool:
    """By the version in it; without one by its networks, if nothing in it is of MMagic."""
    versions = mm.meta_of(file)
    if not mm.tensors_of(file):
        return False
    return 'mmgen_version' in versions or (mm.has_family(file) and not mm.is_of_mmagic(file))


def convert(file: ForeignFile) -> Conversion:
    """The networks of a file as our model."""
    return mm.convert(file)
