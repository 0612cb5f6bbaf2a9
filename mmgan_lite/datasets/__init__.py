"""Image datasets that live in memory, and what turns their items into batches."""

from mmgan_lite.datasets.collate import ImageBatch, image_collate
from mmgan_lite.datasets.digits import DigitsDataset
from mmgan_lite.datasets.in_memory import InMemoryImageDataset
from mmgan_lite.datasets.mnist import FashionMNISTDataset, KMNISTDataset, MNISTDataset
from mmgan_lite.datasets.transforms import PackImage

__all__ = [
    'DigitsDataset',
    'FashionMNISTDataset',
    'ImageBatch',
    'InMemoryImageDataset',
    'KMNISTDataset',
    'MNISTDataset',
    'PackImage',
    'image_collate',
]
