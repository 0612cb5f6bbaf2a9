"""What fits a data set and a machine, each choice with its reason; nothing is measured here."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from mmgan_lite.models.layers.stages import count_doublings
from mmgan_lite.own_data.description import DataDescription

# Channels at the size of an image; they are more at the smaller ones.
WIDTHS = (8, 12, 16, 24, 32, 48, 64, 96, 128)
BATCH_SIZE = 64
# In a budget of five minutes; in others they grow with the square root. On emoji of 32x32, 2,300
# iterations gave better images than 650 of networks twice as wide, in the same time.
_ITERATIONS, _BUDGET = 2000, 300
# With fewer there is too little to learn.
_MIN_IMAGES = 16
# Of the smallest class, for a model with labels.
_MIN_CLASS = 16
# Of images that nobody gave a size for; small ones are enlarged.
_MIN_SIDE = 16
_MAX_SIDE_CPU, _MAX_SIDE = 64, 128
# Channels at the smallest size, as a multiple of those at the size of the image.
_MOST = 8
# Below this share of a data set, single damaged files are replaced by others.
_MAX_UNREADABLE = 0.1
# More make the discriminator overfit, unless images are augmented. On 400 emoji of 32x32 a training
# without DiffAugment was ahead after 96 epochs, and improved up to 144, where it ended.
_MAX_EPOCHS = 200


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
        device: A CPU limits what nobody asked for more than a GPU.

    Raises:
        ValueError: If the networks have no such size.
    """
    if given is not None:
        size = (given[0], given[-1])
        if not _is_size(*size):
            raise ValueError(_wrong_size(size))
        reason = '--size'
    else:
        short, most = description.short_side, _MAX_SIDE_CPU if device == 'cpu' else _MAX_SIDE
        side = max(side for side in _known_sides(most) if side <= max(short, _MIN_SIDE))
        size = (side, side)
        reason = f'the shorter sides have {short} pixels, by the median'
        if short > most:
            reason += f'; more than {most} only by --size'
    enlarged = sum(h.width < size[1] or h.height < size[0] for h in description.headers)
    if enlarged:
        reason += f'; {enlarged:,} images are smaller and are enlarged'
    cropped = [h for h in description.headers if h.width * size[0] != h.height * size[1]]
    if cropped:
        reason += f'; {len(cropped):,} are cropped at the center to these proportions'
    return size, Choice(f'{size[0]}x{size[1]}', reason)


def _known_sides(most: int) -> list[int]:
    return [side for side in range(most + 1) if _is_size(side, side)]


def _is_size(height: int, width: int) -> bool:
    try:
        count_doublings((1, height, width))
    except ValueError:
        return False
    return True


def _wrong_size(size: tuple[int, int]) -> str:
    known = _known_sides(2 * max(*size, 8))
    close = [min(known, key=lambda side: abs(side - wanted)) for wanted in size]
    remedy = f'--size {close[0]}' if size[0] == size[1] else f'--size {close[0]} {close[0]}'
    return (
        '--size must have a shorter side of 4, 5, 6 or 7 times a power of two (8, 10, 12, 14, 16, '
        '20, 24, 28, 32, 40, 48, 56, 64, ...), and a longer side that is a multiple of that power, '
        f'got {size[0]}x{size[1]}. Pass {remedy}.'
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


def choose_classes(
    description: DataDescription, labels_from: str | bool | None
) -> tuple[int | None, Choice]:
    """Number of classes, or None for a model without labels.

    Args:
        description: Of the images.
        labels_from: Where the labels are from; False for none, None if nobody said so.

    Raises:
        ValueError: If the labels are wrong, or those that were asked for cannot be used.
    """
    counts = description.class_counts
    if labels_from is False:
        return None, Choice('none', '--no-labels')
    if description.labels_error is not None:
        raise ValueError(f'{description.labels_error} To train without labels, pass --no-labels.')
    least = min(counts, key=lambda name: counts[name], default='')
    if not counts:
        reason = 'there are neither sub-folders nor a list of labels'
    elif len(counts) == 1:
        reason = f'all images are of one class, {least}'
    elif counts[least] < _MIN_CLASS:
        reason = f'class {least} has {counts[least]} images, fewer than {_MIN_CLASS}'
    else:
        text = f'{counts[least]:,} to {max(counts.values()):,} images each'
        return len(counts), Choice(str(len(counts)), text)
    if labels_from is not None:
        raise ValueError(f'--labels must give classes to train on, but {reason}. Leave it out.')
    return None, Choice('none', reason)


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
            'to divide 16 bits by 257, --bit-depth LOW HIGH for the range of their values, such as '
            '0 4095, or --bit-depth 16 to train on 16 bits.'
        )


def count_replaceable(description: DataDescription) -> int:
    """How many images may be damaged, so that others are taken for them: a tenth."""
    return int(_MAX_UNREADABLE * len(description.listing.files))


def choose_augmentation(num_images: int, iterations: int) -> tuple[dict[str, Any] | None, Choice]:
    """The config of an augmentation, or None.

    A discriminator overfits if it sees each image often; before that, augmentation slows down the
    training.
    """
    epochs = iterations * BATCH_SIZE / num_images
    seen = f'each of {num_images:,} images is seen about {epochs:,.0f} times'
    if epochs <= _MAX_EPOCHS:
        return None, Choice('none', f'{seen}, which is seldom')
    return dict(type='DiffAugment'), Choice('DiffAugment', f'{seen}, which is often')


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
        stages = range(count_doublings((1, *self.size))[1] + 1)
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
