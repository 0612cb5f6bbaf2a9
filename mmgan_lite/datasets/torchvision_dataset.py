"""Any dataset of torchvision that consists of images and a label each."""

import inspect
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock
from mmengine.logging import print_log
from PIL import Image

from mmgan_lite.datasets.base import ImageDataset
from mmgan_lite.datasets.decoding import ImageDecoder
from mmgan_lite.datasets.downloads import torchvision_class
from mmgan_lite.datasets.image_labels import warn_of_classes
from mmgan_lite.datasets.transforms import PackImage, run_pipeline
from mmgan_lite.registry import DATASETS

# Where classes of torchvision have their labels.
_LABELS = ('targets', 'labels', '_labels', 'y')
_SAMPLES = ('samples', '_samples')


@DATASETS.register_module()
class TorchvisionDataset(ImageDataset):
    """Images of a class of ``torchvision.datasets``, by its name, decoded on access.

    Labels are its targets where these are ints >= 0; other targets are ignored. MNIST,
    Fashion-MNIST, KMNIST and CIFAR have classes of their own here, which are faster.

    Args:
        dataset: Name of the class, such as ``'SVHN'`` or ``'Flowers102'``.
        data_root: Its ``root``.
        arguments: Its other arguments, such as ``dict(split='test')``.
        download: Whether to download files that are missing; by one process of a machine.
        image_size: Height and width in pixels; an int for square images; None keeps the size.
        channels: As for :class:`ImageDecoder`, and so on.
        resize: As there.
        background: As there.
        pipeline: Transforms after ``image_size``; they get what those of
            :class:`ImageFolderDataset` get, but ``img_path``.
        kwargs: As for :class:`ImageDataset`.

    Raises:
        FileNotFoundError: If files are missing and may not or could not be downloaded.
        ValueError: If an argument is not as described, or an item is no image.

    Example:
        >>> dataset = TorchvisionDataset('FakeData', image_size=32, arguments=dict(size=5))
        >>> dataset[0]['inputs'].shape, len(dataset)
        (torch.Size([3, 32, 32]), 5)
    """

    def __init__(
        self,
        dataset: str,
        data_root: str | Path = 'data',
        arguments: Mapping[str, Any] | None = None,
        download: bool = True,
        image_size: int | Sequence[int] | None = None,
        channels: int | str = 3,
        resize: str = 'crop',
        background: str | Sequence[int] = 'white',
        pipeline: Sequence[Mapping | Callable] = (),
        **kwargs: Any,
    ) -> None:
        self._name, self._arguments, self.download = dataset, dict(arguments or {}), download
        self._decoder = ImageDecoder(channels, image_size, resize, background, bit_depth='scale')
        if self._decoder.image_size is not None:
            self.image_shape = (self._decoder.num_channels, *self._decoder.image_size)
        super().__init__(data_root, pipeline=pipeline or [PackImage()], **kwargs)
        self._metainfo.setdefault('dataset', dataset)

    def _load(self) -> None:
        self._source = self._build()
        self._index = np.arange(len(self._source))
        if (labels := _find_labels(self._source)) is None:
            return
        self._labels = torch.tensor(labels, dtype=torch.int64)
        classes = getattr(self._source, 'classes', None)
        if isinstance(classes, Sequence) and max(labels) < len(classes):
            self._metainfo.setdefault('classes', tuple(map(str, classes)))
        warn_of_classes(self._labels.numpy(), self._metainfo.get('classes'))

    def _build(self) -> Any:
        try:
            source = torchvision_class(self._name)
        except (AttributeError, ModuleNotFoundError) as error:
            raise ValueError(
                f'dataset must be the name of a class in torchvision.datasets, got {self._name!r}. '
                "Correct it, such as 'SVHN'."
            ) from error
        known = inspect.signature(source).parameters
        if unknown := sorted(self._arguments.keys() - known):
            raise ValueError(
                f'arguments must be those of torchvision.datasets.{self._name}, got '
                f'{", ".join(unknown)}. It takes {", ".join(known)}.'
            )
        root = Path(self.data_root).expanduser()
        given: dict[str, Any] = dict(root=root, download=self.download)
        given = {name: value for name, value in given.items() if name in known} | self._arguments
        try:
            if 'root' in given and self.download:
                root.mkdir(parents=True, exist_ok=True)
                # One process of a machine downloads; the others wait here.
                with FileLock(root / f'.{self._name}.lock'):
                    return source(**given)
            return source(**given)
        except (OSError, RuntimeError) as error:
            reason = f'{type(error).__name__}: {" ".join(str(error).split())}'
            raise FileNotFoundError(
                f"{self._name} must be in '{root}' or be downloaded there, got {reason}. Put its "
                'files there, or pass download=True.'
            ) from error

    def _select(self, index: slice | np.ndarray) -> None:
        self._index = self._index[index].copy()

    def _content(self) -> Iterable[bytes]:
        """The class, its arguments, the positions and the labels: not the pixels."""
        yield repr((self._name, sorted(self._arguments.items()))).encode()
        yield self._index.tobytes()
        if self._labels is not None:
            yield self._labels.numpy().tobytes()

    def __len__(self) -> int:
        self.full_init()
        return len(self._index)

    def prepare_data(self, idx: int) -> dict[str, Any] | None:
        """The item at ``idx``, through the pipeline.

        Raises:
            IndexError: If ``idx`` is out of range.
            ValueError: If it is no image, or the pipeline does not end in a transform that packs
                ``inputs``.
        """
        info = self.get_data_info(idx)
        image = self._source[int(self._index[info['sample_idx']])]
        image = image[0] if isinstance(image, tuple) else image
        if not isinstance(image, Image.Image):
            raise ValueError(
                f'Items of {self._name} must be images, got {type(image).__name__}. Choose another '
                'dataset, or take transforms out of its arguments.'
            )
        pixels = self._decoder.convert(image)
        size = pixels.shape[:2]
        info.update(img=pixels, img_shape=size, ori_shape=size)
        return run_pipeline(self.pipeline, info)

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """Information on an image that is not decoded yet.

        Returns:
            ``sample_idx`` and, where there are labels, ``gt_label`` (int).

        Raises:
            IndexError: If ``idx`` is out of range.
        """
        position = range(len(self))[idx]
        info: dict[str, Any] = dict(sample_idx=position)
        if self._labels is not None:
            info['gt_label'] = int(self._labels[position])
        return info


def _find_labels(source: Any) -> list[int] | None:
    """The labels of all items; None if they have none, or others than ints >= 0."""
    found = [vars(source)[name] for name in _LABELS if name in vars(source)]
    found += [[s[1] for s in vars(source)[name]] for name in _SAMPLES if name in vars(source)]
    labels = next((list(values) for values in found if len(values) == len(source)), None)
    if labels is None:
        print_log('All items are read once for their labels.', 'current', logging.INFO)
        items = (source[index] for index in range(len(source)))
        labels = [item[1] if isinstance(item, tuple) else None for item in items]
    if labels and all(_is_label(label) for label in labels):
        return [int(label) for label in labels]
    return None


def _is_label(label: Any) -> bool:
    value = label.item() if isinstance(label, np.integer | torch.Tensor) else label
    return type(value) is int and value >= 0
