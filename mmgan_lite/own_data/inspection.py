"""What the pixels of images show: which cannot be decoded, which are the same, how they look."""

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from mmgan_lite.datasets.decoding import ImageDecoder
from mmgan_lite.datasets.image_files import describe_error
from mmgan_lite.datasets.image_headers import ImageHeader
from mmgan_lite.own_data.description import DataDescription
from mmgan_lite.utils.environment import available_cores
from mmgan_lite.visualization.image_grid import make_picture, pick_evenly

_IMAGES_AT_ONCE = 256
_NUM_DRAWN = 64
_LARGEST_SIDE = 96  # of a drawn image


@dataclass(frozen=True)
class Inspection:
    """What decoding all images showed.

    Args:
        unreadable: Name and error of the files that cannot be decoded, also of those whose header
            cannot be read.
        duplicates: Names of images with the same pixels, a list for each such set.
        picture: A grid of some of the images, uint8 ``(H, W, 3)``.
    """

    unreadable: list[str]
    duplicates: list[list[str]]
    picture: np.ndarray


def inspect_images(
    description: DataDescription,
    channels: int | str | None = None,
    on_progress: Callable[[int], Any] = lambda num_images: None,
) -> Inspection:
    """Decode all images.

    The picture has 8 bits; copies have the same pixels of 16 bits too.

    Args:
        description: Of the images, of the same ``channels``.
        channels: As for :class:`ImageDecoder`; None for those that the images have.
        on_progress: Called with the number of images after each part.

    Raises:
        ValueError: If none can be decoded.
    """
    own: int | str = 'RGBA' if description.num_with_alpha else 'RGB'
    depth = 16 if 16 in description.bits else 'scale'
    decoder = ImageDecoder(own if channels is None else channels, bit_depth=depth)
    files = description.listing.files
    unreadable, readable = list(description.unreadable), []
    names_of: dict[bytes, list[str]] = {}
    for position, pixels in _decode(description, decoder, on_progress):
        if isinstance(pixels, Exception):
            unreadable.append(f'{files.name(position)} ({describe_error(pixels)})')
            continue
        readable.append(position)
        digest = hashlib.sha256(str(pixels.shape).encode())
        digest.update(pixels.tobytes())
        names_of.setdefault(digest.digest(), []).append(files.name(position))
    if not readable:
        raise ValueError(
            f"'{files.path}' must hold images that can be decoded, got {len(unreadable):,} that "
            f'cannot: {unreadable[0]}. Replace them.'
        )
    duplicates = [names for names in names_of.values() if len(names) > 1]
    picture = _draw(description, pick_evenly(readable, _NUM_DRAWN), decoder)
    return Inspection(sorted(unreadable), duplicates, picture)


def _decode(
    description: DataDescription, decoder: ImageDecoder, on_progress: Callable[[int], Any]
) -> Iterator[tuple[int, Any]]:
    """Position and pixels, or the error, of each image whose header can be read."""
    headers = description.listing.headers
    positions = [i for i, header in enumerate(headers) if isinstance(header, ImageHeader)]

    def decode(position: int) -> Any:
        files = description.listing.files
        try:
            return decoder(files.read(position), files.name(position))
        # Damaged bytes make Pillow raise errors of many types.
        except Exception as error:
            return error

    with ThreadPoolExecutor(available_cores()) as pool:
        for start in range(0, len(positions), _IMAGES_AT_ONCE):
            part = positions[start : start + _IMAGES_AT_ONCE]
            yield from zip(part, pool.map(decode, part), strict=True)
            on_progress(len(part))


def _draw(description: DataDescription, positions: list[int], decoder: ImageDecoder) -> np.ndarray:
    """A grid of these images, each as a whole."""
    files = description.listing.files
    side = min(_LARGEST_SIDE, max(max(h.width, h.height) for h in description.headers))
    channels = decoder.mode or decoder.num_channels
    drawing = ImageDecoder(channels, side, resize='pad', bit_depth='scale')
    images = np.stack([drawing(files.read(i), files.name(i)) for i in positions])
    return make_picture(torch.from_numpy(images).permute(0, 3, 1, 2), to_view=True)
