"""Images of any number of bands, such as those of satellites: NumPy arrays and TIFF files."""

import io
from typing import IO, TYPE_CHECKING

import numpy as np

from mmgan_lite.datasets.image_headers import ImageHeader, read_header

if TYPE_CHECKING:
    import tifffile

_NPY = np.lib.format.MAGIC_PREFIX
_TIFF = (b'II*\0', b'MM\0*', b'II+\0', b'MM\0+')


def is_multiband(content: bytes) -> bool:
    """Whether these are the first bytes of a ``.npy`` or TIFF file."""
    return content.startswith((_NPY, *_TIFF))


def read_multiband(content: bytes, num_bands: int) -> np.ndarray:
    """The bands of a ``.npy`` or TIFF file, of any numbers, as ``(H, W, num_bands)``.

    A TIFF has them in one page, or in as many pages.

    Args:
        content: Of the file.
        num_bands: Size of the last axis, or else of the first.

    Raises:
        Exception: Of many types, if it is damaged, or has another number of bands.
    """
    file = io.BytesIO(content)
    if content.startswith(_NPY):
        array = np.load(file, allow_pickle=False)
    else:
        with _open_tiff(file) as tiff:
            array = tiff.series[0].asarray()
    axis = _band_axis(array.shape, num_bands)
    return np.moveaxis(array, axis, 2)


def read_band_header(num_bands: int, file: IO[bytes], name: str) -> ImageHeader:
    """The header of a file of so many bands, or of any other image.

    Raises:
        Exception: Of many types, if it is no image, damaged, or has another number of bands.
    """
    start = file.read(len(_NPY))
    file.seek(0)
    if not is_multiband(start):
        return read_header(file, name)
    if start.startswith(_NPY):
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0
        if version > (1, 0):
            read = np.lib.format.read_array_header_2_0
        shape, _, dtype = read(file)
    else:
        with _open_tiff(file) as tiff:
            shape, dtype = tiff.series[0].shape, tiff.series[0].dtype
    height, width = np.delete(shape, _band_axis(shape, num_bands)).tolist()
    return ImageHeader('bands', str(dtype), width, height, 8 * dtype.itemsize, False, False)


def _open_tiff(file: IO[bytes]) -> 'tifffile.TiffFile':
    try:
        import tifffile
    except ModuleNotFoundError:
        raise ValueError(
            "a TIFF of many bands needs tifffile. Run: pip install 'mmgan-lite[bands]'"
        ) from None
    return tifffile.TiffFile(file)


def _band_axis(shape: tuple[int, ...], num_bands: int) -> int:
    if len(shape) == 3 and 0 not in shape and num_bands in (shape[2], shape[0]):
        return 2 if shape[2] == num_bands else 0
    raise ValueError(f'it must have the shape (H, W, {num_bands}), got {tuple(shape)}')
