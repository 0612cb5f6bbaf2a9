"""What a batch holds: uint8 or uint16 images of one shape, and labels that are ints.

The number of channels says what they are: 1 is gray, 2 gray and alpha, 3 RGB, 4 RGB and alpha, and
5 or more are bands without colors. Alpha is straight: colors are not multiplied by it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

_DESCRIPTIONS = {
    torch.uint8: 'uint8 (N, C, H, W) of 0 to 255',
    torch.uint16: 'uint16 (N, C, H, W) of 0 to 65,535',
}
BOTH_DEPTHS = (torch.uint8, torch.uint16)
# What to_8_bits does, for the protocol of a score.
ROUNDED = '16 bits rounded to 8'


def stack_images(
    images: Tensor | Iterable[Tensor],
    name: str,
    remedy: str,
    dtypes: Sequence[torch.dtype] = (torch.uint8,),
) -> Tensor:
    """One tensor ``(N, C, H, W)`` from a tensor or from N images ``(C, H, W)``.

    Args:
        images: The images.
        name: What the errors call them.
        remedy: Last sentence of the error about a wrong type.
        dtypes: Of uint8 and uint16, those that the images may have.

    Raises:
        ValueError: If the images differ in shape or have another dtype.
    """
    if not isinstance(images, Tensor):
        images = list(images)
        shapes = sorted({tuple(image.shape) for image in images})
        if len(shapes) > 1:
            raise ValueError(
                f'{name} must be of one shape in a batch, got {shapes}. '
                'Resize or crop them in the pipeline of the dataset.'
            )
        images = torch.stack(images)
    if images.dtype not in dtypes or images.ndim != 4:
        wanted = ' or '.join(map(_DESCRIPTIONS.__getitem__, dtypes))
        raise ValueError(
            f'{name} must be {wanted}, got {images.dtype} {tuple(images.shape)}. {remedy}'
        )
    return images


def to_8_bits(images: Tensor) -> Tensor:
    """Images of 16 bits rounded to 8, as pictures and metrics take them; others as they are.

    Args:
        images: uint8 or uint16 of any shape.

    Returns:
        uint8 of the same shape: values of 16 bits divided by 257.

    Example:
        >>> to_8_bits(torch.tensor([0, 128, 129, 65535], dtype=torch.uint16))
        tensor([  0,   0,   1, 255], dtype=torch.uint8)
    """
    if images.dtype == torch.uint8:
        return images
    # Rounded to the nearest; a multiple of 1/257 is never halfway between two ints.
    return images.int().add_(128).div_(257, rounding_mode='floor').to(torch.uint8)


def has_alpha(channels: int) -> bool:
    """Whether the last of as many channels is alpha."""
    return channels in (2, 4)


def as_rgb(images: Tensor) -> Tensor:
    """Images of any number of channels as a person sees them, and Inception.

    Gray is repeated, alpha is composited on white, and of 5 or more bands the first three are
    taken for red, green and blue.

    Args:
        images: uint8 or float ``(N, C, H, W)`` of 0 to 255, C at least 1.

    Returns:
        ``(N, 3, H, W)`` of the same dtype; a view where nothing is computed.

    Example:
        >>> half_transparent_black = torch.tensor([0, 128], dtype=torch.uint8).view(1, 2, 1, 1)
        >>> as_rgb(half_transparent_black).flatten()
        tensor([127, 127, 127], dtype=torch.uint8)
    """
    if has_alpha(images.shape[1]) and images.is_floating_point():
        colors, alpha = images[:, :-1], images[:, -1:] / 255
        images = 255 + alpha * (colors - 255)
    elif has_alpha(images.shape[1]):
        colors, alpha = images[:, :-1].int(), images[:, -1:].int()
        # Rounded to the nearest; a multiple of 1/255 is never halfway between two ints.
        images = ((colors * alpha + 255 * (255 - alpha) + 127) // 255).to(torch.uint8)
    return images[:, :3].expand(-1, 3, -1, -1)


def describe_as_rgb(channels: int) -> str | None:
    """What :func:`as_rgb` does to as many channels, in words; None for gray and RGB.

    Example:
        >>> describe_as_rgb(4), describe_as_rgb(7), describe_as_rgb(3)
        ('alpha composited on white', 'first three of 7 bands', None)
    """
    if has_alpha(channels):
        return 'alpha composited on white'
    return f'first three of {channels} bands' if channels > 4 else None


def stack_labels(labels: Iterable[Any] | None) -> Tensor | None:
    """Labels as int64 ``(N,)``; None if there are none or one is missing.

    Args:
        labels: Ints or tensors of one element each, or a tensor ``(N,)``.

    Raises:
        ValueError: If they are not ints.

    Example:
        >>> stack_labels([7, torch.tensor([1])])
        tensor([7, 1])
        >>> stack_labels([7, None])
    """
    if labels is None:
        return None
    if not isinstance(labels, Tensor):
        labels = list(labels)
        if not labels or any(label is None for label in labels):
            return None
        labels = torch.cat([torch.as_tensor(label).reshape(-1) for label in labels])
    if labels.is_floating_point():
        raise ValueError(
            f'labels must be ints, got {labels.dtype}. Number the classes 0, 1, 2, ...'
        )
    return labels.reshape(-1).to(torch.int64)


def batch_labels(batch: Mapping[str, Any]) -> Tensor | None:
    """Labels of a batch, int64 ``(N,)``; None if it has none.

    Args:
        batch: With ``labels`` (N ints) as the datasets of mmgan_lite give it, or with
            ``data_samples`` (N of MMEngine's ``BaseDataElement``) that carry ``gt_label``.

    Raises:
        ValueError: If the labels are not ints.
    """
    labels, samples = batch.get('labels'), batch.get('data_samples')
    if labels is None and samples is not None:
        labels = [sample.get('gt_label') for sample in samples]
    return stack_labels(labels)


def real_images(batch: Mapping[str, Any]) -> Any:
    """What the images of a model are compared with: targets of a translation, or else inputs.

    Args:
        batch: A batch of a data loader, or an item of a dataset.
    """
    return batch['target'] if 'target' in batch else batch['inputs']


def concatenate(parts: list[Tensor]) -> Tensor:
    """The rows of all parts, on the CPU."""
    return torch.cat(parts).cpu()


def join_columns(
    parts: Iterable[Sequence[Tensor | None]],
    join: Callable[[list[Tensor]], Tensor] = concatenate,
) -> list[Any]:
    """The first tensors of all parts in one, the second ones, and so on.

    A column that a part lacks is None.

    Args:
        parts: At least one, all of the same length.
        join: Makes one tensor of several.

    Example:
        >>> join_columns([(torch.zeros(1), None), (torch.ones(2), torch.ones(2))])
        [tensor([0., 1., 1.]), None]
    """
    columns: list[Any] = []
    for column in zip(*parts, strict=True):
        tensors = [tensor for tensor in column if tensor is not None]
        columns.append(join(tensors) if len(tensors) == len(column) else None)
    return columns
