"""Images of the report page: evenly picked, small enough, as data URIs."""

import base64
import io
from collections.abc import Mapping
from pathlib import Path

from mmgan_lite.visualization.image_grid import pick_evenly

MAX_PICTURES = 60
MAX_SIDE = 1024
MAX_BYTES = 20_000_000


def read_image(path: Path, notes: list[str]) -> str:
    """Read an image as a data URI: PNG, at most ``MAX_SIDE`` pixels a side, gray if it is gray.

    Args:
        path: The file.
        notes: Takes a note if the file cannot be read as an image.

    Returns:
        The URI; empty if it cannot be read.
    """
    from PIL import Image

    try:
        with Image.open(path) as source:
            image = source.convert('RGB')
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        notes.append(f'{path.name} is not a complete image and was left out.')
        return ''
    image.thumbnail((MAX_SIDE, MAX_SIDE))
    red, green, blue = (channel.tobytes() for channel in image.split())
    buffer = io.BytesIO()
    (image.convert('L') if red == green == blue else image).save(buffer, format='PNG')
    return 'data:image/png;base64,' + base64.b64encode(buffer.getvalue()).decode()


def read_grids(grids: Mapping[int, Path], notes: list[str]) -> dict[int, str]:
    """Read grids of samples, at most ``MAX_PICTURES`` and about ``MAX_BYTES`` in all.

    Args:
        grids: Files by iteration.
        notes: Takes notes about what was left out.

    Returns:
        Data URIs by iteration.
    """
    picked = pick_evenly(sorted(grids), MAX_PICTURES)
    read = {iteration: read_image(grids[iteration], notes) for iteration in picked}
    uris = {iteration: uri for iteration, uri in read.items() if uri}
    num_broken = len(read) - len(uris)
    total = sum(map(len, uris.values()))
    if total > MAX_BYTES:
        most = max(2, len(uris) * MAX_BYTES // total)
        uris = {iteration: uris[iteration] for iteration in pick_evenly(list(uris), most)}
    if len(grids) > len(uris) + num_broken:
        notes.append(f'Grids of samples shown, evenly picked: {len(uris):,} of {len(grids):,}.')
    return uris
