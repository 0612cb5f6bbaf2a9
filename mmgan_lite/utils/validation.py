"""Checks of arguments that many parts share, so that all report a mistake alike."""

import difflib
import math
from collections.abc import Iterable, Sequence


def check_positive(name: str, value: int, minimum: int = 1) -> int:
    """Return ``value`` if it is an int of at least ``minimum``.

    Raises:
        ValueError: If it is anything else.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
        raise ValueError(
            f'{name} must be an int of at least {minimum}, got {value!r}. '
            f'Pass {name}={minimum} or more.'
        )
    return value


def check_weight(name: str, value: float) -> float:
    """Return ``value``, the factor of a term, if it is a finite number of at least 0.

    Raises:
        ValueError: If it is anything else.
    """
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not 0 <= value < math.inf:
        raise ValueError(
            f'{name} must be a finite number of at least 0, got {value!r}. '
            f'Pass {name}=1.0, or 0 to leave the term out.'
        )
    return value


def check_over_0(name: str, value: float) -> float:
    """Return ``value`` if it is a finite number over 0.

    Raises:
        ValueError: If it is anything else.
    """
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not 0 < value < math.inf:
        raise ValueError(
            f'{name} must be a finite number over 0, got {value!r}. Pass {name}=1.0, or another.'
        )
    return value


def check_fraction(name: str, value: float) -> float:
    """Return ``value`` if it is a number in [0, 1].

    Raises:
        ValueError: If it is anything else.
    """
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not 0 <= value <= 1:
        raise ValueError(
            f'{name} must be a number in [0, 1], got {value!r}. Pass {name}=0.5, or another.'
        )
    return value


def check_choice(name: str, value: str, choices: Iterable[str]) -> str:
    """Return ``value`` if it is one of ``choices``.

    Raises:
        ValueError: If it is anything else.

    Example:
        >>> check_choice('noise', 'const', ('random', 'const'))
        'const'
    """
    known = tuple(choices)
    if not isinstance(value, str) or value not in known:
        raise ValueError(
            f'{name} must be one of {", ".join(map(repr, known))}, got {value!r}. '
            f'{did_you_mean(value, known, f"Pass {name}={known[0]!r}.")}'
        )
    return value


def check_image_shape(image_shape: Sequence[int]) -> tuple[int, int, int]:
    """Return ``image_shape`` as a tuple of channels, height and width, in pixels.

    Raises:
        ValueError: If it is not three positive ints.
    """
    shape = tuple(image_shape) if isinstance(image_shape, Sequence) else (image_shape,)
    if len(shape) != 3 or not all(type(size) is int and size >= 1 for size in shape):
        raise ValueError(
            'image_shape must be three positive ints (channels, height, width), '
            f'got {image_shape!r}. Pass image_shape=(1, 28, 28) for gray 28x28 images.'
        )
    return shape


def check_image_size(image_size: int | Sequence[int], minimum: int) -> tuple[int, int]:
    """Return height and width, which an int gives for square images, in pixels.

    Raises:
        ValueError: If they are not ints of at least ``minimum``.

    Example:
        >>> check_image_size(28, minimum=1), check_image_size((32, 48), minimum=1)
        ((28, 28), (32, 48))
    """
    size = tuple(image_size) if isinstance(image_size, Sequence) else (image_size, image_size)
    if len(size) != 2 or not all(type(side) is int and side >= minimum for side in size):
        raise ValueError(
            f'image_size must be an int >= {minimum} or a pair (height, width) of them, '
            f'got {image_size!r}. Pass image_size=64 for 64x64 images.'
        )
    return size[0], size[1]


def check_num_classes(num_classes: int | None) -> int | None:
    """Return ``num_classes``, None for an unconditional network.

    Raises:
        ValueError: If it is neither None nor an int of at least 2.
    """
    if num_classes is not None and (type(num_classes) is not int or num_classes < 2):
        raise ValueError(
            f'num_classes must be an int of at least 2, got {num_classes!r}. '
            'Pass num_classes=None for a network without labels.'
        )
    return num_classes


def check_class_count(num_classes: int | None, count: int) -> None:
    """Check that networks with ``num_classes`` classes, or None for no labels, can train on data.

    Args:
        num_classes: Of the networks.
        count: Number of classes in the data.

    Raises:
        ValueError: If the data has more.
    """
    if num_classes is not None and count > num_classes:
        raise ValueError(
            'num_classes must be at least the number of classes in the data, got '
            f'{num_classes} for {count} classes. Build both networks with num_classes={count}.'
        )


def check_hidden_dims(widths: Sequence[int], name: str = 'hidden_dims') -> tuple[int, ...]:
    """Return the widths of as many layers or blocks as a tuple.

    Raises:
        ValueError: If there is none, or one is not an int of at least 1.
    """
    checked = tuple(widths) if isinstance(widths, Sequence) else ()
    if not checked or not all(type(width) is int and width >= 1 for width in checked):
        raise ValueError(
            f'{name} must be a sequence of positive ints, got {widths!r}. '
            f'Pass {name}=(512, 256) for two of them.'
        )
    return checked


def did_you_mean(name: object, known: Iterable[object], otherwise: str = '') -> str:
    """The remedy for a misspelled name: the closest known one, or ``otherwise`` if none is close.

    Example:
        >>> did_you_mean('generater', ['generator', 'discriminator'])
        "Did you mean 'generator'?"
    """
    close = difflib.get_close_matches(str(name), [str(other) for other in known], n=1)
    return f'Did you mean {close[0]!r}?' if close else otherwise
