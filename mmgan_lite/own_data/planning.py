"""What fits a data set and a machine, each choice with its reason; nothing is measured here."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from mmgan_lite.models.layers.stages import START_SIDES
from mmgan_lite.own_data.description import DataDescription

# Channels at the size of an image; they are more at the smaller ones.
WIDTHS = (8, 12, 16, 24, 32, 48, 64, 96, 128)
BATCH_SIZE = 64
# In a budget of five minutes; in others they grow with the square root.
_ITERATIONS, _BUDGET = 2000, 300
# With fewer there is too little to learn.
_MIN_IMAGES = 16
# Of the smallest class, for a model with labels.
_MIN_CLASS = 16
# Of images that nobody gave a size for; small ones are enlarged.
_MIN_SIDE = 16
_MAX_SIDES = dict(cpu=64, cuda=128)
# Channels at the smallest size, as a multiple of those at the size of the image.
_MOST = 8
# Below this share of a data set, single damaged files are replaced by others.
_MAX_UNREADABLE = 0.1
# Up to so many images, real ones and fakes are augmented: more show enough by themselves.
_FEW_IMAGES = 50_000


class Choice(NamedTuple):
    """What was chosen, in words, and why."""

    text: str
    reason: str


def choose_size(
    description: DataDescription, given: Sequence[int] | None, device: str
) -> tuple[tuple[int, int], Choice]:
    """Height and width of the images.

    Args:
        description: Of the images.
        given: Height and width that the user asks for, or one number for squares; None for the
            largest that suits them.
        device: 'cpu' or 'cuda', which limits what nobody asked for.

    Raises:
        ValueError: If the networks have no such size.
    """
    if given is not None:
        size = (given[0], given[-1])
        if not _is_size(*size):
            raise ValueError(_wrong_size(size))
        reason = '--size'
    else:
        short, most = description.short_side, _MAX_SIDES[device]
        side = max(side for side in _known_sides(most) if side <= max(short, _MIN_SIDE))
        size = (side, side)
        reason = f'the shorter sides have {short} pixels, by the median'
        if short > most:
            reason += f'; more than {most} only by --size'
    cropped = [h for h in description.headers if h.width * size[0] != h.height * size[1]]
    if cropped:
        reason += f'; {len(cropped):,} images are cropped at the center to these proportions'
    return size, Choice(f'{size[0]}x{size[1]}', reason)


def _known_sides(most: int) -> list[int]:
    return [side for side in range(2 * START_SIDES[0], most + 1) if _is_size(side, side)]


def _count_halvings(height: int, width: int) -> int:
    """How often the networks halve both sides, so that the shorter one has 4 to 7 pixels."""
    return max(0, (min(height, width) // START_SIDES[0]).bit_length() - 1)


def _is_size(height: int, width: int) -> bool:
    factor = 2 ** _count_halvings(height, width)
    return factor > 1 and height % factor == 0 and width % factor == 0


def _wrong_size(size: tuple[int, int]) -> str:
    known = _known_sides(2 * max(*size, 8))
    close = ' '.join(str(min(known, key=lambda side: abs(side - wanted))) for wanted in size)
    if size[0] == size[1]:
        close = close.split()[0]
    return (
        '--size must be 4, 5, 6 or 7 times a power of two (8, 10, 12, 14, 16, 20, 24, 28, 32, 40, '
        f'48, 56, 64, ...), or two sides that such a power divides, got {size[0]}x{size[1]}. Pass '
        f'--size {close}.'
    )


def choose_channels(
    description: DataDescription, given: int | str | None
) -> tuple[int | str, Choice]:
    """The channels, as for :class:`ImageDecoder`."""
    reason = '--channels'
    channels: int | str = 'L' if description.is_gray else 'RGB'
    if given is not None:
        channels = given
    else:
        reason = 'all images are gray' if description.is_gray else 'images have colors'
        if description.num_with_alpha:
            reason += (
                f'; {description.num_with_alpha:,} with transparency are put on white, to train on '
                'it: --channels RGBA'
            )
    return channels, Choice(str(channels), reason)


def choose_classes(description: DataDescription, use: bool) -> tuple[int | None, Choice]:
    """Number of classes, or None for a model without labels.

    Args:
        description: Of the images.
        use: Whether the user wants them.

    Raises:
        ValueError: If the labels are wrong.
    """
    counts = description.class_counts
    if not use:
        return None, Choice('none', '--no-classes')
    if description.labels_error is not None:
        raise ValueError(f'{description.labels_error} Here that is --no-classes.')
    if not counts:
        return None, Choice('none', 'neither sub-folders nor a list of labels')
    if len(counts) == 1:
        return None, Choice('none', f'all images are of one class, {next(iter(counts))}')
    least = min(counts, key=lambda name: counts[name])
    if counts[least] < _MIN_CLASS:
        reason = f'class {least} has {counts[least]} images, fewer than {_MIN_CLASS}'
        return None, Choice('none', reason)
    smallest, largest = counts[least], max(counts.values())
    return len(counts), Choice(str(len(counts)), f'{smallest:,} to {largest:,} images each')


def check_usable(description: DataDescription, bit_depth: Any) -> None:
    """Check whether there are enough images, readable and with the given bits per channel.

    Args:
        description: Of the images.
        bit_depth: What becomes of images of more than 8 bits; None for an error.

    Raises:
        ValueError: If there are not.
    """
    num, path = len(description.listing.files), description.listing.files.path
    unreadable = description.unreadable
    if len(description.headers) < _MIN_IMAGES:
        raise ValueError(
            f"'{path}' must hold at least {_MIN_IMAGES} images to train on, got "
            f'{len(description.headers)}. Add some.'
        )
    if len(unreadable) > count_replaceable(description):
        raise ValueError(
            f"'{path}' must hold images of which at most a tenth cannot be read, got "
            f'{len(unreadable):,} of {num:,}, such as {unreadable[0]}. Replace them, or move them '
            'elsewhere.'
        )
    deep = {bits: count for bits, count in description.bits.items() if bits > 8}
    if deep and bit_depth is None:
        found = ' and '.join(f'{count:,} of {bits}' for bits, count in sorted(deep.items()))
        raise ValueError(
            f"'{path}' must hold images of 8 bits per channel, got {found}. Pass --bit-depth scale "
            'to divide 16 bits by 257, or --bit-depth LOW HIGH for the range of their values, such '
            'as 0 4095.'
        )


def count_replaceable(description: DataDescription) -> int:
    """How many images may be damaged, so that others are taken for them: a tenth."""
    return int(_MAX_UNREADABLE * len(description.listing.files))


def choose_augmentation(num_images: int) -> tuple[dict[str, Any] | None, Choice]:
    """The config of an augmentation, or None."""
    if num_images >= _FEW_IMAGES:
        return None, Choice('none', f'{num_images:,} images are enough')
    return dict(type='DiffAugment'), Choice('DiffAugment', f'{num_images:,} images are few')


@dataclass(frozen=True)
class Networks:
    """ResizeConv networks and how they are trained.

    Args:
        size: Height and width of an image.
        width: Channels at the size of the image.

    Example:
        >>> Networks((32, 48), 16).channels
        (128, 64, 32, 16)
    """

    size: tuple[int, int]
    width: int = WIDTHS[0]
    latent_dim: int = 64
    penalty: float = 0.1
    rate: float = 1.5e-3

    @property
    def channels(self) -> tuple[int, ...]:
        """Of the generator at each size, from the smallest to that of the image."""
        stages = range(_count_halvings(*self.size) + 1)
        return tuple(self.width * min(_MOST, 2**stage) for stage in reversed(stages))


def choose_momentum(iterations: int) -> float:
    """Momentum of the average, which reaches back over a third of the training or so."""
    return min(0.01, float(f'{2.4 / iterations:.1g}'))


def wanted_iterations(budget: float) -> int:
    """After how many iterations wider networks are worth more than further ones.

    Example:
        >>> wanted_iterations(300), wanted_iterations(4 * 300)
        (2000, 4000)
    """
    return round(_ITERATIONS * math.sqrt(budget / _BUDGET))


def parse_budget(text: str) -> float:
    """Seconds of '90s', '5m' or '2h'.

    Raises:
        ValueError: If it is no such time.

    Example:
        >>> parse_budget('90s'), parse_budget('1.5h')
        (90.0, 5400.0)
    """
    units = dict(s=1, m=60, h=3600)
    try:
        seconds = float(text[:-1]) * units[text[-1:]]
    except (KeyError, ValueError):
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise ValueError(f'must be a time such as 90s, 5m or 2h, got {text!r}')
    return seconds
