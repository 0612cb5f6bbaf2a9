"""Images and labels in parquet files, as data sets of the Hugging Face Hub have them."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmgan_lite.datasets.image_files import ImageFiles, Listing, kind_of, read_headers, some_of

if TYPE_CHECKING:
    import datasets


class ParquetFiles(ImageFiles):
    """Images in a column of a table, which is mapped into memory.

    Args:
        path: The folder of the parquet files.
        table: All rows; images as dicts with ``bytes``.
        column: Name of the column of images.
    """

    def __init__(self, path: Path, table: 'datasets.Dataset', column: str) -> None:
        super().__init__(path, [f'row {row}' for row in range(len(table))])
        self._rows = np.arange(len(table))
        self._table, self._column = table, column

    def read(self, position: int) -> bytes:
        """As in the base class."""
        content: bytes = self._table[int(self._rows[position])][self._column]['bytes']
        return content

    def size(self, position: int) -> int:
        """As in the base class."""
        return len(self.read(position))

    def read_other(self, name: str) -> bytes | None:
        """As in the base class."""
        return None

    def read_labels(self, column: str | None) -> tuple[np.ndarray | None, tuple[str, ...] | None]:
        """Labels ``(N,)``, and the names of classes, of a column; None if there are none.

        Args:
            column: Its name; None for the only column of class labels, or else ``label``.

        Raises:
            ValueError: If there is no such column, it has no ints >= 0, or there are several.
        """
        features = self._table.features
        classes = [name for name, kind in features.items() if type(kind).__name__ == 'ClassLabel']
        if column is None and len(classes) > 1:
            raise ValueError(
                f"'{self.path}' must have one column of class labels, got {', '.join(classes)}. "
                f'Choose one, such as labels={classes[0]!r}, or pass labels=False.'
            )
        if column is None:
            column = next(iter([*classes, *({'label'} & features.keys())]), None)
        if column is None:
            return None, None
        if column not in features:
            raise ValueError(
                f"labels must be a column of '{self.path}', got {column!r}. It has "
                f'{", ".join(features)}.'
            )
        labels = np.array(self._table[column][:])[self._rows]
        if labels.dtype.kind not in 'iu' or labels.min() < 0:
            raise ValueError(
                f"labels in column {column!r} of '{self.path}' must be ints >= 0, got "
                f'{labels.dtype} from {labels.min()}. Choose another column, or pass labels=False.'
            )
        names = features[column].names if column in classes else None
        return labels.astype(np.int64), None if names is None else tuple(names)


def list_parquet(path: Path, names: Sequence[str], header: Callable) -> Listing:
    """List the images in parquet files.

    Args:
        path: The folder.
        names: Of all files below it.
        header: As for :func:`list_images`.

    Raises:
        ValueError: If ``datasets`` is not installed, or the files cannot be read, are of several
            splits, or have no column of images, or several.
    """
    try:
        import datasets
        from pyarrow import BufferReader
    except ModuleNotFoundError:
        raise ValueError(
            f"'{path}' has parquet files, which need the package datasets. Run: pip install "
            "'mmgan-lite[parquet]'"
        ) from None
    left_out = Counter(kind_of(name) for name in names if not is_parquet(name))
    files = [name for name in names if is_parquet(name)]
    # Such as 'data/train' of 'data/train-00000-of-00002.parquet'.
    splits = sorted({re.sub(r'[-_]?\d.*', '', name.removesuffix('.parquet')) for name in files})
    if len(splits) > 1:
        raise ValueError(
            f"'{path}' must hold parquet files of one split, got {', '.join(splits)}. Move the "
            'others elsewhere.'
        )
    try:
        table = datasets.Dataset.from_parquet([str(path / name) for name in files])
    # Damaged files make datasets raise errors of many types.
    except Exception as error:
        raise ValueError(
            f"'{path}' must hold parquet files that can be read, got {type(error).__name__}: "
            f'{error}. Download them again.'
        ) from error
    columns = [name for name, feature in table.features.items() if _is_image(feature)]
    if len(columns) != 1:
        found = some_of(columns) or f'of the columns {", ".join(table.features)}'
        raise ValueError(
            f"Parquet files in '{path}' must have one column of images, got {len(columns)} "
            f'({found}). Write one with datasets.Image() as its feature.'
        )
    table = table.cast_column(columns[0], datasets.Image(decode=False))
    chunks = table.data.column(columns[0]).chunks
    images = [image for chunk in chunks for image in chunk.field('bytes')]
    listed = ParquetFiles(path, table, columns[0])
    opened = dict(zip(listed.names(), images, strict=True))
    # Of a file that is mapped into memory, only the pages of the headers are read.
    headers = read_headers(header, lambda name: BufferReader(opened[name].as_buffer()), [*opened])
    return Listing(listed, headers, [], left_out)


def is_parquet(name: str) -> bool:
    """Whether it is the name of a parquet file."""
    return kind_of(name) == '.parquet'


def _is_image(feature: Any) -> bool:
    return type(feature).__name__ == 'Image' or (isinstance(feature, dict) and 'bytes' in feature)
