"""Pairs of images to learn a translation from, such as photographs and drawings of the same."""

import dataclasses
import logging
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import print_log

from mmgan_lite.datasets.decoding import ImageDecoder
from mmgan_lite.datasets.image_files import ImageFiles, some_of
from mmgan_lite.datasets.image_folder import (
    ImageFolderDataset,
    _UnreadableError,
    decode_file,
    list_some_images,
    log_left_out,
)
from mmgan_lite.datasets.image_headers import ImageHeader
from mmgan_lite.datasets.image_labels import read_csv
from mmgan_lite.datasets.in_memory import split_pair
from mmgan_lite.datasets.transforms import PackImage, RandomCropFlip, run_pipeline
from mmgan_lite.registry import DATASETS
from mmgan_lite.utils.validation import check_choice, check_image_size

_HEADER = ['source', 'target']
Size = int | Sequence[int] | None


@DATASETS.register_module()
class PairedImageDataset(ImageFolderDataset):
    """Pairs of a source and its target, in files.

    There are three layouts:

    - Two folders or zips, ``source`` and ``target`` below ``data_root``. Images of the same path
      below them, but for the extension, are a pair.
    - One folder or zip, ``data_root``, of pictures with both images of a pair side by side, as
      pix2pix has them.
    - Any files that a table ``pairs`` lists.

    Images without a partner are left out, and one line of the log counts and names them. Both
    images of a pair must have the same size. Formats, channels, bits, checksums and unusable files
    are those of :class:`ImageFolderDataset`; a pair with an unusable image is replaced as one, and
    ``corrupt_files`` names its source.

    An item is ``dict(source=..., target=..., name=...)``: uint8 tensors of shape ``(C, H, W)``, or
    uint16 with ``bit_depth=16``, and the path of the source below its folder. Random crops and
    flips are the same for both images. A pipeline gets them as one ``img``, whose channels are
    those of the source, then those of the target; so geometric transforms fit, and those of colors
    do not.

    Args:
        data_root: What the other paths are relative to; or the folder or zip of the pictures with
            both images.
        source: Folder or zip of the sources; None for ``data_root``.
        target: Folder or zip of the targets; None for ``data_root``.
        pairs: A ``.csv`` file in ``data_root`` or elsewhere: rows of the path of a source and that
            of its target, below ``source`` and ``target``. The first row may be ``source,target``.
        direction: Of pictures with both images: ``'a2b'`` takes the left one for the source,
            ``'b2a'`` the right one.
        image_size: Height and width in pixels; an int for square images; None keeps the size of
            the images.
        load_size: Height and width before a random crop to ``image_size``, such as 286 for 256;
            None for no crop.
        flip: Whether every other pair is mirrored, left to right.
        channels: As for :class:`ImageFolderDataset`.
        target_channels: Of the targets; None for those of the sources.
        split: ``'train'`` leaves every tenth pair out; ``'val'`` has only those; None for all.
        max_corrupt: How many pairs may be unusable, 0 or more; counted per process.
        pipeline: Transforms after ``image_size`` and ``flip``, without one that loads the image.
        resize: As for :class:`ImageFolderDataset`.
        background: As for :class:`ImageFolderDataset`.
        bit_depth: As for :class:`ImageFolderDataset`.
        kwargs: As for :class:`ImageDataset`.

    Raises:
        FileNotFoundError: If a folder or the list of pairs is missing.
        ValueError: If an argument is not as described; there are no images, or no pairs; the
            images of a pair differ in size; or, then or on reading, if more than ``max_corrupt``
            pairs are unusable.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ('sketches', 'photos'):
        ...         Path(folder, name).mkdir()
        ...     Image.new('L', (60, 40)).save(Path(folder, 'sketches', '1.png'))
        ...     Image.new('RGB', (60, 40)).save(Path(folder, 'photos', '1.jpg'))
        ...     settings = dict(image_size=32, channels='L', target_channels='RGB')
        ...     pairs = PairedImageDataset(folder, 'sketches', 'photos', **settings)
        ...     pairs[0]['source'].shape, pairs[0]['target'].shape, pairs[0]['name']
        (torch.Size([1, 32, 32]), torch.Size([3, 32, 32]), '1.png')
    """

    _targets: ImageFiles

    def __init__(
        self,
        data_root: str | Path = '',
        source: str | Path | None = None,
        target: str | Path | None = None,
        pairs: str | Path | None = None,
        direction: str = 'a2b',
        image_size: Size = None,
        load_size: Size = None,
        flip: bool = False,
        channels: int | str = 3,
        target_channels: int | str | None = None,
        split: str | None = None,
        max_corrupt: int = 0,
        pipeline: Sequence[Mapping | Callable] = (),
        resize: str = 'crop',
        background: str | Sequence[int] = 'white',
        bit_depth: int | str | Sequence[float] = 'error',
        **kwargs: Any,
    ) -> None:
        folders = [str(folder) for folder in (source, target) if folder is not None]
        if len(folders) == 1 and pairs is None:
            raise ValueError(
                f'source and target must both be given, got only {folders[0]!r}. Leave both out '
                'for pictures with both images side by side.'
            )
        self._halved = not folders and pairs is None
        if check_choice('direction', direction, ('a2b', 'b2a')) == 'b2a' and not self._halved:
            raise ValueError(
                "direction must be left out with source, target or pairs, got 'b2a'. Exchange "
                'source and target.'
            )
        self._folders, self._pairs, self._direction = (source or '', target or ''), pairs, direction
        self._split = check_split(split)
        decoded_size, steps = crop_and_flip(image_size, load_size, flip)
        given = (resize, background, bit_depth)
        target_channels = channels if target_channels is None else target_channels
        self._target_decoder = ImageDecoder(target_channels, decoded_size, *given)
        # Of pictures with both images, which are cut before they are resized.
        self._whole_decoders = [ImageDecoder(c, None, *given) for c in (channels, target_channels)]
        super().__init__(
            data_root,
            decoded_size,
            channels,
            max_corrupt,
            [*steps, *(pipeline or [PackImage()])],
            *given,
            labels=False,
            **kwargs,
        )
        self.image_shape = None  # an item has two images
        self.pair_shapes = shapes_of_pair(image_size, channels, target_channels)

    def _load(self) -> None:
        root = Path(self.data_root).expanduser()
        if self._halved:
            self._load_pictures(root)
        else:
            self._load_both(root)
        self._select(positions_of_split(self._split, len(self._files)))

    def _load_both(self, root: Path) -> None:
        paths = [Path(root, folder).expanduser() for folder in self._folders]
        decoders = (self._decoder, self._target_decoder)
        source = list_some_images('source', paths[0], decoders[0])
        target = source
        if paths[0] != paths[1]:
            target = list_some_images('target', paths[1], decoders[1])
        elif self._pairs is None:
            raise ValueError(
                f"source and target must be two folders, got '{paths[0]}' for both. Leave both "
                'out for pictures with both images side by side.'
            )
        for listing in (source, target) if target is not source else (source,):
            log_left_out(listing, None if self._pairs is None else str(self._pairs))
            listing.files.load_checksums()
        match = _match_names if self._pairs is None else self._match_table
        rows = match(source.files, target.files)
        self._files, self._targets = (
            listing.files.select(np.array(index, np.int64))
            for listing, index in zip((source, target), rows, strict=True)
        )
        headers = [
            [listing.headers[row] for row in index]
            for listing, index in zip((source, target), rows, strict=True)
        ]
        self._check_sizes(*headers)
        self._check_headers((self._files, headers[0]), (self._targets, headers[1]))

    def _load_pictures(self, root: Path) -> None:
        listing = list_some_images('data_root', root, self._decoder)
        log_left_out(listing)
        self._files = listing.files
        self._files.load_checksums()
        odd = [
            f'{self._files.name(position)} of {header.width} pixels'
            for position, header in enumerate(listing.headers)
            if isinstance(header, ImageHeader) and header.width % 2
        ]
        if odd:
            raise ValueError(
                f"Pictures in '{root}' must have two images of one width side by side, got an odd "
                f'width for {len(odd):,} of {len(self._files):,}: {some_of(odd)}. Pass source and '
                'target for two folders.'
            )
        halves = [
            dataclasses.replace(header, width=header.width // 2)
            if isinstance(header, ImageHeader)
            else header
            for header in listing.headers
        ]
        self._targets = self._files
        self._check_headers((self._files, halves))

    def _match_table(self, sources: ImageFiles, targets: ImageFiles) -> list[list[int]]:
        """Positions of the sources and of the targets that the rows of a table name."""
        path = Path(self.data_root, str(self._pairs)).expanduser()
        content = sources.read_other(str(self._pairs))
        if content is None and not path.is_file():
            raise FileNotFoundError(
                f"pairs must be a .csv file in '{self.data_root}' or elsewhere, got "
                f'{str(self._pairs)!r}, which is no file. Correct the path.'
            )
        rows = read_csv(
            str(path), path.read_bytes() if content is None else content, _HEADER, 'the pair'
        )
        places = [{name: at for at, name in enumerate(f.names())} for f in (sources, targets)]
        found, absent = [], []
        for row in rows:
            names = [name.removeprefix('./') for name in row]
            lacks = [name for name, place in zip(names, places, strict=True) if name not in place]
            absent += lacks[:1]
            if not lacks:
                found.append([place[name] for name, place in zip(names, places, strict=True)])
        if not found:
            raise ValueError(
                f"'{path}' must list pairs of images in '{sources.path}' and '{targets.path}', got "
                f'{len(rows):,} rows, none with two of them ({some_of(absent)}). Write paths '
                'below these folders, with extensions.'
            )
        if absent:
            _warn(
                f"{len(absent):,} of {len(rows):,} rows of '{path}' are left out, as they name "
                f'files that are no images there: {some_of(absent)}.'
            )
        return [list(index) for index in zip(*found, strict=True)]

    def _check_sizes(
        self, sources: Sequence[ImageHeader | Exception], targets: Sequence[ImageHeader | Exception]
    ) -> None:
        wrong = [
            f'{self._files.name(position)} of {source.height}x{source.width} for '
            f'{target.height}x{target.width}'
            for position, (source, target) in enumerate(zip(sources, targets, strict=True))
            if isinstance(source, ImageHeader)
            and isinstance(target, ImageHeader)
            and (source.width, source.height) != (target.width, target.height)
        ]
        if wrong:
            raise ValueError(
                'source and target of a pair must have one size, got others for '
                f'{len(wrong):,} of {len(sources):,}: {some_of(wrong)}. Resize the files, or move '
                'these pairs elsewhere.'
            )

    def _select(self, index: slice | np.ndarray) -> None:
        super()._select(index)
        self._targets = self._targets.select(index)

    def _content(self) -> Iterable[bytes]:
        yield from self._files.identity()
        if self._halved:
            yield self._direction.encode()
        else:
            yield b'target'
            yield from self._targets.identity()

    def _decode(self, position: int) -> np.ndarray:
        """Decode a pair to an array of shape ``(H, W, C)``, with the channels of both."""
        decoders = (self._decoder, self._target_decoder)
        if self._halved:
            images = self._decode_halves(position)
        else:
            files = (self._files, self._targets)
            images = [decode_file(f, position, d) for f, d in zip(files, decoders, strict=True)]
        if images[0].shape[:2] != images[1].shape[:2]:  # turned by EXIF
            sizes = ' and '.join('x'.join(map(str, image.shape[:2])) for image in images)
            raise _UnreadableError(
                f"'{self._files.location(position)}' and its target must have one size upright, "
                f'got {sizes}. Turn the files.'
            )
        return np.concatenate(images, axis=2)

    def _decode_halves(self, position: int) -> list[np.ndarray]:
        wholes = [decode_file(self._files, position, self._whole_decoders[0])]
        is_same = self._decoder.num_channels == self._target_decoder.num_channels
        wholes += (
            wholes if is_same else [decode_file(self._files, position, self._whole_decoders[1])]
        )
        middle = wholes[0].shape[1] // 2
        halves = [slice(middle), slice(middle, None)]
        if self._direction == 'b2a':
            halves.reverse()
        return [
            decoder.convert_array(whole[:, half])
            for decoder, whole, half in zip(
                (self._decoder, self._target_decoder), wholes, halves, strict=True
            )
        ]

    def _pack(self, info: dict[str, Any]) -> dict[str, Any] | None:
        name = self._files.name(info['sample_idx'])
        item = run_pipeline(self.pipeline, info)
        if item is None:
            return None
        return split_pair(item['inputs'], self._decoder.num_channels) | dict(name=name)


def crop_and_flip(image_size: Size, load_size: Size, flip: bool) -> tuple[Any, list[Callable]]:
    """The size to decode images in, and the random transform after it, if any.

    Args:
        image_size: Of the images in a batch; None for that of the files.
        load_size: Before a random crop; None for no crop.
        flip: Whether every other image is mirrored.

    Raises:
        ValueError: If ``load_size`` is given without ``image_size``, or is smaller.
    """
    if load_size is None:
        return image_size, [RandomCropFlip(flip=True)] if flip else []
    if image_size is None:
        raise ValueError(
            f'load_size must come with image_size, the size of the crop, got {load_size!r} alone. '
            'Pass image_size too.'
        )
    size = check_image_size(image_size, minimum=1)
    loaded = check_image_size(load_size, minimum=1)
    if loaded[0] < size[0] or loaded[1] < size[1]:
        raise ValueError(
            f'load_size must be at least image_size, got {load_size!r} for {image_size!r}. Pass '
            'load_size=286 for image_size=256, or leave it out.'
        )
    return loaded, [RandomCropFlip(size, flip)]


def check_split(split: str | None) -> str | None:
    """Return ``split`` if it is 'train', 'val' or None.

    Raises:
        ValueError: If it is anything else.
    """
    return None if split is None else check_choice('split', split, ('train', 'val'))


def positions_of_split(split: str | None, count: int) -> np.ndarray:
    """Positions of the images of a split, of which every tenth is for validation.

    Raises:
        ValueError: If there are none.
    """
    positions = np.arange(count)
    if split is None:
        return positions
    if count < 10:
        raise ValueError(
            f'split must be None for fewer than 10 images, got {split!r} for {count}. Leave it out.'
        )
    return positions[(positions % 10 == 9) == (split == 'val')]


def shapes_of_pair(
    image_size: Size, *channels: int | str
) -> tuple[tuple[int, int, int], ...] | None:
    """Channels, height and width of source and target; None if they depend on the files."""
    if image_size is None:
        return None
    height, width = check_image_size(image_size, minimum=1)
    return tuple((ImageDecoder(each).num_channels, height, width) for each in channels)


def _match_names(sources: ImageFiles, targets: ImageFiles) -> list[list[int]]:
    """Positions of the sources and of the targets that have the same name."""
    places = [_by_stem(files) for files in (sources, targets)]
    common = [stem for stem in places[0] if stem in places[1]]
    alone = [
        [files.name(at) for stem, at in place.items() if stem not in other]
        for files, place, other in zip((sources, targets), places, places[::-1], strict=True)
    ]
    if not common:
        raise ValueError(
            'source and target must have files of the same names, but for extensions, got '
            f"{len(sources):,} in '{sources.path}' ({some_of(alone[0])}) and {len(targets):,} in "
            f"'{targets.path}' ({some_of(alone[1])}) with none in common. Rename them, or list "
            "them in a table, pairs='pairs.csv'."
        )
    if any(alone):
        _warn(
            f"{len(alone[0]):,} of {len(sources):,} images in '{sources.path}' and "
            f"{len(alone[1]):,} of {len(targets):,} in '{targets.path}' have no partner and are "
            f'left out: {some_of(alone[0] + alone[1])}.'
        )
    return [[place[stem] for stem in common] for place in places]


def _by_stem(files: ImageFiles) -> dict[str, int]:
    """Positions by the path without its extension."""
    stems = [os.path.splitext(name)[0] for name in files.names()]
    if repeated := [stem for stem, count in Counter(stems).items() if count > 1]:
        raise ValueError(
            f"Images in '{files.path}' must differ in more than their extensions to make pairs, "
            f'got {len(repeated):,} names with several files: {some_of(repeated)}. Move the '
            "others elsewhere, or list pairs in a table, pairs='pairs.csv'."
        )
    return {stem: position for position, stem in enumerate(stems)}


def _warn(message: str) -> None:
    print_log(message, 'current', logging.WARNING)
