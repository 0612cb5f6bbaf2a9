"""PGGAN of MMGeneration and MMagic."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from mmgan_lite.checkpoints.foreign.transfer import Transfer, numbers


def generator(transfer: Transfer, _given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of our generator; its tensors go to the transfer's state."""
    ledger = transfer.ledger
    latent_dim = ledger.peek('noise2feat.linear.weight_orig').shape[1]
    colors = ledger.peek('torgb_layers.0.conv.weight_orig').shape[0]
    stages = len(numbers(ledger.under('torgb_layers.').names()))
    widths = [
        ledger.peek(f'torgb_layers.{stage}.conv.weight_orig').shape[1] for stage in range(stages)
    ]
    transfer.state['first.weight'] = ledger.take('noise2feat.linear.weight_orig')
    transfer.state['first_bias'] = ledger.take('noise2feat.bias').flatten()
    transfer.move('stages.0.0', 'conv_blocks.0.conv')
    for stage in range(1, stages):
        up = f'conv_blocks.{2 * stage - 1}.conv'
        weight = ledger.derive(f'{up}.weight_orig', 'scaled by the fan out there, the fan in here')
        scale = math.sqrt(weight.shape[0] / weight.shape[1])
        transfer.state[f'stages.{stage}.0.weight'] = (weight * scale).transpose(0, 1)
        transfer.move(f'stages.{stage}.0', up)
        transfer.move(f'stages.{stage}.3', f'conv_blocks.{2 * stage}.conv')
    for stage in range(stages):
        transfer.move(f'to_image.{stage}', f'torgb_layers.{stage}.conv', 'out', [colors])
    side = 4 << stages - 1
    limits = _limits(widths)
    return dict(
        type='PGGANGenerator', latent_dim=latent_dim, image_shape=(colors, side, side), **limits
    )


def discriminator(
    transfer: Transfer, given: Mapping[str, Any], image_shape: tuple[int, int, int]
) -> dict[str, Any]:
    """The settings of our discriminator; its tensors go to the transfer's state."""
    ledger = transfer.ledger
    stages = len(numbers(ledger.under('fromrgb_layers.').names()))
    first = [ledger.peek(f'fromrgb_layers.{stage}.conv.weight_orig') for stage in range(stages)]
    colors = first[0].shape[1]
    ledger.under('conv_blocks.0.').drop(
        ledger.under('conv_blocks.0.').names(), 'that no image goes through'
    )
    for stage in range(1, stages):
        for place, index in ((0, 2 * stage - 1), (2, 2 * stage)):
            transfer.move(f'stages.{stage - 1}.{place}', f'conv_blocks.{index}.conv')
    for stage in range(stages):
        transfer.move(f'from_image.{stage}.0', f'fromrgb_layers.{stage}.conv', 'in', [colors])
    transfer.move('head.1', 'decision.linear0')
    transfer.move('head.3', 'decision.linear1')
    return dict(
        type='PGGANDiscriminator',
        image_shape=image_shape,
        group_size=(given.get('mbstd_cfg') or {}).get('group_size', 4),
        last_conv=False,
        **_limits([weight.shape[0] for weight in first]),
    )


def _limits(widths: Sequence[int]) -> dict[str, int]:
    base, most = channel_limits(widths, [2 << stage for stage in range(len(widths))])
    return dict(base_channels=base, max_channels=most)


def channel_limits(widths: Sequence[int], divisors: Sequence[int]) -> tuple[int, int]:
    """The base and the limit of channels that are ``min(limit, base // divisor)``.

    Of widths that are not of this form it gives the nearest; the shapes of the tensors tell.

    Example:
        >>> channel_limits([16, 16, 16, 8], [2, 4, 8, 16])
        (128, 16)
    """
    base = max(width * divisor for width, divisor in zip(widths, divisors, strict=True))
    return base, max(widths)
