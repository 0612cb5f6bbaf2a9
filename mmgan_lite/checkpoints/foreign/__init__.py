"""Checkpoints of other projects, as ours.

One module a project: what tells its files, and what its tensors are in our networks. They are read
without running anything in them.
"""

from mmgan_lite.checkpoints.foreign.conversion import SOURCES, convert_checkpoint, read_any
from mmgan_lite.checkpoints.foreign.ledger import Ledger
from mmgan_lite.checkpoints.foreign.pickles import PickledModule, read_pickle
from mmgan_lite.checkpoints.foreign.source import Conversion, ForeignFile

__all__ = [
    'SOURCES',
    'Conversion',
    'ForeignFile',
    'Ledger',
    'PickledModule',
    'convert_checkpoint',
    'read_any',
    'read_pickle',
]
