"""Images of a folder, a zip, an .npz or a packed dataset, read once and in any size.

For scores of images that exist already. Training reads its images by a dataset instead.
"""

import logging
import zipfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.logging import print_log
from torch import Tensor

from mmgan_lite.datasets.decoding import ImageDecoder
from mmgan_lite.datasets.image_files import describe_error, some_of
from mmgan_lite.datasets.image_headers import ImageHeader
from mmgan_lite.datasets.image_listing import list_images
from mmgan_lite.datasets.packed import PackedImageDataset
from mmgan_lite.utils.environment import available_cores
from mmgan_lite.utils.image_batch import to_8_bits

_BATCH = 64
_GRAY_MODES = ('1', 'L', 'LA', 'I', 'I;16', 'I;16B')
_ARRAY_CHANNELS = (1, 2, 3, 4)
# What mmgan-lite sample writes next to its images.
_GRID = 'grid.png'
_KINDS = 'a folder of images, a .zip of images, an .npz, or the output of mmgan-lite pack-dataset'


class ImageSource:
    """Images that are read in batches; :func:`open_images` makes one.

    Args:
        path: Where they are.
        items: One for each image.
        read: Gives the pixels of an item, uint8 ``(H, W, C)``, through a decoder; called from
            several threads.
        is_gray: Whether all images are stored as gray.
        unreadable: Name and error of the images that are not among the items.
        has_16_bits: Whether any image is stored with 16 bits per channel.

    Attributes:
        path: As given.
        is_gray: As given.
        has_16_bits: As given.
    """

    def __init__(
        self,
        path: Path,
        items: Sequence[Any],
        read: Callable[[Any, ImageDecoder], np.ndarray],
        is_gray: bool,
        unreadable: Sequence[str] = (),
        has_16_bits: bool = False,
    ) -> None:
        self.path = path
        self.is_gray = is_gray
        self.has_16_bits = has_16_bits
        self._items = items
        self._read = read
        self._unreadable = list(unreadable)

    def __len__(self) -> int:
        """Number of images, with those that turn out to be damaged while they are read."""
        return len(self._items)

    def batches(self, channels: int) -> Iterator[list[Tensor]]:
        """All images in order, each in its own size; without alpha, on white.

        Values of 16 bits are divided by 257 and rounded.

        An image that cannot be read is left out; a warning counts and names them at the end.

        Args:
            channels: 1 for gray, 3 for RGB, 4 for RGB with alpha; another number for images that
                have so many.

        Returns:
            Lists of up to 64 images, uint8 ``(C, H, W)``.
        """
        unreadable = self._unreadable.copy()
        decoder = ImageDecoder('RGBA' if channels == 4 else channels, bit_depth='scale')

        def read(item: Any) -> Tensor | None:
            try:
                return torch.from_numpy(self._read(item, decoder)).permute(2, 0, 1)
            # Damaged bytes make Pillow raise errors of many types.
            except Exception as error:
                unreadable.append(f'{item} ({describe_error(error)})')
                return None

        with ThreadPoolExecutor(available_cores()) as pool:
            for start in range(0, len(self), _BATCH):
                images = pool.map(read, self._items[start : start + _BATCH])
                yield [image for image in images if image is not None]
        if unreadable:
            unreadable.sort()
            total = len(self) + len(self._unreadable)
            text = 'images that cannot be read are left out'
            _warn(f"'{self.path}': {text}, {len(unreadable)} of {total}: {some_of(unreadable)}.")


def open_images(path: str | Path) -> ImageSource:
    """Open images of any of four forms; their pixels are read later.

    - A folder: all images at any depth, of every format that Pillow decodes.
    - A ``.zip`` file: the same.
    - An ``.npz`` file: the array ``images``, else ``arr_0``, else its only array; uint8 or uint16,
      of shape ``(N, H, W, C)`` or ``(N, C, H, W)`` with C of 1 to 4 (2 and 4 have alpha). Where
      both fit it is the first.
    - A folder that ``mmgan-lite pack-dataset`` wrote.

    Other files, hidden ones, and the ``grid.png`` of ``mmgan-lite sample`` are left out; a warning
    counts them by kind. Of a file in a folder or a zip only the header is read here.

    Raises:
        FileNotFoundError: If there is nothing at ``path``.
        ValueError: If it has none of these forms, cannot be read, or holds no readable image.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.savez(f'{folder}/fakes.npz', images=np.zeros((5, 8, 6, 3), np.uint8))
        ...     images = open_images(f'{folder}/fakes.npz')
        ...     len(images), images.is_gray, next(images.batches(channels=3))[0].shape
        (5, False, torch.Size([3, 8, 6]))
    """
    path = Path(path).expanduser()
    if not path.exists():
        raise FileNotFoundError(f"There must be images at '{path}', got nothing. Correct the path.")
    if (path / 'meta.json').is_file() and (path / 'images.npy').is_file():
        return _open_array(path, PackedImageDataset(path).images)
    if path.is_dir() or path.suffix.lower() == '.zip':
        return _open_files(path)
    if path.suffix.lower() == '.npz':
        return _open_array(path, _load_npz(path))
    raise ValueError(f"'{path}' must be {_KINDS}, got a file that is none. Pass its folder.")


def _open_files(path: Path) -> ImageSource:
    """The images of a folder or a zip, by their headers."""
    listing = list_images(path)
    names = listing.files.names()
    is_grid = np.array([name.rpartition('/')[2] == _GRID for name in names], dtype=bool)
    if is_grid.any():
        listing.left_out[f'{_GRID} of mmgan-lite sample'] = int(is_grid.sum())
    files, kinds = listing.files.select(~is_grid), listing.describe_left_out()
    headers = [header for header, grid in zip(listing.headers, is_grid, strict=True) if not grid]
    errors = {i: text for i, header in enumerate(headers) if (text := _unreadable_text(header))}
    unreadable = [f'{files.name(i)} ({text})' for i, text in errors.items()]
    if len(errors) == len(files):
        found = f'{len(files):,} that cannot be read: {some_of(unreadable)}' if errors else '0'
        others = f', and other files: {kinds}' if kinds else ''
        raise ValueError(f"'{path}' must hold images, got {found}{others}. Pass {_KINDS}.")
    if kinds:
        _warn(f"'{path}': files that are no images to score are left out: {kinds}.")
    known = [header for header in headers if isinstance(header, ImageHeader)]
    is_gray = all(header.mode in _GRAY_MODES for header in known)
    has_16_bits = any(header.bits == 16 for header in known)
    position_of = {files.name(i): i for i in range(len(files)) if i not in errors}

    def read(name: str, decoder: ImageDecoder) -> np.ndarray:
        return decoder(files.read(position_of[name]), name)

    return ImageSource(path, [*position_of], read, is_gray, unreadable, has_16_bits)


def _unreadable_text(header: ImageHeader | Exception) -> str:
    """Why an image cannot be scored; '' if it can be."""
    if isinstance(header, Exception):
        return describe_error(header)
    return '' if header.bits <= 16 else f'{header.bits} bits per channel'


def _open_array(path: Path, images: Any) -> ImageSource:
    """Images ``(N, C, H, W)`` of an array in memory or of a packed dataset."""
    channels = images.shape[1]

    def read(index: int, decoder: ImageDecoder) -> np.ndarray:
        from PIL import Image

        pixels = to_8_bits(torch.as_tensor(images[index])).numpy().transpose(1, 2, 0)
        if channels == decoder.num_channels:
            return pixels
        if channels not in _ARRAY_CHANNELS:
            raise ValueError(f'its channels are {channels}, not {decoder.num_channels}')
        pixels = np.ascontiguousarray(pixels[:, :, 0] if channels == 1 else pixels)
        return decoder.convert(Image.fromarray(pixels))

    is_deep = images[:1].dtype.itemsize == 2
    return ImageSource(path, range(len(images)), read, channels < 3, has_16_bits=is_deep)


def _load_npz(path: Path) -> np.ndarray:
    """The images of an ``.npz`` as ``(N, C, H, W)``."""
    try:
        zipfile.ZipFile(path).close()  # of any other file numpy says that it may be a pickle
        with np.load(path, allow_pickle=False) as file:
            names = file.files
            chosen = [name for name in ('images', 'arr_0') if name in names][:1] or names
            images = file[chosen[0]] if len(chosen) == 1 else None
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"'{path}' must be an .npz that can be read, got {type(error).__name__}: {error}. "
            'Write it with np.savez(path, images=images).'
        ) from error
    if images is None:
        raise ValueError(
            f"'{path}' must hold an array 'images' or 'arr_0', or a single one, got "
            f'{", ".join(names) or "none"}. Write it with np.savez(path, images=images).'
        )
    is_last = images.ndim == 4 and images.shape[3] in _ARRAY_CHANNELS
    is_first = images.ndim == 4 and images.shape[1] in _ARRAY_CHANNELS
    if images.dtype not in (np.uint8, np.uint16) or images.size == 0 or not (is_last or is_first):
        raise ValueError(
            f"'{path}' must hold images, uint8 or uint16 (N, H, W, C) or (N, C, H, W) with C of 1 "
            f'to 4, got {images.dtype} of shape {images.shape}. Scale floats to 0..255; add the '
            'channel of gray images by images[..., None].'
        )
    return images.transpose(0, 3, 1, 2) if is_last else images


def _warn(message: str) -> None:
    print_log(message, 'current', logging.WARNING)
