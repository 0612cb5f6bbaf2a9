"""What SNGAN, SAGAN and BigGAN of MMGeneration and MMagic have in common."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from mmgan_lite.checkpoints.foreign.ledger import Ledger
from mmgan_lite.checkpoints.foreign.transfer import Transfer, numbers


def find_weight(ledger: Ledger, layer: str) -> Tensor | None:
    """The weight of a layer with or without spectral norm; None if there is no such layer."""
    for name in (f'{layer}.weight', f'{layer}.weight_orig'):
        if name in ledger:
            return ledger.peek(name)
    return None


def weight_of(ledger: Ledger, layer: str) -> Tensor:
    """:func:`find_weight`; ``ValueError`` if there is none."""
    found = find_weight(ledger, layer)
    return ledger.peek(f'{layer}.weight') if found is None else found


def has_spectral_norm(ledger: Ledger, layer: str) -> bool:
    """Whether a layer is divided by its largest singular value, in either way."""
    return f'{layer}.weight_u' in ledger or f'{layer}.u0' in ledger


def find_places(ledger: Ledger) -> tuple[list[str], list[tuple[int, str]]]:
    """The blocks in ``conv_blocks``; and attention, each with the number of blocks before it."""
    blocks: list[str] = []
    attention: list[tuple[int, str]] = []
    for index in numbers(ledger.under('conv_blocks.').names()):
        place = f'conv_blocks.{index}'
        if f'{place}.gamma' in ledger:
            attention.append((len(blocks), place))
        else:
            blocks.append(place)
    return blocks, attention


def find_start(ledger: Ledger, channels: int) -> int:
    """Side of the features that the first layer gives."""
    return math.isqrt(weight_of(ledger, 'noise2feat').shape[0] // channels)


def move_attention(transfer: Transfer, ours: str, theirs: str) -> None:
    """A block of attention."""
    for layer in ('theta', 'phi', 'g', 'o'):
        transfer.move(f'{ours}.{layer}', f'{theirs}.{layer}.conv')
    transfer.state[f'{ours}.gamma'] = transfer.ledger.take(f'{theirs}.gamma').reshape(())


@dataclass
class Head:
    """A discriminator of residual blocks, as it is there.

    Attributes:
        blocks: Names of the blocks, the first of which takes images.
        convs: Names of the two convolutions in a block.
        attention: Names of attention, each with the number of the block before it, from 1.
        halvings: Blocks that halve the size, from the first on; None to tell it by the shapes.
    """

    blocks: Sequence[str]
    convs: tuple[str, str]
    attention: Sequence[tuple[int, str]]
    halvings: int | None


def move_discriminator(
    transfer: Transfer, head: Head, image_shape: tuple[int, int, int]
) -> dict[str, Any]:
    """The settings that our residual discriminators share; the tensors go to the state."""
    ledger = transfer.ledger
    classes = find_weight(ledger, 'proj_y')
    halvings = head.halvings
    if halvings is None:
        shortcuts = [find_weight(ledger, f'{block}.shortcut.conv') for block in head.blocks]
        halvings = sum(shortcut is not None for shortcut in shortcuts)
        transfer.notes.append(
            f'Blocks of the discriminator with a layer in the shortcut are taken to halve the '
            f'size: {halvings} of {len(shortcuts)}; the file does not say.'
        )
    widths = [weight_of(ledger, f'{b}.{head.convs[1]}.conv').shape[0] for b in head.blocks]
    attention = dict(head.attention)
    place = 0
    for number in range(1, len(head.blocks) + 1):
        _move_block(transfer, head, number, f'blocks.{place}', number <= halvings)
        place += 1
        if number in attention:
            move_attention(transfer, f'blocks.{place}', attention[number])
            place += 1
    transfer.move('head.linear', 'decision')
    transfer.move('head.embedding', 'proj_y')
    return dict(
        image_shape=image_shape,
        channels=tuple(widths),
        halvings=halvings,
        num_classes=None if classes is None else classes.shape[0],
    )


def _move_block(transfer: Transfer, head: Head, number: int, ours: str, halves: bool) -> None:
    theirs, first = head.blocks[number - 1], number == 1
    conv = f'{theirs}.{head.convs[0]}.conv'
    images = [weight_of(transfer.ledger, conv).shape[1]] if first else []
    colors = 'in' if first else ''
    transfer.move(f'{ours}.residual.{0 if first else 1}', conv, colors, images)
    transfer.move(f'{ours}.residual.{2 if first else 3}', f'{theirs}.{head.convs[1]}.conv')
    # After the pooling, where there is one.
    shortcut = f'{ours}.shortcut.{1 if halves else 0}'
    transfer.move(shortcut, f'{theirs}.shortcut.conv', colors, images)
