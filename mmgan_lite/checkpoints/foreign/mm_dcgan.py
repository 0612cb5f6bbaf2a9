"""DCGAN of MMGeneration and MMagic: 4x4 convolutions where ours have linear layers."""

from collections.abc import Mapping
from typing import Any

from mmgan_lite.checkpoints.foreign.transfer import Transfer, numbers


def generator(transfer: Transfer, _given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of our generator; its tensors go to the transfer's state."""
    ledger = transfer.ledger
    latent_dim, _, side, _ = ledger.peek('noise2feat.conv.weight').shape
    base_channels, colors, *_ = ledger.peek('output_layer.conv.weight').shape
    doublings = len(numbers(ledger.under('upsampling.').names()))
    start = ledger.derive('noise2feat.conv.weight', 'a convolution on one pixel as a linear layer')
    transfer.state['layers.0.weight'] = start.flatten(1).T
    transfer.move('layers.2', 'noise2feat.bn')
    for index in range(doublings):
        transfer.move(f'layers.{3 * index + 4}', f'upsampling.{index}.conv')
        transfer.move(f'layers.{3 * index + 5}', f'upsampling.{index}.bn')
    transfer.move(f'layers.{3 * doublings + 4}', 'output_layer.conv', 'up', [colors])
    side <<= doublings + 1
    return dict(
        type='DCGANGenerator',
        latent_dim=latent_dim,
        image_shape=(colors, side, side),
        base_channels=base_channels,
    )


def discriminator(
    transfer: Transfer, given: Mapping[str, Any], image_shape: tuple[int, int, int]
) -> dict[str, Any]:
    """The settings of our discriminator; its tensors go to the transfer's state."""
    ledger = transfer.ledger
    base_channels, colors, *_ = ledger.peek('downsamples.0.conv.weight').shape
    halvings = len(numbers(ledger.under('downsamples.').names()))
    norm = bool(ledger.names('downsamples.1.bn')) or halvings < 2
    transfer.move('layers.0', 'downsamples.0.conv', 'in', [colors])
    place = 2
    for index in range(1, halvings):
        # The last activation is after the flattening.
        transfer.move(f'layers.{place}', f'downsamples.{index}.conv')
        if norm:
            transfer.move(f'layers.{place + 1}', f'downsamples.{index}.bn')
        place += 2 + norm
    last = ledger.derive('output_layer.conv.weight', 'a convolution of all pixels as a linear one')
    transfer.state['head.linear.weight'] = last.flatten(1)
    transfer.move('head.linear', 'output_layer.conv')
    slope = (given.get('default_act_cfg') or {}).get('negative_slope', 0.01)
    return dict(
        type='DCGANDiscriminator',
        image_shape=image_shape,
        base_channels=base_channels,
        norm=norm,
        negative_slope=slope,
    )
