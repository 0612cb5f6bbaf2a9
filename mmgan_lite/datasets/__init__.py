"""Image datasets, in memory or in files, and their collate function."""

from mmgan_lite.datasets.base import ImageDataset
from mmgan_lite.datasets.cifar import CIFAR10Dataset, CIFAR100Dataset
from mmgan_lite.datasets.collate import ImageBatch, image_collate
from mmgan_lite.datasets.decoding import ImageDecoder
from mmgan_lite.datasets.digits import DigitsDataset, EdgesToDigitsDataset
from mmgan_lite.datasets.downloads import DownloadedDataset
from mmgan_lite.datasets.growing_batches import GrowingBatchSampler
from mmgan_lite.datasets.image_folder import ImageFolderDataset
from mmgan_lite.datasets.image_source import ImageSource, open_images
from mmgan_lite.datasets.in_memory import InMemoryImageDataset
from mmgan_lite.datasets.mnist import FashionMNISTDataset, KMNISTDataset, MNISTDataset
from mmgan_lite.datasets.packed import (
    MappedImages,
    PackedImageDataset,
    PackedPairDataset,
    pack_images,
)
from mmgan_lite.datasets.paired import PairedImageDataset
from mmgan_lite.datasets.stacked_mnist import StackedImages, StackedMNISTDataset
from mmgan_lite.datasets.torchvision_dataset import TorchvisionDataset
from mmgan_lite.datasets.transforms import PackImage, RandomCropFlip
from mmgan_lite.datasets.translation_archives import Downloaded, download_archive
from mmgan_lite.datasets.unpaired import UnpairedImageDataset

__all__ = [
    'CIFAR10Dataset',
    'CIFAR100Dataset',
    'DigitsDataset',
    'Downloaded',
    'DownloadedDataset',
    'EdgesToDigitsDataset',
    'FashionMNISTDataset',
    'GrowingBatchSampler',
    'ImageBatch',
    'ImageDataset',
    'ImageDecoder',
    'ImageFolderDataset',
    'ImageSource',
    'InMemoryImageDataset',
    'KMNISTDataset',
    'MNISTDataset',
    'MappedImages',
    'PackImage',
    'PackedImageDataset',
    'PackedPairDataset',
    'PairedImageDataset',
    'RandomCropFlip',
    'StackedImages',
    'StackedMNISTDataset',
    'TorchvisionDataset',
    'UnpairedImageDataset',
    'download_archive',
    'image_collate',
    'open_images',
    'pack_images',
]
