"""Train the classifier of digits that MNIST metrics use.

Example: mmgan-lite train-extractor --data-root data --out mnist_classifier.safetensors
"""

import argparse
import hashlib
import math
import time
from pathlib import Path

import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor

from mmgan_lite.cli import options
from mmgan_lite.datasets import MNISTDataset
from mmgan_lite.evaluation.extractors.mnist_classifier import DigitNetwork, scale_images
from mmgan_lite.inference.loading import find_device
from mmgan_lite.utils.atomic_io import atomic_write

_MAX_LEARNING_RATE = 4e-3


def warp(images: Tensor) -> Tensor:
    """Rotate, scale, shear and shift each float image at random; outside it is background.

    By up to 12 degrees, 12 %, 12 % and 2.5 of 28 pixels.
    """
    limits = torch.tensor([math.radians(12), 0.12, 0.12, 2.5 / 14, 2.5 / 14], device=images.device)
    drawn = torch.empty(len(images), 5, device=images.device).uniform_(-1, 1)
    angle, scale, shear, dx, dy = (limits * drawn).unbind(1)
    cos, sin, size = angle.cos(), angle.sin(), 1 + scale
    rows = torch.stack([size * cos, size * (shear - sin), dx, size * sin, size * cos, dy], dim=1)
    grid = F.affine_grid(rows.view(-1, 2, 3), list(images.shape), align_corners=False)
    # grid_sample pads with 0, and the background is -1.
    return F.grid_sample(images + 1, grid, align_corners=False) - 1


def train(images: Tensor, labels: Tensor, epochs: int, batch_size: int) -> DigitNetwork:
    """Train on uint8 images ``(N, 1, 28, 28)`` and labels ``(N,)``, on the device of these.

    Prints the mean loss after each pass.

    Args:
        images: All images.
        labels: int64, in [0, 10).
        epochs: Passes over the images.
        batch_size: Images of a step; the rest of a pass is left out of it.

    Raises:
        ValueError: If there are fewer images than ``batch_size``.
    """
    if len(images) < batch_size:
        text = f'batch_size must be at most the number of images, {len(images)}, got {batch_size}.'
        raise ValueError(f'{text} Pass batch_size=128.')
    device, start = images.device, time.perf_counter()
    # On a CPU convolutions this narrow take half the time with their channels last, and two thirds
    # of that in bfloat16.
    network = DigitNetwork().to(device).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=0.02, fused=True)
    steps = len(images) // batch_size
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, _MAX_LEARNING_RATE, total_steps=epochs * steps, pct_start=0.2
    )
    for epoch in range(1, epochs + 1):
        total = torch.zeros((), device=device)
        order = torch.randperm(len(images), device=device)
        for index in order[: steps * batch_size].split(batch_size):
            warped = warp(scale_images(images[index]))
            with torch.autocast(device.type, torch.bfloat16):
                _, logits = network(warped.contiguous(memory_format=torch.channels_last))
            loss = F.cross_entropy(logits.float(), labels[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.detach()
        seconds = time.perf_counter() - start
        print(f'epoch {epoch}/{epochs}: loss {total / steps:.4f}, {seconds:.0f} s', flush=True)
    return network


@torch.no_grad()
def accuracy(network: DigitNetwork, images: Tensor, labels: Tensor) -> float:
    """Accuracy on uint8 images, in eval mode."""
    network.eval()
    right = sum(
        (network(scale_images(part))[1].argmax(1) == truth).sum()
        for part, truth in zip(images.split(1000), labels.split(1000), strict=True)
    )
    return int(right) / len(images)


@options.reporting(errors=(FileNotFoundError, ValueError))
def main() -> None:
    """Train, test, write; print the accuracy and the hash of the file."""
    parser = argparse.ArgumentParser(description='Train the classifier that MNIST metrics use.')
    parser.add_argument('--data-root', default='data', help='where MNIST is (default: data)')
    parser.add_argument('--out', type=Path, required=True, help='the .safetensors file to write')
    parser.add_argument('--epochs', type=options.positive_int, default=10, help='(default: 10)')
    parser.add_argument('--batch-size', type=int, default=128, help='(default: 128)')
    parser.add_argument('--seed', type=int, default=0, help='(default: 0)')
    options.add_device(parser)
    args = parser.parse_args()
    if args.batch_size < 2:
        parser.error(f'--batch-size must be >= 2 for batch norm, got {args.batch_size}')
    options.check_file('--out', args.out)
    with options.reporting(parser.error):
        args.device = find_device(args.device)
    torch.manual_seed(args.seed)
    train_set, test_set = (MNISTDataset(args.data_root, split) for split in ('train', 'test'))
    images, labels = train_set.images.to(args.device), torch.as_tensor(train_set.labels)
    network = train(images, labels.to(args.device), args.epochs, args.batch_size)
    network = network.cpu().to(memory_format=torch.contiguous_format)
    score = accuracy(network, test_set.images, torch.as_tensor(test_set.labels))
    metadata = {'test_accuracy': f'{score:.4f}'}
    content = safetensors.torch.save(network.state_dict(), metadata)
    with options.writing('--out', args.out), atomic_write(args.out) as temporary:
        temporary.write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    print(f'{score:.2%} of the {len(test_set):,} test images; {args.out} has sha256 {sha256}')
