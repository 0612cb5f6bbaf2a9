"""Images packed into one file that is mapped into memory.

A packed dataset is a folder: ``images.npy``, a uint8 array of shape ``(N, C, H, W)``,
``labels.npy``, an int64 array of shape ``(N,)``, if there are labels, and ``meta.json``, which
describes them. ``pack_images`` writes one, ``PackedImageDataset`` reads it.
"""

import hashlib
import io
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dataset import BaseDataset
from torch import Tensor

from mmgan_lite import __version__
from mmgan_lite.datasets.checksums import file_hash
from mmgan_lite.datasets.collate import ImageBatch
from mmgan_lite.datasets.in_memory import InMemoryImageDataset, selector
from mmgan_lite.registry import DATASETS
from mmgan_lite.utils.validation import check_positive

_IMAGES, _LABELS, _META = 'images.npy', 'labels.npy', 'meta.json'
_ITEMS_AT_ONCE = 256


class MappedImages:
    """Images of a ``.npy`` file, read on access.

    All processes that map the file share its pages. Pickling stores the path, and unpickling maps
    the file again.

    Args:
        path: The file: a uint8 array of shape ``(N, C, H, W)``.
        rows: Positions of these images in the file, int64 of shape ``(M,)``; None for all.

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
        self._rows = rows
        self._stored = _map_array(self._path)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """``(N, C, H, W)``."""
        channels, height, width = self._stored.shape[1:]
        return len(self), channels, height, width

    @property
    def rows(self) -> np.ndarray | None:
        """Positions of these images in the file, int64 of shape ``(N,)``; None for all."""
        return self._rows

    def __len__(self) -> int:
        return len(self._stored if self._rows is None else self._rows)

    def __getitem__(self, index: int | slice | Tensor) -> Tensor:
        """Read images; indexed as a tensor of all of them.

        Args:
            index: An int, a slice, or an int64 tensor of shape ``(B,)``.

        Returns:
            A copy, uint8 of shape ``(C, H, W)`` for an int and else ``(B, C, H, W)``.

        Raises:
            IndexError: If a position is out of range.
        """
        position = index.numpy() if isinstance(index, Tensor) else index
        images = self._stored[position if self._rows is None else self._rows[position]]
        # An array of positions gives a copy; a view of the file is copied here.
        return torch.from_numpy(np.require(images, requirements='W'))

    def select(self, index: slice | Tensor) -> 'MappedImages':
        """Select some of these images; nothing is read.

        Raises:
            IndexError: If a position is out of range.
        """
        position = index.numpy() if isinstance(index, Tensor) else index
        rows = np.arange(len(self)) if self._rows is None else self._rows
        return MappedImages(self._path, rows[position].copy())

    def __reduce__(self) -> tuple[Any, ...]:
        return MappedImages, (self._path, self._rows)


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
        metainfo: Entries that take precedence over the packed ones, e.g. ``classes``.
        indices: Keep only some images, as for ``InMemoryImageDataset``, and so are the arguments
            below.
        pipeline: Transforms, ending in ``PackImage``.
        test_mode: Fail on an image that the pipeline rejects.
        lazy_init: Open when first needed.
        max_refetch: How many other images to try when the pipeline rejects one.

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

    def __init__(
        self,
        data_root: str | Path,
        verify: bool = False,
        metainfo: Mapping | None = None,
        indices: int | Sequence[int] | None = None,
        pipeline: Sequence[Mapping | Callable] = (),
        test_mode: bool = False,
        lazy_init: bool = False,
        max_refetch: int = 1000,
    ) -> None:
        self.verify = verify
        self._mapped: MappedImages
        self._hashes: list[str]
        super().__init__(
            metainfo=metainfo,
            data_root=str(data_root),
            indices=indices,
            pipeline=pipeline,
            test_mode=test_mode,
            lazy_init=lazy_init,
            max_refetch=max_refetch,
        )

    def full_init(self) -> None:
        """Open and check the files and select ``indices``, unless it is done.

        Raises:
            FileNotFoundError: If there is no packed dataset.
            ValueError: If a file was truncated or altered.
        """
        if self._fully_initialized:
            return
        root = Path(self.data_root).expanduser()
        meta = _read_meta(root)
        self._mapped = MappedImages(root / _IMAGES)
        shape = [meta['count'], *meta['shape']]
        _check_equal(root / _IMAGES, 'shape', list(self._mapped.shape), shape)
        self._hashes = [str(meta['images_sha256']), str(meta['labels_sha256'])]
        self._labels = None
        if meta['labels_sha256'] is not None:
            self._labels = _read_labels(root / _LABELS, meta['count'])
        if self.verify:
            for name, key in ((_IMAGES, 'images_sha256'), (_LABELS, 'labels_sha256')):
                if meta[key] is not None:
                    _check_equal(root / name, 'sha256', file_hash(root / name), meta[key])
        if meta['classes'] is not None:
            self._metainfo.setdefault('classes', tuple(meta['classes']))
        self._fully_initialized = True
        if self._indices is not None:
            self.get_subset_(self._indices)

    @property
    def images(self) -> MappedImages:  # type: ignore[override]  # is indexed as a tensor
        """All images, of shape ``(N, C, H, W)``, in the file."""
        self.full_init()
        return self._mapped

    def _content(self) -> Iterable[Any]:
        """The hashes in ``meta.json``, as reading all images would take minutes."""
        self.full_init()
        yield from (value.encode() for value in self._hashes)
        if self.images.rows is not None:
            yield self.images.rows

    def get_subset_(self, indices: int | Sequence[int]) -> None:
        """Keep only some images; arguments and errors as for ``InMemoryImageDataset``."""
        select, labels = selector(indices), self.labels
        self._mapped = self.images.select(select)
        self._labels = None if labels is None else labels[select].clone()

    def _gather(self, indices: Sequence[int]) -> ImageBatch:
        index = torch.as_tensor(indices)
        return ImageBatch(self.images[index], None if self.labels is None else self.labels[index])


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
        dataset: Its items hold ``inputs``, uint8 of shape ``(C, H, W)``, and ``labels``, an int,
            or no labels.
        out: A folder that does not exist yet.
        num_workers: Threads that read items in parallel.
        on_progress: Called with the number of new images after each write.

    Returns:
        Content of ``meta.json``: ``count``, ``shape`` (``[C, H, W]``), ``classes`` (names or None),
        ``images_sha256`` and ``labels_sha256`` (of the files; None without labels), ``source``
        (the dataset's class and ``data_root``), ``mmgan_lite`` (the version).

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
    _refuse_existing(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(f'{out.name}.partial-{uuid.uuid4().hex[:8]}')
    partial.mkdir()
    try:
        meta = _write_files(dataset, partial, num_workers, on_progress)
        _refuse_existing(out)
        partial.rename(out)
    except BaseException:  # Ctrl-C must not leave gigabytes behind either
        shutil.rmtree(partial)
        raise
    return meta


def _refuse_existing(out: Path) -> None:
    if out.exists():
        raise FileExistsError(
            f"out must be a folder that does not exist yet, got '{out}'. "
            'Choose another name, or delete it.'
        )


def _write_files(
    dataset: BaseDataset, folder: Path, num_workers: int, on_progress: Callable[[int], Any]
) -> dict[str, Any]:
    """Write the three files; returns the content of ``meta.json``."""
    shape = tuple(dataset[0]['inputs'].shape)
    labels: list[int] = []

    def image_chunks() -> Iterator[bytes | memoryview]:
        yield _npy_header((len(dataset), *shape))
        for items in _read_items(dataset, num_workers):
            for item in items:
                if tuple(item['inputs'].shape) != shape:
                    raise ValueError(
                        f'The images of a packed dataset must have one shape, got {shape} and '
                        f'{tuple(item["inputs"].shape)}. Resize them: image_size=64, or '
                        '--image-size 64.'
                    )
            labels.extend(item['labels'] for item in items if 'labels' in item)
            yield torch.stack([item['inputs'] for item in items]).numpy().data
            on_progress(len(items))

    classes = dataset.metainfo.get('classes')
    meta: dict[str, Any] = {
        'count': len(dataset),
        'shape': list(shape),
        'classes': None if classes is None else list(classes),
        'images_sha256': _write_hashed(folder / _IMAGES, image_chunks()),
        'labels_sha256': None,
        'source': {'type': type(dataset).__name__, 'data_root': dataset.data_root},
        'mmgan_lite': __version__,
    }
    if labels:
        buffer = io.BytesIO()
        np.save(buffer, np.array(labels, dtype=np.int64))
        meta['labels_sha256'] = _write_hashed(folder / _LABELS, [buffer.getvalue()])
    _write_hashed(folder / _META, [json.dumps(meta, indent=2).encode()])
    return meta


def _npy_header(shape: tuple[int, ...]) -> bytes:
    buffer = io.BytesIO()
    header = {'descr': '|u1', 'fortran_order': False, 'shape': shape}
    np.lib.format.write_array_header_1_0(buffer, header)
    return buffer.getvalue()


def _read_items(dataset: BaseDataset, num_workers: int) -> Iterator[list[dict[str, Any]]]:
    """All items in order, in chunks, so that few are in memory."""
    count = len(dataset)
    # Threads: Pillow decodes without the GIL, and no data is sent between processes.
    with ThreadPoolExecutor(num_workers) as pool:
        for start in range(0, count, _ITEMS_AT_ONCE):
            positions = range(start, min(start + _ITEMS_AT_ONCE, count))
            yield list(pool.map(dataset.__getitem__, positions))


def _write_hashed(path: Path, chunks: Iterable[bytes | memoryview]) -> str:
    """Write a file and flush it to the disk; returns its sha256."""
    digest = hashlib.sha256()
    with path.open('wb') as file:
        for chunk in chunks:
            file.write(chunk)
            digest.update(chunk)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


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


def _map_array(path: Path) -> np.ndarray:
    """Map a ``.npy`` file of images, uint8 of shape ``(N, C, H, W)``, read-only."""
    rule = 'a uint8 array of shape (N, C, H, W)'
    try:
        # Not copy-on-write: Linux refuses such a mapping if it is larger than the memory.
        images = np.lib.format.open_memmap(path, mode='r')
    # Damaged bytes make numpy raise errors of many types.
    except Exception as error:
        raise _damaged(path, rule, error) from error
    if images.dtype != np.uint8 or images.ndim != 4 or not images.flags.c_contiguous:
        raise _damaged(path, rule, f'{images.dtype} of shape {images.shape}')
    num_bytes = images.offset + images.nbytes
    if path.stat().st_size != num_bytes:
        raise _damaged(path, f'{num_bytes} bytes long', f'{path.stat().st_size} bytes')
    return images.view(np.ndarray)


def _read_labels(path: Path, count: int) -> Tensor:
    rule = f'an int64 array of shape ({count},) with values >= 0'
    try:
        with path.open('rb') as file:
            labels = np.lib.format.read_array(file, allow_pickle=False)
    # Damaged bytes make numpy raise errors of many types.
    except Exception as error:
        raise _damaged(path, rule, error) from error
    if labels.dtype != np.int64 or labels.shape != (count,) or labels.min() < 0:
        raise _damaged(path, rule, f'{labels.dtype} of shape {labels.shape}')
    return torch.from_numpy(labels)


def _check_equal(path: Path, what: str, found: Any, expected: Any) -> None:
    if found != expected:
        raise _damaged(path, f'of the {what} {expected}, as in {_META}', found)


def _damaged(path: Path, rule: str, found: Any) -> ValueError:
    return ValueError(
        f"'{path}' must be {rule}, got {found}. It was truncated or altered: copy it again, or "
        'pack the images again with mmgan-lite pack-dataset.'
    )
