"""Whether the order of the channels that a user gave fits the data."""

from torch import Tensor

# Samples that are nearer to the data by so much of the range, and by this factor, when red and blue
# are exchanged, are of the other order.
_LEAST = 8 / 255
_FACTOR = 2


def color_warning(samples: Tensor, images: Tensor) -> str | None:
    """What to say if the mean color of samples is that of real images with red and blue exchanged.

    Args:
        samples: Of the model, uint8 ``(N, 3, H, W)``.
        images: Real ones, uint8 ``(M, 3, H', W')``.

    Returns:
        A sentence; None if the colors agree, or do not tell.

    Example:
        >>> import torch
        >>> blue = torch.tensor([0, 0, 200], dtype=torch.uint8)[None, :, None, None]
        >>> color_warning(blue, blue) is None
        True
        >>> color_warning(blue, blue.flip(1))[:44]
        'The samples are nearer to the data when red '
    """
    ours, real = (batch.float().mean((0, 2, 3)) / 255 for batch in (samples, images))
    given, exchanged = (float((mean - real).norm()) for mean in (ours, ours.flip(0)))
    if given < _FACTOR * exchanged or given - exchanged < _LEAST:
        return None
    means = (', '.join(f'{value:.2f}' for value in mean.tolist()) for mean in (ours, real))
    return (
        'The samples are nearer to the data when red and blue are exchanged (mean red, green, blue '
        'of {} for {}): --channel-order is probably wrong. Convert the file again with the other '
        'one, unless the network has not learned yet.'.format(*means)
    )
