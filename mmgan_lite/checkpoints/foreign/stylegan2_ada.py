"""StyleGAN2 of NVIDIA's stylegan2-ada-pytorch and stylegan3: pickles of persistent modules.

Karras et al. 2020, Training Generative Adversarial Networks with Limited Data, arXiv:2006.06676.
"""

from collections.abc import Mapping
from typing import Any

import torch

from mmgan_lite.checkpoints.foreign.ledger import Ledger
from mmgan_lite.checkpoints.foreign.pickles import PickledModule
from mmgan_lite.checkpoints.foreign.snapshots import (
    Network,
    convert_players,
    drop_filters,
    transposed,
)
from mmgan_lite.checkpoints.foreign.source import Conversion, ForeignFile

# Names there, and ours.
GENERATOR = {
    r'mapping\.embed\.bias': r'mapping_network.embedding.bias',
    r'mapping\.fc(\d+)\.(weight|bias)': r'mapping_network.layers.\1.\2',
    r'mapping\.w_avg': r'mapping_network.w_avg',
    r'synthesis\.b(\d+)\.const': r'synthesis_network.blocks.\1.constant',
    r'synthesis\.b(\d+)\.(conv[01])\.((?:affine\.)?weight|affine\.bias)': (
        r'synthesis_network.blocks.\1.\2.conv.\3'
    ),
    r'synthesis\.b(\d+)\.(conv[01])\.(bias|noise_strength|noise_const)': (
        r'synthesis_network.blocks.\1.\2.\3'
    ),
    r'synthesis\.b(\d+)\.torgb\.((?:affine\.)?weight|affine\.bias)': (
        r'synthesis_network.blocks.\1.to_image.conv.\2'
    ),
    r'synthesis\.b(\d+)\.torgb\.bias': r'synthesis_network.blocks.\1.to_image.bias',
    r'synthesis\.b(\d+)\.skip\.weight': r'synthesis_network.blocks.\1.skip.0.weight',
}
DISCRIMINATOR = {
    r'mapping\.embed\.bias': r'mapping.embedding.bias',
    r'mapping\.fc(\d+)\.(weight|bias)': r'mapping.layers.\1.\2',
    r'b(\d+)\.fromrgb\.(weight|bias)': r'from_image.\1.\2',
    r'b4\.conv\.(weight|bias)': r'conv.\1',
    r'b4\.fc\.(weight|bias)': r'linear.\1',
    r'b4\.out\.(weight|bias)': r'out.\1',
    r'b(\d+)\.conv0\.(weight|bias)': r'blocks.\1.conv0.\2',
    r'b(\d+)\.conv1\.(weight|bias)': r'blocks.\1.conv1.1.\2',
    r'b(\d+)\.skip\.weight': r'blocks.\1.skip.1.weight',
}
_BATCH_SIZE = 32


def recognizes(file: ForeignFile) -> bool:
    """A dict of persistent modules, with a mapping and a synthesis network in ``G_ema``."""
    found = file.content.get('G_ema') if isinstance(file.content, Mapping) else None
    return isinstance(found, PickledModule) and {'mapping', 'synthesis'} <= found.children().keys()


def convert(file: ForeignFile) -> Conversion:
    """``G_ema``, ``G`` and ``D`` as a GAN with an average; ``augment_pipe`` as its probability."""
    ledger, notes = file.ledger(), list[str]()
    players = convert_players(file, ledger, _generator, _discriminator, _turned_round, notes)
    state = dict(players.state)
    if 'augment_pipe.p' in ledger:
        state['augmentation.p'] = ledger.take('augment_pipe.p').reshape(())
    ledger.drop(ledger.names('augment_pipe.'), 'filters of the augmentation, which are rebuilt')
    adam = dict(type='Adam', lr=2.5e-3, betas=(0.0, 0.99), fused=True)
    settings = dict(optimizer=adam, lazy_correction=True)
    return Conversion(
        model=_model(players.generator, players.discriminator),
        state=state,
        ledger=ledger,
        optim_wrapper=dict(generator=settings, discriminator=settings),
        batch_size=_BATCH_SIZE,
        fresh=players.fresh,
        notes=notes,
    )


def _model(generator: Mapping[str, Any], discriminator: Mapping[str, Any]) -> dict[str, Any]:
    """Trained by the settings of the authors' 'auto' for one process."""
    penalty = 0.0002 * generator['image_shape'][1] ** 2 / _BATCH_SIZE
    return dict(
        type='GAN',
        generator=generator,
        discriminator=discriminator,
        loss=dict(type='NonSaturatingGANLoss'),
        regularizers=[
            dict(type='R1Regularizer', weight=penalty, interval=16),
            dict(type='PathLengthRegularizer', weight=2.0, interval=4),
        ],
        augmentation=dict(type='AdaptiveAugment'),
        ema=dict(
            type='HalfLifeMovingAverage',
            half_life=10_000,
            images_per_update=_BATCH_SIZE,
            ramp_up=None,
        ),
    )


def _turned_round(generator: Mapping[str, Any]) -> dict[str, Any]:
    """A discriminator like a generator."""
    names = ('image_shape', 'channel_base', 'channel_max', 'num_classes')
    return dict(type='StyleGAN2Discriminator', **{name: generator[name] for name in names})


def _generator(
    network: PickledModule, ledger: Ledger, file: ForeignFile, notes: list[str]
) -> Network:
    """Arguments by the shapes, and by what the modules remember where shapes do not tell."""
    modules = network.modules()
    _check_modules(modules, file)
    mapping, sides = modules['mapping'], _sides(modules['synthesis'], file)
    last = f'synthesis.b{sides[-1]}'
    style_dim = ledger.peek(f'{last}.conv1.affine.weight').shape[1]
    num_classes = _num_classes(mapping, ledger)
    config = dict(
        type='StyleGAN2Generator',
        latent_dim=ledger.peek('mapping.fc0.weight').shape[1] - (style_dim if num_classes else 0),
        image_shape=(ledger.peek(f'{last}.torgb.weight').shape[0], sides[-1], sides[-1]),
        style_dim=style_dim,
        **_widths({s: ledger.peek(f'synthesis.b{s}.conv1.weight').shape[0] for s in sides}, file),
        num_mapping_layers=_count_layers(mapping),
        mapping_lr_multiplier=float(modules['mapping.fc0'].get('bias_gain', 0.01)),
        architecture=modules[last].get('architecture', 'skip'),
        num_classes=num_classes,
        clamp=_clamp(modules, notes, 'generator'),
        noise=None if f'{last}.conv1.noise_strength' in ledger else 'none',
    )
    drop_filters(ledger, 'resample_filter')
    state = ledger.take_renamed(GENERATOR)
    if num_classes:
        embedding = transposed(ledger, 'mapping.embed.weight')
        state['mapping_network.embedding.weight'] = embedding
    if 'mapping_network.w_avg' not in state:
        state['mapping_network.w_avg'] = torch.zeros(style_dim)
        notes.append('The file has no mean style: truncation moves towards 0.')
    if config['noise'] == 'none':
        for side in sides:
            for conv in ('conv0', 'conv1')[side == 4 :]:
                layer = f'synthesis_network.blocks.{side}.{conv}'
                state[f'{layer}.noise_strength'] = torch.zeros(())
                state[f'{layer}.noise_const'] = torch.zeros(side, side)
    return Network(config, state)


def _discriminator(
    network: PickledModule, ledger: Ledger, file: ForeignFile, notes: list[str]
) -> Network:
    modules = network.modules()
    _check_modules(modules, file)
    sides = _sides(network, file)
    width, inputs = ledger.peek('b4.conv.weight').shape[:2]
    widths = {4: width} | {s: ledger.peek(f'b{s}.conv0.weight').shape[1] for s in sides[1:]}
    if 'b4.mbstd' not in modules:
        raise file.refuse(
            'has a discriminator without minibatch standard deviation, which ours has',
            'It is of an architecture that is not supported',
        )
    config = dict(
        type='StyleGAN2Discriminator',
        image_shape=(ledger.peek(f'b{sides[-1]}.fromrgb.weight').shape[1], sides[-1], sides[-1]),
        **_widths(widths, file),
        architecture=modules['b4'].get('architecture', 'resnet'),
        stddev_group_size=modules['b4.mbstd'].get('group_size') or _BATCH_SIZE,
        stddev_channels=inputs - width,
        clamp=_clamp(modules, notes, 'discriminator'),
    )
    if (mapping := modules.get('mapping')) is not None:
        _check_rate(modules['mapping.fc0'], file)
        config['num_classes'] = _num_classes(mapping, ledger)
        config['num_mapping_layers'] = _count_layers(mapping)
    drop_filters(ledger, 'resample_filter')
    state = ledger.take_renamed(DISCRIMINATOR)
    if mapping is not None:
        state['mapping.embedding.weight'] = transposed(ledger, 'mapping.embed.weight')
    return Network(config, state)


def _check_modules(modules: Mapping[str, PickledModule], file: ForeignFile) -> None:
    for path, module in modules.items():
        if module.class_name == 'SynthesisInput':
            raise file.refuse(
                'is of StyleGAN3, which is not supported', 'StyleGAN2 of the same authors is'
            )
        if (found := module.get('activation', 'linear')) not in ('linear', 'lrelu'):
            raise file.refuse(
                f'has the activation {found!r} in {path}, which is not supported',
                "It must be 'lrelu'",
            )


def _sides(network: PickledModule, file: ForeignFile) -> list[int]:
    """Of the blocks, which are named b4, b8, ...; from the smallest."""
    names = [name[1:] for name in network.children() if name.startswith('b')]
    sides = sorted(int(name) for name in names if name.isdecimal())
    if not sides or sides != [4 << number for number in range(len(sides))]:
        raise file.refuse(
            f'must have blocks of 4, 8, 16, ... pixels, but has {sides}',
            'It is of an architecture that is not supported',
        )
    return sides


def _num_classes(mapping: PickledModule, ledger: Ledger) -> int | None:
    has_labels = 'embed' in mapping.children()
    return ledger.peek('mapping.embed.weight').shape[1] if has_labels else None


def _count_layers(mapping: PickledModule) -> int:
    return sum(name.startswith('fc') for name in mapping.children())


def _check_rate(layer: PickledModule, file: ForeignFile) -> None:
    if (found := layer.get('bias_gain', 0.01)) != 0.01:
        raise file.refuse(
            f'has a discriminator whose labels are mapped at a rate of {found}, ours at 0.01',
            'It is of an architecture that is not supported',
        )


def _widths(widths: Mapping[int, int], file: ForeignFile) -> dict[str, int]:
    """``channel_base`` and ``channel_max`` that give the channels at each side."""
    most = max(widths.values())
    base = max(side * width for side, width in widths.items())
    if any(min(most, base // side) != width for side, width in widths.items()):
        raise file.refuse(
            f'must have channels that fall with the side, but has {dict(widths)}',
            'It is of an architecture that is not supported',
        )
    return dict(channel_base=base, channel_max=most)


def _clamp(modules: Mapping[str, PickledModule], notes: list[str], network: str) -> float | None:
    """The bound of the features; float16 is not taken over, and said."""
    lower = sum(bool(module.get('use_fp16')) for module in modules.values())
    note = (
        f'The {network} computed its {lower} largest sizes in float16, here in float32: set '
        f'low_precision_levels={lower} to train faster.'
    )
    if lower and note not in notes:
        notes.append(note)
    found = {module.get('conv_clamp') for module in modules.values()} - {None}
    return float(max(found)) if found else None
