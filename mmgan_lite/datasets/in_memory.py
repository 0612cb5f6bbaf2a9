"""Images in one tensor, as an MMEngine dataset that is read a batch at a time.

For data that fits in memory (MNIST: 47 MB). A ``BaseDataset`` whose images are not a ``data_list``
of dicts but one tensor, so that a batch is one indexing step.
"""

import copy
import hashlib
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from mmengine.dataset import BaseDataset
from torch import Tensor

from mmgan_lite.datasets.collate import ImageBatch, image_collate
from mmgan_lite.datasets.transforms import build_transforms, run_pipeline
from mmgan_lite.registry import DATASETS

Images = np.ndarray | Tensor
Labels = np.ndarray | Tensor | Sequence[int]


@DATASETS.register_module()
class InMemoryImageDataset(BaseDataset):
    """Images in memory, with optional labels.

    Without a pipeline an item is ``dict(inputs=..., labels=...)``, a uint8 tensor of shape
    ``(C, H, W)`` and an int, and with its ``collate_fn``, which a config takes by default, a loader
    gets each batch in one indexing step. A pipeline gets each image separately,
    under mmcv's names: ``img`` (a uint8 array of shape ``(H, W, C)``), ``gt_label``,
    ``img_shape``, ``ori_shape``, ``sample_idx``.

    A subclass overrides ``load_images`` and sets ``METAINFO``, and ``image_shape`` if it is known
    before the images are loaded.

    Args:
        images: uint8 in 0..255 of shape ``(N, C, H, W)``, N >= 1; not copied.
        labels: Integers >= 0 of shape ``(N,)``; None for images without labels.
        metainfo: Entries that take precedence over the class's ``METAINFO``, e.g. ``classes``.
        data_root: Folder of the files of a subclass.
        indices: Keep the first ``indices`` images, the last ones if negative, or those at these
            positions.
        pipeline: Transforms, built in the scope mmgan_lite. Must end in one that packs ``inputs``,
            such as ``PackImage``.
        test_mode: Fail on an image that the pipeline rejects, instead of drawing another.
        lazy_init: Load when first needed instead of now.
        max_refetch: How many other images to try when the pipeline rejects one.

    Raises:
        ValueError: If images or labels are not as described, or a transform is unknown and mmcv
            is not installed.

    Example:
        >>> images = torch.zeros(4, 1, 8, 8, dtype=torch.uint8)
        >>> dataset = InMemoryImageDataset(images, labels=[0, 1, 2, 3])
        >>> dataset[3]['inputs'].shape, dataset[3]['labels'], len(dataset.get_subset(-3))
        (torch.Size([1, 8, 8]), 3, 3)
    """

    collate_fn = staticmethod(image_collate)
    _fully_initialized: bool = False
    # Channels, height and width; None if they are not known before the images are loaded.
    image_shape: tuple[int, int, int] | None = None

    def __init__(
        self,
        images: Images | None = None,
        labels: Labels | None = None,
        metainfo: Mapping | None = None,
        data_root: str = '',
        indices: int | Sequence[int] | None = None,
        pipeline: Sequence[Mapping | Callable] = (),
        test_mode: bool = False,
        lazy_init: bool = False,
        max_refetch: int = 1000,
    ) -> None:
        self._given: tuple[Images | None, Labels | None] = (images, labels)
        self._images: Tensor
        self._labels: Tensor | None
        super().__init__(
            metainfo=metainfo,
            data_root=data_root,
            data_prefix={},
            indices=indices,
            serialize_data=False,
            pipeline=build_transforms(pipeline),
            test_mode=test_mode,
            lazy_init=lazy_init,
            max_refetch=max_refetch,
        )

    def load_images(self) -> tuple[Any, Any]:
        """Images and labels (or None), as ``__init__`` takes them; subclasses read their files."""
        return self._given

    def full_init(self) -> None:
        """Load, check and subset the images, unless that is done.

        Raises:
            ValueError: If images or labels are not as the class describes them.
        """
        if self._fully_initialized:
            return
        images, labels = self.load_images()
        self._images = _checked_images(images)
        self._labels = None if labels is None else _checked_labels(labels, len(self._images))
        self._given = (None, None)
        self._fully_initialized = True
        if self._indices is not None:
            self.get_subset_(self._indices)

    @property
    def images(self) -> Tensor:
        """All images: uint8 of shape ``(N, C, H, W)``."""
        self.full_init()
        return self._images

    @property
    def labels(self) -> Tensor | None:
        """All labels: int64 of shape ``(N,)``; None without labels."""
        self.full_init()
        return self._labels

    def __len__(self) -> int:
        return len(self.images)

    def __getitems__(self, indices: Sequence[int]) -> Sequence[dict[str, Any]]:
        """Items of a batch; called by PyTorch's data loader.

        Args:
            indices: Positions of the images; negative ones count from the end.

        Returns:
            An :class:`ImageBatch` without a pipeline, else a list of items.
        """
        if self.pipeline.transforms:
            return [self[index] for index in indices]
        return self._gather(indices)

    def prepare_data(self, idx: int) -> dict[str, Any] | None:
        """The item at ``idx``, through the pipeline if there is one.

        Raises:
            IndexError: If ``idx`` is out of range.
            ValueError: If the pipeline does not end in a transform that packs ``inputs``.
        """
        if not self.pipeline.transforms:
            return self._gather([idx])[0]
        return run_pipeline(self.pipeline, self.get_data_info(idx))

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """The input of a pipeline: a copy of the image under mmcv's names.

        Args:
            idx: Position of the image; negative ones count from the end.

        Returns:
            ``img`` (a uint8 array of shape ``(H, W, C)``), ``img_shape`` and ``ori_shape``
            (``(H, W)``), ``sample_idx`` and, where there are labels, ``gt_label`` (int).

        Raises:
            IndexError: If ``idx`` is out of range.
        """
        # Transforms work in place, and with one channel the permuted view is contiguous already.
        image = self.images[idx].permute(1, 2, 0).clone(memory_format=torch.contiguous_format)
        size = tuple(image.shape[:2])
        info: dict[str, Any] = {
            'img': image.numpy(),
            'img_shape': size,
            'ori_shape': size,
            'sample_idx': idx % len(self),
        }
        if self.labels is not None:
            info['gt_label'] = int(self.labels[idx])
        return info

    def fingerprint(self) -> dict[str, Any]:
        """Identify the images and labels by a hash of all bytes.

        Returns:
            ``dataset`` (the class), ``count`` (of images) and ``sha256`` (hex).
        """
        return fingerprint_of(self, self._content())

    def _content(self) -> Iterable[Any]:
        """Content of the fingerprint, in pieces."""
        yield str(tuple(self.images.shape)).encode()
        yield self.images.cpu().numpy()
        yield from self._label_bytes()

    def _label_bytes(self) -> Iterable[Any]:
        if self.labels is not None:
            yield b'labels'
            yield self.labels.cpu().numpy()

    def get_cat_ids(self, idx: int) -> list[int]:
        """The label at ``idx`` in a list, for MMEngine's ``ClassBalancedDataset``.

        Raises:
            ValueError: If the images have no labels.
        """
        if self.labels is None:
            raise ValueError(
                'labels must be given to balance classes, got None. Pass labels=..., or use the '
                'dataset without ClassBalancedDataset.'
            )
        return [int(self.labels[idx])]

    def to(self, device: torch.device | str) -> None:
        """Move images and labels to a device, in place; batches are made there.

        Args:
            device: The device. Images on a GPU cannot be used by a pipeline or by workers of a data
                loader.

        Raises:
            ValueError: If the device is not the CPU and there is a pipeline.
        """
        if self.pipeline.transforms and torch.device(device).type != 'cpu':
            raise ValueError(
                f'device must be the CPU where the images go through a pipeline, got {device}. '
                'Keep the images on the CPU.'
            )
        labels = self.labels
        self._images = self.images.to(device)
        self._labels = None if labels is None else labels.to(device)

    def get_subset_(self, indices: int | Sequence[int]) -> None:
        """Keep only some images.

        Args:
            indices: Keep the first ``indices`` images, the last ones if negative (all of them if
                there are fewer), or those at these positions.

        Raises:
            IndexError: If a position is out of range.
            TypeError: If ``indices`` is neither an int nor a sequence of ints.
        """
        select = selector(indices)
        # A slice is a view: without the clone, all images would be pickled.
        images, labels = self.images[select].clone(), self.labels
        self._labels = None if labels is None else labels[select].clone()
        self._images = images

    def get_subset(self, indices: int | Sequence[int]) -> 'InMemoryImageDataset':
        """A new dataset of some of the images; arguments as in ``get_subset_``."""
        self.full_init()
        subset = copy.copy(self)
        others = {k: v for k, v in vars(self).items() if k not in ('_images', '_labels')}
        subset.__dict__.update(copy.deepcopy(others))
        subset.get_subset_(indices)
        return subset

    def _gather(self, indices: Sequence[int]) -> ImageBatch:
        num_images = len(self)
        index = torch.as_tensor([i + num_images if i < 0 else i for i in indices])
        if self.images.is_cuda:  # pinned memory, for an asynchronous copy
            index = index.pin_memory().to(self.images.device, non_blocking=True)
        # Several times as fast as images[index].
        labels = None if self.labels is None else self.labels.index_select(0, index)
        return ImageBatch(self.images.index_select(0, index), labels)


def fingerprint_of(dataset: BaseDataset, content: Iterable[Any]) -> dict[str, Any]:
    """Class, number of images, and sha256 of the concatenated ``content``.

    Args:
        dataset: The dataset.
        content: Bytes, or contiguous arrays.
    """
    digest = hashlib.sha256()
    for piece in content:
        digest.update(piece)
    return dict(dataset=type(dataset).__name__, count=len(dataset), sha256=digest.hexdigest())


def selector(indices: int | Sequence[int]) -> slice | Tensor:
    """``indices`` of MMEngine as an index of a tensor."""
    if isinstance(indices, int):
        return slice(indices) if indices >= 0 else slice(indices, None)
    if not isinstance(indices, Sequence):
        raise TypeError(
            f'indices must be an int or a sequence of ints, got {type(indices).__name__}. '
            'Pass indices=list(indices).'
        )
    return torch.tensor([operator.index(index) for index in indices], dtype=torch.int64)


def _checked_images(images: Any) -> Tensor:
    if not isinstance(images, np.ndarray | Tensor):
        raise ValueError(
            f'images must be an array or a tensor, got {type(images).__name__}. '
            'Pass images=..., or override load_images() in a subclass.'
        )
    images = torch.as_tensor(images)
    if images.dtype != torch.uint8:
        raise ValueError(
            f'images must be uint8 in 0..255, got {images.dtype}. Scale them to 0..255 and convert '
            "to uint8; the model's data preprocessor converts them to float."
        )
    if images.ndim != 4 or images.numel() == 0:
        raise ValueError(
            'images must have shape (N, C, H, W) with no side of 0, '
            f'got {tuple(images.shape)}. Add the channel axis of gray images with images[:, None], '
            'move that of (N, H, W, C) with images.transpose(0, 3, 1, 2).'
        )
    return images.contiguous()


def _checked_labels(labels: Any, num_images: int) -> Tensor:
    labels = torch.as_tensor(labels)
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise ValueError(
            f'labels must be integers, got {labels.dtype}. Pass class indices, 0, 1, 2, ...'
        )
    if labels.shape != (num_images,):
        raise ValueError(
            f'labels must have shape ({num_images},), one for each image, '
            f'got {tuple(labels.shape)}. Pass as many labels as images, or labels=None.'
        )
    if labels.min() < 0:
        raise ValueError(
            f'labels must be >= 0, got {int(labels.min())}. Number the classes from 0.'
        )
    return labels.to(torch.int64).contiguous()
