"""Handwritten digits in the package: real data without a download.

The 1,797 images of the test part of *Optical Recognition of Handwritten Digits* (Alpaydin &
Kaynak 1998, UCI Machine Learning Repository, doi:10.24432/C50P49, license CC BY 4.0), 8x8 pixels
with values 0..16. ``digits.npz`` was made, once, by::

    digits = sklearn.datasets.load_digits()
    np.savez_compressed('digits.npz', images=digits.images.astype('uint8'),
                        labels=digits.target.astype('uint8'))
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from mmgan_lite.datasets.in_memory import InMemoryImageDataset, _SplitsPairs
from mmgan_lite.registry import DATASETS
from mmgan_lite.utils.validation import check_image_size


@DATASETS.register_module()
class DigitsDataset(InMemoryImageDataset):
    """1,797 real handwritten digits, resized once when loaded; needs no network.

    Small enough for tests and to try a config in seconds; too small to compare GANs. There is no
    train and test split.

    Args:
        image_size: Height and width in pixels, each >= 8; an int for square images. The stored
            8x8 images are enlarged by bicubic interpolation.
        kwargs: As for :class:`ImageDataset`.

    Raises:
        ValueError: If ``image_size`` is not such a size, or ``data_root`` is given.

    Example:
        >>> dataset = DigitsDataset(image_size=28)
        >>> len(dataset), dataset[0]['inputs'].shape, dataset[0]['labels']
        (1797, torch.Size([1, 28, 28]), 0)
    """

    METAINFO = {'dataset': 'Digits', 'classes': tuple('0123456789')}

    def __init__(self, image_size: int | Sequence[int] = 28, **kwargs: Any) -> None:
        if 'data_root' in kwargs:
            raise ValueError('data_root must be left out: the digits are files of the package.')
        self.image_size = check_image_size(image_size, minimum=8)
        self.image_shape = (1, *self.image_size)
        super().__init__(None, None, **kwargs)

    def load_images(self) -> tuple[Any, Any]:
        """The embedded images, uint8 of shape ``(1797, 1, H, W)``, and their labels."""
        with np.load(Path(__file__).with_name('digits.npz')) as stored:
            images, labels = torch.from_numpy(stored['images']), stored['labels']
        images = images[:, None].float() * (255 / 16)
        images = F.interpolate(images, size=self.image_size, mode='bicubic', align_corners=False)
        # Bicubic interpolation overshoots at edges.
        return images.clamp_(0, 255).round_().to(torch.uint8), labels


@DATASETS.register_module()
class EdgesToDigitsDataset(_SplitsPairs, DigitsDataset):
    """Pairs of the outline of a digit and the digit, to try image translation without any data.

    The outline is white on black: the pixels of at least half of the largest value that have a
    darker one above, below, left or right, or lie at the border.

    An item is ``dict(source=..., target=...)``, uint8 tensors of shape ``(1, H, W)``. There are no
    labels, and no train and test split; ``indices=1500`` and ``indices=-297`` make one.

    Args:
        image_size: As for :class:`DigitsDataset`.
        kwargs: As for :class:`ImageDataset`. A pipeline gets both images as the two channels of one
            ``img``.

    Raises:
        ValueError: If ``image_size`` is not such a size, or ``data_root`` is given.

    Example:
        >>> dataset = EdgesToDigitsDataset(image_size=32, indices=1500)
        >>> len(dataset), dataset[0]['source'].shape, dataset[0]['target'].shape
        (1500, torch.Size([1, 32, 32]), torch.Size([1, 32, 32]))
    """

    METAINFO = {'dataset': 'EdgesToDigits'}

    def __init__(self, image_size: int | Sequence[int] = 28, **kwargs: Any) -> None:
        super().__init__(image_size, **kwargs)
        self.pair_shapes = ((1, *self.image_size),) * 2
        self.image_shape = None  # an item has two images

    def load_images(self) -> tuple[Any, Any]:
        """Outlines and digits as two channels, uint8 of shape ``(1797, 2, H, W)``, no labels."""
        digits = super().load_images()[0].numpy()
        ink = np.pad(digits >= 128, ((0, 0), (0, 0), (1, 1), (1, 1)))
        rows = ink[:, :, :-2, 1:-1] & ink[:, :, 2:, 1:-1]
        columns = ink[:, :, 1:-1, :-2] & ink[:, :, 1:-1, 2:]
        edges = ink[:, :, 1:-1, 1:-1] & ~(rows & columns)
        return np.concatenate([edges.astype(np.uint8) * 255, digits], axis=1), None
