"""Pictures to translate: files, folders, zips, arrays, tensors and images of Pillow."""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, Union

import numpy as np
from mmengine.logging import print_log
from torch import Tensor

from mmgan_lite.datasets.decoding import ImageDecoder
from mmgan_lite.datasets.image_files import FolderFiles, ImageFiles, read_headers
from mmgan_lite.datasets.image_headers import ImageHeader, read_header
from mmgan_lite.datasets.image_listing import list_images
from mmgan_lite.datasets.multiband import read_band_header

if TYPE_CHECKING:
    from PIL import Image

PictureInput: TypeAlias = Union[str, Path, np.ndarray, Tensor, 'Image.Image']
"""What one or several pictures are read from."""

_CONVERTED = (1, 3, 4)
_DTYPES = (np.uint8, np.uint16)


class Picture(NamedTuple):
    """A picture that is read when it is needed.

    Attributes:
        name: Its path below the folder or zip, with ``/``, or the name of the file; otherwise its
            number.
        size: Height and width, as stored; (0, 0) if that is not known.
        has_alpha: Whether some of it may be transparent.
        decode: Gives its pixels, uint8 or uint16 ``(H, W, C)``, through a decoder.
    """

    name: str
    size: tuple[int, int]
    has_alpha: bool
    decode: Callable[[ImageDecoder], np.ndarray]


def open_pictures(
    inputs: PictureInput | Sequence[PictureInput], num_channels: int = 3
) -> list[Picture]:
    """Find pictures; of files, only the headers are read.

    Files of a folder or zip that are no images are left out, and a warning counts them by kind.

    Args:
        inputs: One of these, or a list of them: the path of an image, of a folder, at any depth, or
            of a ``.zip``; an array ``(H, W)``, ``(H, W, C)`` or ``(N, H, W, C)``, or a tensor
            ``(C, H, W)`` or ``(N, C, H, W)``, uint8 or uint16; an image of Pillow. Arrays of 2 and
            of 4 channels have alpha.
        num_channels: That the network takes. Other than 1, 3 and 4, pictures must have as many.

    Raises:
        FileNotFoundError: If there is nothing at a path.
        ValueError: If one is something else, a folder or zip without images, or a damaged zip.

    Example:
        >>> [picture.size for picture in open_pictures(np.zeros((2, 40, 60, 3), np.uint8))]
        [(40, 60), (40, 60)]
    """
    given = inputs if isinstance(inputs, list | tuple) else [inputs]
    pictures: list[Picture] = []
    for one in given:
        if isinstance(one, str | Path):
            pictures += _from_files(Path(one).expanduser(), num_channels)
        else:
            pictures += _from_memory(one, len(pictures), num_channels)
    if not pictures:
        raise ValueError('inputs must hold at least one picture, got none. Pass a path or arrays.')
    return pictures


def _from_files(path: Path, num_channels: int) -> list[Picture]:
    header = read_header
    if num_channels not in _CONVERTED:
        header = partial(read_band_header, num_channels)
    if path.is_file() and path.suffix.lower() != '.zip':
        files: ImageFiles = FolderFiles(path.parent, [path.name])
        headers = read_headers(header, lambda name: (path.parent / name).open('rb'), [path.name])
    else:
        listing = list_images(path, header)
        files, headers = listing.files, listing.headers
        left_out = listing.describe_left_out()
        if len(files) == 0:
            others = f', and other files: {left_out}' if left_out else ''
            raise ValueError(f"'{path}' must hold images, got 0{others}. Correct the path.")
        if left_out:
            text = f"'{path}': files that are no images are left out: {left_out}."
            print_log(text, 'current', logging.WARNING)
    return [_from_file(files, position, headers[position]) for position in range(len(files))]


def _from_file(files: ImageFiles, position: int, header: ImageHeader | Exception) -> Picture:
    name = files.name(position)

    def decode(decoder: ImageDecoder) -> np.ndarray:
        return decoder(files.read(position), name)

    if isinstance(header, Exception):  # which decoding raises again
        return Picture(name, (0, 0), False, decode)
    return Picture(name, (header.height, header.width), header.has_alpha, decode)


def _from_memory(given: Any, number: int, num_channels: int) -> list[Picture]:
    """Pictures of an array, a tensor or an image of Pillow, numbered from ``number``."""
    from PIL import Image

    if isinstance(given, Image.Image):

        def decode(decoder: ImageDecoder) -> np.ndarray:
            given.load()  # its depth is then that of the pixels that it has
            return decoder.convert(given)

        size = (given.height, given.width)
        return [Picture(str(number), size, given.has_transparency_data, decode)]
    pixels = given
    if isinstance(given, Tensor) and given.ndim in (3, 4):
        pixels = given.detach().cpu().movedim(-3, -1).numpy()
    is_array = isinstance(pixels, np.ndarray) and pixels.dtype in _DTYPES
    if not is_array or pixels.ndim not in (2, 3, 4) or pixels.size == 0:
        shaped = isinstance(given, np.ndarray | Tensor)
        found = f'{given.dtype} of shape {tuple(given.shape)}' if shaped else type(given).__name__
        raise ValueError(
            'inputs must be paths, images of Pillow, arrays (H, W), (H, W, C) or (N, H, W, C), or '
            'tensors (C, H, W) or (N, C, H, W), of uint8 or uint16, got '
            f'{found}. Scale floats to 0..255.'
        )
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    images = pixels if pixels.ndim == 4 else pixels[None]
    has_alpha = num_channels in _CONVERTED and images.shape[3] in (2, 4)
    return [
        Picture(
            str(number + index),
            image.shape[:2],
            has_alpha,
            # Not a lambda over the loop's variable, which would be the last one for all.
            partial(_convert, image),
        )
        for index, image in enumerate(images)
    ]


def _convert(image: np.ndarray, decoder: ImageDecoder) -> np.ndarray:
    return decoder.convert_array(image)
