"""Grids of images, PNG and GIF files; loads torch only where there are tensors."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mmgan_lite.utils.atomic_io import atomic_write
from mmgan_lite.utils.validation import check_positive

if TYPE_CHECKING:
    from torch import Tensor


# Smaller images are hard to see on a screen.
_VIEW_SIDE = 96


def make_picture(
    images: 'Tensor', columns: int | None = None, source: str = 'images', to_view: bool = False
) -> np.ndarray:
    """Lay out images row by row, with a thin black border; a single image has none.

    Images of 16 bits are rounded to 8. Gray images are repeated, alpha is composited on white, and
    of 5 or more channels the first three are drawn.

    Args:
        images: uint8 or uint16 ``(N, C, H, W)``.
        columns: Images in a row; None for a square.
        source: What the error calls the images.
        to_view: Whether small images are enlarged by :func:`viewing_scale`.

    Returns:
        uint8 ``(H', W', 3)``.

    Raises:
        ValueError: If the images have another shape or dtype, or ``columns`` < 1.

    Example:
        >>> import torch
        >>> make_picture(torch.zeros(6, 1, 28, 28, dtype=torch.uint8), columns=3).shape
        (62, 92, 3)
    """
    # It takes half a second to load; only pictures need it.
    from torchvision.utils import make_grid

    from mmgan_lite.utils.image_batch import BOTH_DEPTHS, as_rgb, stack_images, to_8_bits

    remedy = 'Remove what draws them, such as SampleVisualizationHook.'
    images = as_rgb(to_8_bits(stack_images(images, source, remedy, BOTH_DEPTHS)))
    columns = math.ceil(len(images) ** 0.5) if columns is None else columns
    if to_view:
        scale = viewing_scale(*images.shape[2:])
        images = images.repeat_interleave(scale, 2).repeat_interleave(scale, 3)
    grid = make_grid(images, nrow=check_positive('columns', columns))
    return grid.permute(1, 2, 0).contiguous().numpy()


def viewing_scale(height: int, width: int) -> int:
    """How many times to enlarge an image for a screen: to at most 96 pixels a side, at least once.

    Example:
        >>> viewing_scale(28, 28), viewing_scale(64, 64)
        (3, 1)
    """
    return max(1, _VIEW_SIDE // max(height, width))


def enlarge(picture: np.ndarray, scale: int) -> np.ndarray:
    """Enlarge a picture: each pixel becomes ``scale`` by ``scale`` pixels.

    Args:
        picture: uint8 ``(H, W, C)``.
        scale: At least 1.

    Raises:
        ValueError: If ``scale`` < 1.
    """
    check_positive('scale', scale)
    return picture.repeat(scale, axis=0).repeat(scale, axis=1)


def check_png_channels(channels: int, bit_depth: int = 8) -> None:
    """Check that a PNG file can hold an image of as many channels.

    Raises:
        ValueError: If there are more than 4, or 2 with a ``bit_depth`` of 16.
    """
    if channels > 4:
        raise ValueError(
            f'A PNG file must have 1 to 4 channels, got an image of {channels}. Write arrays: '
            'pass --format npz to mmgan-lite sample, or call numpy.savez.'
        )
    if channels == 2 and bit_depth == 16:
        raise ValueError(
            'A PNG file of 16 bits must have 1, 3 or 4 channels, as OpenCV writes it, got an image '
            'of 2. Write arrays: pass --format npz to mmgan-lite sample, or call numpy.savez.'
        )


def save_png(picture: 'np.ndarray | Tensor', path: str | Path) -> None:
    """Write a picture by an atomic write, with its channels as they are.

    Args:
        picture: Array ``(H, W, C)``, or tensor ``(C, H, W)`` of an image: gray, gray and alpha,
            RGB, or RGB and alpha, for C of 1 to 4. uint8; or uint16 for a file of 16 bits, which
            cannot be gray and alpha.
        path: The file; its folder is made.

    Raises:
        ValueError: If there are more than 4 channels, or 2 of 16 bits.
    """
    from PIL import Image

    pixels = picture if isinstance(picture, np.ndarray) else picture.permute(1, 2, 0).numpy()
    check_png_channels(pixels.shape[2], 8 * pixels.itemsize)
    if pixels.dtype == np.uint16:
        _save_deep_png(pixels, path)
        return
    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    with atomic_write(path) as temporary:
        image.save(temporary, format='PNG')


def _save_deep_png(pixels: np.ndarray, path: str | Path) -> None:
    """Write a PNG of 16 bits; Pillow writes gray ones only."""
    import cv2

    order = [2, 1, 0, 3] if pixels.shape[2] > 1 else [0]  # it has blue first
    ordered = np.ascontiguousarray(pixels[:, :, order[: pixels.shape[2]]])
    is_written, content = cv2.imencode('.png', ordered)
    assert is_written
    with atomic_write(path) as temporary:
        temporary.write_bytes(content.tobytes())


def save_gif(
    frames: Sequence[np.ndarray],
    path: str | Path,
    frame_ms: int = 80,
    last_frame_ms: int | None = None,
) -> None:
    """Write an animation that repeats forever, by an atomic write.

    Args:
        frames: Pictures, uint8 ``(H, W, 3)``. Smaller ones are enlarged to the size of the
            largest, pixel by pixel, with black bars where their sides have another ratio. Gray
            ones keep each of their grays, colored ones are reduced to 256 colors a frame.
        path: The file; its folder is made.
        frame_ms: Milliseconds of a frame, at least 20, as browsers slow down faster ones.
        last_frame_ms: Milliseconds of the last frame; None for ``frame_ms``.

    Raises:
        ValueError: If there are no frames, or ``frame_ms`` < 20.
    """
    from PIL import Image, ImageOps

    if not frames:
        raise ValueError('frames must hold at least one picture, got none.')
    if frame_ms < 20:
        raise ValueError(f'frame_ms must be at least 20, got {frame_ms}. Pass frame_ms=80.')
    gray = all((frame == frame[:, :, :1]).all() for frame in frames)
    images = [Image.fromarray(frame[:, :, 0] if gray else frame) for frame in frames]
    size = max(image.width for image in images), max(image.height for image in images)
    first, *rest = [ImageOps.pad(image, size, Image.Resampling.NEAREST) for image in images]
    times = [frame_ms] * len(rest) + [last_frame_ms or frame_ms]
    with atomic_write(path) as temporary:
        # loop=0 is forever.
        first.save(temporary, 'GIF', save_all=True, append_images=rest, duration=times, loop=0)


def pick_evenly(items: Sequence[int], most: int) -> list[int]:
    """Pick at most ``most`` items, at least 2, among them the first and the last.

    Example:
        >>> pick_evenly(range(0, 1000, 100), 4)
        [0, 300, 600, 900]
    """
    num = min(len(items), most)
    return [items[round(i * (len(items) - 1) / max(1, num - 1))] for i in range(num)]
