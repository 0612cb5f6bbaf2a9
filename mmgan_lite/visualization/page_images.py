"""Pictures that go into a page: evenly picked, small enough, as data URIs."""

import base64
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from PIL import Image

from mmgan_lite.visualization.words import choose_by, number_of

MAX_PICTURES = 60
MAX_SIDE = 1024
MAX_BYTES = 20_000_000

T = TypeVar('T')


def pick_evenly(items: Sequence[T], most: int) -> list[T]:
    """At most so many, the first and the last among them.

    Example:
        >>> pick_evenly(range(0, 1000, 100), 4)
        [0, 300, 600, 900]
    """
    num = len(items)
    if num <= most:
        return list(items)
    if most == 1:
        return [items[-1]]
    return [items[round(i * (num - 1) / (most - 1))] for i in range(most)]


def to_png(path: Path) -> bytes:
    """A picture as PNG of at most ``MAX_SIDE`` pixels a side, grey where it has no colour.

    Raises:
        OSError: If it cannot be read as a picture.
    """
    try:
        with Image.open(path) as source:
            image = source.convert('RGB')
    except (Image.DecompressionBombError, SyntaxError, ValueError) as error:
        raise OSError(str(error)) from error
    image.thumbnail((MAX_SIDE, MAX_SIDE))
    channels = [channel.tobytes() for channel in image.split()]
    if channels[0] == channels[1] == channels[2]:
        image = image.convert('L')
    buffer = io.BytesIO()
    image.save(buffer, format='PNG')
    return buffer.getvalue()


def to_data_uri(png: bytes) -> str:
    """The same in a form that stands in a page."""
    return 'data:image/png;base64,' + base64.b64encode(png).decode()


def read_grids(grids: Mapping[int, Path]) -> tuple[dict[int, bytes], list[str]]:
    """Some of the pictures as PNG, so few that a page with them stays handy.

    Args:
        grids: Files by iteration.

    Returns:
        PNG bytes by iteration, and sentences about what was left out.
    """
    notes = []
    pngs: dict[int, bytes] = {}
    for iteration in pick_evenly(sorted(grids), MAX_PICTURES):
        try:
            pngs[iteration] = to_png(grids[iteration])
        except OSError:
            notes.append(f'{grids[iteration].name} is no whole picture and was left out.')
    total = sum(map(len, pngs.values()))
    if total > MAX_BYTES:
        most = max(2, len(pngs) * MAX_BYTES // total)
        pngs = {iteration: pngs[iteration] for iteration in pick_evenly(list(pngs), most)}
    left_out = len(grids) - len(pngs) - len(notes)
    if left_out:
        verb = choose_by(len(pngs), 'is', 'are')
        notes.append(
            f'{len(pngs):,} of {number_of(len(grids), "grid")} of samples {verb} shown, evenly '
            'picked.'
        )
    return pngs, notes
