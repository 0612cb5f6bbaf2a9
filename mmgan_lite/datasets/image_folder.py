"""Images in files, decoded on access by the workers of the data loader.

For data that does not fit in memory, or before it is packed for ``PackedImageDataset``.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.logging import print_log
from torch import Tensor

from mmgan_lite.datasets.base import ImageDataset
from mmgan_lite.datasets.checksums import SUMS
from mmgan_lite.datasets.decoding import ImageDecoder
from mmgan_lite.datasets.image_files import ImageFiles, Listing, describe_error, some_of
from mmgan_lite.datasets.image_headers import ImageHeader, read_header
from mmgan_lite.datasets.image_labels import Labels, find_labels, warn_of_classes
from mmgan_lite.datasets.image_listing import list_images
from mmgan_lite.datasets.multiband import read_band_header
from mmgan_lite.datasets.transforms import PackImage, run_pipeline
from mmgan_lite.registry import DATASETS


@DATASETS.register_module()
class ImageFolderDataset(ImageDataset):
    """Images of a folder, a zip or a folder of parquet files, with or without labels.

    Used is every file that Pillow can decode, whatever its extension: of an animation the first
    image. What is no image is left out; one line of the log counts it by kind. Sub-folders and
    links to folders are followed. The headers of all images are read when the dataset is built, so
    that what they show is reported before the training. The images are sorted by their paths, so
    that each process has the same order.

    An image is turned upright as its EXIF entry says, converted to ``channels`` and, with
    ``image_size``, resized.

    Labels come from ``dataset.json``, as NVIDIA's tools write it, or from the sub-folders: each is
    a class with all files below it, numbered in natural order (2 before 10). A zip of these tools
    can be used as it is.

    An image that cannot be used ends the training with an error that names it. With
    ``max_corrupt``, up to so many different ones are replaced by the next usable image in order;
    ``corrupt_files`` lists them, also in the training process if a worker found them.

    A file ``SHA256SUMS`` in the folder, in the format of the command ``sha256sum``, has a checksum
    for each image. Each image is compared with its checksum when it is read, and one that differs
    counts as unusable. Other files in the list are ignored.

    Without a pipeline an item is ``dict(inputs=..., labels=...)``, a uint8 tensor of shape
    ``(C, H, W)`` and an int. With one, each image goes through it under mmcv's names: ``img`` (a
    uint8 array of shape ``(H, W, C)``, RGB), ``img_path``, ``gt_label``, ``img_shape``,
    ``ori_shape``, ``sample_idx``. With ``bit_depth=16`` tensors and arrays are uint16.

    Decoding is slow: give the loader ``num_workers``, ``persistent_workers=True`` and
    ``pin_memory=True``.

    Args:
        data_root: The folder or ``.zip`` file.
        image_size: Height and width in pixels; an int for square images; None keeps the size of
            the images, which without a pipeline must all have the same.
        channels: ``'L'`` for gray or 1; ``'RGB'`` or 3; ``'RGBA'``; another number for images of so
            many bands, ``.npy`` and multi-band TIFF files among them. See :class:`ImageDecoder`.
        max_corrupt: How many images may be unusable, 0 or more; counted per process.
        pipeline: Transforms after ``image_size``, without one that loads the image.
        resize: ``'crop'`` to cover the size, ``'pad'`` to fit in, or ``'stretch'``.
        background: Color behind transparent pixels, and of the bars of ``'pad'``.
        bit_depth: For images of more than 8 bits per channel: ``'error'``, so that they count as
            unusable; ``'scale'`` for 16 bits; ``(low, high)`` for the range of their values. 16 for
            images of 16 bits, those of 8 among them; the model needs the same in
            :class:`~mmgan_lite.models.ImageBatchPreprocessor`.
        labels: A ``.csv`` (rows ``file,label``; labels are numbers or names) or ``.json`` file in
            ``data_root`` or elsewhere; a column of parquet files; False for none.
        kwargs: As for :class:`ImageDataset`; ``metainfo`` takes precedence over the names of the
            classes, and over that of the folder as ``dataset`` in reports.

    Raises:
        FileNotFoundError: If the folder or the list of labels is missing.
        ValueError: If an argument is not as described; there is no image; images are both flat and
            in sub-folders; labels or ``SHA256SUMS`` do not match the images; or, then or on
            reading, if more than ``max_corrupt`` images are unusable.

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

    _files: ImageFiles
    # A flag per image, in memory that workers share with the training process.
    _corrupt: Tensor

    def __init__(
        self,
        data_root: str | Path,
        image_size: int | Sequence[int] | None = None,
        channels: int | str = 3,
        max_corrupt: int = 0,
        pipeline: Sequence[Mapping | Callable] = (),
        resize: str = 'crop',
        background: str | Sequence[int] = 'white',
        bit_depth: int | str | Sequence[float] = 'error',
        labels: str | Path | bool | None = None,
        **kwargs: Any,
    ) -> None:
        if type(max_corrupt) is not int or max_corrupt < 0:
            raise ValueError(f'max_corrupt must be an int >= 0, got {max_corrupt!r}. Pass 0.')
        if labels is True:
            raise ValueError('labels must be a file, False or None, got True. Leave it out.')
        self.max_corrupt = max_corrupt
        self._decoder = ImageDecoder(channels, image_size, resize, background, bit_depth)
        self._labels_from = labels
        if self._decoder.image_size is not None:
            self.image_shape = (self._decoder.num_channels, *self._decoder.image_size)
        super().__init__(data_root, pipeline=pipeline or [PackImage()], **kwargs)
        self._metainfo.setdefault('dataset', Path(self.data_root).absolute().name)
        if any(type(step).__name__ == 'LoadImageFromFile' for step in self.pipeline.transforms):
            raise ValueError('pipeline gets decoded images: take LoadImageFromFile out of it.')

    def _load(self) -> None:
        listing = list_some_images('data_root', self.data_root, self._decoder)
        self._files = listing.files
        labels = find_labels(listing, self._labels_from)
        log_left_out(listing, labels.source)
        self._set_labels(labels)
        self._files.load_checksums()
        self._check_headers((self._files, listing.headers))

    def _set_labels(self, labels: Labels) -> None:
        if labels.numbers is None:
            return
        self._labels = torch.from_numpy(labels.numbers)
        if labels.classes is not None:
            names = self._metainfo.setdefault('classes', labels.classes)
            if len(names) != len(labels.classes):
                raise ValueError(
                    f"metainfo['classes'] must name the {len(labels.classes)} classes of "
                    f"'{self.data_root}', got {len(names)} names. Leave it out to take theirs."
                )
        warn_of_classes(labels.numbers, self._metainfo.get('classes'))

    def _check_headers(self, *listed: tuple[ImageFiles, Sequence[ImageHeader | Exception]]) -> None:
        """Report what headers show: images that cannot be used, are animated, or too small.

        Args:
            listed: Files and their headers, in the order of the items.
        """
        self._corrupt = torch.zeros(len(self._files), dtype=torch.bool).share_memory_()
        unusable, num_animated, num_small = [], 0, 0
        for files, headers in listed:
            for position, header in enumerate(headers):
                try:
                    if isinstance(header, Exception):
                        raise header
                    self._decoder.check_bits(header.bits)
                # Damaged bytes make Pillow raise errors of many types.
                except Exception as error:
                    self._corrupt[position] = True
                    unusable.append(f'{files.name(position)} ({describe_error(error)})')
                else:
                    num_animated += header.is_animated
                    num_small += self._decoder.enlarges(header.width, header.height)
        if (count := int(self._corrupt.sum())) > self.max_corrupt:
            raise ValueError(
                f"At most max_corrupt={self.max_corrupt} images in '{self.data_root}' may be "
                f'unusable, got {count:,} of {len(self._files):,}: {some_of(unusable)}. '
                'Replace these files, move them elsewhere, or pass a larger max_corrupt.'
            )
        if unusable:
            _log(f'{len(unusable):,} images are replaced by others: {some_of(unusable)}.')
        if num_animated:
            _log(f'Of {num_animated:,} animated images the first frame is used.', logging.INFO)
        if num_small:
            size = 'x'.join(map(str, self._decoder.image_size or ()))
            _log(f'{num_small:,} images are smaller than {size} and are enlarged.', logging.INFO)

    def _select(self, index: slice | np.ndarray) -> None:
        self._files = self._files.select(index)
        self._corrupt = self._corrupt[index].clone().share_memory_()

    def _content(self) -> Iterable[bytes]:
        return self._files.identity()

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
        return self._files.select(self._corrupt.numpy()).names()

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
                image = self._decode(other)
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
                return self._pack(info)
        raise ValueError(f"data_root must hold readable images, got none in '{self.data_root}'.")

    def _pack(self, info: dict[str, Any]) -> dict[str, Any] | None:
        return run_pipeline(self.pipeline, info)

    def _decode(self, position: int) -> np.ndarray:
        """Decode an image to an array of shape ``(H, W, C)``."""
        return decode_file(self._files, position, self._decoder)

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
        path = self._files.location(position)
        info: dict[str, Any] = dict(img_path=path, sample_idx=position)
        if self._labels is not None:
            info['gt_label'] = int(self._labels[position])
        return info


class _UnreadableError(ValueError):
    """The file is no image, is damaged, or does not match its checksum."""


def decode_file(files: ImageFiles, position: int, decode: Callable) -> np.ndarray:
    """Decode an image, after a comparison with its checksum.

    Args:
        files: Where it is.
        position: Of it.
        decode: Gives pixels of the content and the name, as :class:`ImageDecoder` does.

    Raises:
        _UnreadableError: If that fails.
    """
    try:
        return decode(files.read_checked(position), files.name(position))
    # Damaged bytes make Pillow raise errors of many types.
    except Exception as error:
        raise _UnreadableError(
            f"'{files.location(position)}' must be a readable image, got "
            f'{type(error).__name__}: {error}. Replace the file, move it out of data_root, or '
            'allow for some by max_corrupt.'
        ) from error


def list_some_images(argument: str, path: str | Path, decoder: ImageDecoder) -> Listing:
    """List the images of a folder, a zip or a folder of parquet files.

    Args:
        argument: The one with the path, for the error.
        path: Where they are.
        decoder: Of the images.

    Raises:
        FileNotFoundError: If there is nothing at ``path``.
        ValueError: If it cannot be read, or has no images.
    """
    header: Callable = read_header
    if decoder.mode is None:
        header = partial(read_band_header, decoder.num_channels)
    listing = list_images(path, header)
    if len(listing.files) == 0:
        others = listing.describe_left_out()
        raise ValueError(
            f"{argument} must hold images, got '{path}' with 0 of them"
            f'{others and f" and other files: {others}"}. Pass the folder or zip that has them '
            'or their sub-folders.'
        )
    return listing


def log_left_out(listing: Listing, used: str | None = None) -> None:
    """Say in the log which files are no images, apart from checksums and one that is used."""
    if left_out := listing.describe_left_out(used=[SUMS, used]):
        _log(f"'{listing.files.path}': files that are no images are left out: {left_out}.")


def _log(message: str, level: int = logging.WARNING) -> None:
    print_log(message, 'current', level)
