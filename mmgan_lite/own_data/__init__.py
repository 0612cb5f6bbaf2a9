"""From a folder of images to a training: what is there, what fits it, and a config of that."""

from mmgan_lite.own_data.description import DataDescription, describe
from mmgan_lite.own_data.inspection import Inspection, inspect_images
from mmgan_lite.own_data.planning import parse_budget
from mmgan_lite.own_data.preparation import Request, find_config, prepare_training

__all__ = [
    'DataDescription',
    'Inspection',
    'Request',
    'describe',
    'find_config',
    'inspect_images',
    'parse_budget',
    'prepare_training',
]
