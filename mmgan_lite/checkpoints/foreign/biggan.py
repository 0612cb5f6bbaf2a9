"""BigGAN of its authors, BigGAN-PyTorch: ``G_ema.pth`` or ``G.pth``, and the others beside it.

Brock et al. 2019, Large Scale GAN Training for High Fidelity Natural Image Synthesis,
arXiv:1809.11096.
"""

import re
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from mmgan_lite.checkpoints.foreign.ledger import Ledger
from mmgan_lite.checkpoints.foreign.snapshots import Network
from mmgan_lite.checkpoints.foreign.source import Conversion, ForeignFile
from mmgan_lite.checkpoints.foreign.state_files import tensors_of, with_siblings

_STATISTICS = dict(mean='running_mean', var='running_var')
_BATCH_SIZE = 64


def recognizes(file: ForeignFile) -> bool:
    """A generator: a linear layer, residual blocks, and batch norm before the last layer."""
    names = tensors_of(file)
    return {'linear.weight', 'blocks.0.0.conv1.weight', 'output_layer.2.weight'} <= names.keys()


def convert(file: ForeignFile) -> Conversion:
    """Generator and average, and the discriminator where it is beside them."""
    ledger, found = with_siblings(file, _names(file.path.name))
    given = 'G_ema' if 'G_ema' in file.path.name else 'G'
    found[given] = found['']
    generator = _generator(ledger.under(found['']))
    networks = {given: generator}
    if other := {'G', 'G_ema'}.difference({given}).intersection(found):
        (name,) = other
        networks[name] = _generator(ledger.under(found[name]))
        if networks[name].config != generator.config:
            raise file.refuse(
                f'has {found[name][:-2]!r} of other sizes beside it',
                'Put the files of one training into a folder',
            )
    notes = []
    for name in ('G', 'G_ema'):
        if name not in networks:
            networks[name] = generator
            notes.append(f'There is no {name} beside it: it starts as what the file has.')
    state = {f'generator.{k}': t for k, t in networks['G'].state.items()}
    state |= {f'generator_ema.module.{k}': t for k, t in networks['G_ema'].state.items()}
    judge, has_judge = _turned_round(generator.config), 'D' in found
    if has_judge:
        judge, tensors = _discriminator(ledger.under(found['D']), generator.config['image_shape'])
        state |= {f'discriminator.{name}': tensor for name, tensor in tensors.items()}
    adam = dict(type='Adam', betas=(0.0, 0.999), fused=True)
    return Conversion(
        model=dict(
            type='GAN',
            generator=generator.config,
            discriminator=judge,
            loss=dict(type='HingeGANLoss'),
            ema=dict(type='ExponentialMovingAverage', momentum=1e-4),
            discriminator_steps=2,
        ),
        state=state,
        ledger=ledger,
        optim_wrapper=dict(
            generator=dict(optimizer=dict(lr=5e-5, **adam)),
            discriminator=dict(optimizer=dict(lr=2e-4, **adam)),
        ),
        batch_size=_BATCH_SIZE,
        fresh=() if has_judge else ('discriminator',),
        notes=notes,
    )


def _names(name: str) -> dict[str, str]:
    """Names of the files of one training: ``G.pth``, ``G_ema_best0.pth``, ..."""
    match = re.fullmatch(r'(.*?)G(?:_ema)?((?:_.*)?\.pth)', name)
    if match is None:
        return {}
    return {kind: f'{match[1]}{kind}{match[2]}' for kind in ('G', 'G_ema', 'D')}


def _generator(ledger: Ledger) -> Network:
    colors = ledger.peek('output_layer.2.weight').shape[0]
    numbers = _count_blocks(ledger)
    first = ledger.peek('linear.weight').shape
    widths = [ledger.peek(f'blocks.{n}.0.conv1.weight').shape[0] for n in range(numbers)]
    widths.insert(0, ledger.peek('blocks.0.0.conv1.weight').shape[1])
    seen = ledger.peek('blocks.0.0.bn1.gain.weight').shape
    shared = 'shared.weight' in ledger
    # Without a learned vector of the label each norm has an embedding of its own.
    num_classes, dim = ledger.peek('shared.weight').shape if shared else (seen[0], 0)
    split = shared and seen[1] > dim
    attention = [n + 1 for n in range(numbers) if f'blocks.{n}.1.gamma' in ledger]
    start = round((first[0] / widths[0]) ** 0.5)
    side = start << numbers
    config: dict[str, Any] = dict(
        type='BigGANGenerator',
        latent_dim=first[1] * (numbers + 1 if split else 1),
        image_shape=(colors, side, side),
        channels=tuple(widths),
        num_classes=num_classes,
        shared_dim=dim or None,
        split_latents=split,
        attention=tuple(attention),
        spectral_norm='linear.u0' in ledger,
    )
    state = _layer(ledger, 'linear', 'first.0')
    if shared:
        state['label_embedding.weight'] = ledger.take('shared.weight')
    for number in range(numbers):
        theirs, ours = f'blocks.{number}.0', f'blocks.{number}'
        for index in ('1', '2'):
            state |= _layer(ledger, f'{theirs}.conv{index}', f'{ours}.conv{index}')
            norm, ours_norm = f'{theirs}.bn{index}', f'{ours}.norm{index}'
            state |= _layer(ledger, f'{norm}.gain', f'{ours_norm}.gains')
            state |= _layer(ledger, f'{norm}.bias', f'{ours_norm}.biases')
            state |= _statistics(ledger, norm, f'{ours_norm}.norm')
        state |= _layer(ledger, f'{theirs}.conv_sc', f'{ours}.shortcut')
        if number + 1 in attention:
            state |= _attention(ledger, f'blocks.{number}.1', f'attention.{number + 1}')
    norm = 'output_layer.0'
    state['last.0.weight'] = ledger.take(f'{norm}.gain').flatten()
    state['last.0.bias'] = ledger.take(f'{norm}.bias').flatten()
    state |= _statistics(ledger, norm, 'last.0')
    state |= _layer(ledger, 'output_layer.2', 'last.2')
    return Network(config, state)


def _discriminator(ledger: Ledger, image_shape: tuple[int, ...]) -> Network:
    numbers = _count_blocks(ledger)
    state: dict[str, Tensor] = {}
    attention, widths, halvings, place = [], [], 0, 0
    for number in range(numbers):
        theirs, ours = f'blocks.{number}.0', f'blocks.{place}'
        widths.append(ledger.peek(f'{theirs}.conv1.weight').shape[0])
        # The first block has no activation before its first convolution.
        for index, inner in enumerate((0, 2) if number == 0 else (1, 3), 1):
            state |= _layer(ledger, f'{theirs}.conv{index}', f'{ours}.residual.{inner}')
        if f'{theirs}.conv_sc.weight' in ledger:
            halvings += 1
            state |= _layer(ledger, f'{theirs}.conv_sc', f'{ours}.shortcut.1')
        place += 1
        if f'blocks.{number}.1.gamma' in ledger:
            attention.append(number + 1)
            state |= _attention(ledger, f'blocks.{number}.1', f'blocks.{place}')
            place += 1
    num_classes = ledger.peek('embed.weight').shape[0] if 'embed.weight' in ledger else None
    spectral = 'linear.u0' in ledger
    state |= _layer(ledger, 'linear', 'head.linear')
    if num_classes:
        state |= _layer(ledger, 'embed', 'head.embedding')
    config = dict(
        type='BigGANDiscriminator',
        image_shape=image_shape,
        channels=tuple(widths),
        halvings=halvings,
        num_classes=num_classes,
        attention=tuple(attention),
        spectral_norm=spectral,
    )
    return Network(config, state)


def _turned_round(generator: Mapping[str, Any]) -> dict[str, Any]:
    """A discriminator like a generator."""
    widths = generator['channels'][:0:-1]
    return dict(
        type='BigGANDiscriminator',
        image_shape=generator['image_shape'],
        channels=(*widths, widths[-1]),
        halvings=len(widths),
        num_classes=generator['num_classes'],
    )


def _count_blocks(ledger: Ledger) -> int:
    return len({name.split('.')[1] for name in ledger.names('blocks.')})


def _attention(ledger: Ledger, theirs: str, ours: str) -> dict[str, Tensor]:
    state = {f'{ours}.gamma': ledger.take(f'{theirs}.gamma').reshape(())}
    for name in ('theta', 'phi', 'g', 'o'):
        state |= _layer(ledger, f'{theirs}.{name}', f'{ours}.{name}')
    return state


def _statistics(ledger: Ledger, theirs: str, ours: str) -> dict[str, Tensor]:
    """Running statistics, of which their three kinds of batch norm have other names."""
    state = {f'{ours}.num_batches_tracked': torch.tensor(0)}
    for kind, name in _STATISTICS.items():
        names = [
            f'{theirs}.{inner}{kind_of}_{kind}'
            for inner in ('', 'bn.')
            for kind_of in ('stored', 'running')
        ]
        (found,) = [name for name in names if name in ledger] or names[:1]
        state[f'{ours}.{name}'] = ledger.take(found).flatten()
    for name in ledger.names(f'{theirs}.'):
        if name.endswith(('accumulation_counter', 'num_batches_tracked')):
            ledger.drop(name, 'counts of batch norm, which start anew')
    return state


def _layer(ledger: Ledger, theirs: str, ours: str) -> dict[str, Tensor]:
    """Weight and bias; spectral norm as torch has it.

    Theirs lets the power iteration run in eval mode too, from a ``u0`` that is kept: after one
    step of it ours gives the same.
    """
    state = {}
    if f'{theirs}.bias' in ledger:
        state[f'{ours}.bias'] = ledger.take(f'{theirs}.bias')
    if f'{theirs}.u0' not in ledger:
        return state | {f'{ours}.weight': ledger.take(f'{theirs}.weight')}
    weight = ledger.take(f'{theirs}.weight')
    matrix = weight.flatten(1)
    v = F.normalize(ledger.derive(f'{theirs}.u0', 'iterated once') @ matrix)
    ledger.drop(f'{theirs}.sv0', 'singular values, which are computed')
    u = F.normalize(v @ matrix.T)
    start = f'{ours}.parametrizations.weight'
    return state | {f'{start}.original': weight, f'{start}.0._u': u[0], f'{start}.0._v': v[0]}
