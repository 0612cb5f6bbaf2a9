"""Images in a folder of files, decoded on access by the workers of the data loader.

For data that does not fit in memory, or before it is packed for ``PackedImageDataset``.
"""

import hashlib
import io
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmgan_lite.datasets.base import ImageDataset
from mmgan_lite.datasets.checksums import SUMS, read_checksums
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
from mmgan_lite.datasets.transforms import PackImage, run_pipeline
from mmgan_lite.registry import DATASETS
from mmgan_lite.utils.validation import check_image_size


@DATASETS.register_module()
class ImageFolderDataset(ImageDataset):
    """Images of a folder: flat, without labels, or one sub-folder a class.

    All ``.jpg``, ``.jpeg``, ``.png`` and ``.webp`` files are used, in upper case too, except names
    that begin with a dot. Each sub-folder is a class with all files below it; classes are numbered
    in the order of their names. The images are sorted too, so that each process has the same order.

    An image is rotated by its EXIF entry, converted to gray or RGB (transparency is dropped) and,
    with ``image_size``, resized to cover that size and center-cropped (Lanczos filter).

    An image that cannot be read ends the training with an error that names it. With
    ``max_corrupt``, up to so many different ones are replaced by the next readable image in the
    order of the folder; ``corrupt_files`` lists them, also in the training process if a worker
    found them.

    A file ``SHA256SUMS`` in the folder, in the format of the command ``sha256sum``, has a checksum
    for each image. Each image is compared with its checksum when it is read, and one that differs
    counts as unreadable. Other files in the list are ignored.

    Without a pipeline an item is ``dict(inputs=..., labels=...)``, a uint8 tensor of shape
    ``(C, H, W)`` and an int. With one, each image goes through it under mmcv's names: ``img`` (a
    uint8 array of shape ``(H, W, C)``, RGB), ``img_path``, ``gt_label``, ``img_shape``,
    ``ori_shape``, ``sample_idx``.

    Decoding is slow: give the loader ``num_workers``, ``persistent_workers=True`` and
    ``pin_memory=True``.

    Args:
        data_root: The folder.
        image_size: Height and width in pixels; an int for square images; None keeps the size of
            the images, which without a pipeline must all have the same.
        channels: 1 for gray, 3 for RGB.
        max_corrupt: How many images may be unreadable, 0 or more; counted per process.
        pipeline: Transforms after ``image_size``, without one that loads the image.
        kwargs: As for :class:`ImageDataset`; ``metainfo`` takes precedence over the names of the
            sub-folders as ``classes``, and over that of the folder as ``dataset`` in reports.

    Raises:
        FileNotFoundError: If the folder is missing.
        ValueError: If an argument is not as described; the folder has no image, an empty
            sub-folder, or images both flat and in sub-folders; ``SHA256SUMS`` is malformed or names
            other images; or, on reading, if an image has more than 8 bits per channel, or more than
            ``max_corrupt`` are unreadable.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ('cat', 'dog'):
        ...         Path(folder, name).mkdir()
        ...         Image.new('RGB', (60, 40)).save(Path(folder, name, '1.png'))
        ...     dataset = ImageFolderDataset(folder, image_size=32)
        ...     dataset.metainfo['classes'], dataset[1]['inputs'].shape, dataset[1]['labels']
        (('cat', 'dog'), torch.Size([3, 32, 32]), 1)
    """

    # One array of bytes, which workers share; reading a list of strings would copy it.
    _files: np.ndarray
    # The sha256 of each, uint8 of shape (N, 32); None without a list of checksums.
    _checksums: np.ndarray | None
    # A flag per image, in memory that workers share with the training process.
    _corrupt: Tensor

    def __init__(
        self,
        data_root: str | Path,
        image_size: int | Sequence[int] | None = None,
        channels: int = 3,
        max_corrupt: int = 0,
        pipeline: Sequence[Mapping | Callable] = (),
        **kwargs: Any,
    ) -> None:
        if type(max_corrupt) is not int or max_corrupt < 0:
            raise ValueError(f'max_corrupt must be an int >= 0, got {max_corrupt!r}. Pass 0.')
        if type(channels) is not int or channels not in MODES:
            raise ValueError(f'channels must be 1 (gray) or 3 (RGB), got {channels!r}. Pass 3.')
        self.max_corrupt = max_corrupt
        self.image_size = None if image_size is None else check_image_size(image_size, minimum=1)
        self.channels = channels
        self.image_shape = None if self.image_size is None else (channels, *self.image_size)
        super().__init__(data_root, pipeline=pipeline or [PackImage()], **kwargs)
        self._metainfo.setdefault('dataset', Path(self.data_root).absolute().name)
        if any(type(step).__name__ == 'LoadImageFromFile' for step in self.pipeline.transforms):
            raise ValueError('pipeline gets decoded images: take LoadImageFromFile out of it.')

    def _load(self) -> None:
        self._root = Path(self.data_root).expanduser()
        files, folders = _list_images(self._root)
        if folders:
            numbers = {folder: number for number, folder in enumerate(folders)}
            self._labels = torch.tensor([numbers[file.split(os.sep)[0]] for file in files])
            names = self._metainfo.setdefault('classes', tuple(folders))
            if len(names) != len(folders):
                raise ValueError(
                    f"metainfo['classes'] must name the {len(folders)} sub-folders of "
                    f"'{self._root}', got {len(names)} names. Leave it out to take the folders'."
                )
        self._files = np.array([os.fsencode(file) for file in files])
        self._checksums = _checksums_of(self._root, files)
        self._corrupt = torch.zeros(len(files), dtype=torch.bool).share_memory_()

    def _select(self, index: slice | np.ndarray) -> None:
        # A slice is a view: without the copy, all names would be pickled.
        self._files = self._files[index].copy()
        if self._checksums is not None:
            self._checksums = self._checksums[index].copy()
        self._corrupt = self._corrupt[index].clone().share_memory_()

    def _content(self) -> Iterable[bytes]:
        for position, file in enumerate(self._files.tolist()):
            if self._checksums is not None:
                yield b'%s\0%s' % (file, self._checksums[position].tobytes())
            else:
                size = os.stat(os.path.join(self._root, os.fsdecode(file))).st_size
                yield b'%s\0%d\n' % (file, size)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        # A copy has its own memory, which its workers must share too. In a spawned process it is
        # the memory of the parent.
        if '_corrupt' in state and not self._corrupt.is_shared():
            self._corrupt.share_memory_()

    @property
    def corrupt_files(self) -> list[str]:
        """Images that could not be read so far, as paths below ``data_root``."""
        self.full_init()
        return [os.fsdecode(file) for file in self._files[self._corrupt.numpy()]]

    def __len__(self) -> int:
        self.full_init()
        return len(self._files)

    def prepare_data(self, idx: int) -> dict[str, Any] | None:
        """The item at ``idx``, decoded and through the pipeline.

        Raises:
            IndexError: If ``idx`` is out of range.
            ValueError: If more than ``max_corrupt`` images cannot be read, or the pipeline does not
                end in a transform that packs ``inputs``.
        """
        position = range(len(self))[idx]
        for offset in range(len(self)):
            other = (position + offset) % len(self)
            if self._corrupt[other]:
                continue
            info = self.get_data_info(other)
            try:
                image = self._decode(info['img_path'], other)
            except _UnreadableError as error:
                if self.max_corrupt == 0:
                    raise
                self._corrupt[other] = True
                names = self.corrupt_files
                if len(names) > self.max_corrupt:
                    raise ValueError(
                        f'At most max_corrupt={self.max_corrupt} images may be unreadable, got '
                        f'{len(names)} ({some_of(names)}). The last: {error}'
                    ) from error
            else:
                size = image.shape[:2]
                info.update(img=image, img_shape=size, ori_shape=size)
                return run_pipeline(self.pipeline, info)
        raise ValueError(f"data_root must hold readable images, got none in '{self.data_root}'.")

    def _decode(self, path: str, position: int) -> np.ndarray:
        """Decode an image to a uint8 array of shape ``(H, W, C)``."""
        from PIL import Image, ImageOps  # not needed to import the class

        try:
            content = Path(path).read_bytes()
            if self._checksums is not None:
                expected, found = self._checksums[position].tobytes(), hashlib.sha256(content)
                if found.digest() != expected:
                    raise ValueError(
                        f'it must have the sha256 {expected.hex()} in {SUMS}, got '
                        f'{found.hexdigest()}; if it is correct, write the list with sha256sum'
                    )
            image = open_upright(io.BytesIO(content))
        # Damaged bytes make Pillow raise errors of many types.
        except Exception as error:
            raise _UnreadableError(
                f"'{path}' must be a readable image, got {type(error).__name__}: {error}. "
                'Replace the file, move it out of data_root, or allow for some by max_corrupt.'
            ) from error
        if is_deep(image.mode):
            raise ValueError(
                f"'{path}' must have 8 bits per channel, got Pillow's mode {image.mode!r}. "
                'Convert it to 8 bits, or move it out of data_root.'
            )
        image = image.convert(MODES[self.channels])
        if self.image_size is not None:
            height, width = self.image_size
            image = ImageOps.fit(image, (width, height), method=Image.Resampling.LANCZOS)
        return to_array(image)

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """Information on an image that is not decoded yet.

        Args:
            idx: Position of the image; negative ones count from the end.

        Returns:
            ``img_path``, ``sample_idx`` and, where there are labels, ``gt_label`` (int).

        Raises:
            IndexError: If ``idx`` is out of range.
        """
        position = range(len(self))[idx]
        path = os.path.join(self._root, os.fsdecode(self._files[position]))
        info: dict[str, Any] = dict(img_path=path, sample_idx=position)
        if self._labels is not None:
            info['gt_label'] = int(self._labels[position])
        return info


class _UnreadableError(ValueError):
    """The file is no image, is damaged, or does not match its checksum."""


def _list_images(root: Path) -> tuple[list[str], list[str]]:
    """Paths of all images, relative to ``root``, and the sub-folders that are classes, or none."""
    if not root.is_dir():
        raise FileNotFoundError(
            f"data_root must be a folder of images, got '{root}', which is none. "
            'Pass data_root=... with the folder that holds them or their sub-folders.'
        )
    files: list[str] = []
    for path, subfolders, names in os.walk(root, onerror=raise_error, followlinks=True):
        # os.walk visits the folders of this list, in its order.
        subfolders[:] = sorted(name for name in subfolders if name[0] != '.')
        below = path[len(str(root)) :].lstrip(os.sep)
        files += [os.path.join(below, name) for name in sorted(names) if is_image(name)]
    if not files:
        raise ValueError(
            f"data_root must hold images ({', '.join(EXTENSIONS)}), got '{root}' with 0 of them. "
            'Pass the folder that holds them or their sub-folders.'
        )
    filled = sorted({file.split(os.sep)[0] for file in files if os.sep in file})
    if not filled:
        return files, []
    if flat := [file for file in files if os.sep not in file]:
        raise ValueError(
            'data_root must hold images either directly or in one sub-folder per class, '
            f"got '{root}' with {len(flat)} directly and {len(files) - len(flat)} in "
            f'sub-folders ({some_of(filled)}). Move one or the other elsewhere.'
        )
    folders = sorted(entry.name for entry in root.iterdir() if entry.is_dir())
    if empty := [name for name in folders if name[0] != '.' and name not in filled]:
        raise ValueError(
            f"Each sub-folder of data_root must hold images of a class, got '{root}' with "
            f'{len(empty)} that hold none ({some_of(empty)}). Move these elsewhere.'
        )
    return files, filled


def _checksums_of(root: Path, files: list[str]) -> np.ndarray | None:
    """The checksums in ``SHA256SUMS`` of these files, uint8 ``(N, 32)``; None without a list."""
    if (checksums := read_checksums(root)) is None:
        return None
    wrong = {
        'without a checksum': [file for file in files if file not in checksums],
        'not there': sorted(filter(is_image, checksums.keys() - set(files))),
    }
    found = [f'{len(names)} {what} ({some_of(names)})' for what, names in wrong.items() if names]
    if found:
        raise ValueError(
            f"'{root / SUMS}' must name the {len(files)} images of its folder and no others, got "
            f'{" and ".join(found)}. Write it again with sha256sum, or delete it to check none.'
        )
    digests = bytes.fromhex(''.join(checksums[file] for file in files))
    return np.frombuffer(digests, np.uint8).reshape(-1, 32)
