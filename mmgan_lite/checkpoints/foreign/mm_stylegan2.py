"""StyleGAN2 of MMGeneration and MMagic."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from mmgan_lite.checkpoints.foreign.ledger import Ledger
from mmgan_lite.checkpoints.foreign.mm_pggan import channel_limits
from mmgan_lite.checkpoints.foreign.transfer import Transfer, numbers

_FILTERS = 'resampling filters, which are rebuilt'
# Of these latents the mean style is taken, as the project does.
_NUM_LATENTS = 4096


def generator(transfer: Transfer, given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of our generator; its tensors go to the transfer's state."""
    ledger, state = transfer.ledger, transfer.state
    _drop_filters(ledger)
    doublings = len(numbers(ledger.under('to_rgbs.').names()))
    colors = ledger.peek('to_rgb1.conv.weight_orig').shape[1]
    sides = [4 << index for index in range(doublings + 1)]
    widths = [ledger.peek('conv1.conv.weight_orig').shape[1]]
    widths += [
        ledger.peek(f'convs.{2 * index + 1}.conv.weight_orig').shape[1]
        for index in range(doublings)
    ]
    base, most = channel_limits(widths, sides)
    settings = _move_mapping(transfer, given)
    blocks = 'synthesis_network.blocks'
    state[f'{blocks}.4.constant'] = ledger.take('constant_input.input')[0]
    for index, side in enumerate(sides):
        block = f'{blocks}.{side}'
        if index:
            _move_styled(transfer, f'{block}.conv0', f'convs.{2 * index - 2}', 2 * index - 1)
        there = f'convs.{2 * index - 1}' if index else 'conv1'
        _move_styled(transfer, f'{block}.conv1', there, 2 * index)
        there = f'to_rgbs.{index - 1}' if index else 'to_rgb1'
        _move_to_image(transfer, f'{block}.to_image', there, colors)
    return dict(
        type='StyleGAN2Generator',
        image_shape=(colors, sides[-1], sides[-1]),
        channel_base=base,
        channel_max=most,
        **settings,
    )


def _move_mapping(transfer: Transfer, given: Mapping[str, Any]) -> dict[str, Any]:
    """The mapping network, and its settings."""
    ledger, state = transfer.ledger, transfer.state
    indices = numbers(ledger.under('style_mapping.').names())
    style_dim, inputs = ledger.peek(f'style_mapping.{indices[0]}.linear.weight_orig').shape
    num_classes = None
    if 'embed.linear.weight_orig' in ledger:
        embedding, num_classes = ledger.peek('embed.linear.weight_orig').shape
        inputs -= embedding
        transposed = ledger.derive('embed.linear.weight_orig', 'transposed')
        state['mapping_network.embedding.weight'] = transposed.T
        state['mapping_network.embedding.bias'] = ledger.take('embed.bias')
    for number, index in enumerate(indices):
        _move_linear(transfer, f'mapping_network.layers.{number}', f'style_mapping.{index}')
    settings = dict(
        latent_dim=inputs,
        style_dim=style_dim,
        num_mapping_layers=len(indices),
        mapping_lr_multiplier=given.get('lr_mlp', 0.01),
        style_mixing=float(given.get('mix_prob', 0.9)),
        num_classes=num_classes,
    )
    if 'w_avg' in ledger:
        state['mapping_network.w_avg'] = ledger.take('w_avg')
    else:
        state['mapping_network.w_avg'] = _mean_style(state, settings)
        transfer.notes.append(
            f'The file has no mean style: that of {_NUM_LATENTS:,} latents is taken for truncation.'
        )
    return settings


@torch.no_grad()
def _mean_style(state: Mapping[str, Tensor], settings: Mapping[str, Any]) -> Tensor:
    """The file has none; its project draws one for each truncation."""
    from mmgan_lite.models.layers import StyleMapping

    mapping = StyleMapping(
        settings['latent_dim'],
        settings['style_dim'],
        settings['num_mapping_layers'],
        settings['num_classes'],
        settings['mapping_lr_multiplier'],
    )
    prefix = 'mapping_network.'
    mapping.load_state_dict({name.removeprefix(prefix): t for name, t in state.items()})
    random = torch.Generator().manual_seed(0)
    latents = torch.randn(_NUM_LATENTS, settings['latent_dim'], generator=random)
    classes = settings['num_classes']
    labels = None if classes is None else torch.arange(_NUM_LATENTS) % classes
    return mapping(latents, labels).mean(0)


def _move_linear(transfer: Transfer, ours: str, theirs: str) -> None:
    transfer.state[f'{ours}.weight'] = transfer.ledger.take(f'{theirs}.linear.weight_orig')
    transfer.state[f'{ours}.bias'] = transfer.ledger.take(f'{theirs}.bias')


def _move_style(transfer: Transfer, ours: str, theirs: str) -> None:
    """From the style to factors of the features."""
    there = f'{theirs}.conv.style_modulation'
    _move_linear(transfer, f'{ours}.conv.affine', there)


def _move_styled(transfer: Transfer, ours: str, theirs: str, noise: int) -> None:
    """A modulated convolution, its noise and activation."""
    ledger, state = transfer.ledger, transfer.state
    state[f'{ours}.conv.weight'] = ledger.take(f'{theirs}.conv.weight_orig')[0]
    _move_style(transfer, ours, theirs)
    state[f'{ours}.bias'] = ledger.take(f'{theirs}.activate.bias')
    state[f'{ours}.noise_strength'] = ledger.take(f'{theirs}.noise_injector.weight')[0]
    state[f'{ours}.noise_const'] = ledger.take(f'injected_noise_{noise}')[0, 0]


def _move_to_image(transfer: Transfer, ours: str, theirs: str, colors: int) -> None:
    state = transfer.state
    weight = transfer.color(f'{ours}.conv.weight', f'{theirs}.conv.weight_orig', 1, [colors])
    state[f'{ours}.conv.weight'] = weight[0]
    bias = transfer.color(f'{ours}.bias', f'{theirs}.bias', 1, [colors])
    state[f'{ours}.bias'] = bias.flatten()
    _move_style(transfer, ours, theirs)


def discriminator(
    transfer: Transfer, given: Mapping[str, Any], image_shape: tuple[int, int, int]
) -> dict[str, Any]:
    """The settings of our discriminator; its tensors go to the transfer's state."""
    ledger = transfer.ledger
    _drop_filters(ledger)
    ledger.drop(ledger.names('ada_aug.'), 'adaptive augmentation, which begins anew')
    indices = numbers(ledger.under('convs.').names())
    sides = [4 << index for index in reversed(range(len(indices)))]
    first = ledger.peek('convs.0.0.conv.weight_orig')
    widths = [first.shape[0]]
    widths += [ledger.peek(f'convs.{i}.conv2.1.conv.weight_orig').shape[0] for i in indices[1:]]
    base, most = channel_limits(widths, sides)
    stddev = ledger.peek('final_conv.0.conv.weight_orig').shape[1] - widths[-1]
    _move_conv(transfer, f'from_image.{sides[0]}', 'convs.0', 0, [first.shape[1]])
    for index, side in zip(indices[1:], sides, strict=False):
        ours, theirs = f'blocks.{side}', f'convs.{index}'
        _move_conv(transfer, f'{ours}.conv0', f'{theirs}.conv1', 0)
        _move_conv(transfer, f'{ours}.conv1.1', f'{theirs}.conv2', 1)
        transfer.move(f'{ours}.skip.1', f'{theirs}.skip.1.conv')
    _move_conv(transfer, 'conv', 'final_conv', 0)
    _move_linear(transfer, 'linear', 'final_linear.0')
    _move_linear(transfer, 'out', 'final_linear.1')
    return dict(
        type='StyleGAN2Discriminator',
        image_shape=image_shape,
        channel_base=base,
        channel_max=most,
        stddev_group_size=(given.get('mbstd_cfg') or {}).get('group_size', 4),
        stddev_channels=stddev,
        **_move_label_mapping(transfer),
    )


def _move_conv(
    transfer: Transfer, ours: str, theirs: str, place: int, images: list[int] | None = None
) -> None:
    """A convolution, and the bias of the activation after it."""
    transfer.move(ours, f'{theirs}.{place}.conv', 'in' if images else '', images or ())
    transfer.state[f'{ours}.bias'] = transfer.ledger.take(f'{theirs}.{place + 1}.bias')


def _move_label_mapping(transfer: Transfer) -> dict[str, Any]:
    ledger, state = transfer.ledger, transfer.state
    if 'mapping.embed.weight' not in ledger:
        return dict(num_classes=None)
    weight = ledger.derive('mapping.embed.weight', 'transposed')
    state['mapping.embedding.weight'] = weight.T
    state['mapping.embedding.bias'] = ledger.take('mapping.embed.bias')
    layers = 0
    while f'mapping.fc{layers}.weight' in ledger:
        transfer.move(f'mapping.layers.{layers}', f'mapping.fc{layers}')
        layers += 1
    return dict(num_classes=weight.shape[1], num_mapping_layers=layers)


def _drop_filters(ledger: Ledger) -> None:
    ledger.drop([name for name in ledger.names() if name.endswith('.kernel')], _FILTERS)
