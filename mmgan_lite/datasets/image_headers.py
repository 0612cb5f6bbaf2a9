"""What the header of an image file says; nothing is decoded."""

import functools
import os
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

# Pillow recognizes these, but decodes them only with other programs or not at all.
_NOT_DECODED = ('BUFR', 'EPS', 'GRIB', 'HDF5', 'MPEG', 'WMF')
# Start of a JPEG 2000 codestream, and where the bits of the first channel are behind it.
_CODESTREAM, _BITS_AT = b'\xff\x4f\xff\x51', 42


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """An image before it is decoded.

    ``width`` and ``height`` are in pixels, as stored: an EXIF orientation is not applied. ``mode``
    is Pillow's, ``bits`` the number of bits of a channel (8 for palettes and bitmaps).
    """

    format: str
    mode: str
    width: int
    height: int
    bits: int
    has_alpha: bool
    is_animated: bool


def read_header(file: IO[bytes], name: str) -> ImageHeader:
    """Read the header of an image.

    Args:
        file: Seekable.
        name: Its name, needed for the few formats that have no signature.

    Raises:
        Exception: Of many types, if it is no image, or damaged.
    """
    image = open_image(file, name)
    return ImageHeader(
        format=str(image.format),
        mode=image.mode,
        width=image.width,
        height=image.height,
        bits=bits_of(image, file),
        has_alpha=image.has_transparency_data,
        # Phones store a second picture in some photographs (MPO), which is no animation.
        is_animated=image.format != 'MPO' and getattr(image, 'is_animated', False),
    )


def open_image(file: IO[bytes], name: str) -> 'Image.Image':
    """Open an image by its content, of any format that Pillow decodes by itself.

    Raises:
        Exception: Of many types, if it is no image, or damaged.
    """
    from PIL import Image  # not needed to import the class

    Image.init()
    return Image.open(file, formats=_formats(_suffix(name), len(Image.OPEN)))


@functools.cache
def _formats(suffix: str, _num_known: int) -> list[str]:
    """Formats to try, that of the extension first; again when another plugin is registered."""
    from PIL import Image

    own = Image.EXTENSION.get(suffix)
    known = sorted(Image.OPEN.items(), key=lambda item: item[0] != own)
    return [
        format
        for format, (_, has_signature) in known
        if format not in _NOT_DECODED and (has_signature or format == own)
    ]


def is_image_name(name: str) -> bool:
    """Whether a name has the extension of a format that Pillow decodes, in any case."""
    from PIL import Image

    Image.init()
    format = Image.EXTENSION.get(_suffix(name))
    return format in Image.OPEN and format not in _NOT_DECODED


def bits_of(image: 'Image.Image', file: IO[bytes] | None) -> int:
    """Bits per channel; of a colored image Pillow's mode does not have them.

    Args:
        image: Not decoded yet, unless it is no file.
        file: From which it was opened.
    """
    layouts = [tile[3] for tile in getattr(image, 'tile', ())]
    is_short = any(';16' in str(layout) for layout in layouts) or image.mode.startswith('I;16')
    if image.format == 'PPM':
        is_short |= any(isinstance(layout, tuple) and layout[-1] > 255 for layout in layouts)
    if is_short or image.mode in ('I', 'F'):
        return 16 if is_short else 32
    if image.format == 'JPEG2000' and file is not None:
        file.seek(0)
        head = file.read(1 << 16)
        start = head.find(_CODESTREAM)
        if 0 <= start < len(head) - _BITS_AT:
            return 16 if (head[start + _BITS_AT] & 0x7F) >= 8 else 8
    return 8


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()
