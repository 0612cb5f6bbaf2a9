"""Images in a folder of files, decoded on access by the workers of the data loader.

For data that does not fit in memory, or before it is packed for ``PackedImageDataset``.
"""

import copy
import hashlib
import io
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dataset import BaseDataset
from torch import Tensor

from mmgan_lite.datasets.checksums import SUMS, read_checksums
from mmgan_lite.datasets.collate import image_collate
from mmgan_lite.datasets.in_memory import fingerprint_of, selector
from mmgan_lite.datasets.transforms import PackImage, build_transforms, run_pipeline
from mmgan_lite.registry import DATASETS
from mmgan_lite.utils.validation import check_image_size

EXTENSIONS = ('.jpg', '.jpeg', '.png', '.webp')
_MODES = {1: 'L', 3: 'RGB'}


@DATASETS.register_module()
class ImageFolderDataset(BaseDataset):
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
        metainfo: Entries that take precedence, e.g. ``classes`` for other names than the folders'.
        indices: Keep the first ``indices`` images, the last ones if negative, or those at these
            positions.
        pipeline: Transforms, built in the scope mmgan_lite, after ``image_size``. Must end in one
            that packs ``inputs``, such as ``PackImage``, and needs none that loads the image.
        test_mode: Fail on an image that the pipeline rejects, instead of drawing another.
        lazy_init: List the folder when first needed instead of now.
        max_refetch: How many other images to try when the pipeline rejects one.
        max_corrupt: How many images may be unreadable, 0 or more; counted per process.

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
        ...     dataset.metainfo, dataset[1]['inputs'].shape, dataset[1]['labels']
        ({'classes': ('cat', 'dog')}, torch.Size([3, 32, 32]), 1)
    """

    collate_fn = staticmethod(image_collate)
    _fully_initialized: bool = False

    def __init__(
        self,
        data_root: str | Path,
        image_size: int | Sequence[int] | None = None,
        channels: int = 3,
        metainfo: Mapping | None = None,
        indices: int | Sequence[int] | None = None,
        pipeline: Sequence[Mapping | Callable] = (),
        test_mode: bool = False,
        lazy_init: bool = False,
        max_refetch: int = 1000,
        max_corrupt: int = 0,
    ) -> None:
        if type(max_corrupt) is not int or max_corrupt < 0:
            raise ValueError(
                f'max_corrupt must be an int of at least 0, got {max_corrupt!r}. '
                'Pass 0 to stop at the first image that cannot be read.'
            )
        self.max_corrupt = max_corrupt
        if type(channels) is not int or channels not in _MODES:
            raise ValueError(
                f'channels must be 1 (gray) or 3 (RGB), got {channels!r}. Pass channels=3.'
            )
        self.image_size = None if image_size is None else check_image_size(image_size, minimum=1)
        self.channels = channels
        self.image_shape = None if self.image_size is None else (channels, *self.image_size)
        # One array of bytes, which workers share; reading a list of strings would copy it.
        self._files: np.ndarray
        # The sha256 of each, uint8 of shape (N, 32); None without a list of checksums.
        self._checksums: np.ndarray | None
        self._labels: Tensor | None
        # A flag per image, in memory that workers share with the training process.
        self._corrupt: Tensor
        transforms = build_transforms(pipeline)
        if any(type(transform).__name__ == 'LoadImageFromFile' for transform in transforms):
            raise ValueError(
                'pipeline must start from the decoded image, got LoadImageFromFile in it, which '
                'would load it again, as BGR. Take that step out.'
            )
        super().__init__(
            metainfo=metainfo,
            data_root=str(data_root),
            data_prefix={},
            indices=indices,
            serialize_data=False,
            pipeline=transforms,
            test_mode=test_mode,
            lazy_init=lazy_init,
            max_refetch=max_refetch,
        )

    def full_init(self) -> None:
        """List the folder and select ``indices``, unless it is done.

        Raises:
            FileNotFoundError: If the folder is missing.
            ValueError: If its layout or ``SHA256SUMS`` is not as described in the class.
        """
        if self._fully_initialized:
            return
        root = Path(self.data_root).expanduser()
        files, folders = _list_images(root)
        self._labels = None
        if folders:
            numbers = {folder: number for number, folder in enumerate(folders)}
            self._labels = torch.tensor([numbers[file.split(os.sep)[0]] for file in files])
            names = self._metainfo.setdefault('classes', tuple(folders))
            if len(names) != len(folders):
                raise ValueError(
                    f"metainfo['classes'] must name the {len(folders)} sub-folders of '{root}', "
                    f'got {len(names)} names. Leave it out to take those of the folders.'
                )
        self._files = np.array([os.fsencode(file) for file in files])
        self._checksums = _checksums_of(root, files)
        self._corrupt = torch.zeros(len(files), dtype=torch.bool).share_memory_()
        self._fully_initialized = True
        if self._indices is not None:
            self.get_subset_(self._indices)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        # A copy has its own memory, which its workers must share too. In a spawned process it is
        # the memory of the parent.
        if '_corrupt' in state and not self._corrupt.is_shared():
            self._corrupt.share_memory_()

    @property
    def labels(self) -> Tensor | None:
        """All labels: int64 of shape ``(N,)``; None in a flat folder."""
        self.full_init()
        return self._labels

    @property
    def corrupt_files(self) -> list[str]:
        """Images that could not be read so far, as paths below ``data_root``."""
        self.full_init()
        positions = self._corrupt.nonzero().flatten().tolist()
        return [os.fsdecode(self._files[position]) for position in positions]

    def fingerprint(self) -> dict[str, Any]:
        """Identify the images by their names and checksums, or else their sizes in bytes.

        Checksums are those of ``SHA256SUMS``: no image is read. Without that list, a file that was
        altered but has the same length is not noticed.

        Returns:
            ``dataset`` (the class), ``count`` (of images) and ``sha256`` (hex).
        """
        self.full_init()
        if self._checksums is not None:
            pairs = zip(self._files.tolist(), self._checksums, strict=True)
            return fingerprint_of(self, (b'%s\0%s' % (name, s.tobytes()) for name, s in pairs))
        root = Path(self.data_root).expanduser()
        lines = (
            b'%s\0%d\n' % (file, os.stat(os.path.join(root, os.fsdecode(file))).st_size)
            for file in self._files.tolist()
        )
        return fingerprint_of(self, lines)

    def __len__(self) -> int:
        self.full_init()
        return len(self._files)

    def prepare_data(self, idx: int) -> dict[str, Any] | None:
        """The item at ``idx``, decoded and through the pipeline if there is one.

        Raises:
            IndexError: If ``idx`` is out of range.
            ValueError: If more than ``max_corrupt`` images cannot be read, or the pipeline does not
                end in a transform that packs ``inputs``.
        """
        info, image = self._read(range(len(self))[idx])
        size = image.shape[:2]
        info.update(img=image, img_shape=size, ori_shape=size)
        if not self.pipeline.transforms:
            return PackImage()(info)
        return run_pipeline(self.pipeline, info)

    def _read(self, position: int) -> tuple[dict[str, Any], np.ndarray]:
        """The image at a position, or the next readable one."""
        for offset in range(len(self)):
            other = (position + offset) % len(self)
            if self._corrupt[other]:
                continue
            info = self.get_data_info(other)
            checksum = None if self._checksums is None else self._checksums[other].tobytes()
            try:
                image = _read_image(info['img_path'], self.image_size, self.channels, checksum)
            except _UnreadableError as error:
                if self.max_corrupt == 0:
                    raise
                self._corrupt[other] = True
                names = self.corrupt_files
                if len(names) > self.max_corrupt:
                    raise ValueError(
                        f'At most max_corrupt={self.max_corrupt} images may be unreadable, got '
                        f'{len(names)} ({_some(names)}). The last: {error}'
                    ) from error
            else:
                return info, image
        raise ValueError(
            f"data_root must hold images that can be read, got '{self.data_root}' with "
            f'{len(self)} that cannot. Replace them.'
        )

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
        root = Path(self.data_root).expanduser()
        info: dict[str, Any] = {
            'img_path': os.path.join(root, os.fsdecode(self._files[position])),
            'sample_idx': position,
        }
        if self.labels is not None:
            info['gt_label'] = int(self.labels[position])
        return info

    def get_cat_ids(self, idx: int) -> list[int]:
        """The label at ``idx`` in a list, for MMEngine's ``ClassBalancedDataset``.

        Raises:
            ValueError: If the folder is flat.
        """
        if self.labels is None:
            raise ValueError(
                f"labels must be there to balance classes, got the flat folder '{self.data_root}'. "
                'Put the images of each class into a sub-folder.'
            )
        return [int(self.labels[idx])]

    def get_subset_(self, indices: int | Sequence[int]) -> None:
        """Keep only some images.

        Args:
            indices: Keep the first ``indices`` images, the last ones if negative (all of them if
                there are fewer), or those at these positions.

        Raises:
            IndexError: If a position is out of range.
            TypeError: If ``indices`` is neither an int nor a sequence of ints.
        """
        select, labels = selector(indices), self.labels
        # A slice is a view: without the copy, all names would be pickled.
        self._files = self._files[select].copy()
        self._checksums = None if self._checksums is None else self._checksums[select].copy()
        self._labels = None if labels is None else labels[select].clone()
        self._corrupt = self._corrupt[select].clone().share_memory_()

    def get_subset(self, indices: int | Sequence[int]) -> 'ImageFolderDataset':
        """A new dataset of some of the images; arguments as in ``get_subset_``."""
        self.full_init()
        subset = copy.deepcopy(self)
        subset.get_subset_(indices)
        return subset


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
    folders: list[str] = []
    for path, subfolders, names in os.walk(root, onerror=_raise, followlinks=True):
        # os.walk visits the folders of this list, in its order.
        subfolders[:] = sorted(name for name in subfolders if name[0] != '.')
        prefix = os.path.relpath(path, root)
        if prefix == os.curdir:
            prefix, folders = '', subfolders
        files += [os.path.join(prefix, name) for name in sorted(names) if _is_image(name)]
    if not files:
        raise ValueError(
            f"data_root must hold images ({', '.join(EXTENSIONS)}), got '{root}' with 0 of them. "
            'Pass the folder that holds them or their sub-folders.'
        )
    filled = {file.split(os.sep)[0] for file in files if os.sep in file}
    if not filled:
        return files, []
    if flat := [file for file in files if os.sep not in file]:
        raise ValueError(
            'data_root must hold images either directly or in one sub-folder per class, '
            f"got '{root}' with {len(flat)} directly and {len(files) - len(flat)} in "
            f'sub-folders ({_some(sorted(filled))}). Move one or the other elsewhere.'
        )
    if empty := [folder for folder in folders if folder not in filled]:
        raise ValueError(
            f"Each sub-folder of data_root must hold images of a class, got '{root}' with "
            f'{len(empty)} that hold none ({_some(empty)}). Move these elsewhere.'
        )
    return files, folders


def _checksums_of(root: Path, files: list[str]) -> np.ndarray | None:
    """The checksums in ``SHA256SUMS`` of these files, uint8 ``(N, 32)``; None without a list."""
    checksums = read_checksums(root)
    if checksums is None:
        return None
    images = {name for name in checksums if all(part[:1] != '.' for part in name.split(os.sep))}
    wrong = {
        'without a checksum': [file for file in files if file not in checksums],
        'not there': sorted(name for name in images - set(files) if _is_image(name)),
    }
    if found := [f'{len(names)} {what} ({_some(names)})' for what, names in wrong.items() if names]:
        raise ValueError(
            f"'{root / SUMS}' must name the {len(files)} images of its folder and no others, got "
            f'{" and ".join(found)}. Correct the images, or write the list again with sha256sum; '
            'without a list images are not checked.'
        )
    digests = bytes.fromhex(''.join(checksums[file] for file in files))
    return np.frombuffer(digests, np.uint8).reshape(-1, 32)


def _is_image(name: str) -> bool:
    return name[0] != '.' and name.lower().endswith(EXTENSIONS)


def _raise(error: OSError) -> None:
    raise error


def _some(names: list[str]) -> str:
    return ', '.join(names[:3]) + (', ...' if len(names) > 3 else '')


def _read_checked(path: str, checksum: bytes) -> bytes:
    """Read a file that must have this sha256."""
    content = Path(path).read_bytes()
    if (found := hashlib.sha256(content)).digest() != checksum:
        raise _UnreadableError(
            f"'{path}' must have the sha256 in {SUMS}, {checksum.hex()}, got "
            f'{found.hexdigest()}. It is damaged or another image: replace it, or, if it is '
            f'correct, write {SUMS} again with sha256sum.'
        )
    return content


def _read_image(
    path: str, size: tuple[int, int] | None, channels: int, checksum: bytes | None
) -> np.ndarray:
    """Decode a file with this sha256 to a uint8 array of shape ``(H, W, C)``.

    Raises:
        ValueError: If the file is no image, is damaged, or has more than 8 bits per channel.
    """
    from PIL import Image, ImageOps  # not needed to import the class

    try:
        # Read once, so that the checked bytes are the decoded ones.
        source = path if checksum is None else io.BytesIO(_read_checked(path, checksum))
        with Image.open(source) as file:
            image = ImageOps.exif_transpose(file)
    except _UnreadableError:
        raise
    # Damaged bytes make Pillow raise errors of many types.
    except Exception as error:
        raise _UnreadableError(
            f"'{path}' must be a readable image, got {type(error).__name__}: {error}. "
            'Replace the file, move it out of data_root, or allow for some by max_corrupt.'
        ) from error
    if image.mode.startswith(('I', 'F')):
        raise ValueError(
            f"'{path}' must have 8 bits per channel, got Pillow's mode {image.mode!r}. "
            'Convert it to 8 bits, or move it out of data_root.'
        )
    image = image.convert(_MODES[channels])
    if size is not None:
        image = ImageOps.fit(image, (size[1], size[0]), method=Image.Resampling.LANCZOS)
    return np.array(image).reshape(image.height, image.width, channels)
