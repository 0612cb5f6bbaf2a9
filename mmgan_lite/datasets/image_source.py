"""Images of a folder, a zip, an .npz or a packed dataset, read once and in any size.

For scores of images that exist already. Training reads its images by a dataset instead.
"""

import io
import logging
import os
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import torch
from mmengine.logging import print_log
from torch import Tensor

from mmgan_lite.datasets.image_files import (
    EXTENSIONS,
    MODES,
    is_deep,
    is_image,
    open_upright,
    raise_error,
    some_of,
    to_array,
)
from mmgan_lite.datasets.packed import PackedImageDataset
from mmgan_lite.utils.environment import available_cores

if TYPE_CHECKING:
    from PIL import Image

_BATCH = 64
_GRAY_MODES = ('1', 'L', 'LA')
# What mmgan-lite sample writes next to its images.
_GRID = 'grid.png'
_KINDS = 'a folder of images, a .zip of images, an .npz, or the output of mmgan-lite pack-dataset'


class ImageSource:
    """Images that are read in batches; :func:`open_images` makes one.

    Args:
        path: Where they are.
        items: One for each image.
        read: Gives the image of an item; called from several threads.
        is_gray: Whether all images are stored as gray.
        unreadable: Name and error of the images that are not among the items.

    Attributes:
        path: As given.
        is_gray: As given.
    """

    def __init__(
        self,
        path: Path,
        items: Sequence[Any],
        read: Callable[[Any], 'Image.Image'],
        is_gray: bool,
        unreadable: Sequence[str] = (),
    ) -> None:
        self.path = path
        self.is_gray = is_gray
        self._items = items
        self._read = read
        self._unreadable = list(unreadable)

    def __len__(self) -> int:
        """Number of images, with those that turn out to be damaged while they are read."""
        return len(self._items)

    def batches(self, channels: int) -> Iterator[list[Tensor]]:
        """All images in order, each in its own size.

        An image that cannot be read is left out; a warning counts and names them at the end.

        Args:
            channels: 1 for gray, 3 for RGB.

        Returns:
            Lists of up to 64 images, uint8 ``(C, H, W)``.
        """
        unreadable = self._unreadable.copy()

        def read(item: Any) -> Tensor | None:
            try:
                pixels = to_array(self._read(item).convert(MODES[channels]))
                return torch.from_numpy(pixels).permute(2, 0, 1)
            # Damaged bytes make Pillow raise errors of many types.
            except Exception as error:
                unreadable.append(_describe(item, error))
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

    - A folder: all ``.jpg``, ``.jpeg``, ``.png`` and ``.webp`` files at any depth.
    - A ``.zip`` file: the same.
    - An ``.npz`` file: the array ``images``, else ``arr_0``, else its only array; uint8, of shape
      ``(N, H, W, C)`` or ``(N, C, H, W)`` with C 1 or 3. Where both fit it is the first.
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
    if path.is_dir():
        if (path / 'meta.json').is_file() and (path / 'images.npy').is_file():
            return _open_array(path, PackedImageDataset(path).images)
        return _open_folder(path)
    if path.suffix.lower() == '.zip':
        return _open_zip(path)
    if path.suffix.lower() == '.npz':
        return _open_array(path, _load_npz(path))
    raise ValueError(f"'{path}' must be {_KINDS}, got a file that is none. Pass its folder.")


def _open_folder(path: Path) -> ImageSource:
    try:
        names = sorted(
            os.path.relpath(os.path.join(folder, name), path)
            for folder, _, names in os.walk(path, onerror=raise_error, followlinks=True)
            for name in names
        )
    except OSError as error:
        raise ValueError(
            f"'{path}' must be a folder that can be read, with all below it, got "
            f'{type(error).__name__}: {error}. Change its permissions, or move that elsewhere.'
        ) from error
    return _open_files(path, names, lambda name: (path / name).open('rb'))


def _open_zip(path: Path) -> ImageSource:
    try:
        archive = zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"'{path}' must be a zip that can be read, got {type(error).__name__}: {error}. "
            'Write it again.'
        ) from error
    lock = Lock()

    def read(name: str) -> IO[bytes]:
        with lock:  # ZipFile counts its readers without one
            return io.BytesIO(archive.read(name))

    names = [entry.filename for entry in archive.infolist() if not entry.is_dir()]
    return _open_files(path, sorted(set(names)), read)


def _open_files(path: Path, names: list[str], read: Callable[[str], IO[bytes]]) -> ImageSource:
    """The images among some files, by their headers."""
    from PIL import Image  # not needed to import the class

    def read_mode(name: str) -> str | Exception:
        try:
            with read(name) as file, Image.open(file) as image:
                if is_deep(image.mode):
                    raise ValueError(f"more than 8 bits per channel, Pillow's mode {image.mode!r}")
                return image.mode
        # Damaged bytes make Pillow raise errors of many types.
        except Exception as error:
            return error

    others = Counter(kind for kind in map(_kind_of_other, names) if kind)
    kinds = ', '.join(f'{number:,} {kind}' for kind, number in sorted(others.items()))
    images = [name for name in names if _kind_of_other(name) is None]
    if not images:
        raise ValueError(
            f"'{path}' must hold images ({', '.join(EXTENSIONS)}), got 0 of them"
            f'{f" and other files: {kinds}" if kinds else ""}. Pass {_KINDS}.'
        )
    with ThreadPoolExecutor(available_cores()) as pool:
        modes = dict(zip(images, pool.map(read_mode, images), strict=True))
    errors = [_describe(name, mode) for name, mode in modes.items() if isinstance(mode, Exception)]
    if len(errors) == len(images):
        raise ValueError(
            f"'{path}' must hold images that can be read, got 0 of {len(images):,}: "
            f'{some_of(errors)}. Write them again.'
        )
    if others:
        _warn(f"'{path}': files that are no images to score are left out: {kinds}.")
    readable = [name for name, mode in modes.items() if isinstance(mode, str)]
    is_gray = all(modes[name] in _GRAY_MODES for name in readable)

    def decode(name: str) -> Image.Image:
        with read(name) as file:
            return open_upright(file)

    return ImageSource(path, readable, decode, is_gray, errors)


def _open_array(path: Path, images: Any) -> ImageSource:
    """Images ``(N, C, H, W)`` of an array in memory or of a packed dataset."""
    channels = images.shape[1]
    if channels not in MODES:
        text = f'of 1 or 3 channels, got {channels} in shape {tuple(images.shape)}'
        raise ValueError(f"'{path}' must hold images {text}. Leave out the others.")

    def read(index: int) -> 'Image.Image':
        from PIL import Image

        image = np.asarray(images[index])
        return Image.fromarray(image[0] if channels == 1 else image.transpose(1, 2, 0))

    return ImageSource(path, range(len(images)), read, is_gray=channels == 1)


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
    is_last = images.ndim == 4 and images.shape[3] in MODES
    is_first = images.ndim == 4 and images.shape[1] in MODES
    if images.dtype != np.uint8 or images.size == 0 or not (is_last or is_first):
        raise ValueError(
            f"'{path}' must hold images, uint8 (N, H, W, C) or (N, C, H, W) with C 1 or 3, got "
            f'{images.dtype} of shape {images.shape}. Scale floats to 0..255; add the channel of '
            'gray images by images[..., None].'
        )
    return images.transpose(0, 3, 1, 2) if is_last else images


def _kind_of_other(name: str) -> str | None:
    """What a file is that is no image to score, or None if it is one."""
    if any(part.startswith('.') for part in Path(name).parts):
        return 'hidden'
    if Path(name).name == _GRID:
        return f'{_GRID} of mmgan-lite sample'
    if is_image(name):
        return None
    return Path(name).suffix.lower() or 'without an extension'


def _describe(name: Any, error: Exception) -> str:
    """A name, and what is wrong with it."""
    # Pillow's text is the address of a Python object.
    is_other = type(error).__name__ == 'UnidentifiedImageError'
    return f'{name} ({"no image" if is_other else f"{type(error).__name__}: {error}"})'


def _warn(message: str) -> None:
    print_log(message, 'current', logging.WARNING)
