"""Draw images from a trained GAN; no dataset is needed.

Example: mmgan-lite sample CONFIG CHECKPOINT --num 64 --out samples
"""

import argparse
import math
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torchvision.utils import make_grid

from mmgan_lite.apis import draw_images, get_model
from mmgan_lite.cli.options import add_config, add_old_checkpoint, load_config

GRID_IMAGES = 100


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description='Draw images from a trained GAN.')
    add_config(parser)
    parser.add_argument('checkpoint', help='path of a checkpoint that training wrote')
    parser.add_argument('--num', type=int, required=True, help='how many images')
    parser.add_argument('--out', type=Path, required=True, metavar='DIR', help='where they go')
    parser.add_argument('--seed', type=int, default=0, help='same seed, same images (default: 0)')
    parser.add_argument('--labels', help="classes taken in turn, such as 3,7, or 'all'")
    parser.add_argument('--no-ema', action='store_true', help='the last weights, not their average')
    parser.add_argument(
        '--format',
        choices=['png', 'npz'],
        default='png',
        help=f'png: numbered images and a grid of the first {GRID_IMAGES}; npz: one file of arrays',
    )
    parser.add_argument(
        '--device', default='cuda' if torch.cuda.is_available() else 'cpu', help='cpu, cuda, ...'
    )
    add_old_checkpoint(parser)
    return parser.parse_args()


def parse_labels(text: str | None, num_classes: int | None) -> list[int] | None:
    """Turn '3,7' or 'all' into classes."""
    if text is None:
        return None
    if text == 'all':
        return list(range(num_classes or 0))
    try:
        return [int(label) for label in text.split(',')]
    except ValueError:
        raise SystemExit(f"--labels must be ints like 3,7, or 'all', got {text!r}") from None


def write_png(images: torch.Tensor, labels: list[int] | None, out: Path) -> None:
    """Write numbered images and ``grid.png``; with chosen classes each column is one of them."""
    digits = max(5, len(str(len(images) - 1)))
    for index, image in enumerate(images):
        save_png(image, out / f'{index:0{digits}d}.png')
    shown = images[:GRID_IMAGES]
    columns = len(labels) if labels else math.ceil(math.sqrt(len(shown)))
    save_png(make_grid(shown, nrow=columns), out / 'grid.png')


def save_png(image: torch.Tensor, path: Path) -> None:
    """Write a uint8 image (C, H, W), grey where it has one channel."""
    pixels = image.permute(1, 2, 0).numpy()
    Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(path)


def main() -> None:
    """Load, draw, write."""
    args = parse_args()
    model = get_model(load_config(args), args.checkpoint, args.device, args.old_checkpoint)
    labels = parse_labels(args.labels, model.num_classes)
    images, drawn = draw_images(model, args.num, args.seed, labels, use_ema=not args.no_ema)
    args.out.mkdir(parents=True, exist_ok=True)
    if args.format == 'png':
        write_png(images, labels, args.out)
    else:
        pixels = images.permute(0, 2, 3, 1).numpy()
        arrays = dict(images=pixels) if drawn is None else dict(images=pixels, labels=drawn.numpy())
        np.savez_compressed(args.out / 'samples.npz', **arrays)  # type: ignore[arg-type]
    print(f'{len(images)} images written to {args.out}')
