"""Translate images of any size by one direction of a model.

They are padded by their reflection to a size that the network takes, and cut back. Large ones are
translated in tiles that overlap, and blended where they do.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from mmgan_lite.datasets.decoding import ImageDecoder
from mmgan_lite.datasets.image_files import describe_error
from mmgan_lite.inference.pictures import Picture
from mmgan_lite.inference.sampling import bit_depth_of, non_finite_names, not_finite_error
from mmgan_lite.models import TranslationModel
from mmgan_lite.utils.interfaces import FitsSizes
from mmgan_lite.utils.validation import check_choice, check_positive

# Of networks that take images of so many channels; others take bands.
_CHANNELS: dict[int, str] = {1: 'L', 3: 'RGB', 4: 'RGBA'}


class Translated(NamedTuple):
    """What became of a picture.

    Attributes:
        position: Of the picture, in the order in which they were given.
        source: What the network was given, uint8 or uint16 ``(H, W, C)``; None without it.
        image: The same dtype, ``(C', H, W)``; None if the picture cannot be read.
        error: Why it cannot be read; '' otherwise.
    """

    position: int
    source: np.ndarray | None
    image: Tensor | None
    error: str = ''


class Translation:
    """One direction of a model, for pictures of any size.

    Args:
        model: A trained model that translates, on its device and in eval mode.
        domain: One of its ``domains``; None for the first.
        use_ema: Whether to take the average of the weights, if there is one.
        batch_size: Pictures of one size that the network gets together, at least 1. Must be 1 for
            a model with ``test_statistics='batch'``, whose results depend on the batch.
        tile: Sides of the tiles in pixels, such as 512; None for whole pictures.
        overlap: Pixels of a tile that the next one has too, at least; their results are blended
            with weights that rise as half a period of the cosine.
        size: Height and width that pictures are resized to, as datasets do it (``resize='crop'``);
            an int for square ones; None keeps their size.
        alpha: 'keep' gives the result the alpha of the picture, where neither what the network
            takes nor what it gives has alpha; 'composite' gives it none. The network gets
            transparent pictures on white either way.

    Attributes:
        network: The generator of the direction.
        decoder: Gives what the network takes, in uint8 or uint16 ``(H, W, C)``.

    Raises:
        ValueError: If an argument is out of its range, a weight is not finite, or the generator
            does not say which sizes it takes.
    """

    def __init__(
        self,
        model: TranslationModel,
        domain: str | None = None,
        use_ema: bool = True,
        batch_size: int = 1,
        tile: int | None = None,
        overlap: int = 64,
        size: int | Sequence[int] | None = None,
        alpha: str = 'keep',
    ) -> None:
        network = model.translator(domain, use_ema)
        if not isinstance(network, FitsSizes):
            raise ValueError(
                'generator must have in_channels, out_channels, size_multiple and min_side to get '
                f'images of any size, but {type(network).__name__} has not. Add them to it.'
            )
        self.model, self.domain, self.use_ema, self.network = model, domain, use_ema, network
        if broken := non_finite_names(model.translator(domain, use_ema).state_dict()):
            raise not_finite_error(f'{broken[0]} is not finite')
        self.batch_size = check_positive('batch_size', batch_size)
        if batch_size > 1 and model.test_statistics == 'batch':
            raise ValueError(
                "batch_size must be 1 for a model with test_statistics='batch', as a result would "
                f'depend on the others in its batch, got {batch_size}. Leave it out.'
            )
        self.tile, self.overlap = tile, overlap
        self.step = 0 if tile is None else _check_tiles(tile, overlap, network)
        channels: int | str = _CHANNELS.get(network.in_channels, network.in_channels)
        depth: int | str = 16 if bit_depth_of(model) == 16 else 'scale'
        self.decoder = ImageDecoder(channels, size, bit_depth=depth)
        plain = {network.in_channels, network.out_channels} <= {1, 3}
        check_choice('alpha', alpha, ('keep', 'composite'))
        with_alpha = ImageDecoder('RGBA', size, bit_depth=depth)
        self._alpha_decoder = with_alpha if plain and alpha == 'keep' else None

    def run(self, pictures: Sequence[Picture]) -> Iterator[Translated]:
        """Translate pictures, in the order of their sizes if several make a batch.

        A picture that cannot be read is not the end: its result has the error.
        """
        order = list(range(len(pictures)))
        if self.batch_size > 1:
            order.sort(key=lambda index: pictures[index].size)
        batch: list[tuple[int, np.ndarray, np.ndarray | None]] = []
        for index in order:
            try:
                pixels, alpha = self._read(pictures[index])
            # Damaged bytes make Pillow raise errors of many types.
            except Exception as error:
                yield Translated(index, None, None, describe_error(error))
                continue
            if batch and batch[0][1].shape != pixels.shape:
                yield from self._finish(batch)
                batch = []
            batch.append((index, pixels, alpha))
            if len(batch) == self.batch_size:
                yield from self._finish(batch)
                batch = []
        if batch:
            yield from self._finish(batch)

    def __call__(self, pixels: Sequence[np.ndarray]) -> list[Tensor]:
        """Translate images of one size as one batch.

        Args:
            pixels: What :attr:`decoder` gives, uint8 or uint16 ``(H, W, C)`` each.

        Returns:
            ``(C', H, W)`` of the same dtype each, on the CPU.

        Raises:
            ValueError: If the network gives images of another size, or NaN or infinity.
        """
        height, width = pixels[0].shape[:2]
        padded = np.stack([self._pad(image) for image in pixels]).transpose(0, 3, 1, 2)
        images = torch.from_numpy(np.ascontiguousarray(padded))
        translated = self._translate(images) if self.tile is None else self._in_tiles(images)
        translated = translated[:, :, :height, :width]
        preprocessor = self.model.data_preprocessor
        if bit_depth_of(self.model) == 16:
            return list(preprocessor.to_uint16(translated))
        return list(preprocessor.to_uint8(translated))

    def _read(self, picture: Picture) -> tuple[np.ndarray, np.ndarray | None]:
        """What the network takes, and the alpha that the result gets, ``(H, W)``."""
        pixels = picture.decode(self.decoder)
        if self._alpha_decoder is None or not picture.has_alpha:
            return pixels, None
        return pixels, picture.decode(self._alpha_decoder)[:, :, 3]

    def _finish(
        self, batch: Sequence[tuple[int, np.ndarray, np.ndarray | None]]
    ) -> Iterator[Translated]:
        images = self([pixels for _, pixels, _ in batch])
        for (index, pixels, alpha), image in zip(batch, images, strict=True):
            yield Translated(index, pixels, _with_alpha(image, alpha))

    def _pad(self, pixels: np.ndarray) -> np.ndarray:
        """The image and its reflection at the right and below, in a size that fits."""
        multiple, least = self.network.size_multiple, self.network.min_side
        sides = pixels.shape[:2]
        missing = [max(least, -(-side // multiple) * multiple) - side for side in sides]
        # Not by torch, which reflects less than one image.
        return np.pad(pixels, [(0, missing[0]), (0, missing[1]), (0, 0)], mode='reflect')

    def _translate(self, images: Tensor) -> Tensor:
        """Float ``(N, C', H, W)`` on the CPU, of uint8 or uint16 ``(N, C, H, W)``."""
        source = self.model.data_preprocessor(dict(source=images))['source']
        with self._same_noise():
            translated = self.model.translate(source, self.domain, self.use_ema).float().cpu()
        if translated.shape[2:] != images.shape[2:]:
            sizes = ('x'.join(map(str, each.shape[2:])) for each in (images, translated))
            text = 'generator must give images of the size that it takes, got {1} of {0}.'
            raise ValueError(f'{text.format(*sizes)} Train with one that keeps the size.')
        if not bool(translated.isfinite().all()):
            raise not_finite_error('all weights are finite')
        return translated

    @contextmanager
    def _same_noise(self) -> Iterator[None]:
        """The dropout of ``test_statistics='batch'`` is the same for each picture."""
        if self.model.test_statistics != 'batch':
            yield
            return
        device = self.model.device
        with torch.random.fork_rng([device] if device.type == 'cuda' else []):
            torch.manual_seed(0)
            yield

    def _in_tiles(self, images: Tensor) -> Tensor:
        """As :meth:`_translate`, tile by tile; sums and weights are on the CPU."""
        height, width = images.shape[2:]
        total = torch.zeros(len(images), self.network.out_channels, height, width)
        weights = torch.zeros(height, width)
        for top, row in self._places(height):
            for left, column in self._places(width):
                window = (..., slice(top, top + len(row)), slice(left, left + len(column)))
                weight = row[:, None] * column
                total[window] += self._translate(images[window]) * weight
                weights[window] += weight
        return total / weights

    def _places(self, side: int) -> list[tuple[int, Tensor]]:
        """Where the tiles of a row begin, and the weights of their pixels."""
        assert self.tile is not None
        length = min(self.tile, side)
        last = side - length
        # The middles of the pixels, so that two tiles have 1 together, and none of them has 0.
        angles = (torch.arange(self.overlap) + 0.5) * (math.pi / 2 / max(1, self.overlap))
        rise = angles.sin() ** 2
        places = []
        for start in [*range(0, last, self.step), last]:
            weights = torch.ones(length)
            if start > 0:
                weights[: self.overlap] *= rise
            if start < last:
                weights[length - self.overlap :] *= rise.flip(0)
            places.append((start, weights))
        return places


def _check_tiles(tile: int, overlap: int, network: FitsSizes) -> int:
    """Check the sides of tiles and how far they overlap.

    Returns:
        Pixels from one tile to the next: a multiple of what the network halves, so that it sees
        all tiles in the same phase.

    Raises:
        ValueError: If the network does not take such tiles, or they overlap too far.
    """
    multiple, least = network.size_multiple, network.min_side
    check_positive('tile', tile)
    check_positive('overlap', overlap, minimum=0)
    if tile < least or tile % multiple:
        nearest = max(least, round(tile / multiple) * multiple)
        raise ValueError(
            f'tile must be a multiple of {multiple}, at least {least}, for this generator, got '
            f'{tile}. Pass tile={nearest}.'
        )
    if tile - overlap < multiple:
        raise ValueError(
            f'overlap must be at most tile - {multiple}, which is {tile - multiple}, for this '
            f'generator, got {overlap}. Pass a smaller overlap or larger tiles.'
        )
    return (tile - overlap) // multiple * multiple


def _with_alpha(image: Tensor, alpha: np.ndarray | None) -> Tensor:
    """The image ``(C, H, W)`` with alpha ``(H, W)`` as its last channel, if there is one."""
    if alpha is None:
        return image
    if len(image) == 1 and image.dtype == torch.uint16:
        image = image.expand(3, -1, -1)  # no PNG file of 16 bits is written with gray and alpha
    return torch.cat([image, torch.from_numpy(np.ascontiguousarray(alpha))[None]])
