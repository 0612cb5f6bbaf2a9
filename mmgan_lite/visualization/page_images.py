"""Images of the report page: evenly picked, small enough, as data URIs."""

import base64
import io
from collections.abc import Mapping
from pathlib import Path

from mmgan_lite.visualization.image_grid import pick_evenly

MAX_PICTURES = 60
MAX_SIDE = 1024
MAX_BYTES = 20_000_000


def to_png(path: Path) -> bytes:
    """Read an image and return it as PNG, at most ``MAX_SIDE`` pixels a side, gray if it is gray.

    Raises:
        OSError: If it cannot be read as an image.
    """
    from PIL import Image

    try:
        with Image.open(path) as source:
            image = source.convert('RGB')
    except (Image.DecompressionBombError, SyntaxError, ValueError) as error:
        raise OSError(str(error)) from error
    image.thumbnail((MAX_SIDE, MAX_SIDE))
    red, green, blue = (channel.tobytes() for channel in image.split())
    if red == green == blue:
        image = image.convert('L')
    buffer = io.BytesIO()
    image.save(buffer, format='PNG')
    return buffer.getvalue()


def to_data_uri(png: bytes) -> str:
    """PNG bytes as a URI that a page can hold."""
    return 'data:image/png;base64,' + base64.b64encode(png).decode()


def read_grids(grids: Mapping[int, Path]) -> tuple[dict[int, bytes], list[str]]:
    """Read grids of samples as PNG, at most ``MAX_PICTURES`` and about ``MAX_BYTES`` in all.

    Args:
        grids: Files by iteration.

    Returns:
        PNG bytes by iteration, and notes about what was left out.
    """
    notes = []
    pngs: dict[int, bytes] = {}
    for iteration in pick_evenly(sorted(grids), MAX_PICTURES):
        try:
            pngs[iteration] = to_png(grids[iteration])
        except OSError:
            notes.append(f'{grids[iteration].name} is not a complete image and was left out.')
    total = sum(map(len, pngs.values()))
    if total > MAX_BYTES:
        most = max(2, len(pngs) * MAX_BYTES // total)
        pngs = {iteration: pngs[iteration] for iteration in pick_evenly(list(pngs), most)}
    if len(grids) > len(pngs) + len(notes):
        notes.append(f'Grids of samples shown, evenly picked: {len(pngs):,} of {len(grids):,}.')
    return pngs, notes
