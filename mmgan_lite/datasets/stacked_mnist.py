"""Stacked MNIST: three digits as the channels of one image, so that there are 1000 classes.

Metz et al. 2017, Unrolled Generative Adversarial Networks, arXiv:1611.02163. How many of the 1000
classes a generator draws shows how many modes of the data it has lost.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmgan_lite.datasets.mnist import _IDXDataset
from mmgan_lite.registry import DATASETS
from mmgan_lite.utils.validation import check_positive


class StackedImages:
    """Triples of gray images, stacked on access.

    Args:
        digits: Gray images, uint8 of shape ``(M, H, W)``.
        rows: Positions in ``digits``, int64 of shape ``(N, 3)``, on the same device.

    Attributes:
        digits: As given.
        rows: As given.
        shape: ``(N, 3, H, W)``.
        nbytes: Memory of the digits and the positions, in bytes.
        device: Device of the digits.

    Example:
        >>> digits = torch.arange(4, dtype=torch.uint8)[:, None, None]
        >>> images = StackedImages(digits, torch.tensor([[0, 1, 2], [3, 3, 0]]))
        >>> images.shape, images[1].flatten().tolist()
        ((2, 3, 1, 1), [3, 3, 0])
    """

    def __init__(self, digits: Tensor, rows: Tensor) -> None:
        self.digits = digits
        self.rows = rows
        self.shape: tuple[int, ...] = (*rows.shape, *digits.shape[1:])
        self.nbytes = digits.nbytes + rows.nbytes
        self.device = digits.device

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int | slice | Tensor) -> Tensor:
        """Stack images; indexed as a tensor of all of them.

        Args:
            index: An int, a slice, or an int64 tensor of shape ``(B,)``.

        Returns:
            uint8 of shape ``(3, H, W)`` for an int and else ``(B, 3, H, W)``.

        Raises:
            IndexError: If a position is out of range.
        """
        rows = self.rows[index]
        # Several times as fast as digits[rows].
        digits = self.digits.index_select(0, rows.flatten())
        return digits.view(*rows.shape, *digits.shape[1:])

    def index_select(self, dim: int, index: Tensor) -> Tensor:
        """As a tensor's, for ``dim`` 0: the images at positions ``(B,)``, ``(B, 3, H, W)``."""
        return self[index]

    def select(self, index: slice | np.ndarray) -> 'StackedImages':
        """Only some of these images, of the same digits.

        Raises:
            IndexError: If a position is out of range.
        """
        return StackedImages(self.digits, self.rows[index].clone())

    def to(self, device: torch.device | str) -> 'StackedImages':
        """Copy to a device."""
        return StackedImages(self.digits.to(device), self.rows.to(device))


@DATASETS.register_module()
class StackedMNISTDataset(_IDXDataset):
    """Three random digits of MNIST as red, green and blue: 28x28, 1000 classes.

    Only MNIST itself is held in memory, 47 MB, and for each image the positions of its digits. A
    batch is made in one indexing step, also on a GPU. The label of the digits r, g, b is
    ``100 * r + 10 * g + b``; the digits are drawn uniformly from the split, so that the classes
    are about as balanced as those of MNIST.

    ``images`` is a :class:`StackedImages`: ``images[:100]`` makes a hundred of them. A subset
    shares the digits.

    Args:
        data_root: As for ``MNISTDataset``, whose files it reads, and so are the next two.
        split: ``'train'`` or ``'test'``: which digits are stacked.
        download: Download the files if they are missing.
        num_images: How many triples to draw, at least 1.
        seed: Which triples, in [0, 2**32). Those of a longer dataset begin with those of a shorter.
        kwargs: As for :class:`ImageDataset`.

    Raises:
        FileNotFoundError: If the files are missing and may not or could not be downloaded.
        ValueError: If an argument is out of its range, or a file is damaged.

    Example:
        >>> dataset = StackedMNISTDataset(num_images=26_000, lazy_init=True)
        >>> dataset.metainfo['classes'][7], len(dataset.metainfo['classes'])
        ('007', 1000)
    """

    _images: StackedImages  # type: ignore[assignment]  # is indexed as a tensor is
    METAINFO = {'classes': tuple(f'{number:03}' for number in range(1000))}
    torchvision_name = 'MNIST'
    image_shape = (3, 28, 28)

    def __init__(
        self,
        data_root: str = 'data',
        split: str = 'train',
        download: bool = True,
        num_images: int = 128_000,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        self.num_images = check_positive('num_images', num_images)
        if type(seed) is not int or not 0 <= seed < 2**32:
            raise ValueError(f'seed must be an int in [0, 2**32), got {seed!r}. Pass seed=0.')
        self.seed = seed
        super().__init__(data_root, split, download, **kwargs)

    def _load(self) -> None:
        digits, labels = self.load_images()
        # The only generator of numpy whose numbers are guaranteed to stay the same.
        stream = np.random.RandomState(self.seed)
        rows = stream.randint(len(digits), size=(self.num_images, 3), dtype=np.int64)
        self._images = StackedImages(torch.from_numpy(digits[:, 0]), torch.from_numpy(rows))
        self._labels = torch.from_numpy(labels[rows] @ np.array([100, 10, 1]))

    def _content(self) -> Iterable[Any]:
        """Digits and positions, of which the images are stacked."""
        yield self._images.digits.cpu().numpy()
        yield self._images.rows.cpu().numpy()
        yield from self._label_bytes()
