"""Draw images from a trained GAN; no dataset is needed.

Example: mmgan-lite sample CHECKPOINT --num 64 --out samples
"""

import argparse
from pathlib import Path

import numpy as np
from torch import Tensor

from mmgan_lite.cli import options
from mmgan_lite.inference import set_standing_statistics
from mmgan_lite.inference.sampling import bit_depth_of
from mmgan_lite.models import GAN, NormalLatents, TruncatedNormalLatents
from mmgan_lite.utils.atomic_io import atomic_write
from mmgan_lite.visualization import make_picture, save_png
from mmgan_lite.visualization.image_grid import check_png_channels

GRID_IMAGES = 100


def write_png(images: Tensor, num_chosen: int, out: Path) -> None:
    """Write numbered images and ``grid.png``, with a column per chosen class."""
    digits = max(5, len(str(len(images) - 1)))
    for index, image in enumerate(images):
        save_png(image, out / f'{index:0{digits}d}.png')
    columns = num_chosen if num_chosen > 1 else None
    save_png(make_picture(images[:GRID_IMAGES], columns, to_view=True), out / 'grid.png')


def write_npz(images: Tensor, labels: Tensor | None, out: Path) -> None:
    """Write ``samples.npz``: images ``(N, H, W, C)``, and labels int64 ``(N,)`` if any."""
    arrays = dict(images=images.permute(0, 2, 3, 1).numpy())
    if labels is not None:
        arrays['labels'] = labels.numpy()
    with atomic_write(out / 'samples.npz') as temporary, temporary.open('wb') as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def _prepare(model: GAN, args: argparse.Namespace) -> None:
    """What BigGAN changes for sampling: bounds of the latents, and statistics for them."""
    if args.threshold is not None:
        if not isinstance(model.latents, NormalLatents | TruncatedNormalLatents):
            raise ValueError(
                '--threshold needs a model with normal latents, got '
                f'{type(model.latents).__name__}. Leave it out.'
            )
        model.latents = TruncatedNormalLatents(args.threshold)
    if args.standing_statistics is not None:
        set_standing_statistics(
            model,
            args.standing_statistics,
            seed=args.seed,
            truncation=args.truncation,
            use_ema=not args.no_ema,
        )


@options.reporting()
def main() -> None:
    """Load, draw, write."""
    parser = argparse.ArgumentParser(
        description='Draw images from a trained GAN.',
        usage='%(prog)s [CONFIG] CHECKPOINT --num N --out DIR [options]',
    )
    options.add_drawing(parser)
    parser.add_argument('--num', type=int, required=True, help='number of images')
    parser.add_argument('--labels', help="to cycle through, such as 3,7 or cat,dog, or 'all'")
    text = f'png: numbered images and a grid of the first {GRID_IMAGES}; npz: one file of arrays'
    text = 'draw numbers of the latents beyond it again; for a GAN with normal latents'
    parser.add_argument('--threshold', type=float, help=text)
    text = 'estimate the statistics of batch norm anew, over so many batches of 64'
    parser.add_argument('--standing-statistics', type=int, metavar='PASSES', help=text)
    parser.add_argument('--format', choices=['png', 'npz'], default='png', help=text)
    args = parser.parse_intermixed_args()
    options.check_folder('--out', args.out)
    inferencer = options.load_inferencer(args)
    if args.format == 'png':
        check_png_channels(inferencer.model.image_shape[0], bit_depth_of(inferencer.model))
    labels = options.parse_labels(args.labels, inferencer.model.num_classes)
    _prepare(inferencer.model, args)
    result = inferencer(
        args.num,
        labels,
        args.seed,
        args.truncation,
        not args.no_ema,
        truncation_cutoff=args.truncation_cutoff,
    )
    predictions = result['predictions']
    with options.writing('--out', args.out):
        if args.format == 'png':
            write_png(predictions['images'], len(labels or ()), args.out)
        else:
            write_npz(predictions['images'], predictions['labels'], args.out)
    print(f'{args.num} images written to {args.out}')
