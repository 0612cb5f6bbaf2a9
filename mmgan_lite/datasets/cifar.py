"""CIFAR-10 and CIFAR-100: 32x32 color photographs.

Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images. The files are
downloaded and read by torchvision, which compares each file with its md5 before it unpickles it.
"""

from typing import Any

from mmgan_lite.datasets.downloads import DownloadedDataset, torchvision_class
from mmgan_lite.registry import DATASETS


class _CIFARDataset(DownloadedDataset):
    """Shared code of both; ``CIFAR10Dataset`` documents the arguments."""

    folder: str  # under data_root
    image_shape = (3, 32, 32)

    def load_images(self) -> tuple[Any, Any]:
        """Read the split, after a download if files are absent.

        Returns:
            Images, uint8 of shape ``(N, 3, 32, 32)``, and labels, N ints.

        Raises:
            FileNotFoundError: If a file is absent and may not or could not be downloaded.
            ValueError: If a file is damaged.
        """
        from torchvision.datasets.utils import check_integrity

        source = torchvision_class(self.torchvision_name)
        meta = source.meta['filename'], source.meta['md5']
        sums = dict([*source.train_list, *source.test_list, meta])
        folder = self.obtain_files(self.folder, needed=[*sums], provided=[*sums])
        try:
            data = source(root=folder.parent, train=self.split == 'train')
        except RuntimeError as error:
            damaged = [name for name in sums if not check_integrity(folder / name, sums[name])]
            raise ValueError(
                f"The files in '{folder}' must have the md5 sums of {self.torchvision_name}, got "
                f'others for {", ".join(damaged)}. Delete these, and load with download=True.'
            ) from error
        return data.data.transpose(0, 3, 1, 2), data.targets


# In the order of their labels, which is alphabetical.
_CIFAR10_CLASSES = 'airplane automobile bird cat deer dog frog horse ship truck'
_CIFAR100_CLASSES = (
    'apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus '
    'butterfly camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch '
    'crab crocodile cup dinosaur dolphin elephant flatfish forest fox girl hamster house kangaroo '
    'keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle mountain mouse '
    'mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate poppy '
    'porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper '
    'snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone television '
    'tiger tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm'
)


@DATASETS.register_module()
class CIFAR10Dataset(_CIFARDataset):
    """Photographs of ten classes, 32x32, RGB: 50,000 to train on and 10,000 to test on.

    Args:
        data_root: The ``root`` of torchvision's class: files lie in
            ``<data_root>/cifar-10-batches-py``.
        split: ``'train'`` or ``'test'``.
        download: Fetch the files, 170 MB, if they are absent; by one process of a machine.
        kwargs: As for :class:`ImageDataset`.

    Raises:
        FileNotFoundError: If a file is absent and may not or could not be downloaded.
        ValueError: If ``split`` is neither, or a file is damaged.

    Example:
        >>> dataset = CIFAR10Dataset(split='test', lazy_init=True)
        >>> dataset.metainfo['classes'][:3]
        ('airplane', 'automobile', 'bird')
    """

    METAINFO = {'classes': tuple(_CIFAR10_CLASSES.split())}
    torchvision_name = 'CIFAR10'
    folder = 'cifar-10-batches-py'


@DATASETS.register_module()
class CIFAR100Dataset(_CIFARDataset):
    """Photographs of a hundred classes; sizes, arguments and errors as ``CIFAR10Dataset``.

    The labels are the fine ones. Files lie in ``<data_root>/cifar-100-python``.

    Example:
        >>> CIFAR100Dataset(lazy_init=True).metainfo['classes'][:3]
        ('apple', 'aquarium_fish', 'baby')
    """

    METAINFO = {'classes': tuple(_CIFAR100_CLASSES.split())}
    torchvision_name = 'CIFAR100'
    folder = 'cifar-100-python'
