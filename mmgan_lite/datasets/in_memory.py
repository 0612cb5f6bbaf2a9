"""Images in one tensor, as an MMEngine dataset that is read a batch at a time.

For data that fits in memory (MNIST: 47 MB). A ``BaseDataset`` whose images are not a ``data_list``
of dicts but one tensor, so that a batch is one indexing step.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmgan_lite.datasets.base import ImageDataset
from mmgan_lite.datasets.collate import ImageBatch
from mmgan_lite.datasets.transforms import run_pipeline
from mmgan_lite.registry import DATASETS

Images = np.ndarray | Tensor
Labels = np.ndarray | Tensor | Sequence[int]


@DATASETS.register_module()
class InMemoryImageDataset(ImageDataset):
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
        kwargs: As for :class:`ImageDataset`.

    Raises:
        ValueError: If images or labels are not as described.

    Example:
        >>> images = torch.zeros(4, 1, 8, 8, dtype=torch.uint8)
        >>> dataset = InMemoryImageDataset(images, labels=[0, 1, 2, 3])
        >>> dataset[3]['inputs'].shape, dataset[3]['labels'], len(dataset.get_subset(-3))
        (torch.Size([1, 8, 8]), 3, 3)
    """

    _images: Tensor

    def __init__(
        self, images: Images | None = None, labels: Labels | None = None, **kwargs: Any
    ) -> None:
        self._given: tuple[Images | None, Labels | None] = (images, labels)
        super().__init__(**kwargs)

    def load_images(self) -> tuple[Any, Any]:
        """Images and labels (or None), as ``__init__`` takes them; subclasses read their files."""
        return self._given

    def _load(self) -> None:
        images, labels = self.load_images()
        self._images = _checked_images(images)
        self._labels = None if labels is None else _checked_labels(labels, len(self._images))
        self._given = (None, None)

    def _select(self, index: slice | np.ndarray) -> None:
        images = self._images
        self._images = images[index].clone() if isinstance(images, Tensor) else images.select(index)

    @property
    def images(self) -> Tensor:
        """All images: uint8 of shape ``(N, C, H, W)``."""
        self.full_init()
        return self._images

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
        info: dict[str, Any] = dict(img=image.numpy(), img_shape=size, ori_shape=size)
        info['sample_idx'] = idx % len(self)
        if self.labels is not None:
            info['gt_label'] = int(self.labels[idx])
        return info

    def _content(self) -> Iterable[Any]:
        yield str(tuple(self.images.shape)).encode()
        yield self.images.cpu().numpy()
        yield from self._label_bytes()

    def _label_bytes(self) -> Iterable[Any]:
        if self._labels is not None:
            yield b'labels'
            yield self._labels.cpu().numpy()

    def to(self, device: torch.device | str) -> None:
        """Move images and labels to a device, in place; batches are made there.

        Args:
            device: The device. Images on a GPU cannot be used by a pipeline or by workers of a data
                loader.

        Raises:
            ValueError: If the device is not the CPU and there is a pipeline.
        """
        if self.pipeline.transforms and torch.device(device).type != 'cpu':
            raise ValueError(f"device must be 'cpu' for images with a pipeline, got '{device}'.")
        self._images = self.images.to(device)
        self._labels = None if self._labels is None else self._labels.to(device)

    def _gather(self, indices: Sequence[int]) -> ImageBatch:
        num_images = len(self)
        index = torch.as_tensor([i + num_images if i < 0 else i for i in indices])
        if self.images.device.type == 'cuda':  # pinned memory, for an asynchronous copy
            index = index.pin_memory().to(self.images.device, non_blocking=True)
        # Several times as fast as images[index].
        labels = None if self.labels is None else self.labels.index_select(0, index)
        return ImageBatch(self.images.index_select(0, index), labels)


class _SplitsPairs:
    """Mixin of a dataset whose images hold the channels of a source, then those of its target.

    Attributes:
        pair_shapes: Channels, height and width of source and target.
    """

    pair_shapes: tuple[tuple[int, int, int], ...] | None

    def prepare_data(self, idx: int) -> dict[str, Any] | None:
        """``source`` and ``target`` at ``idx``, through the pipeline if there is one."""
        item = super().prepare_data(idx)  # type: ignore[misc]
        assert self.pair_shapes is not None
        return None if item is None else split_pair(item['inputs'], self.pair_shapes[0][0])

    def __getitems__(self, indices: Sequence[int]) -> list[dict[str, Any]]:
        """Items of a batch; called by PyTorch's data loader."""
        return [self[index] for index in indices]  # type: ignore[index]


def split_pair(images: Tensor, source_channels: int) -> dict[str, Any]:
    """Source and target, of which an image ``(C, H, W)`` has the channels, as an item."""
    return dict(source=images[:source_channels], target=images[source_channels:])


def _checked_images(images: Any) -> Tensor:
    if not isinstance(images, np.ndarray | Tensor):
        raise ValueError(
            f'images must be an array or a tensor, got {type(images).__name__}. '
            'Pass images=..., or override load_images() in a subclass.'
        )
    images = torch.as_tensor(images)
    if images.dtype != torch.uint8 or images.ndim != 4 or images.numel() == 0:
        raise ValueError(
            'images must be uint8 in 0..255 of shape (N, C, H, W) with no side of 0, got '
            f'{images.dtype} of shape {tuple(images.shape)}. Scale and convert other numbers; add '
            'a channel axis by images[:, None], move the last by transpose(0, 3, 1, 2).'
        )
    return images.contiguous()


def _checked_labels(labels: Any, num_images: int) -> Tensor:
    labels = torch.as_tensor(labels)
    is_integer = not (labels.is_floating_point() or labels.is_complex())
    if not is_integer or labels.dtype == torch.bool or labels.shape != (num_images,):
        raise ValueError(
            f'labels must be integers of shape ({num_images},), one for each image, got '
            f'{labels.dtype} of shape {tuple(labels.shape)}. Pass class indices, or labels=None.'
        )
    if labels.min() < 0:
        raise ValueError(f'labels must be >= 0, got {labels.min()}. Number the classes from 0.')
    return labels.to(torch.int64).contiguous()
