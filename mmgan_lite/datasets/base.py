"""Base of the image datasets: arguments, labels, subsets and the fingerprint."""

import copy
import hashlib
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dataset import BaseDataset
from torch import Tensor

from mmgan_lite.datasets.collate import image_collate
from mmgan_lite.datasets.transforms import build_transforms


class ImageDataset(BaseDataset):
    """Images with optional labels, which are stored in arrays instead of a ``data_list`` of dicts.

    A subclass overrides ``_load``, ``_select``, ``_content``, ``prepare_data`` and ``__len__``.

    Args:
        data_root: Folder of the files, if there are any.
        metainfo: Entries that take precedence over the class's ``METAINFO``, e.g. ``classes``.
        indices: Keep the first ``indices`` images, the last ones if negative, or those at these
            positions.
        pipeline: Transforms, built in the scope mmgan_lite. Must end in one that packs ``inputs``,
            such as ``PackImage``.
        test_mode: Fail on an image that the pipeline rejects, instead of drawing another.
        lazy_init: Load when first needed instead of now.
        max_refetch: How many other images to try when the pipeline rejects one.

    Raises:
        ValueError: If a transform is unknown and mmcv is not installed.
    """

    # What a data loader takes whose config has no ``collate_fn``.
    collate_fn = staticmethod(image_collate)
    _fully_initialized: bool = False
    # Channels, height and width; None if they are not known before the images are loaded.
    image_shape: tuple[int, int, int] | None = None
    _labels: Tensor | None = None

    def __init__(
        self,
        data_root: str | Path = '',
        metainfo: Mapping | None = None,
        indices: int | Sequence[int] | None = None,
        pipeline: Sequence[Mapping | Callable] = (),
        test_mode: bool = False,
        lazy_init: bool = False,
        max_refetch: int = 1000,
    ) -> None:
        super().__init__(
            metainfo=metainfo,
            data_root=str(data_root),
            data_prefix={},
            indices=indices,
            serialize_data=False,
            pipeline=build_transforms(pipeline),
            test_mode=test_mode,
            lazy_init=lazy_init,
            max_refetch=max_refetch,
        )

    def full_init(self) -> None:
        """Load and check the images and select ``indices``, unless that is done.

        Raises:
            FileNotFoundError: If files are missing.
            ValueError: If images or labels are not as the class describes them.
        """
        if self._fully_initialized:
            return
        self._load()
        self._fully_initialized = True
        if self._indices is not None:
            self.get_subset_(self._indices)

    def _load(self) -> None:
        """Set the images, and ``_labels`` (int64, ``(N,)``) if there are any."""
        raise NotImplementedError

    def _select(self, index: slice | np.ndarray) -> None:
        """Keep only these images; their labels are selected after them."""
        raise NotImplementedError

    def _content(self) -> Iterable[Any]:
        """Content of the fingerprint, in pieces: bytes, or contiguous arrays."""
        raise NotImplementedError

    @property
    def labels(self) -> Tensor | None:
        """All labels: int64 of shape ``(N,)``; None without labels."""
        self.full_init()
        return self._labels

    def fingerprint(self) -> dict[str, Any]:
        """Identify the images and labels by a hash.

        It is of all bytes of images in memory; of the hashes in ``meta.json`` of a packed dataset;
        of the names in a folder, with the checksums in ``SHA256SUMS``, or else the sizes in bytes.

        Returns:
            ``dataset`` (the class), ``count`` (of images) and ``sha256`` (hex).
        """
        self.full_init()
        digest = hashlib.sha256()
        for piece in self._content():
            digest.update(piece)
        return dict(dataset=type(self).__name__, count=len(self), sha256=digest.hexdigest())

    def get_cat_ids(self, idx: int) -> list[int]:
        """The label at ``idx`` in a list, for MMEngine's ``ClassBalancedDataset``.

        Raises:
            ValueError: If the images have no labels.
        """
        if self.labels is None:
            raise ValueError(
                f'labels must be given to balance classes, got {type(self).__name__} without any. '
                'Pass labels=..., or put the images of each class into a sub-folder.'
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
        self.full_init()
        index = _as_index(indices)
        self._select(index)
        if self._labels is not None:
            # A slice is a view: without the clone, all labels would be pickled.
            self._labels = self._labels[index].clone()

    def get_subset(self, indices: int | Sequence[int]) -> Any:
        """A new dataset of some of the images; arguments as in ``get_subset_``."""
        self.full_init()
        subset = copy.copy(self)  # the images that are left out are not copied
        subset._metainfo, subset.pipeline = copy.deepcopy((self._metainfo, self.pipeline))
        subset.get_subset_(indices)
        return subset


def _as_index(indices: int | Sequence[int]) -> slice | np.ndarray:
    """``indices`` of MMEngine as an index of arrays and tensors."""
    if isinstance(indices, int):
        return slice(indices) if indices >= 0 else slice(indices, None)
    if not isinstance(indices, Sequence):
        raise TypeError(f'indices must be an int or a list of ints, got {type(indices).__name__}.')
    return np.array([operator.index(index) for index in indices], dtype=np.int64)
