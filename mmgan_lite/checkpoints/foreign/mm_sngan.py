"""SNGAN and SAGAN of MMGeneration and MMagic."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from mmgan_lite.checkpoints.foreign.mm_residual import (
    Head,
    find_places,
    find_start,
    find_weight,
    has_spectral_norm,
    move_attention,
    move_discriminator,
    weight_of,
)
from mmgan_lite.checkpoints.foreign.transfer import Transfer

# What is added to the variance in our batch norm, and in theirs where the config does not say.
_EPS, _THEIR_EPS = 1e-5, 1e-4
# The shapes of a block that changes the channels do not tell whether it halves the size.
_HALVINGS = {(32, 4): 2, (64, 5): 5, (128, 6): 5, (256, 7): 6}


def generator(transfer: Transfer, given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of our generator; its tensors go to the transfer's state."""
    ledger = transfer.ledger
    spectral = has_spectral_norm(ledger, 'noise2feat')
    blocks, attention = find_places(ledger)
    embedding = find_weight(ledger, f'{blocks[0]}.norm_1.weight_embedding')
    widths = [weight_of(ledger, f'{blocks[0]}.conv_1.conv').shape[1]]
    widths += [weight_of(ledger, f'{block}.conv_2.conv').shape[0] for block in blocks]
    colors = weight_of(ledger, 'to_rgb.conv').shape[0]
    side = find_start(ledger, widths[0]) << len(blocks)
    settings: dict[str, Any] = dict(
        type='SAGANGenerator' if spectral else 'ResNetGenerator',
        latent_dim=weight_of(ledger, 'noise2feat').shape[1],
        image_shape=(colors, side, side),
        channels=tuple(widths),
        num_classes=None if embedding is None else embedding.shape[0],
    )
    transfer.move('first.0', 'noise2feat')
    for number, block in enumerate(blocks):
        ours = f'blocks.{number}'
        for place in (1, 2):
            transfer.move(f'{ours}.conv{place}', f'{block}.conv_{place}.conv')
            _move_norm(transfer, f'{ours}.norm{place}', f'{block}.norm_{place}', spectral)
        transfer.move(f'{ours}.shortcut', f'{block}.shortcut.conv')
    for before, name in attention:
        move_attention(transfer, f'attention.{before}', name)
    transfer.move('last.0', 'to_rgb.bn')
    transfer.move('last.2', 'to_rgb.conv', 'out', [colors])
    eps = given.get('norm_eps', _THEIR_EPS if given else _EPS)
    for key in transfer.state:
        if key.endswith('running_var') and eps != _EPS:
            transfer.state[key] = transfer.state[key] + (eps - _EPS)
    return settings | (dict(attention=tuple(n for n, _ in attention)) if spectral else {})


def _move_norm(transfer: Transfer, ours: str, theirs: str, spectral: bool) -> None:
    """Batch norm of the classes, or of none."""
    ledger, state = transfer.ledger, transfer.state
    if find_weight(ledger, f'{theirs}.weight_embedding') is None:
        transfer.move(ours, f'{theirs}.norm')
        width = len(state[f'{ours}.running_mean'])
        # By default it has no gains and biases there.
        state.setdefault(f'{ours}.weight', torch.ones(width))
        state.setdefault(f'{ours}.bias', torch.zeros(width))
        return
    transfer.move(f'{ours}.norm', f'{theirs}.norm')
    if spectral:
        transfer.move(f'{ours}.gains', f'{theirs}.weight_embedding')
        transfer.move(f'{ours}.biases', f'{theirs}.bias_embedding')
        return
    how = 'gains, less 1 there, and biases in one'
    gains = 1 + ledger.derive(f'{theirs}.weight_embedding.weight', how)
    biases = ledger.derive(f'{theirs}.bias_embedding.weight', how)
    state[f'{ours}.gains_and_biases.weight'] = torch.cat([gains, biases], dim=1)


def discriminator(
    transfer: Transfer, given: Mapping[str, Any], image_shape: tuple[int, int, int]
) -> dict[str, Any]:
    """The settings of our discriminator; its tensors go to the transfer's state."""
    ledger = transfer.ledger
    later, attention = find_places(ledger)
    blocks = ['from_rgb', *later]
    spectral = has_spectral_norm(ledger, 'decision')
    shapes = [weight_of(ledger, f'{block}.conv_1.conv').shape[:2] for block in later]
    wide = any(outputs != inputs for outputs, inputs in shapes)
    halvings = _given_halvings(given, image_shape[1])
    head = Head(
        blocks,
        ('conv_1', 'conv_2'),
        [(number + 1, place) for number, place in attention],
        halvings or _HALVINGS.get((image_shape[1], len(blocks))),
    )
    settings = move_discriminator(transfer, head, image_shape)
    places = tuple(number for number, _ in head.attention)
    if wide or (places and not spectral):
        # The same blocks, which change the channels in their first convolution.
        extra = dict(type='BigGANDiscriminator', attention=places, spectral_norm=spectral)
    elif places:
        extra = dict(type='SAGANDiscriminator', attention=places)
    else:
        extra = dict(type='ResNetDiscriminator', spectral_norm=spectral)
    return extra | settings


def _given_halvings(given: Mapping[str, Any], side: int) -> int | None:
    found = given.get('downsample_cfg')
    if isinstance(found, Mapping):
        found = found.get(side, found.get(str(side)))
    return 1 + sum(map(bool, found)) if isinstance(found, Sequence) else None
