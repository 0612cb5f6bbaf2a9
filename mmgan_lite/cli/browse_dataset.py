"""Draw the first images of a config's train_dataloader, as one picture; pairs side by side."""

import argparse
from pathlib import Path

import torch
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from torch import Tensor
from torch.utils.data import DataLoader

from mmgan_lite.cli import options
from mmgan_lite.utils.image_batch import (
    BOTH_DEPTHS,
    as_rgb,
    batch_labels,
    stack_images,
    to_8_bits,
)
from mmgan_lite.visualization import make_picture, save_png


def first_images(dataloader: DataLoader, num: int) -> tuple[Tensor, list[int]]:
    """The first images of a loader.

    Returns:
        Images, uint8 of shape ``(M, C, H, W)`` with M <= ``num``, and M labels, or none. Of pairs,
        sources and targets side by side, ``(M, 3, H, 2 W)``.
    """
    images: list[Tensor] = []
    labels: list[int] = []
    for batch in dataloader:
        if 'source' in batch:
            remedy = 'Leave normalizing to the model.'
            pair = [
                stack_images(batch[name], name, remedy, BOTH_DEPTHS)
                for name in ('source', 'target')
            ]
            images.extend(torch.cat([as_rgb(to_8_bits(side)) for side in pair], dim=3))
        else:
            images.extend(batch['inputs'])
        found = batch_labels(batch)
        labels.extend(() if found is None else found.tolist())
        if len(images) >= num:
            break
    return torch.stack(images[:num]), labels[:num]


def main() -> None:
    """Build the loader as in training, and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    options.add_config(parser)
    parser.add_argument('--num', type=options.positive_int, default=64, help='number of images')
    parser.add_argument('--out', type=Path, help='PNG file; default: work_dirs/<config>/train.png')
    args = parser.parse_args()
    out = args.out or Path('work_dirs') / Path(args.config).stem / 'train.png'
    options.check_file('--out', out)
    if out.suffix.lower() != '.png':
        parser.error(f'--out must end in .png, got {str(out)!r}')
    cfg = options.load_config(args)
    init_default_scope(cfg.get('default_scope', 'mmgan_lite'))
    seed = cfg.get('randomness', {}).get('seed')
    with options.reporting(errors=options.DATA_ERRORS):
        images, labels = first_images(Runner.build_dataloader(cfg.train_dataloader, seed), args.num)
    with options.writing('--out', out):
        save_png(make_picture(images, to_view=True), out)
    print(f'{len(images)} images of shape {tuple(images.shape[1:])}: {out}')
    if labels:
        print('labels:', *labels)
