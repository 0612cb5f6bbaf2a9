"""Image files: which there are in a folder or zip, and their pixels."""

import os
from collections.abc import Sequence
from typing import IO, TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

EXTENSIONS = ('.jpg', '.jpeg', '.png', '.webp')
MODES = {1: 'L', 3: 'RGB'}
"""Pillow's mode of an image by its number of channels."""


def is_image(path: str) -> bool:
    """Whether it is the path of an image that is not hidden."""
    hidden = any(part.startswith('.') for part in path.split(os.sep))
    return not hidden and path.lower().endswith(EXTENSIONS)


def open_upright(file: IO[bytes]) -> 'Image.Image':
    """Decode an image, turned as its EXIF block says; damaged bytes raise errors of many types."""
    from PIL import Image, ImageOps  # not needed to list files

    with Image.open(file) as image:
        return ImageOps.exif_transpose(image)


def is_deep(mode: str) -> bool:
    """Whether a mode of Pillow has more than 8 bits per channel."""
    return mode.startswith(('I', 'F'))


def to_array(image: 'Image.Image') -> np.ndarray:
    """The pixels of an image of a mode in ``MODES``, uint8 ``(H, W, C)``."""
    return np.array(image).reshape(image.height, image.width, -1)


def raise_error(error: OSError) -> None:
    """For ``os.walk``, which ignores folders that it cannot read."""
    raise error


def some_of(names: Sequence[str]) -> str:
    """The first three names."""
    return ', '.join(names[:3]) + (', ...' if len(names) > 3 else '')
