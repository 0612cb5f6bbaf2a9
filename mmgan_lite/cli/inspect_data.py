"""Print what is in a folder of images, and draw some of them.

Example: mmgan-lite inspect-data photos
"""

import argparse
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from mmgan_lite.cli import options
from mmgan_lite.datasets.image_files import some_of
from mmgan_lite.own_data import DataDescription, Inspection, describe, inspect_images
from mmgan_lite.visualization import save_png

_WIDTH = 10  # of the longest name of a line
_MAX_LISTED = 12


@options.reporting(errors=(OSError, ValueError))
def main() -> None:
    """Describe, decode, draw and print."""
    parser = argparse.ArgumentParser(description='Print what is in a folder of images.')
    add = parser.add_argument
    add('data', metavar='FOLDER', help='a folder, a .zip, or a folder of parquet files')
    add('--out', type=Path, help='PNG file of a grid; default: work_dirs/FOLDER/images.png')
    options.add_channels(parser)
    args = parser.parse_args()
    out = args.out or Path('work_dirs', Path(args.data).absolute().stem, 'images.png')
    options.check_file('--out', out)
    if out.suffix.lower() != '.png':
        parser.error(f'--out must end in .png, got {str(out)!r}')
    description = describe(args.data, args.channels)
    with options.progress('decoding', len(description.headers)) as advance:
        inspection = inspect_images(description, args.channels, advance)
    with options.writing('--out', out):
        save_png(inspection.picture, out)
    num_readable = len(description.listing.headers) - len(inspection.unreadable)
    print(f'{args.data}: {num_readable:,} images')
    for name, text in _lines(description, inspection):
        print(f'  {name:<{_WIDTH}}  {text}')
    print(f'  {"picture":<{_WIDTH}}  {out}')
    print(f'To train on them: mmgan-lite train --data {shlex.quote(args.data)}')


def _lines(description: DataDescription, inspection: Inspection) -> Iterator[tuple[str, str]]:
    """Name and text of each line of the summary."""
    headers = description.headers
    yield 'formats', _counts(header.format for header in headers)
    yield 'modes', _counts(header.mode for header in headers)
    yield 'bits', _counts(str(header.bits) for header in headers)
    yield 'alpha', f'{description.num_with_alpha:,} of {len(headers):,}'
    yield 'animated', f'{sum(h.is_animated for h in headers):,} of {len(headers):,}'
    yield 'sizes', _counts(f'{header.width}x{header.height}' for header in headers)
    for name in ('width', 'height'):
        sides = sorted(getattr(header, name) for header in headers)
        yield name, f'{sides[0]:,} to {sides[-1]:,}, median {sides[(len(sides) - 1) // 2]:,}'
    classes = description.class_counts
    counts = ', '.join(f'{name}: {count:,}' for name, count in [*classes.items()][:_MAX_LISTED])
    more = ', ...' if len(classes) > _MAX_LISTED else ''
    found = f'{len(classes)} ({counts}{more})' if classes else 'none'
    yield 'classes', found if description.labels_error is None else description.labels_error
    yield 'left out', description.left_out or 'no other files'
    unreadable = inspection.unreadable
    yield 'unreadable', f'{len(unreadable):,} ({some_of(unreadable)})' if unreadable else 'none'
    copies = sum(len(names) - 1 for names in inspection.duplicates)
    pairs = [' = '.join(names[:3]) for names in inspection.duplicates]
    yield 'copies', f'{copies:,} ({some_of(pairs)})' if copies else 'none'


def _counts(values: Iterable[str]) -> str:
    """Values with their numbers, the most common first."""
    common = Counter(values).most_common()
    text = ', '.join(f'{value}: {count:,}' for value, count in common[:_MAX_LISTED])
    return text + (f', and {len(common) - _MAX_LISTED:,} more' if len(common) > _MAX_LISTED else '')
