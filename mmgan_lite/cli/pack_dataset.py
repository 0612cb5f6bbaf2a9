"""Pack a folder of images into one file that training maps into memory.

Example: mmgan-lite pack-dataset photos data/packed --image-size 64
"""

import argparse
import os
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mmgan_lite.cli import options
from mmgan_lite.datasets import ImageFolderDataset, pack_images


@options.reporting(errors=(OSError, ValueError))
def main() -> None:
    """List, pack, and print a summary."""
    parser = argparse.ArgumentParser(description='Pack images for PackedImageDataset.')
    add = parser.add_argument
    add('source', metavar='SOURCE', help='flat, or one sub-folder a class')
    add('out', metavar='OUT', type=Path, help='a folder that does not exist yet')
    text = 'N for square images, or height and width; default: their own, all of one size'
    add('--image-size', type=int, nargs='+', metavar='N', help=text)
    add('--channels', type=int, choices=[1, 3], default=3, help='1: gray, 3: RGB')
    text = 'number of images decoded in parallel (default: one per CPU)'
    add('--workers', type=options.positive_int, default=os.cpu_count() or 1, help=text)
    args = parser.parse_args()
    if args.image_size is not None and len(args.image_size) == 1:
        args.image_size *= 2
    options.check_folder('OUT', args.out.parent)
    dataset = ImageFolderDataset(args.source, args.image_size, args.channels)
    columns = (TextColumn('packing'), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as progress:
        task = progress.add_task('packing', total=len(dataset))
        meta = pack_images(dataset, args.out, args.workers, lambda num: progress.advance(task, num))
    classes = f' in {len(meta["classes"])} classes' if meta['classes'] else ''
    print(f'{meta["count"]} images of shape {tuple(meta["shape"])}{classes}: {args.out}')
    print(f'sha256 of images.npy: {meta["images_sha256"]}')
