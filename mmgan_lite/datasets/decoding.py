"""From the bytes of an image file to the pixels that a network is trained on."""

import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mmgan_lite.datasets.image_headers import bits_of, open_image
from mmgan_lite.datasets.multiband import is_multiband, read_multiband
from mmgan_lite.utils.validation import check_image_size

if TYPE_CHECKING:
    from PIL import Image

_MODES = {'L': 1, 'RGB': 3, 'RGBA': 4}
_NAMES = {1: 'L', 3: 'RGB'}
_RESIZES = ('crop', 'pad', 'stretch')
_ORIENTATION = 0x0112  # the EXIF tag
_LUMA = np.array([[0.299], [0.587], [0.114]], np.float32)  # ITU-R 601-2, as Pillow's


class ImageDecoder:
    """Decodes images, upright, with the channels and the size that are asked for.

    Args:
        channels: ``'L'`` for gray; ``'RGB'``; ``'RGBA'`` for colors with alpha; 1 and 3 for the
            first two; another number for images of so many bands, which are not converted: ``.npy``
            arrays ``(H, W, C)``, multi-band TIFF files (needs tifffile), or any image that has as
            many channels.
        image_size: Height and width in pixels; an int for square images; None keeps the size.
        resize: ``'crop'`` covers the size and cuts off the rest at both sides, ``'pad'`` fits in
            and fills up with the background (0 for bands), ``'stretch'`` ignores the ratio of the
            sides. The filter is Lanczos; colors are weighted with alpha.
        background: Color behind transparent pixels of images without alpha, and of the bars of
            ``'pad'``: a name, '#rrggbb', or three ints of 0 to 255. With ``'RGBA'``, the color of
            pixels that are fully transparent.
        bit_depth: What becomes of images of more than 8 bits per channel: ``'error'``; ``'scale'``
            divides 16 bits by 257; ``(low, high)`` scales linearly, ``low`` to 0 and ``high`` to
            255, and clips the rest: (0, 4095) for 12 bits; 16 takes 16 bits as they are, and
            multiplies 8 bits by 257, so that all images have 16.

    Attributes:
        num_channels: Number of channels.
        image_size: ``(height, width)`` or None.

    Raises:
        ValueError: If an argument is not as described.

    Example:
        >>> from PIL import Image
        >>> decoder = ImageDecoder('RGB', image_size=32)
        >>> decoder.convert(Image.new('RGBA', (60, 40), (255, 0, 0, 0)), 'x')[0, 0]
        array([255, 255, 255], dtype=uint8)
    """

    def __init__(
        self,
        channels: int | str = 'RGB',
        image_size: int | Sequence[int] | None = None,
        resize: str = 'crop',
        background: str | Sequence[int] = 'white',
        bit_depth: int | str | Sequence[float] = 'error',
    ) -> None:
        is_number = type(channels) is int and channels >= 1
        if not is_number and channels not in _MODES:
            raise ValueError(
                f"channels must be 'L', 'RGB', 'RGBA' or a number of channels, got {channels!r}. "
                "Pass 'RGB'."
            )
        if resize not in _RESIZES:
            names = ', '.join(map(repr, _RESIZES))
            raise ValueError(f"resize must be one of {names}, got {resize!r}. Pass 'crop'.")
        self.mode = _NAMES.get(channels) if isinstance(channels, int) else channels
        self.num_channels = channels if isinstance(channels, int) else _MODES[channels]
        self.image_size = None if image_size is None else check_image_size(image_size, minimum=1)
        self.resize = resize
        self.background = _check_color(background)
        self.bit_depth = _check_bit_depth(bit_depth)

    def __call__(self, content: bytes, name: str) -> np.ndarray:
        """Decode an image.

        Args:
            content: Of the file.
            name: Its path, for the errors.

        Returns:
            uint8 ``(H, W, C)``, or uint16 with ``bit_depth=16``.

        Raises:
            Exception: Of many types, if the file is damaged, or not of this kind.
        """
        if self.mode is None and is_multiband(content):
            return self.convert_array(read_multiband(content, self.num_channels))
        file = io.BytesIO(content)
        return self.convert(open_image(file, name), file)

    def convert(self, image: 'Image.Image', file: io.BytesIO | None = None) -> np.ndarray:
        """Convert an image that Pillow opened.

        Args:
            image: Not decoded yet, unless it is no file.
            file: From which it was opened.

        Returns:
            uint8 ``(H, W, C)``, or uint16 with ``bit_depth=16``.

        Raises:
            Exception: As above.
        """
        bits = bits_of(image, file)
        turn = _read_turn(image)
        if self.bit_depth == 16:
            pixels = _deep_pixels(image, file) if bits > 8 else self._stored_pixels(image)
            return self._convert_deep(np.atleast_3d(pixels), turn)
        if bits > 8:
            from PIL import Image

            image = Image.fromarray(self._to_8_bits(_deep_pixels(image, file)))
        if turn is not None:
            image = image.transpose(turn)
        if self.mode is None:
            if len(image.getbands()) != self.num_channels or image.mode == 'P':
                raise ValueError(f'its channels are {image.mode}, not {self.num_channels}')
            return self._fit_bands(_to_array(image))
        return self._fit(self._recolor(image))

    def convert_array(self, pixels: np.ndarray) -> np.ndarray:
        """Convert an array.

        Args:
            pixels: ``(H, W, C)``: gray, gray and alpha, RGB, or RGB and alpha, for C of 1 to 4;
                where a number of channels is asked for, as many bands.

        Returns:
            uint8 ``(H, W, C)``, or uint16 with ``bit_depth=16``.

        Raises:
            ValueError: If it has other channels, or a depth that is not taken.
        """
        from PIL import Image

        channels = pixels.shape[2]
        if channels not in ([1, 2, 3, 4] if self.mode is not None else [self.num_channels]):
            raise ValueError(f'its channels are {channels}, not {self.num_channels}')
        if self.bit_depth == 16:
            if channels == 2 and self.mode is not None:
                pixels = pixels[:, :, [0, 0, 0, 1]]
            return self._convert_deep(pixels)
        pixels = self._to_8_bits(pixels)
        if self.mode is None:
            return self._fit_bands(pixels)
        return self.convert(Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels))

    def check_bits(self, bits: int) -> None:
        """Check whether images of so many bits per channel are taken.

        Raises:
            ValueError: If they are not.
        """
        if bits > 8 and self.bit_depth == 'error':
            raise ValueError(
                f"it has {bits} bits per channel. Pass bit_depth='scale' to divide 16 bits by 257, "
                'bit_depth=(low, high) for the range of values, such as (0, 4095), or bit_depth=16 '
                'to train on 16 bits'
            )
        if bits > 16 and self.bit_depth in ('scale', 16):
            raise ValueError(
                f'it has {bits} bits per channel, whose range is not known. Pass bit_depth=(low, '
                f'high) in place of bit_depth={self.bit_depth!r}'
            )

    def enlarges(self, width: int, height: int) -> bool:
        """Whether an image of this size has fewer pixels than are asked for."""
        if self.image_size is None:
            return False
        factors = (self.image_size[0] / height, self.image_size[1] / width)
        return (min(factors) if self.resize == 'pad' else max(factors)) > 1

    def _to_8_bits(self, pixels: np.ndarray) -> np.ndarray:
        if pixels.dtype == np.uint8:
            return pixels
        self.check_bits(8 * pixels.itemsize)
        assert isinstance(self.bit_depth, tuple) or self.bit_depth == 'scale'
        low, high = self.bit_depth if isinstance(self.bit_depth, tuple) else (0, 65535)
        scaled = (pixels.astype(np.float64) - low) * (255 / (high - low))
        if not np.isfinite(scaled).all():
            raise ValueError('it has values that are not finite')
        return scaled.round().clip(0, 255).astype(np.uint8)

    def _convert_deep(
        self, pixels: np.ndarray, turn: 'Image.Transpose | None' = None
    ) -> np.ndarray:
        """Pixels ``(H, W, C)`` as uint16; in float32, as Pillow has no colors of 16 bits."""
        pixels = self._widen(pixels)
        if turn is not None:
            pixels = _map_bands(pixels, lambda _, band: band.transpose(turn))
        if self.mode is None:
            if pixels.shape[2] != self.num_channels:
                raise ValueError(f'its channels are {pixels.shape[2]}, not {self.num_channels}')
            return _to_uint16(self._fit_bands(pixels))
        background = np.array([[self.background]], np.float32) * 257
        pixels = _recolor_deep(pixels, self.mode, background)
        if self.mode == 'RGBA':
            return _to_uint16(_divide_by_alpha(self._fit_bands(pixels), background))
        bars = _recolor_deep(background, self.mode, background).ravel().tolist()
        return _to_uint16(self._fit_bands(pixels, bars))

    def _widen(self, pixels: np.ndarray) -> np.ndarray:
        """Pixels of 8 or 16 bits as float32 of 0 to 65535."""
        if pixels.dtype == np.uint8:
            return pixels.astype(np.float32) * 257
        self.check_bits(8 * pixels.itemsize)
        if pixels.dtype.kind != 'u':
            raise ValueError(
                f'its values are {pixels.dtype}, whose range is not known. Pass bit_depth=(low, '
                'high) in place of bit_depth=16'
            )
        return pixels.astype(np.float32)

    def _stored_pixels(self, image: 'Image.Image') -> np.ndarray:
        """The pixels of an image of 8 bits; palettes and the like become colors."""
        if self.mode is None:
            return _to_array(image)
        return _to_array(image.convert('RGBA' if image.has_transparency_data else 'RGB'))

    def _recolor(self, image: 'Image.Image') -> 'Image.Image':
        from PIL import Image

        if self.mode == 'RGBA':
            return image.convert('RGBA')
        if image.has_transparency_data:
            canvas = Image.new('RGBA', image.size, self.background)
            image = Image.alpha_composite(canvas, image.convert('RGBA'))
        return image.convert(self.mode)

    def _fit(self, image: 'Image.Image') -> np.ndarray:
        from PIL import Image

        bars: Any = (*self.background, 0) if self.mode == 'RGBA' else self.background
        if self.mode == 'L':
            bars = Image.new('RGB', (1, 1), self.background).convert('L').getpixel((0, 0))
        pixels = _to_array(self._resize(image, bars))
        if self.mode == 'RGBA':
            # A color that nobody sees must be nothing to learn.
            pixels[pixels[:, :, 3] == 0, :3] = self.background
        return pixels

    def _fit_bands(self, bands: np.ndarray, bars: Sequence[float] | None = None) -> np.ndarray:
        if self.image_size is None:
            return bands
        numbers = [0] * bands.shape[2] if bars is None else bars
        return _map_bands(bands, lambda number, band: self._resize(band, numbers[number]))

    def _resize(self, image: 'Image.Image', bars: Any) -> 'Image.Image':
        """Resize; Pillow weights colors with alpha."""
        from PIL import Image, ImageOps

        if self.image_size is None:
            return image
        size, lanczos = self.image_size[::-1], Image.Resampling.LANCZOS
        if self.resize == 'crop':
            return ImageOps.fit(image, size, lanczos)
        if self.resize == 'pad':
            return ImageOps.pad(image, size, lanczos, color=bars)
        return image.resize(size, lanczos)


def _check_color(color: str | Sequence[int]) -> tuple[int, int, int]:
    from PIL import ImageColor

    try:
        found = ImageColor.getrgb(color) if isinstance(color, str) else tuple(color)
    except (TypeError, ValueError):
        found = ()
    if len(found) != 3 or not all(type(value) is int and 0 <= value <= 255 for value in found):
        raise ValueError(
            "background must be the name of a color, '#rrggbb', or three ints of 0 to 255, got "
            f"{color!r}. Pass 'white'."
        )
    return found[0], found[1], found[2]


def _check_bit_depth(bit_depth: int | str | Sequence[float]) -> int | str | tuple[float, float]:
    if type(bit_depth) in (int, str) and bit_depth in ('error', 'scale', 16):
        return bit_depth
    ends: Any = () if isinstance(bit_depth, str | int | float) else tuple(bit_depth)
    if len(ends) != 2 or not all(type(end) in (int, float) for end in ends) or ends[0] >= ends[1]:
        raise ValueError(
            "bit_depth must be 'error', 'scale', 16 or two numbers (low, high) with low < high, "
            f"got {bit_depth!r}. Pass 'scale' for 8 bits, or 16."
        )
    return ends[0], ends[1]


def _read_turn(image: 'Image.Image') -> 'Image.Transpose | None':
    """How to turn a decoded image upright; nothing else of its EXIF block is read."""
    from PIL import Image

    image.load()  # of a PNG, the block may come after the pixels
    try:
        orientation = image.getexif().get(_ORIENTATION)
    # A damaged block makes Pillow raise errors of many types.
    except Exception:
        orientation = None
    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
    return turns.get(orientation) if isinstance(orientation, int) else None


def _deep_pixels(image: 'Image.Image', file: io.BytesIO | None) -> np.ndarray:
    """Pixels of more than 8 bits per channel: ``(H, W)``, or RGB(A) ``(H, W, C)``."""
    # Pillow keeps the high byte of colors only, and stretches the values of PGM files.
    if len(image.getbands()) == 1 and image.format != 'PPM':
        return np.asarray(image)
    import cv2

    assert file is not None, 'images that are no files have 8 bits per color'
    pixels = cv2.imdecode(np.frombuffer(file.getbuffer(), np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise ValueError('OpenCV, which reads colors of more than 8 bits, cannot decode it')
    if pixels.ndim == 2:
        return pixels
    return pixels[:, :, [2, 1, 0, 3][: pixels.shape[2]]]  # it has blue first


def _map_bands(
    bands: np.ndarray, change: Callable[[int, 'Image.Image'], 'Image.Image']
) -> np.ndarray:
    """Change each band of ``(H, W, C)``, as an image and by its number."""
    from PIL import Image

    images = (Image.fromarray(np.ascontiguousarray(band)) for band in bands.transpose(2, 0, 1))
    changed = [np.asarray(change(number, image)) for number, image in enumerate(images)]
    return np.stack(changed, axis=2)


def _recolor_deep(pixels: np.ndarray, mode: str, background: np.ndarray) -> np.ndarray:
    """The channels of a mode; those of 'RGBA' are multiplied by alpha, as resizing needs them.

    Args:
        pixels: Float32 ``(H, W, C)`` of 0 to 65535: gray, RGB, or RGB and alpha.
        mode: 'L', 'RGB' or 'RGBA'.
        background: Float32 ``(1, 1, 3)``.
    """
    colors, alpha = pixels[:, :, :3], pixels[:, :, 3:] / 65535
    if mode == 'RGBA':
        alpha = alpha if alpha.size else np.ones_like(pixels[:, :, :1])
        return np.concatenate([colors * alpha + np.zeros(3, np.float32), alpha * 65535], axis=2)
    if alpha.size:
        colors = colors * alpha + background * (1 - alpha)
    if mode == 'L':
        return colors @ _LUMA if colors.shape[2] == 3 else colors
    return colors + np.zeros(3, np.float32)  # gray is repeated


def _divide_by_alpha(pixels: np.ndarray, background: np.ndarray) -> np.ndarray:
    """RGB and alpha of colors that are multiplied by it; what nobody sees gets the background."""
    colors, alpha = pixels[:, :, :3], pixels[:, :, 3:]
    seen = alpha > 0.5
    colors = np.where(seen, colors * 65535 / np.where(seen, alpha, 1), background)
    return np.concatenate([colors, alpha], axis=2)


def _to_uint16(pixels: np.ndarray) -> np.ndarray:
    return pixels.round().clip(0, 65535).astype(np.uint16)


def _to_array(image: 'Image.Image') -> np.ndarray:
    """The pixels, uint8 ``(H, W, C)``."""
    return np.array(image).reshape(image.height, image.width, -1)
