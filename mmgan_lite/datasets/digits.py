"""Handwritten digits in the package: real data without a download.

The 1,797 images of the test part of *Optical Recognition of Handwritten Digits* (Alpaydin &
Kaynak 1998, UCI Machine Learning Repository, doi:10.24432/C50P49, license CC BY 4.0), 8x8 pixels
with values 0..16. ``digits.npz`` was made, once, by::

    digits = sklearn.datasets.load_digits()
    np.savez_compressed('digits.npz', images=digits.images.astype('uint8'),
                        labels=digits.target.astype('uint8'))
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from mmgan_lite.datasets.in_memory import InMemoryImageDataset
from mmgan_lite.registry import DATASETS
from mmgan_lite.utils.validation import check_image_size

_STORED_SIZE = 8
_STORED_MAX = 16


@DATASETS.register_module()
class DigitsDataset(InMemoryImageDataset):
    """1,797 real handwritten digits, resized once when loaded; needs no network.

    Small enough for tests and to try a config in seconds; too small to compare GANs. There is no
    train and test split.

    Args:
        image_size: Height and width in pixels, each >= 8; an int for square images. The stored
            8x8 images are enlarged by bicubic interpolation.
        metainfo: As for ``InMemoryImageDataset``, and so are the arguments below.
        indices: Keep only some images.
        pipeline: Transforms, ending in ``PackImage``.
        test_mode: Fail on an image that the pipeline rejects.
        lazy_init: Load when first needed.
        max_refetch: How many other images to try when the pipeline rejects one.

    Raises:
        ValueError: If ``image_size`` is not such a size.

    Example:
        >>> dataset = DigitsDataset(image_size=28)
        >>> len(dataset), dataset[0]['inputs'].shape, dataset[0]['labels']
        (1797, torch.Size([1, 28, 28]), 0)
    """

    METAINFO = {'classes': ('0', '1', '2', '3', '4', '5', '6', '7', '8', '9')}

    def __init__(
        self,
        image_size: int | Sequence[int] = 28,
        metainfo: Mapping | None = None,
        indices: int | Sequence[int] | None = None,
        pipeline: Sequence[Mapping | Callable] = (),
        test_mode: bool = False,
        lazy_init: bool = False,
        max_refetch: int = 1000,
    ) -> None:
        self.image_size = check_image_size(image_size, minimum=_STORED_SIZE)
        self.image_shape = (1, *self.image_size)
        super().__init__(
            metainfo=metainfo,
            indices=indices,
            pipeline=pipeline,
            test_mode=test_mode,
            lazy_init=lazy_init,
            max_refetch=max_refetch,
        )
        self._metainfo = {'dataset': 'Digits', **self.metainfo}  # for reports of an evaluation

    def load_images(self) -> tuple[Any, Any]:
        """The embedded images, uint8 of shape ``(1797, 1, H, W)``, and their labels."""
        with np.load(Path(__file__).with_name('digits.npz')) as stored:
            images, labels = torch.from_numpy(stored['images']), stored['labels']
        images = images[:, None].float() * (255 / _STORED_MAX)
        images = F.interpolate(images, size=self.image_size, mode='bicubic', align_corners=False)
        # Bicubic interpolation overshoots at edges.
        return images.clamp_(0, 255).round_().to(torch.uint8), labels
