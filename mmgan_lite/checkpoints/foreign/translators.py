"""Networks of pix2pix and CycleGAN of their authors: pytorch-CycleGAN-and-pix2pix.

Isola et al. 2017, arXiv:1611.07004; Zhu et al. 2017, arXiv:1703.10593.
"""

import re
from collections.abc import Collection
from pathlib import Path

from torch import Tensor

from mmgan_lite.checkpoints.foreign.ledger import Ledger
from mmgan_lite.checkpoints.foreign.snapshots import Network
from mmgan_lite.checkpoints.foreign.state_files import drop_instance_statistics, take_batch_norm

ADAM = dict(optimizer=dict(type='Adam', lr=2e-4, betas=(0.5, 0.999), fused=True))


def is_unet(names: Collection[str]) -> bool:
    """Whether tensors of these names make the U-Net."""
    return 'model.model.0.weight' in names and 'model.model.3.weight' in names


def is_resnet(names: Collection[str]) -> bool:
    """Whether tensors of these names make the ResNet."""
    return 'model.1.weight' in names and any('.conv_block.' in name for name in names)


def is_cycle(path: Path) -> bool:
    """Whether a file is named as one of the two directions of a CycleGAN."""
    return re.search(r'net_G_[AB]', path.name) is not None


def convert_translator(ledger: Ledger) -> Network:
    """A U-Net or a ResNet."""
    return _unet(ledger) if is_unet(ledger.names()) else _resnet(ledger)


def convert_patchgan(ledger: Ledger) -> Network:
    """The PatchGAN, and the PixelGAN, whose layers are named otherwise."""
    start = 'net' if 'net.0.weight' in ledger else 'model'
    norm = _norm(ledger, f'{start}.3', f'{start}.2')
    numbers = [
        int(name.split('.')[1])
        for name in ledger.names(f'{start}.')
        if name.endswith('.weight') and ledger.peek(name).ndim == 4
    ]
    state: dict[str, Tensor] = {}
    for number in numbers:
        state |= _layer(ledger, f'{start}.{number}', f'layers.{number}', norm)
    drop_instance_statistics(ledger)
    width, channels = state['layers.0.weight'].shape[:2]
    config = dict(
        type='PatchDiscriminator',
        in_channels=channels,
        base_channels=width,
        num_layers=0 if start == 'net' else len(numbers) - 2,
        norm=norm,
    )
    return Network(config, state)


def _unet(ledger: Ledger) -> Network:
    """Nested: each level is in the middle of the one outside of it."""
    norm = _norm(ledger, 'model.model.1.model.2', 'model.model.1.model.1')
    places = ['model.model']
    # The first level begins with its convolution, the others with an activation.
    while f'{(inner := places[-1] + (".3" if places[1:] else ".1"))}.model.1.weight' in ledger:
        places.append(f'{inner}.model')
    innermost, state = len(places) - 1, dict[str, Tensor]()
    for level, place in enumerate(places):
        down, up = f'layers.downs.{level}', f'layers.ups.{innermost - level}'
        first = 0 if level == 0 else 1
        second = 3 if level in (0, innermost) else 5
        state |= _convolution(ledger, f'{place}.{first}', f'{down}.{first}', norm)
        state |= _convolution(ledger, f'{place}.{second}', f'{up}.1', norm, transposed=True)
        if norm == 'batch' and level > 0:
            state |= take_batch_norm(ledger, f'{place}.{second + 1}', f'{up}.2')
            if level < innermost:
                state |= take_batch_norm(ledger, f'{place}.2', f'{down}.2')
    drop_instance_statistics(ledger)
    width, colors = state['layers.downs.0.0.weight'].shape[:2]
    config = dict(
        type='UNetTranslator',
        in_channels=colors,
        out_channels=state[f'layers.ups.{innermost}.1.weight'].shape[1],
        levels=len(places),
        base_channels=width,
        norm=norm,
        dropout=0.0,
    )
    return Network(config, state)


def _resnet(ledger: Ledger) -> Network:
    """Numbered as our layers are."""
    norm = _norm(ledger, 'model.2', 'model.1')
    width, colors = ledger.peek('model.1.weight').shape[:2]
    blocks = sorted({int(n.split('.')[1]) for n in ledger.names() if '.conv_block.' in n})
    # With dropout there is a layer more between the two convolutions.
    moved = f'model.{blocks[0]}.conv_block.5.weight' not in ledger
    last = blocks[-1] + 8  # after two doublings of three layers, and the padding
    state: dict[str, Tensor] = {}
    for number in (1, 4, 7, blocks[-1] + 1, blocks[-1] + 4, last):
        transposed = blocks[-1] < number < last
        state |= _layer(ledger, f'model.{number}', f'layers.{number}', norm, transposed)
    for block in blocks:
        theirs, ours = f'model.{block}.conv_block', f'layers.{block}.layers'
        state |= _layer(ledger, f'{theirs}.1', f'{ours}.1', norm)
        state |= _layer(ledger, f'{theirs}.{5 + moved}', f'{ours}.5', norm)
    drop_instance_statistics(ledger)
    config = dict(
        type='ResNetTranslator',
        in_channels=colors,
        out_channels=state[f'layers.{last}.weight'].shape[0],
        base_channels=width,
        num_blocks=len(blocks),
        norm=norm,
    )
    return Network(config, state)


def _layer(
    ledger: Ledger, theirs: str, ours: str, norm: str, transposed: bool = False
) -> dict[str, Tensor]:
    """A convolution, and the batch norm that comes next in its nn.Sequential."""
    state = _convolution(ledger, theirs, ours, norm, transposed)
    after = [_next(path) for path in (theirs, ours)]
    if f'{after[0]}.weight' in ledger and ledger.peek(f'{after[0]}.weight').ndim == 1:
        state |= take_batch_norm(ledger, *after)
    return state


def _next(path: str) -> str:
    start, _, number = path.rpartition('.')
    return f'{start}.{int(number) + 1}'


def _norm(ledger: Ledger, norm: str, convolution: str) -> str:
    """Batch norm has weights; before instance norm convolutions have a bias."""
    if f'{norm}.weight' in ledger and ledger.peek(f'{norm}.weight').ndim == 1:
        return 'batch'
    return 'instance' if f'{convolution}.bias' in ledger else 'none'


def _convolution(
    ledger: Ledger, theirs: str, ours: str, norm: str, transposed: bool = False
) -> dict[str, Tensor]:
    weight = ledger.take(f'{theirs}.weight')
    state = {f'{ours}.weight': weight}
    if f'{theirs}.bias' in ledger:
        state[f'{ours}.bias'] = ledger.take(f'{theirs}.bias')
    elif norm == 'none':  # ours has one where there is no norm
        state[f'{ours}.bias'] = weight.new_zeros(weight.shape[1 if transposed else 0])
    return state
