"""Which sizes a network reaches by doubling, and what it has at each of them."""

from collections.abc import Sequence

from mmgan_lite.utils.validation import check_image_shape

# The shorter side at the start of a network, at least. One that doubles starts at less than twice
# of it, so that each size has one start.
_START_SIDE = 4


def count_doublings(image_shape: Sequence[int]) -> tuple[tuple[int, int], int]:
    """Where a network starts that doubles both sides until it is at ``image_shape``.

    Args:
        image_shape: Channels, height and width in pixels; the shorter side is 4 to 7 times a power
            of two, and the longer one a multiple of that power.

    Returns:
        Height and width at the start, the shorter one 4 to 7, and the number of doublings, at least
        1.

    Raises:
        ValueError: If the sides are no such numbers.

    Example:
        >>> count_doublings((1, 28, 28))
        ((7, 7), 2)
        >>> count_doublings((3, 64, 160))
        ((4, 10), 4)
    """
    channels, height, width = check_image_shape(image_shape)
    doublings = 0
    while min(height, width) >> (doublings + 1) >= _START_SIDE:
        doublings += 1
    start = height >> doublings, width >> doublings
    reached = start[0] << doublings, start[1] << doublings
    if doublings == 0 or reached != (height, width):
        remedy = (
            f'Pass image_shape=({channels}, 32, 32), or another of them, and resize the images in '
            'the dataset.'
        )
        if width < 8 <= channels:  # as in an image file
            remedy = f'Channels come first: pass image_shape=({width}, {channels}, {height}).'
        raise ValueError(
            'image_shape must have a shorter side of 4, 5, 6 or 7 times a power of two '
            '(8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, ..., 128, ...), and a longer side '
            f'that is a multiple of that power, got {(channels, height, width)}. {remedy}'
        )
    return start, doublings


def per_stage(name: str, value: int | Sequence[int], num_stages: int) -> tuple[int, ...]:
    """Return ``value`` as one positive int for each stage of a network.

    Args:
        name: The argument that the user gave it as, for the error.
        value: An int that stands for all stages, or one int for each.
        num_stages: At least 1.

    Returns:
        ``num_stages`` ints of at least 1.

    Raises:
        ValueError: If there are more or fewer, or one is not an int of at least 1.

    Example:
        >>> per_stage('channels', 64, 3)
        (64, 64, 64)
    """
    values = tuple(value) if isinstance(value, Sequence) else (value,) * num_stages
    if len(values) != num_stages or not all(type(v) is int and v >= 1 for v in values):
        raise ValueError(
            f'{name} must be a positive int, or {num_stages} of them, one for each stage, '
            f'got {value!r}. Pass {name}={(64,) * num_stages}, or {name}=64.'
        )
    return values


def halved_sides(
    image_shape: tuple[int, int, int], halvings: int, minimum: int = _START_SIDE
) -> tuple[int, int]:
    """Height and width after so many halvings.

    Args:
        image_shape: Channels, height and width in pixels.
        halvings: At least 0.
        minimum: Pixels that must be left along each side.

    Raises:
        ValueError: If the sides cannot be halved as often.

    Example:
        >>> halved_sides((1, 28, 28), 2)
        (7, 7)
    """
    factor = 2**halvings
    height, width = image_shape[1:]
    if height % factor or width % factor or min(height, width) < minimum * factor:
        raise ValueError(
            f'image_shape must have sides of {factor} times {minimum}, {minimum + 1}, '
            f'{minimum + 2}, ... pixels for {halvings} halvings, got {image_shape}. Build the '
            'network with fewer, or resize the images in the dataset.'
        )
    return height // factor, width // factor
