"""Images packed into one file that is mapped into memory.

A packed dataset is a folder: ``images.npy``, a uint8 or uint16 array of shape ``(N, C, H, W)``,
``labels.npy``, an int64 array of shape ``(N,)``, if there are labels, and ``meta.json``, which
describes them. ``pack_images`` writes one, ``PackedImageDataset`` reads it. In one of pairs, an
image has the channels of the source, then those of the target; ``PackedPairDataset`` reads it.
"""

import json
import tempfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dataset import BaseDataset
from torch import Tensor

from mmgan_lite import __version__
from mmgan_lite.datasets.checksums import file_hash
from mmgan_lite.datasets.collate import ImageBatch, image_collate
from mmgan_lite.datasets.in_memory import InMemoryImageDataset, _SplitsPairs
from mmgan_lite.registry import DATASETS
from mmgan_lite.utils.atomic_io import atomic_write
from mmgan_lite.utils.validation import check_positive

_IMAGES, _LABELS, _META = 'images.npy', 'labels.npy', 'meta.json'
_ITEMS_AT_ONCE = 256


class MappedImages:
    """Images of a ``.npy`` file, read on access.

    All processes that map the file share its pages. Pickling stores the path, and unpickling maps
    the file again.

    Args:
        path: The file: a uint8 or uint16 array of shape ``(N, C, H, W)``.
        rows: Positions of these images in the file, int64 of shape ``(M,)``; None for all.

    Attributes:
        rows: As given.
        shape: ``(N, C, H, W)``.

    Raises:
        ValueError: If the file is not such an array, or has not the size in its header.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.save(f'{folder}/images.npy', np.zeros((5, 3, 8, 8), np.uint8))
        ...     images = MappedImages(Path(folder, 'images.npy'))
        ...     images.shape, images[0].shape, images[:2].shape
        ((5, 3, 8, 8), torch.Size([3, 8, 8]), torch.Size([2, 3, 8, 8]))
    """

    def __init__(self, path: Path, rows: np.ndarray | None = None) -> None:
        # The working directory may be another one after unpickling.
        self._path = path.absolute()
        self.rows = rows
        self._stored = _map_array(self._path, (np.uint8, np.uint16), num_dims=4)
        self.shape: tuple[int, ...] = (len(self), *self._stored.shape[1:])

    def __len__(self) -> int:
        return len(self._stored if self.rows is None else self.rows)

    def __getitem__(self, index: int | slice | Tensor) -> Tensor:
        """Read images; indexed as a tensor of all of them.

        Args:
            index: An int, a slice, or an int64 tensor of shape ``(B,)``.

        Returns:
            A copy of shape ``(C, H, W)`` for an int and else ``(B, C, H, W)``.

        Raises:
            IndexError: If a position is out of range.
        """
        position = index.numpy() if isinstance(index, Tensor) else index
        images = self._stored[position if self.rows is None else self.rows[position]]
        # An array of positions gives a copy; a view of the file is copied here.
        return torch.from_numpy(np.require(images, requirements='W'))

    def select(self, index: slice | np.ndarray) -> 'MappedImages':
        """Select some of these images; nothing is read.

        Raises:
            IndexError: If a position is out of range.
        """
        rows = np.arange(len(self)) if self.rows is None else self.rows
        return MappedImages(self._path, rows[index].copy())

    def __reduce__(self) -> tuple[Any, ...]:
        return MappedImages, (self._path, self.rows)


@DATASETS.register_module()
class PackedImageDataset(InMemoryImageDataset):
    """A packed dataset: like one in memory, but its images are read from a file for each batch.

    A batch is one indexing step, without decoding. The operating system caches pages of the file
    while there is memory, once for all processes of the machine. So the file may be larger than the
    memory, and a spawned worker gets only a path.

    The header and the size of the file are checked when it is opened. Other changes are found by
    the hash, for which each process reads the complete file; ``verify`` turns this on.

    ``images`` is a :class:`MappedImages`: ``images[:100]`` reads a hundred of them. A subset keeps
    positions in the same file and copies no image.

    Args:
        data_root: Output folder of ``mmgan-lite pack-dataset``.
        verify: Compare the files with the hashes in ``meta.json``.
        kwargs: As for :class:`ImageDataset`; ``metainfo`` takes precedence over packed classes,
            and over the folder's name as that of the data (``dataset``) in reports.

    Raises:
        FileNotFoundError: If there is no packed dataset.
        ValueError: If a file was truncated or altered.

    Example:
        >>> import tempfile
        >>> digits = InMemoryImageDataset(np.zeros((5, 1, 8, 8), np.uint8), labels=range(5))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     meta = pack_images(digits, Path(folder, 'packed'))
        ...     dataset = PackedImageDataset(f'{folder}/packed')
        ...     len(dataset), dataset[3]['inputs'].shape, dataset[3]['labels']
        (5, torch.Size([1, 8, 8]), 3)
    """

    _images: MappedImages  # type: ignore[assignment]  # is indexed as a tensor is
    to = None  # type: ignore[assignment]  # the images stay in their file

    def __init__(self, data_root: str | Path, verify: bool = False, **kwargs: Any) -> None:
        self.verify = verify
        super().__init__(None, None, data_root=data_root, **kwargs)
        self._metainfo.setdefault('dataset', Path(self.data_root).absolute().name)

    def _load(self) -> None:
        root = Path(self.data_root).expanduser()
        meta = _read_meta(root)
        self._read_channels(meta.get('source_channels'))
        images, labels = root / _IMAGES, root / _LABELS
        self._hashes = [str(meta['images_sha256']), str(meta['labels_sha256'])]
        self._images = MappedImages(images)
        _check_equal(images, 'shape', list(self._images.shape), [meta['count'], *meta['shape']])
        if meta['labels_sha256'] is not None:
            found = _map_array(labels, (np.int64,), num_dims=1)
            _check_equal(labels, 'shape', list(found.shape), [meta['count']])
            if found.min() < 0:
                raise _damaged(labels, 'of values >= 0', found.min())
            self._labels = torch.from_numpy(found.copy())
        if self.verify:
            for path, sha256 in zip((images, labels), self._hashes, strict=True):
                if sha256 != 'None':
                    _check_equal(path, 'sha256', file_hash(path), sha256)
        if meta['classes'] is not None:
            self._metainfo.setdefault('classes', tuple(meta['classes']))

    def _read_channels(self, source_channels: int | None) -> None:
        if source_channels is not None:
            raise ValueError(
                f"data_root must be a packed dataset of images, got '{self.data_root}' of pairs. "
                "Take dict(type='PackedPairDataset')."
            )

    def _content(self) -> Iterable[Any]:
        yield from (value.encode() for value in self._hashes)
        if self._images.rows is not None:
            yield self._images.rows

    def _gather(self, indices: Sequence[int]) -> ImageBatch:
        index = torch.as_tensor(indices)
        labels = None if self._labels is None else self._labels[index]
        return ImageBatch(self._images[index], labels)


@DATASETS.register_module()
class PackedPairDataset(_SplitsPairs, PackedImageDataset):
    """A packed dataset of pairs to learn a translation from.

    An item is ``dict(source=..., target=...)``, uint8 or uint16 tensors of shape ``(C, H, W)``. A
    pipeline gets both as one ``img``, with the channels of both, so a ``RandomCropFlip`` in it does
    the same to both.

    Args:
        data_root: Output folder of ``mmgan-lite pack-dataset`` with ``--target``.
        kwargs: As for :class:`PackedImageDataset`.

    Raises:
        FileNotFoundError: If there is no packed dataset.
        ValueError: If it is not of pairs, or a file was truncated or altered.

    Example:
        >>> import tempfile
        >>> from mmgan_lite.datasets import EdgesToDigitsDataset
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     meta = pack_images(EdgesToDigitsDataset(8, indices=5), Path(folder, 'packed'))
        ...     dataset = PackedPairDataset(f'{folder}/packed')
        ...     len(dataset), dataset[3]['source'].shape, dataset.pair_shapes
        (5, torch.Size([1, 8, 8]), ((1, 8, 8), (1, 8, 8)))
    """

    pair_shapes: tuple[tuple[int, int, int], ...] | None = None

    def __init__(self, data_root: str | Path, **kwargs: Any) -> None:
        super().__init__(data_root, **kwargs)

    def _load(self) -> None:
        super()._load()
        channels, height, width = self._images.shape[1:]
        counts = (self._source_channels, channels - self._source_channels)
        self.pair_shapes = tuple((count, height, width) for count in counts)

    def _read_channels(self, source_channels: int | None) -> None:
        if source_channels is None:
            raise ValueError(
                f"data_root must be a packed dataset of pairs, got '{self.data_root}' of images. "
                'Pack pairs: mmgan-lite pack-dataset SOURCE OUT --target TARGET.'
            )
        self._source_channels = source_channels


def pack_images(
    dataset: BaseDataset,
    out: str | Path,
    num_workers: int = 1,
    on_progress: Callable[[int], Any] = lambda num_images: None,
) -> dict[str, Any]:
    """Write the images of a dataset, and their labels if it has any, as a packed dataset.

    The files are written into ``<out>.partial-<random>``, which is renamed when they are complete,
    so ``out`` is always complete. The same images give the same files, with any number of workers.

    Args:
        dataset: Its items hold ``inputs``, uint8 or uint16 of shape ``(C, H, W)``, and ``labels``,
            an int, or no labels; or ``source`` and ``target`` of one size.
        out: A folder that does not exist yet.
        num_workers: Threads that read items in parallel.
        on_progress: Called with the number of new images after each write.

    Returns:
        Content of ``meta.json``: ``count``, ``shape`` (``[C, H, W]``), ``classes`` (names or None),
        ``images_sha256`` and ``labels_sha256`` (of the files; None without labels), ``source``
        (the dataset's class and ``data_root``), ``mmgan_lite`` (the version), and of pairs
        ``source_channels``.

    Raises:
        FileExistsError: If ``out`` exists.
        ValueError: If the dataset is empty, its images differ in shape, or one cannot be read.

    Example:
        >>> import tempfile
        >>> dataset = InMemoryImageDataset(np.zeros((5, 1, 8, 8), np.uint8))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     meta = pack_images(dataset, Path(folder, 'packed'))
        >>> meta['count'], meta['shape'], meta['labels_sha256']
        (5, [1, 8, 8], None)
    """
    out = Path(out).expanduser()
    check_positive('num_workers', num_workers)
    if len(dataset) == 0:
        raise ValueError('dataset must have images to pack, got 0. Pass one that has some.')
    if out.exists():
        raise FileExistsError(f"out must not exist yet, got '{out}'. Choose another name.")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f'{out.name}.partial-', dir=out.parent) as temporary:
        folder = Path(temporary, out.name)
        meta = _write_files(dataset, folder, num_workers, on_progress)
        folder.rename(out)
    return meta


def _write_files(
    dataset: BaseDataset, folder: Path, num_workers: int, on_progress: Callable[[int], Any]
) -> dict[str, Any]:
    """Write the three files; returns the content of ``meta.json``."""
    item, classes = dataset[0], dataset.metainfo.get('classes')
    first = _stack_pair(item)
    with atomic_write(folder / _IMAGES) as temporary:
        labels = _write_images(dataset, first, temporary, num_workers, on_progress)
    meta: dict[str, Any] = {
        'count': len(dataset),
        'shape': list(first['inputs'].shape),
        'classes': None if classes is None else list(classes),
        'images_sha256': file_hash(folder / _IMAGES),
        'labels_sha256': None,
        'source': {'type': type(dataset).__name__, 'data_root': dataset.data_root},
        'mmgan_lite': __version__,
    }
    if 'source' in item:
        meta['source_channels'] = len(item['source'])
    if labels:
        with atomic_write(folder / _LABELS) as temporary, temporary.open('wb') as file:
            np.save(file, np.array(labels, dtype=np.int64))
        meta['labels_sha256'] = file_hash(folder / _LABELS)
    with atomic_write(folder / _META) as temporary:
        temporary.write_text(json.dumps(meta, indent=2))
    return meta


def _write_images(
    dataset: BaseDataset, first: dict, path: Path, num_workers: int, on_progress: Callable
) -> list[int]:
    """Write the images, of the shape of the first; returns all labels."""
    labels: list[int] = []
    # Threads: Pillow decodes without the GIL, and no data is sent between processes.
    with path.open('wb') as file, ThreadPoolExecutor(num_workers) as pool:
        shape = (len(dataset), *first['inputs'].shape)
        descr = np.lib.format.dtype_to_descr(first['inputs'].numpy().dtype)
        header = {'descr': descr, 'fortran_order': False, 'shape': shape}
        np.lib.format.write_array_header_1_0(file, header)
        for start in range(0, len(dataset), _ITEMS_AT_ONCE):
            positions = range(start, min(start + _ITEMS_AT_ONCE, len(dataset)))
            # With the first, so that the images of all chunks have one shape.
            items = map(_stack_pair, pool.map(dataset.__getitem__, positions))
            batch = image_collate([first, *items])
            if 'labels' in batch:
                labels += batch['labels'][1:].tolist()
            file.write(batch['inputs'][1:].numpy().data)
            on_progress(len(positions))
    return labels


def _stack_pair(item: dict[str, Any]) -> dict[str, Any]:
    """An item of source and target as one image with the channels of both; others as they are."""
    if 'source' not in item:
        return item
    return dict(inputs=torch.cat([item['source'], item['target']]))


def _read_meta(root: Path) -> dict[str, Any]:
    path = root / _META
    if not path.is_file():
        raise FileNotFoundError(
            f"data_root must be a packed dataset, got '{root}', which has no {_META}. "
            'Pack a folder of images: mmgan-lite pack-dataset SOURCE OUT.'
        )
    try:
        meta = json.loads(path.read_text())
        expected = {'count', 'shape', 'classes', 'images_sha256', 'labels_sha256'}
        if missing := sorted(expected - set(meta)):
            raise ValueError(f'without {", ".join(missing)}')
    except (TypeError, ValueError) as error:
        raise _damaged(path, 'a file of mmgan-lite pack-dataset', error) from error
    return meta


def _map_array(path: Path, dtypes: Sequence[type], num_dims: int) -> np.ndarray:
    """Map a complete ``.npy`` file of such an array, read-only."""
    names = ' or '.join(dtype.__name__ for dtype in dtypes)
    rule = f'{num_dims}-dimensional, of {names}, contiguous and complete'
    try:
        # Not copy-on-write: Linux refuses such a mapping if it is larger than the memory.
        array = np.lib.format.open_memmap(path, mode='r')
    # Damaged bytes make numpy raise errors of many types.
    except Exception as error:
        raise _damaged(path, rule, error) from error
    is_complete = path.stat().st_size == array.offset + array.nbytes and array.flags.c_contiguous
    if array.dtype not in dtypes or array.ndim != num_dims or not is_complete:
        found = f'{array.dtype} of shape {array.shape} in {path.stat().st_size} bytes'
        raise _damaged(path, rule, found)
    return array.view(np.ndarray)


def _check_equal(path: Path, what: str, found: Any, expected: Any) -> None:
    if found != expected:
        raise _damaged(path, f'of the {what} {expected}, as in {_META}', found)


def _damaged(path: Path, rule: str, found: Any) -> ValueError:
    return ValueError(
        f"'{path}' must be {rule}, got {found}. It was truncated or altered: copy it again, or "
        'pack the images again with mmgan-lite pack-dataset.'
    )
