"""Pack images of a folder or zip into one file that training maps into memory.

Example: mmgan-lite pack-dataset photos data/packed --image-size 64
"""

import argparse
import os
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mmgan_lite.cli import options
from mmgan_lite.datasets import ImageFolderDataset, PairedImageDataset, pack_images


@options.reporting(errors=(OSError, ValueError))
def main() -> None:
    """List, pack, and print a summary."""
    parser = argparse.ArgumentParser(description='Pack images for PackedImageDataset.')
    add = parser.add_argument
    add('source', metavar='SOURCE', help='a folder, a zip, or a folder of parquet files')
    add('out', metavar='OUT', type=Path, help='a folder that does not exist yet')
    text = 'N for square images, or height and width; default: their own, all of one size'
    text = 'a folder or zip of the targets of image translation, with the names of SOURCE'
    add('--target', type=Path, metavar='TARGET', help=text)
    text = 'of the targets (default: those of --channels)'
    add('--target-channels', type=_int_or_name, metavar='C', help=text)
    add('--image-size', type=int, nargs='+', metavar='N', help=text)
    text = 'L, RGB (default), RGBA, or a number of bands'
    add('--channels', type=_int_or_name, default='RGB', metavar='C', help=text)
    text = 'how an image is brought to --image-size (default: crop)'
    add('--resize', choices=['crop', 'pad', 'stretch'], default='crop', help=text)
    text = 'behind transparent pixels and of the bars of pad: a name or #rrggbb (default: white)'
    add('--background', default='white', metavar='COLOR', help=text)
    text = "of more than 8 bits per channel: 'scale' 16 bits to 8, keep 16, or the range of values"
    add('--bit-depth', nargs='+', default=['error'], metavar='DEPTH', help=text)
    text = 'a .csv or .json file, or a column of parquet files (default: dataset.json, sub-folders)'
    add('--labels', metavar='FILE', help=text)
    add('--no-labels', action='store_const', const=False, dest='labels', help='pack images alone')
    text = 'number of images decoded in parallel (default: one per CPU)'
    add('--workers', type=options.positive_int, default=os.cpu_count() or 1, help=text)
    args = parser.parse_args()
    if args.image_size is not None and len(args.image_size) == 1:
        args.image_size *= 2
    options.check_folder('OUT', args.out.parent)
    settings = dict(
        image_size=args.image_size,
        channels=args.channels,
        resize=args.resize,
        background=args.background,
        bit_depth=options.parse_bit_depth(args.bit_depth),
    )
    if args.target is not None:
        if args.labels:
            parser.error('--labels is for images, not for pairs with --target')
        folders = dict(source='', target=args.target.expanduser().absolute())
        dataset = PairedImageDataset(
            args.source, **folders, target_channels=args.target_channels, **settings
        )
    elif args.target_channels is not None:
        parser.error('--target-channels needs --target')
    else:
        dataset = ImageFolderDataset(args.source, labels=args.labels, **settings)
    columns = (TextColumn('packing'), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as progress:
        task = progress.add_task('packing', total=len(dataset))
        meta = pack_images(dataset, args.out, args.workers, lambda num: progress.advance(task, num))
    classes = f' in {len(meta["classes"])} classes' if meta['classes'] else ''
    kind = 'images' if args.target is None else 'pairs, both in images'
    print(f'{meta["count"]} {kind} of shape {tuple(meta["shape"])}{classes}: {args.out}')
    print(f'sha256 of images.npy: {meta["images_sha256"]}')


def _int_or_name(text: str) -> int | str:
    return int(text) if text.isdecimal() else text
