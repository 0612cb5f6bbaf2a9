"""Images of two kinds to learn a translation from without pairs."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmgan_lite.datasets.base import ImageDataset
from mmgan_lite.datasets.image_folder import ImageFolderDataset
from mmgan_lite.datasets.paired import (
    Size,
    check_split,
    crop_and_flip,
    positions_of_split,
    shapes_of_pair,
)
from mmgan_lite.datasets.transforms import PackImage
from mmgan_lite.registry import DATASETS


@DATASETS.register_module()
class UnpairedImageDataset(ImageDataset):
    """Sources and targets that do not belong together, in two folders or zips.

    There are as many items as images in the larger folder. Item i has source i, counted again from
    the first where there are fewer, and a random target; in test mode, target i, counted likewise.
    A subset keeps the sources and the targets that its items would have in test mode.

    An item is ``dict(source=..., target=...)``, uint8 tensors of shape ``(C, H, W)``, or uint16
    with ``bit_depth=16``. Both images are cropped, flipped and go through the pipeline by
    themselves. Files are read as by :class:`ImageFolderDataset`.

    Args:
        data_root: What the other paths are relative to.
        source: Folder or zip of the sources.
        target: Folder or zip of the targets.
        image_size: Height and width in pixels; an int for square images; None keeps the size of
            the images.
        load_size: Height and width before a random crop to ``image_size``, such as 286 for 256;
            None for no crop.
        flip: Whether every other image is mirrored, left to right.
        channels: As for :class:`ImageFolderDataset`.
        target_channels: Of the targets; None for those of the sources.
        split: ``'train'`` leaves every tenth image of each folder out; ``'val'`` has only those;
            None for all. Two folders of the same names keep the same ones.
        max_corrupt: How many images of each folder may be unusable, 0 or more; counted per process.
        pipeline: Transforms after ``image_size`` and ``flip``, without one that loads the image.
        resize: As for :class:`ImageFolderDataset`.
        background: As for :class:`ImageFolderDataset`.
        bit_depth: As for :class:`ImageFolderDataset`.
        kwargs: As for :class:`ImageDataset`.

    Raises:
        FileNotFoundError: If a folder is missing.
        ValueError: If an argument is not as described, both folders are the same, one has no
            images, or, then or on reading, more than ``max_corrupt`` images are unusable.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ('horses/1', 'zebras/1', 'zebras/2'):
        ...         Path(folder, name).parent.mkdir(exist_ok=True)
        ...         Image.new('RGB', (60, 40)).save(Path(folder, f'{name}.png'))
        ...     dataset = UnpairedImageDataset(folder, 'horses', 'zebras', image_size=32)
        ...     len(dataset), dataset[1]['source'].shape
        (2, torch.Size([3, 32, 32]))
    """

    def __init__(
        self,
        data_root: str | Path,
        source: str | Path,
        target: str | Path,
        image_size: Size = None,
        load_size: Size = None,
        flip: bool = False,
        channels: int | str = 3,
        target_channels: int | str | None = None,
        split: str | None = None,
        max_corrupt: int = 0,
        pipeline: Sequence[Mapping | Callable] = (),
        resize: str = 'crop',
        background: str | Sequence[int] = 'white',
        bit_depth: int | str | Sequence[float] = 'error',
        test_mode: bool = False,
        **kwargs: Any,
    ) -> None:
        decoded_size, steps = crop_and_flip(image_size, load_size, flip)
        target_channels = channels if target_channels is None else target_channels
        self._folders = (str(source), str(target))
        self._split = check_split(split)
        self._source, self._target = (
            ImageFolderDataset(
                Path(data_root, folder),
                decoded_size,
                side_channels,
                max_corrupt,
                [*steps, *(pipeline or [PackImage()])],
                resize,
                background,
                bit_depth,
                labels=False,
                test_mode=test_mode,
                lazy_init=True,
            )
            for folder, side_channels in zip(
                self._folders, (channels, target_channels), strict=True
            )
        )
        self.pair_shapes = shapes_of_pair(image_size, channels, target_channels)
        super().__init__(data_root, test_mode=test_mode, **kwargs)
        self._metainfo.setdefault('dataset', Path(self.data_root).absolute().name)

    def _load(self) -> None:
        paths = [Path(side.data_root).expanduser() for side in (self._source, self._target)]
        if all(path.exists() for path in paths) and os.path.samefile(*paths):
            raise ValueError(
                f"source and target must be two folders, got '{paths[0]}' for both. Pass another "
                'folder as target.'
            )
        for side in (self._source, self._target):
            side.get_subset_(positions_of_split(self._split, len(side)).tolist())

    def _select(self, index: slice | np.ndarray) -> None:
        positions = np.arange(len(self))[index].tolist()
        # New datasets: get_subset() copies this one, not what it holds.
        self._source, self._target = (
            side.get_subset([*dict.fromkeys(position % len(side) for position in positions)])
            for side in (self._source, self._target)
        )

    def _content(self) -> Iterable[bytes]:
        for side in (self._source, self._target):
            yield side.fingerprint()['sha256'].encode()

    @property
    def corrupt_files(self) -> list[str]:
        """Images that could not be read so far, as paths below ``data_root``."""
        self.full_init()
        return [
            os.path.join(folder, name)
            for folder, side in zip(self._folders, (self._source, self._target), strict=True)
            for name in side.corrupt_files
        ]

    def __len__(self) -> int:
        self.full_init()
        return max(len(self._source), len(self._target))

    def prepare_data(self, idx: int) -> dict[str, Any]:
        """The item at ``idx``, decoded and through the pipeline.

        Raises:
            IndexError: If ``idx`` is out of range.
            ValueError: If more than ``max_corrupt`` images of a folder cannot be read.
        """
        position = range(len(self))[idx]
        count = len(self._target)
        # torch's random numbers: those of a worker follow from the seed and the batch.
        other = position % count if self.test_mode else int(torch.randint(count, ()))
        source, target = self._source[position % len(self._source)], self._target[other]
        return dict(source=source['inputs'], target=target['inputs'])
