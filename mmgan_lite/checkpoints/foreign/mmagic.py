"""GANs of MMagic, and of MMEditing before it: ``.pth`` files with ``generator_ema.module.*``."""

from mmgan_lite.checkpoints.foreign import mm
from mmgan_lite.checkpoints.foreign.source import Conversion, ForeignFile


def recognizes(file: ForeignFile) -> bool:
    """By the version in it; without one by its networks, and what only MMagic has beside them."""
    return bool(mm.tensors_of(file)) and mm.is_of_mmagic(file)


def convert(file: ForeignFile) -> Conversion:
    """The networks of a file as our model."""
    return mm.convert(file)
