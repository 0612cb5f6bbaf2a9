"""MNIST, Fashion-MNIST and KMNIST: three sources of one file format.

MNIST: LeCun et al. 1998. Fashion-MNIST: Xiao et al. 2017, arXiv:1708.07747. KMNIST: Clanuwat et
al. 2018, arXiv:1812.01718. The files are fetched by torchvision's classes and lie where those put
them; they are read here, because torchvision's reader does not notice a file that was cut short.
"""

import math
import struct
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmgan_lite.datasets.checksums import file_hash, verify_checksums
from mmgan_lite.datasets.downloads import check_split, obtain_files
from mmgan_lite.datasets.in_memory import InMemoryImageDataset
from mmgan_lite.registry import DATASETS

_FILES = {
    'train': ('train-images-idx3-ubyte', 'train-labels-idx1-ubyte'),
    'test': ('t10k-images-idx3-ubyte', 't10k-labels-idx1-ubyte'),
}
# Length in bytes and md5 of the files themselves; torchvision has the sums of the archives alone.
_KNOWN = {
    'MNIST': {
        'train-images-idx3-ubyte': (47_040_016, '6bbc9ace898e44ae57da46a324031adb'),
        'train-labels-idx1-ubyte': (60_008, 'a25bea736e30d166cdddb491f175f624'),
        't10k-images-idx3-ubyte': (7_840_016, '2646ac647ad5339dbf082846283269ea'),
        't10k-labels-idx1-ubyte': (10_008, '27ae3e4e09519cfbb04c329615203637'),
    }
}


class _IDXDataset(InMemoryImageDataset):
    """What the three have in common; ``MNISTDataset`` describes the arguments."""

    # The class in torchvision.datasets, and the folder under data_root.
    torchvision_name: str
    image_shape = (1, 28, 28)

    def __init__(
        self,
        data_root: str = 'data',
        split: str = 'train',
        download: bool = True,
        metainfo: Mapping | None = None,
        indices: int | Sequence[int] | None = None,
        pipeline: Sequence[Mapping | Callable] = (),
        test_mode: bool = False,
        lazy_init: bool = False,
        max_refetch: int = 1000,
    ) -> None:
        self.split = check_split(split, 60_000)
        self.download = download
        super().__init__(
            metainfo=metainfo,
            data_root=data_root,
            indices=indices,
            pipeline=pipeline,
            test_mode=test_mode,
            lazy_init=lazy_init,
            max_refetch=max_refetch,
        )
        # For reports of an evaluation. MMEngine would take the words for names of files if they
        # were given as metainfo.
        name = type(self).__name__.removesuffix('Dataset')
        self._metainfo = {'dataset': name, 'split': split, **self.metainfo}

    def load_images(self) -> tuple[Any, Any]:
        """Read the split's two files, after a download if they are absent.

        Returns:
            Images, uint8 of shape ``(N, 1, 28, 28)``, and labels, uint8 of shape ``(N,)``.

        Raises:
            FileNotFoundError: If the files are absent and may not or could not be downloaded.
            ValueError: If a file is damaged, or the two do not belong together.
        """
        raw_folder = obtain_files(
            self.torchvision_name,
            self.data_root,
            f'{self.torchvision_name}/raw',
            needed=_FILES[self.split],
            provided=[name for names in _FILES.values() for name in names],
            download=self.download,
            note_sums=True,
        )
        checked = verify_checksums(raw_folder, _FILES[self.split])
        for name in set(_FILES[self.split]) - checked:
            self._check_known(raw_folder / name)
        image_file, label_file = (raw_folder / name for name in _FILES[self.split])
        images = _read_idx(image_file, num_dims=3)
        labels = _read_idx(label_file, num_dims=1)
        if len(images) != len(labels):
            raise ValueError(
                f"'{label_file}' must hold a label for each of the {len(images)} images of "
                f"'{image_file.name}', got {len(labels)}. Delete both and load with download=True."
            )
        return images[:, None], labels

    def _check_known(self, path: Path) -> None:
        """Raise if a file is as long as the original, and is not the original."""
        size, md5 = _KNOWN.get(self.torchvision_name, {}).get(path.name, (None, None))
        if path.stat().st_size == size and (found := file_hash(path, 'md5')) != md5:
            raise ValueError(
                f"'{path}' must have the md5 sum of {self.torchvision_name}, {md5}, got {found}. "
                'It is damaged: delete it and load with download=True. If it holds images of your '
                'own, load them with InMemoryImageDataset.'
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
        raise ValueError(
            f"'{path}' must begin with the magic number 0x{0x0800 + num_dims:08x}, "
            f'got 0x{magic:08x}. {remedy}'
        )
    num_bytes = header_size + math.prod(shape)
    if path.stat().st_size != num_bytes:
        raise ValueError(
            f"'{path}' must have the {num_bytes} bytes that its header announces, "
            f'got {path.stat().st_size}. {remedy}'
        )
    return np.fromfile(path, dtype=np.uint8, offset=header_size).reshape(shape)


@DATASETS.register_module()
class MNISTDataset(_IDXDataset):
    """Handwritten digits, 28x28, grey: 60,000 to train on and 10,000 to test on.

    Files that have a sum in ``SHA256SUMS`` beside them are held against it each time they are
    loaded; a download writes that list, and for files that were put there by hand the command
    ``sha256sum`` does. Of files without a sum, those as long as MNIST's own must be MNIST's own.

    Args:
        data_root: The ``root`` of torchvision's class: files lie in ``<data_root>/MNIST/raw``.
        split: ``'train'`` or ``'test'``.
        download: Fetch the files if they are absent; one process of a machine does.
        metainfo: As for ``InMemoryImageDataset``, and so are the arguments below.
        indices: Keep only some images.
        pipeline: Transforms, ending in ``PackImage``.
        test_mode: Fail on an image that the pipeline rejects.
        lazy_init: Load when first needed.
        max_refetch: How many other images to try when the pipeline rejects one.

    Raises:
        FileNotFoundError: If the files are absent and may not or could not be downloaded.
        ValueError: If ``split`` is neither, or a file is damaged.

    Example:
        >>> dataset = MNISTDataset(split='test', lazy_init=True)
        >>> dataset.metainfo['classes'][:3]
        ('0', '1', '2')
    """

    METAINFO = {'classes': ('0', '1', '2', '3', '4', '5', '6', '7', '8', '9')}
    torchvision_name = 'MNIST'


@DATASETS.register_module()
class FashionMNISTDataset(_IDXDataset):
    """Clothes in MNIST's format and sizes; arguments and errors are those of ``MNISTDataset``.

    Example:
        >>> FashionMNISTDataset(lazy_init=True).metainfo['classes'][:2]
        ('T-shirt/top', 'Trouser')
    """

    METAINFO = {
        'classes': (
            'T-shirt/top',
            'Trouser',
            'Pullover',
            'Dress',
            'Coat',
            'Sandal',
            'Shirt',
            'Sneaker',
            'Bag',
            'Ankle boot',
        )
    }
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
