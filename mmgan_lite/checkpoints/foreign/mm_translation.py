"""Translators of MMGeneration and MMagic: U-Net, ResNet, PatchGAN."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmgan_lite.checkpoints.foreign.transfer import Transfer, numbers


def unet(transfer: Transfer, given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of our U-Net; its tensors go to the transfer's state."""
    ledger = transfer.ledger
    places = ['model']
    while ledger.names(f'{places[-1]}.model.1.model.'):
        places.append(f'{places[-1]}.model.1')
    levels = len(places)
    base_channels, in_channels, *_ = ledger.peek('model.model.0.conv.weight').shape
    out_channels = ledger.peek('model.model.2.conv.weight').shape[1]
    norm = _norm(ledger.names(), given)
    for level, place in enumerate(places):
        first, last = level == 0, level == levels - 1
        down, up = f'layers.downs.{level}', f'layers.ups.{levels - 1 - level}'
        down_there, up_there = f'{place}.model.0', f'{place}.model.{1 if last else 2}'
        if first:
            transfer.move(f'{down}.0', f'{down_there}.conv', 'in', [in_channels])
            transfer.move(f'{up}.1', f'{up_there}.conv', 'up', [out_channels])
            continue
        transfer.move(f'{down}.1', f'{down_there}.conv')
        transfer.move(f'{down}.2', f'{down_there}.bn')
        transfer.move(f'{up}.1', f'{up_there}.conv')
        transfer.move(f'{up}.2', f'{up_there}.bn')
    return dict(
        type='UNetTranslator',
        in_channels=in_channels,
        out_channels=out_channels,
        levels=levels,
        base_channels=base_channels,
        norm=norm,
        dropout=0.5 if given.get('use_dropout') else 0.0,
    )


def resnet(transfer: Transfer, given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of our ResNet; its tensors go to the transfer's state."""
    ledger = transfer.ledger
    indices = numbers(ledger.under('model.').names())
    blocks = [index for index in indices if ledger.names(f'model.{index}.block.')]
    base_channels, in_channels, *_ = ledger.peek('model.0.conv.weight').shape
    out_channels = ledger.peek(f'model.{indices[-1]}.conv.weight').shape[0]
    norm = _norm(ledger.names(), given)
    after = 10 + len(blocks)
    layers = [1, 4, 7, *range(10, after), after, after + 3, after + 7]
    for layer, index in zip(layers, indices, strict=False):
        if index in blocks:
            _move_block(transfer, f'layers.{layer}.layers', f'model.{index}.block')
            continue
        colors, images = {0: ('in', [in_channels]), indices[-1]: ('out', [out_channels])}.get(
            index, ('', [])
        )
        transfer.move(f'layers.{layer}', f'model.{index}.conv', colors, images)
        transfer.move(f'layers.{layer + 1}', f'model.{index}.bn')
    return dict(
        type='ResNetTranslator',
        in_channels=in_channels,
        out_channels=out_channels,
        base_channels=base_channels,
        num_blocks=len(blocks),
        norm=norm,
    )


def _move_block(transfer: Transfer, ours: str, theirs: str) -> None:
    # With dropout between the convolutions, the second is number 2 there.
    inner = numbers(transfer.ledger.under(f'{theirs}.').names())
    for layer, index in zip((1, 5), inner, strict=False):
        transfer.move(f'{ours}.{layer}', f'{theirs}.{index}.conv')
        transfer.move(f'{ours}.{layer + 1}', f'{theirs}.{index}.bn')


def patch(transfer: Transfer, given: Mapping[str, Any], images: Sequence[int]) -> dict[str, Any]:
    """The settings of our discriminator of patches; its tensors go to the transfer's state.

    Args:
        transfer: Of its tensors.
        given: Its config, where there is one.
        images: Channels of each image that it sees, side by side.
    """
    ledger = transfer.ledger
    indices = numbers(ledger.under('model.').names())
    base_channels, in_channels, *_ = ledger.peek('model.0.conv.weight').shape
    norm = _norm(ledger.names(), given)
    transfer.move('layers.0', 'model.0.conv', 'in', images)
    for index in indices[1:-1]:
        transfer.move(f'layers.{3 * index - 1}', f'model.{index}.conv')
        transfer.move(f'layers.{3 * index}', f'model.{index}.bn')
    transfer.move(f'layers.{3 * indices[-1] - 1}', f'model.{indices[-1]}')
    return dict(
        type='PatchDiscriminator',
        in_channels=in_channels,
        base_channels=base_channels,
        num_layers=len(indices) - 2,
        norm=norm,
    )


def _norm(names: Sequence[str], given: Mapping[str, Any]) -> str:
    """Only batch norm has tensors; without them it is that of the config, or instance norm."""
    if any('.bn.' in name for name in names):
        return 'batch'
    return 'none' if 'norm_cfg' in given and given['norm_cfg'] is None else 'instance'
