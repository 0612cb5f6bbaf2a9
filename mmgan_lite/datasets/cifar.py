"""CIFAR-10 and CIFAR-100: 32x32 colour photographs.

Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images. The files are fetched by
torchvision's classes, lie where those put them, and are read by them: they compare each file with
its md5 before they unpickle it.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmgan_lite.datasets.downloads import check_split, obtain_files
from mmgan_lite.datasets.in_memory import InMemoryImageDataset
from mmgan_lite.registry import DATASETS


class _CIFARDataset(InMemoryImageDataset):
    """What the two have in common; ``CIFAR10Dataset`` describes the arguments."""

    # The class in torchvision.datasets, its folder under data_root, and the files in it.
    torchvision_name: str
    folder: str
    files: tuple[str, ...]
    image_shape = (3, 32, 32)

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
        self.split = check_split(split, 50_000)
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
        """Read the split, after a download if files are absent.

        Returns:
            Images, uint8 of shape ``(N, 3, 32, 32)``, and labels, N ints.

        Raises:
            FileNotFoundError: If a file is absent and may not or could not be downloaded.
            ValueError: If a file is damaged.
        """
        folder = obtain_files(
            self.torchvision_name,
            self.data_root,
            self.folder,
            needed=self.files,  # torchvision looks at those of both splits
            provided=self.files,
            download=self.download,
        )
        from torchvision import datasets  # slow to import

        source = getattr(datasets, self.torchvision_name)
        try:
            data = source(root=folder.parent, train=self.split == 'train')
        except RuntimeError as error:
            raise _damaged(folder, source) from error
        return data.data.transpose(0, 3, 1, 2), data.targets


def _damaged(folder: Path, source: Any) -> ValueError:
    """Which of the files are not what torchvision expects."""
    from torchvision.datasets.utils import check_integrity

    sums = [*source.train_list, *source.test_list, (source.meta['filename'], source.meta['md5'])]
    names = [name for name, md5 in sums if not check_integrity(folder / name, md5)]
    return ValueError(
        f"The files in '{folder}' must have the md5 sums of {source.__name__}, got others for "
        f'{", ".join(names)}. Delete these, and load with download=True.'
    )


@DATASETS.register_module()
class CIFAR10Dataset(_CIFARDataset):
    """Photographs of ten kinds, 32x32, RGB: 50,000 to train on and 10,000 to test on.

    Args:
        data_root: The ``root`` of torchvision's class: files lie in
            ``<data_root>/cifar-10-batches-py``.
        split: ``'train'`` or ``'test'``.
        download: Fetch the files, 170 MB, if they are absent; one process of a machine does.
        metainfo: As for ``InMemoryImageDataset``, and so are the arguments below.
        indices: Keep only some images.
        pipeline: Transforms, ending in ``PackImage``.
        test_mode: Fail on an image that the pipeline rejects.
        lazy_init: Load when first needed.
        max_refetch: How many other images to try when the pipeline rejects one.

    Raises:
        FileNotFoundError: If a file is absent and may not or could not be downloaded.
        ValueError: If ``split`` is neither, or a file is damaged.

    Example:
        >>> dataset = CIFAR10Dataset(split='test', lazy_init=True)
        >>> dataset.metainfo['classes'][:3]
        ('airplane', 'automobile', 'bird')
    """

    METAINFO = {
        'classes': (
            'airplane',
            'automobile',
            'bird',
            'cat',
            'deer',
            'dog',
            'frog',
            'horse',
            'ship',
            'truck',
        )
    }
    torchvision_name = 'CIFAR10'
    folder = 'cifar-10-batches-py'
    files = (*(f'data_batch_{number}' for number in range(1, 6)), 'test_batch', 'batches.meta')


# In the order of their labels, which is the alphabet's.
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
class CIFAR100Dataset(_CIFARDataset):
    """Photographs of a hundred kinds, in the sizes of CIFAR-10; arguments and errors are its own.

    The labels are the fine ones. Files lie in ``<data_root>/cifar-100-python``.

    Example:
        >>> CIFAR100Dataset(lazy_init=True).metainfo['classes'][:3]
        ('apple', 'aquarium_fish', 'baby')
    """

    METAINFO = {'classes': tuple(_CIFAR100_CLASSES.split())}
    torchvision_name = 'CIFAR100'
    folder = 'cifar-100-python'
    files = ('train', 'test', 'meta')
