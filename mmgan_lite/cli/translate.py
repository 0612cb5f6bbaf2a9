"""Translate images by a trained model; no dataset is needed.

Example: mmgan-lite translate CHECKPOINT photos --out translated --domain b2a
"""

import argparse
import re
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from mmgan_lite.cli import options
from mmgan_lite.inference import Picture, TranslationInferencer, open_pictures
from mmgan_lite.inference.sampling import bit_depth_of
from mmgan_lite.visualization import save_png
from mmgan_lite.visualization.image_grid import check_png_channels


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description='Translate images by a trained model.',
        usage='%(prog)s [CONFIG] CHECKPOINT INPUT --out DIR [options]',
        epilog='INPUT is an image, a folder of images at any depth, or a .zip of them.',
    )
    options.add_weights(parser)
    add = parser.add_argument
    text = 'output folder; files get the paths that they have in INPUT, and end in .png'
    add('--out', type=Path, required=True, metavar='DIR', help=text)
    add('--domain', help='direction, such as b2a of a CycleGAN (default: the first)')
    text = 'translate in tiles of this side, such as 512, for pictures that are large'
    add('--tile', type=int, metavar='SIDE', help=text)
    text = 'pixels by which tiles overlap at least (default: 64)'
    add('--overlap', type=int, default=64, metavar='PIXELS', help=text)
    text = 'keep, or N or HxW: cover this size and cut off the rest, before (default: keep)'
    add('--size', type=_size, default=None, metavar='SIZE', help=text)
    text = 'of pictures with it: keep it, or composite it on white (default: keep)'
    add('--alpha', choices=['keep', 'composite'], default='keep', help=text)
    text = 'images of one size that the network gets together (default: 1)'
    add('--batch-size', type=int, default=1, metavar='N', help=text)
    return parser.parse_intermixed_args()


def _size(text: str) -> tuple[int, int] | None:
    """None for 'keep'; (256, 256) for '256', (256, 320) for '256x320'."""
    if text == 'keep':
        return None
    found = re.fullmatch(r'([1-9]\d*)(?:x([1-9]\d*))?', text)
    if found is None:
        raise argparse.ArgumentTypeError(f'must be keep, N or HxW, got {text!r}')
    return int(found[1]), int(found[2] or found[1])


def output_paths(pictures: Sequence[Picture], out: Path) -> list[Path]:
    """Where each picture is written.

    Raises:
        ValueError: If it is outside of the folder, or two pictures are written to one file.
    """
    sources = defaultdict(list)
    for picture in pictures:
        name = PurePosixPath(picture.name)
        path = out / (name if name.suffix.lower() == '.png' else name.with_suffix('.png'))
        if not path.resolve().is_relative_to(out.resolve()):
            raise ValueError(
                f'names in INPUT must be paths below it, got {picture.name!r}. Write the zip again.'
            )
        sources[path].append(picture.name)
    for path, names in sources.items():
        if len(names) > 1:
            raise ValueError(
                f'INPUT must hold one picture for each file that is written, but {names[0]!r} and '
                f'{names[1]!r} would both be {str(path)!r}. Rename one; nothing was written.'
            )
    return list(sources)


def _check_out(out: Path, given: Path) -> None:
    """Check that no picture would be replaced by its translation."""
    folder = given if given.is_dir() else given.parent
    if given.suffix.lower() != '.zip' and out.resolve() == folder.resolve():
        raise ValueError(
            f'--out must be another folder than that of INPUT, whose files would be replaced, got '
            f'{str(out)!r}. Pass --out {out / "translated"}.'
        )


@options.reporting(errors=options.DATA_ERRORS)
def main() -> None:
    """Load, translate, write."""
    args = parse_args()
    if len(args.files) < 2:
        raise ValueError('pass CHECKPOINT INPUT')
    given = Path(args.files.pop()).expanduser()
    options.check_folder('--out', args.out)
    _check_out(args.out, given)
    inferencer: TranslationInferencer = options.load_inferencer(args, 'TranslationInferencer')
    translation = inferencer.translation(
        args.domain,
        not args.no_ema,
        batch_size=args.batch_size,
        tile=args.tile,
        overlap=args.overlap,
        size=args.size,
        alpha=args.alpha,
    )
    check_png_channels(translation.network.out_channels, bit_depth_of(inferencer.model))
    pictures = open_pictures(given, translation.network.in_channels)
    paths, unreadable = output_paths(pictures, args.out), []
    with options.progress('pictures', len(pictures)) as advance:
        for done in translation.run(pictures):
            if done.image is None:
                unreadable.append(f'{pictures[done.position].name} ({done.error})')
            else:
                with options.writing('--out', args.out):
                    save_png(done.image, paths[done.position])
            advance(1)
    print(f'{len(pictures) - len(unreadable)} images written to {args.out}')
    if unreadable:
        print(*unreadable, sep='\n', file=sys.stderr)
        options.end_command(f'{len(unreadable)} of {len(pictures)} pictures cannot be read')
