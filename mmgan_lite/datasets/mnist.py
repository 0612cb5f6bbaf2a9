"""MNIST, Fashion-MNIST and KMNIST: three datasets in one file format.

MNIST: LeCun et al. 1998. Fashion-MNIST: Xiao et al. 2017, arXiv:1708.07747. KMNIST: Clanuwat et
al. 2018, arXiv:1812.01718. The files are downloaded by torchvision; they are read here, because
torchvision does not notice a truncated file.
"""

import math
import struct
from pathlib import Path
from typing import Any

import numpy as np

from mmgan_lite.datasets.checksums import file_hash, verify_checksums
from mmgan_lite.datasets.downloads import DownloadedDataset
from mmgan_lite.registry import DATASETS
from mmgan_lite.utils.validation import check_positive

# Files, with length in bytes and md5 of those of MNIST; torchvision has the md5 of archives only.
_FILES = {
    'train-images-idx3-ubyte': (47_040_016, '6bbc9ace898e44ae57da46a324031adb'),
    'train-labels-idx1-ubyte': (60_008, 'a25bea736e30d166cdddb491f175f624'),
    't10k-images-idx3-ubyte': (7_840_016, '2646ac647ad5339dbf082846283269ea'),
    't10k-labels-idx1-ubyte': (10_008, '27ae3e4e09519cfbb04c329615203637'),
}
_FASHION_CLASSES = 'T-shirt/top,Trouser,Pullover,Dress,Coat,Sandal,Shirt,Sneaker,Bag,Ankle boot'


class _IDXDataset(DownloadedDataset):
    """Shared code of all; ``MNISTDataset`` documents the arguments."""

    image_shape = (1, 28, 28)

    def __init__(
        self,
        data_root: str = 'data',
        split: str = 'train',
        download: bool = True,
        padding: int = 0,
        **kwargs: Any,
    ) -> None:
        self.padding = check_positive('padding', padding, minimum=0)
        channels, height, width = self.image_shape
        self.image_shape = (channels, height + 2 * padding, width + 2 * padding)
        super().__init__(data_root, split, download, **kwargs)

    def load_images(self) -> tuple[Any, Any]:
        """Read the split's two files, after a download if they are missing.

        Returns:
            Images, uint8 of shape ``(N, 1, 28, 28)`` or with ``padding``, and labels, uint8 of
            shape ``(N,)``.

        Raises:
            FileNotFoundError: If the files are missing and may not or could not be downloaded.
            ValueError: If a file is damaged, or the two do not belong together.
        """
        prefix = 'train' if self.split == 'train' else 't10k'
        names = [name for name in _FILES if name.startswith(prefix)]
        folder = f'{self.torchvision_name}/raw'
        raw_folder = self.obtain_files(folder, names, provided=[*_FILES], note_sums=True)
        for name in set(names) - verify_checksums(raw_folder, names):
            self._check_known(raw_folder / name)
        image_file, label_file = (raw_folder / name for name in names)
        images = _read_idx(image_file, num_dims=3)
        labels = _read_idx(label_file, num_dims=1)
        if len(images) != len(labels):
            raise ValueError(
                f"'{label_file}' must have a label for each of the {len(images)} images of "
                f"'{image_file.name}', got {len(labels)}. Delete both and load with download=True."
            )
        images = np.pad(images, ((0, 0), *[(self.padding, self.padding)] * 2))
        return images[:, None], labels

    def _check_known(self, path: Path) -> None:
        """Raise if a file has the length of the original, but another md5."""
        size, md5 = _FILES[path.name]
        known = self.torchvision_name == 'MNIST' and path.stat().st_size == size
        if known and (found := file_hash(path, 'md5')) != md5:
            raise ValueError(
                f"'{path}' must have the md5 sum of {self.torchvision_name}, {md5}, got {found}. "
                'Delete it and load with download=True, or pass its data to InMemoryImageDataset.'
            )


def _read_idx(path: Path, num_dims: int) -> np.ndarray:
    """Read a uint8 array with ``num_dims`` axes from an idx file.

    Big-endian header: a magic number, 0x08 for uint8 and then the number of axes, and the length
    of each axis.
    """
    header_size = 4 * (1 + num_dims)
    with path.open('rb') as file:
        header = file.read(header_size).ljust(header_size, b'\0')
    magic, *shape = struct.unpack(f'>{1 + num_dims}I', header)
    remedy = 'It is damaged: delete it and load with download=True.'
    if magic != 0x0800 + num_dims:
        rule = f'begin with the magic number 0x{0x0800 + num_dims:08x}'
        raise ValueError(f"'{path}' must {rule}, got 0x{magic:08x}. {remedy}")
    expected, size = header_size + math.prod(shape), path.stat().st_size
    if size != expected:
        raise ValueError(f"'{path}' must have {expected} bytes by its header, got {size}. {remedy}")
    return np.fromfile(path, dtype=np.uint8, offset=header_size).reshape(shape)


@DATASETS.register_module()
class MNISTDataset(_IDXDataset):
    """Handwritten digits, 28x28, gray: 60,000 to train on and 10,000 to test on.

    Files with a checksum in ``SHA256SUMS`` in the same folder are compared with it on each load. A
    download writes that list; for other files the command ``sha256sum`` does. A file without a
    checksum that has the length of an original of MNIST must have its md5.

    Args:
        data_root: The ``root`` of torchvision's class: files are in ``<data_root>/MNIST/raw``.
        split: ``'train'`` or ``'test'``.
        download: Download the files if they are missing; one process of a machine does it.
        padding: Black pixels to add beyond each edge, at least 0; 2 for images of 32x32.
        kwargs: As for :class:`ImageDataset`.

    Raises:
        FileNotFoundError: If the files are missing and may not or could not be downloaded.
        ValueError: If ``split`` is neither, ``padding`` is no such number, or a file is damaged.

    Example:
        >>> dataset = MNISTDataset(split='test', lazy_init=True)
        >>> dataset.metainfo['classes'][:3]
        ('0', '1', '2')
    """

    METAINFO = {'classes': tuple('0123456789')}
    torchvision_name = 'MNIST'


@DATASETS.register_module()
class FashionMNISTDataset(_IDXDataset):
    """Clothes in MNIST's format and sizes; arguments and errors are those of ``MNISTDataset``.

    Example:
        >>> FashionMNISTDataset(lazy_init=True).metainfo['classes'][:2]
        ('T-shirt/top', 'Trouser')
    """

    METAINFO = {'classes': tuple(_FASHION_CLASSES.split(','))}
    torchvision_name = 'FashionMNIST'


@DATASETS.register_module()
class KMNISTDataset(_IDXDataset):
    """Cursive hiragana in MNIST's format and sizes; arguments and errors as ``MNISTDataset``.

    Example:
        >>> KMNISTDataset(lazy_init=True).metainfo['classes'][:3]
        ('o', 'ki', 'su')
    """

    METAINFO = {'classes': ('o', 'ki', 'su', 'tsu', 'na', 'ha', 'ma', 'ya', 're', 'wo')}
    torchvision_name = 'KMNIST'
