"""What is at a place with images, by the headers of the files."""

import statistics
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from mmgan_lite.datasets.decoding import ImageDecoder
from mmgan_lite.datasets.image_files import Listing, describe_error
from mmgan_lite.datasets.image_headers import ImageHeader, read_header
from mmgan_lite.datasets.image_labels import Labels, find_labels
from mmgan_lite.datasets.image_listing import list_images
from mmgan_lite.datasets.multiband import read_band_header

_GRAY_MODES = ('1', 'L', 'LA', 'I', 'F')


@dataclass(frozen=True)
class DataDescription:
    """Images and their labels; no pixel is read.

    Args:
        listing: What was found.
        labels: Of the images; of none if the labels are wrong.
        labels_error: What is wrong with the labels, or None.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Image.new('L', (60, 40)).save(f'{folder}/a.png')
        ...     found = describe(folder)
        >>> len(found.headers), found.is_gray, found.short_side
        (1, True, 40)
    """

    listing: Listing
    labels: Labels
    labels_error: str | None

    @cached_property
    def headers(self) -> list[ImageHeader]:
        """Of all images whose header can be read."""
        return [header for header in self.listing.headers if isinstance(header, ImageHeader)]

    @cached_property
    def unreadable(self) -> list[str]:
        """Name and error of the other files that have the name of an image."""
        files = self.listing.files
        return [
            f'{files.name(position)} ({describe_error(header)})'
            for position, header in enumerate(self.listing.headers)
            if isinstance(header, Exception)
        ]

    @property
    def left_out(self) -> str:
        """Kinds of the other files, such as '2 .txt, 1 hidden'."""
        return self.listing.describe_left_out(used=[self.labels.source])

    @property
    def is_gray(self) -> bool:
        """Whether no image is stored in colors."""
        return all(
            header.mode in _GRAY_MODES or header.mode.startswith('I;') for header in self.headers
        )

    @property
    def num_with_alpha(self) -> int:
        """Number of images that have an alpha channel, or a transparent color."""
        return sum(header.has_alpha for header in self.headers)

    @property
    def bits(self) -> Counter[int]:
        """Number of images by their bits per channel."""
        return Counter(header.bits for header in self.headers)

    @property
    def short_side(self) -> int:
        """The median of the shorter sides in pixels."""
        return statistics.median_low(min(h.width, h.height) for h in self.headers)

    @property
    def class_counts(self) -> dict[str, int]:
        """Number of images of each class, by its name or number; of none without labels."""
        numbers, names = self.labels.numbers, self.labels.classes
        if numbers is None:
            return {}
        counts = np.bincount(numbers, minlength=len(names or ())).tolist()
        names = tuple(map(str, range(len(counts)))) if names is None else names
        return dict(zip(names, counts, strict=True))


def describe(
    path: str | Path,
    channels: int | str | None = None,
    labels_from: str | Path | bool | None = None,
) -> DataDescription:
    """Describe the images of a folder, a zip or a folder of parquet files, and their labels.

    Args:
        path: Where they are.
        channels: As for :class:`ImageDecoder`; with a number of bands, files of so many bands count
            as images. None for those of Pillow.
        labels_from: As ``labels`` of :class:`ImageFolderDataset`.

    Raises:
        FileNotFoundError: If there is nothing at ``path``.
        ValueError: If there is no readable image, or ``path`` is something else.
    """
    header: Callable = read_header
    if channels is not None and (decoder := ImageDecoder(channels)).mode is None:
        header = partial(read_band_header, decoder.num_channels)
    listing = list_images(path, header)
    labels, error = Labels(), None
    if len(listing.files):
        try:
            labels = find_labels(listing, labels_from)
        except (OSError, ValueError) as wrong:
            error = str(wrong)
    found = DataDescription(listing, labels, error)
    if not found.headers:
        unreadable = f'{len(found.unreadable):,} that cannot be read' if found.unreadable else '0'
        others = f' and other files: {found.left_out}' if found.left_out else ''
        raise ValueError(
            f"'{path}' must hold images, got {unreadable}{others}. Pass the folder or zip that has "
            'them or their sub-folders.'
        )
    return found
