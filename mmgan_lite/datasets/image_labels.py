"""Labels of image files: from their folders, a table, or the list of NVIDIA's tools."""

import csv
import io
import json
import logging
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from mmengine.logging import print_log

from mmgan_lite.datasets.image_files import ImageFiles, Listing, some_of
from mmgan_lite.datasets.parquet_files import ParquetFiles

NVIDIA_LIST = 'dataset.json'
_HEADER = ['file', 'label']
# Of the number of images of the largest class and of the smallest.
_UNEVEN = 10


class Labels(NamedTuple):
    """Labels of images.

    ``numbers`` is int64 ``(N,)``, or None for images without labels; ``classes`` the names by
    number, or None; ``source`` the file among the images that they are from, or None.
    """

    numbers: np.ndarray | None = None
    classes: tuple[str, ...] | None = None
    source: str | None = None


def find_labels(listing: Listing, labels: str | Path | bool | None) -> Labels:
    """The labels of listed images.

    Args:
        listing: The images.
        labels: A ``.csv`` or ``.json`` file below their folder or in their zip, or elsewhere; in
            parquet files, a column; False for none. None takes the ``dataset.json`` of NVIDIA's
            tools, labels of parquet files, or sub-folders, whichever is there.

    Raises:
        FileNotFoundError: If the file is absent.
        ValueError: If it is not as described, or does not have one label for each image.
    """
    files = listing.files
    if labels is False:
        return Labels()
    if isinstance(files, ParquetFiles):
        return Labels(*files.read_labels(None if labels is None else str(labels)))
    if labels is not None:
        return _read_list(files, str(labels))
    if (content := files.read_other(NVIDIA_LIST)) is not None:
        return _match(files, NVIDIA_LIST, _nvidia_rows(f'{files.path}/{NVIDIA_LIST}', content))
    return _folder_labels(listing)


def natural_order(name: str) -> list[tuple[bool, int, str]]:
    """Key of the order in which '2' comes before '10'.

    Example:
        >>> sorted(['10', '2', 'b', 'a10', 'a9'], key=natural_order)
        ['2', '10', 'a9', 'a10', 'b']
    """
    parts = re.findall(r'\d+|\D+', name)
    return [(not part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts]


def warn_of_classes(numbers: np.ndarray, classes: Sequence[str] | None) -> None:
    """Warn of classes without images, and of classes of very different size."""
    counts = np.bincount(numbers, minlength=len(classes or ()))
    names = [*map(str, range(len(counts)))] if classes is None else [*classes]
    if empty := [name for name, count in zip(names, counts, strict=False) if count == 0]:
        _warn(
            f'{len(empty):,} of {len(counts):,} classes have no image ({some_of(empty)}). '
            'A conditional model learns nothing of them.'
        )
    filled = [(count, name) for count, name in zip(counts.tolist(), names, strict=False) if count]
    least, most = min(filled), max(filled)
    if most[0] >= _UNEVEN * least[0]:
        _warn(
            f'The classes are uneven: {most[0]:,} images of {most[1]}, {least[0]:,} of {least[1]}. '
            'To draw rare ones more often, wrap the dataset in ClassBalancedDataset.'
        )


def _folder_labels(listing: Listing) -> Labels:
    names, path = listing.files.names(), listing.files.path
    tops = [name.split('/')[0] for name in names if '/' in name]
    if not tops:
        return Labels()
    if len(tops) < len(names):
        flat = len(names) - len(tops)
        raise ValueError(
            'data_root must hold images either directly or in one sub-folder per class, got '
            f"'{path}' with {flat:,} directly and {len(tops):,} in sub-folders "
            f'({some_of(sorted(set(tops)))}). Move one or the other elsewhere, or pass '
            'labels=False to train without classes.'
        )
    classes = sorted(listing.folders, key=natural_order)
    number_of = {name: number for number, name in enumerate(classes)}
    return Labels(np.array([number_of[top] for top in tops]), tuple(classes))


def _read_list(files: ImageFiles, labels: str) -> Labels:
    """Labels from a file that the user named."""
    name = os.path.relpath(labels, files.path) if os.path.isabs(labels) else labels
    source = None if name.startswith('..') else name
    content = None if source is None else files.read_other(source)
    path = f'{files.path}/{name}'
    if content is None:
        source = None
        if not Path(labels).expanduser().is_file():
            raise FileNotFoundError(
                f"labels must be a .csv or .json file in '{files.path}' or elsewhere, got "
                f'{labels!r}, which is no file. Correct the path.'
            )
        content, path = Path(labels).expanduser().read_bytes(), labels
    kind = Path(labels).suffix.lower()
    if kind not in ('.csv', '.json'):
        raise ValueError(f'labels must be a .csv or .json file, got {labels!r}. Convert it.')
    rows = _csv_rows(path, content) if kind == '.csv' else _nvidia_rows(path, content)
    return _match(files, labels, rows)._replace(source=source)


def read_csv(
    path: str, content: bytes, header: Sequence[str], described: str
) -> list[tuple[str, str]]:
    """Both columns of a table.

    Args:
        path: Of the file, for errors.
        content: Of the file.
        header: The first row may have these names.
        described: What a row belongs to, for the error.

    Raises:
        ValueError: If it is no such table.
    """
    try:
        rows = list(csv.reader(io.StringIO(content.decode('utf-8-sig'), newline='')))
    except (UnicodeDecodeError, csv.Error) as error:
        text = f"'{path}' must be a CSV file in UTF-8, got {error}. Save it so."
        raise ValueError(text) from error
    start = 1 if rows[:1] == [[*header]] else 0
    for line, row in enumerate(rows[start:], start + 1):
        if row and (len(row) != 2 or not all(row)):
            raise ValueError(
                f"Each row of '{path}' must be {','.join(header)}, got {','.join(row)!r} as row "
                f'{line}. Correct it, or delete it together with {described}.'
            )
    return [(first, second) for first, second in filter(None, rows[start:])]


def _csv_rows(path: str, content: bytes) -> Iterator[tuple[str, str | int]]:
    """File and label of each row: ints if all of them are, else names."""
    found = read_csv(path, content, _HEADER, 'its image')
    if all(label.isdecimal() for _, label in found):
        return ((file, int(label)) for file, label in found)
    return iter(found)


def _nvidia_rows(path: str, content: bytes) -> Iterator[tuple[str, int]] | None:
    """File and label of each entry of ``{"labels": [["00000/img00000000.png", 6], ...]}``."""
    try:
        rows = json.loads(content)['labels']
        if rows is None:  # images without labels
            return None
        found = [(file, label) for file, label in rows]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f'\'{path}\' must be {{"labels": [[file, label], ...]}}, got {type(error).__name__}: '
            f'{error}. Write it with dataset_tool.py of StyleGAN, or pass labels=False.'
        ) from error
    for file, label in found:
        if type(label) is not int or label < 0:
            raise ValueError(
                f"Labels in '{path}' must be ints >= 0, got {label!r} for {file!r}. Number the "
                'classes from 0, or pass labels=False.'
            )
    return iter(found)


def _match(files: ImageFiles, source: str, rows: Iterator[tuple[str, str | int]] | None) -> Labels:
    """Labels in the order of the images, each of which must have one."""
    if rows is None:
        return Labels(source=source)
    pairs = [(file.removeprefix('./'), label) for file, label in rows]
    table, names = dict(pairs), files.names()
    counts = Counter(file for file, _ in pairs)
    wrong = {
        'images without a label': [name for name in names if name not in table],
        'labels of files that are no images there': sorted(table.keys() - set(names)),
        'files with several labels': [file for file, count in counts.items() if count > 1],
    }
    if found := [f'{len(w):,} {what} ({some_of(w)})' for what, w in wrong.items() if w]:
        raise ValueError(
            f"'{source}' must have one label for each of the {len(names):,} images in "
            f"'{files.path}', got {' and '.join(found)}. Correct it, or pass labels=False."
        )
    labels = [table[name] for name in names]
    if all(isinstance(label, int) for label in labels):
        return Labels(np.array(labels, dtype=np.int64), None, source)
    classes = sorted({str(label) for label in labels}, key=natural_order)
    number_of = {name: number for number, name in enumerate(classes)}
    return Labels(np.array([number_of[str(label)] for label in labels]), tuple(classes), source)


def _warn(message: str) -> None:
    print_log(message, 'current', logging.WARNING)
