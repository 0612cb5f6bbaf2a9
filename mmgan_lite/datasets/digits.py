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

from mmgan_lite.datasets.in_memory import InMemoryImageDataset
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
