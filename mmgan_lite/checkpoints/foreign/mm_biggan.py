"""BigGAN and BigGAN-deep of MMGeneration and MMagic."""

from collections.abc import Mapping
from typing import Any

from mmgan_lite.checkpoints.foreign.ledger import Ledger
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

# Those of the project; elsewhere a block that changes the channels halves the size.
_HALVINGS = {(32, 4): 2, (64, 5): 4, (128, 6): 5, (256, 7): 6, (512, 8): 7}


def generator(transfer: Transfer, _given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of our generator; its tensors go to the transfer's state."""
    ledger = transfer.ledger
    blocks, attention = find_places(ledger)
    widths = [weight_of(ledger, f'{blocks[0]}.conv1.conv').shape[1]]
    widths += [weight_of(ledger, f'{block}.conv2.conv').shape[0] for block in blocks]
    settings = dict(
        type='BigGANGenerator',
        **_conditioning(ledger, blocks),
        **_common(ledger, widths, len(blocks), attention),
    )
    transfer.move('label_embedding', 'shared_embedding')
    transfer.move('first.0', 'noise2feat')
    for number, block in enumerate(blocks):
        for place in (1, 2):
            transfer.move(f'blocks.{number}.conv{place}', f'{block}.conv{place}.conv')
            _move_norm(transfer, f'blocks.{number}.norm{place}', f'{block}.bn{place}')
        transfer.move(f'blocks.{number}.shortcut', f'{block}.shortcut.conv')
    _move_rest(transfer, attention)
    return settings


def _common(
    ledger: Ledger, widths: list[int], doublings: int, attention: list[tuple[int, str]]
) -> dict[str, Any]:
    side = find_start(ledger, widths[0]) << doublings
    return dict(
        image_shape=(weight_of(ledger, 'output_layer.conv').shape[0], side, side),
        channels=tuple(widths),
        attention=tuple(number for number, _ in attention),
        spectral_norm=has_spectral_norm(ledger, 'noise2feat'),
    )


def _conditioning(ledger: Ledger, blocks: list[str]) -> dict[str, Any]:
    """Latents and labels: what the norms take tells where they go."""
    latent_dim = weight_of(ledger, 'noise2feat').shape[1]
    shared = find_weight(ledger, 'shared_embedding')
    gain = find_weight(ledger, f'{blocks[0]}.bn1.gain')
    if shared is None and gain is not None and gain.shape[0] != _num_features(ledger, blocks[0]):
        # An embedding of labels, which has them in its rows.
        return dict(
            latent_dim=latent_dim, num_classes=gain.shape[0], shared_dim=None, split_latents=False
        )
    classes, shared_dim = (None, 0) if shared is None else shared.shape
    part = 0 if gain is None else gain.shape[1] - shared_dim
    return dict(
        latent_dim=latent_dim * (len(blocks) + 1) if part else latent_dim,
        num_classes=classes,
        shared_dim=shared_dim or None,
        split_latents=part > 0,
    )


def _num_features(ledger: Ledger, block: str) -> int:
    return ledger.peek(f'{block}.bn1.bn.running_mean').shape[0]


def _move_norm(transfer: Transfer, ours: str, theirs: str) -> None:
    for name, there in (('norm', 'bn'), ('gains', 'gain'), ('biases', 'bias')):
        transfer.move(f'{ours}.{name}', f'{theirs}.{there}')


def _move_rest(transfer: Transfer, attention: list[tuple[int, str]]) -> None:
    ledger = transfer.ledger
    for number, place in attention:
        move_attention(transfer, f'attention.{number}', place)
    colors = weight_of(ledger, 'output_layer.conv').shape[0]
    transfer.move('last.0', 'output_layer.bn')
    transfer.move('last.2', 'output_layer.conv', 'out', [colors])


def discriminator(
    transfer: Transfer, given: Mapping[str, Any], image_shape: tuple[int, int, int]
) -> dict[str, Any]:
    """The settings of our discriminator; its tensors go to the transfer's state."""
    ledger = transfer.ledger
    blocks, attention = find_places(ledger)
    spectral = has_spectral_norm(ledger, 'decision')
    halvings = sum((given.get('arch_cfg') or {}).get('downsample', ()))
    known = _HALVINGS.get((image_shape[1], len(blocks)))
    head = Head(blocks, ('conv1', 'conv2'), attention, halvings or known)
    return dict(
        type='BigGANDiscriminator',
        **move_discriminator(transfer, head, image_shape),
        attention=tuple(number for number, _ in attention),
        spectral_norm=spectral,
    )


def deep_generator(transfer: Transfer, _given: Mapping[str, Any]) -> dict[str, Any]:
    """BigGAN-deep: the settings of our generator; its tensors go to the transfer's state."""
    ledger = transfer.ledger
    blocks, attention = find_places(ledger)
    pairs = [(number // 2, place) for number, place in attention]
    widths = [weight_of(ledger, f'{blocks[0]}.conv1.conv').shape[1]]
    widths += [weight_of(ledger, f'{block}.conv4.conv').shape[0] for block in blocks[1::2]]
    shared = find_weight(ledger, 'shared_embedding')
    classes, shared_dim = (None, 0) if shared is None else shared.shape
    settings = dict(
        type='BigGANDeepGenerator',
        latent_dim=weight_of(ledger, 'noise2feat').shape[1] - shared_dim,
        num_classes=classes,
        **(dict(shared_dim=shared_dim) if shared_dim else {}),
        **_common(ledger, widths, len(widths) - 1, pairs),
    )
    start = find_start(ledger, widths[0])
    transfer.move('label_embedding', 'shared_embedding')
    transfer.move('first.0', 'noise2feat', how='height, width, channels to channels first')
    for name, tensor in transfer.state.items():
        if name.startswith('first.0.') and not name.endswith('._v'):
            # Height, width and channels there, in the order of TensorFlow.
            moved = tensor.unflatten(0, (start, start, widths[0])).movedim(2, 0)
            transfer.state[name] = moved.flatten(0, 2)
    for number, block in enumerate(blocks):
        ours = f'blocks.{number // 2}.{number % 2}'
        for index in range(4):
            transfer.move(f'{ours}.convs.{index}', f'{block}.conv{index + 1}.conv')
            _move_norm(transfer, f'{ours}.norms.{index}', f'{block}.bn{index + 1}')
    _move_rest(transfer, pairs)
    return settings


def deep_discriminator(
    transfer: Transfer, _given: Mapping[str, Any], image_shape: tuple[int, int, int]
) -> dict[str, Any]:
    """BigGAN-deep: the settings of our discriminator; its tensors go to the transfer's state."""
    ledger = transfer.ledger
    blocks, attention = find_places(ledger)
    classes = find_weight(ledger, 'proj_y')
    widths = [weight_of(ledger, 'input_conv.conv').shape[0]]
    widths += [weight_of(ledger, f'{block}.conv4.conv').shape[0] for block in blocks[::2]]
    spectral, pairs = has_spectral_norm(ledger, 'decision'), len(blocks) // 2
    places = {number // 2: place for number, place in attention}
    transfer.move('blocks.0', 'input_conv.conv', 'in', [image_shape[0]])
    ours = 1
    for pair in range(1, pairs + 1):
        for index, block in enumerate(blocks[2 * pair - 2 : 2 * pair]):
            for number, layer in enumerate((1, 3, 5, 8), 1):
                name = f'blocks.{ours}.{index}.residual.{layer}'
                transfer.move(name, f'{block}.conv{number}.conv')
            transfer.move(f'blocks.{ours}.{index}.added', f'{block}.shortcut.conv')
        ours += 1
        if pair in places:
            move_attention(transfer, f'blocks.{ours}', places[pair])
            ours += 1
    transfer.move('head.linear', 'decision')
    transfer.move('head.embedding', 'proj_y')
    return dict(
        type='BigGANDeepDiscriminator',
        image_shape=image_shape,
        channels=tuple(widths),
        halvings=max(1, pairs - 1),  # the last pair keeps the size
        num_classes=None if classes is None else classes.shape[0],
        attention=tuple(places),
        spectral_norm=spectral,
    )
