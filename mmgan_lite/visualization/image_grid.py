"""Images put together to pictures, and written as PNG and GIF."""

import contextlib
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from torch import Tensor

from mmgan_lite.utils.atomic_io import atomic_write
from mmgan_lite.utils.validation import check_positive


def make_picture(images: Tensor, columns: int | None = None) -> np.ndarray:
    """Images in rows, with a thin black border; a single image has none.

    Args:
        images: uint8 ``(N, C, H, W)``, C = 1 or 3.
        columns: Images in a row; None for a square.

    Returns:
        uint8 ``(H', W', 3)``.

    Raises:
        ValueError: If the images are not such, or ``columns`` < 1.

    Example:
        >>> import torch
        >>> make_picture(torch.zeros(6, 1, 28, 28, dtype=torch.uint8), columns=3).shape
        (62, 92, 3)
    """
    # It takes half a second to load, and who draws into memory does without.
    from torchvision.utils import make_grid

    if images.ndim != 4 or images.shape[1] not in (1, 3):
        raise ValueError(
            'images must be of shape (N, C, H, W) with C = 1 or 3 to be shown, got '
            f'{tuple(images.shape)}. Keep them as arrays.'
        )
    columns = math.ceil(math.sqrt(len(images))) if columns is None else columns
    grid = make_grid(images, nrow=check_positive('columns', columns))
    return grid.permute(1, 2, 0).contiguous().numpy()


def enlarge(picture: np.ndarray, scale: int) -> np.ndarray:
    """A picture with each pixel as ``scale`` by ``scale`` pixels.

    Args:
        picture: uint8 ``(H, W, C)``.
        scale: At least 1.

    Raises:
        ValueError: If ``scale`` < 1.
    """
    check_positive('scale', scale)
    return picture.repeat(scale, axis=0).repeat(scale, axis=1)


def save_png(picture: np.ndarray | Tensor, path: str | Path) -> None:
    """Write a picture, grey where it has one channel; the file is whole or not there.

    Args:
        picture: uint8 array ``(H, W, 1 or 3)``, or tensor ``(C, H, W)`` of an image.
        path: Where it goes; the folder is made.
    """
    from PIL import Image

    pixels = picture.permute(1, 2, 0).numpy() if isinstance(picture, Tensor) else picture
    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    with atomic_path(path) as temporary:
        image.save(temporary, format='PNG')


def save_gif(
    frames: Sequence[np.ndarray],
    path: str | Path,
    frame_ms: int = 80,
    last_frame_ms: int | None = None,
) -> None:
    """Write an animation that plays for ever; the file is whole or not there.

    Args:
        frames: Pictures, uint8 ``(H, W, 3)``, all of one size. Grey ones keep each of their greys,
            coloured ones are reduced to 256 colours a frame.
        path: Where it goes; the folder is made.
        frame_ms: Milliseconds of a frame, at least 20: browsers slow faster ones down.
        last_frame_ms: Milliseconds of the last frame; None for ``frame_ms``.

    Raises:
        ValueError: If there are no frames, or ``frame_ms`` < 20.
    """
    from PIL import Image

    if len(frames) == 0:
        raise ValueError('frames must hold at least one picture, got none.')
    if frame_ms < 20:
        raise ValueError(f'frame_ms must be at least 20, got {frame_ms}. Pass frame_ms=80.')
    grey = all((frame == frame[:, :, :1]).all() for frame in frames)
    images = [Image.fromarray(frame[:, :, 0] if grey else frame) for frame in frames]
    with atomic_path(path) as temporary:
        images[0].save(
            temporary,
            format='GIF',
            save_all=True,
            append_images=images[1:],
            duration=[*[frame_ms] * (len(frames) - 1), last_frame_ms or frame_ms],
            loop=0,  # for ever
        )


@contextlib.contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """A path to write to, in a folder that is made; the file is there once it is whole."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        yield temporary
