"""Checkpoints of MMGeneration and MMagic: what both have in common."""

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mmgan_lite.checkpoints.foreign.ledger import Ledger
from mmgan_lite.checkpoints.foreign.mm_families import Family, find_family
from mmgan_lite.checkpoints.foreign.source import Conversion, ForeignFile
from mmgan_lite.checkpoints.foreign.transfer import Transfer
from mmgan_lite.utils.config_text import read_settings

_NETWORKS = r'(generators?|discriminators?|generators?_ema)\.'
# Past these names a generator of any kind of model begins.
_GENERATOR = r'^(generators\.[^.]+|generator|generator_ema\.module|generator_ema)\.'
# What else is in a model there, and why ours has no use for it.
_OTHERS = {
    r'data_preprocessor\.': 'the scaling to [-1, 1], which is built in',
    r'(gen|disc)_auxiliary_losses\.|mean_path_length': 'averages of losses, which begin anew',
    r'shown_nkimg$|_next_scale_int$': 'the images that it has grown by',
}
# What a config says of the order of the channels, in either project.
_HINTS = {
    'bgr': r"to_rgb=False|output_channel_order='BGR'",
    'rgb': r"to_rgb=True|output_channel_order='RGB'",
}


@dataclass
class _Parts:
    """What one conversion works on."""

    file: ForeignFile
    ledger: Ledger
    model: Mapping[str, Any]
    state: dict[str, Tensor]
    notes: list[str]

    def given(self, name: str) -> Mapping[str, Any]:
        """The config of a part of the model, if the file has it."""
        found = self.model.get(name)
        return found if isinstance(found, Mapping) else {}

    def transfer(self, place: str) -> Transfer:
        """Of the network whose names begin so."""
        return Transfer(self.ledger.under(place), self.file.channel_order == 'bgr')

    def add(self, name: str, transfer: Transfer) -> None:
        """The tensors of a transfer are those of a network of ours."""
        self.state |= {f'{name}.{key}': tensor for key, tensor in transfer.state.items()}
        self.notes += [note for note in transfer.notes if note not in self.notes]


def tensors_of(file: ForeignFile) -> dict[str, Tensor]:
    """Those of the model, if the file has a ``state_dict`` with networks; else none."""
    content = file.content if isinstance(file.content, Mapping) else {}
    found = content.get('state_dict')
    if not isinstance(found, Mapping) or not any(re.match(_NETWORKS, str(n)) for n in found):
        return {}
    return {name: tensor for name, tensor in found.items() if isinstance(tensor, Tensor)}


def meta_of(file: ForeignFile) -> Mapping[str, Any]:
    """What the file says about itself."""
    content = file.content if isinstance(file.content, Mapping) else {}
    meta = content.get('meta')
    return meta if isinstance(meta, Mapping) else {}


def has_family(file: ForeignFile) -> bool:
    """Whether it has a generator of a known kind."""
    names = tensors_of(file)
    return (
        find_family(re.sub(_GENERATOR, '', n) for n in names if re.match(_GENERATOR, n)) is not None
    )


def is_of_mmagic(file: ForeignFile) -> bool:
    """By its version; without one by an average that counts its steps, or by a preprocessor."""
    meta, names = meta_of(file), tensors_of(file)
    if 'mmagic_version' in meta or 'mmedit_version' in meta:
        return True
    marks = ('generator_ema.module.', 'generator_ema.steps', 'data_preprocessor.')
    return (
        'mmgen_version' not in meta and has_family(file) and any(n.startswith(marks) for n in names)
    )


def convert(file: ForeignFile) -> Conversion:
    """The networks of a file as our model.

    Raises:
        ValueError: If they are of another kind, not all there, or see colors in an order that the
            user did not give.
    """
    tensors, meta = tensors_of(file), meta_of(file)
    text = str(meta.get('cfg') or meta.get('config') or '')
    notes: list[str] = []
    ledger = Ledger(tensors, str(file.path))
    parts = _Parts(file, ledger, _read_model(text, notes), {}, notes)
    _drop_others(parts)
    translates = any(name.startswith('generators.') for name in tensors)
    family, model, fresh = (_convert_translation if translates else _convert_gan)(parts)
    _check_order(parts, model, text)
    adam = dict(optimizer=dict(type='Adam', lr=family.rate, betas=family.betas))
    iteration = meta.get('iter')
    return Conversion(
        model=model,
        state=parts.state,
        ledger=ledger,
        optim_wrapper=dict(generator=adam, discriminator=adam),
        fresh=fresh,
        batch_size=1 if translates else 32,
        iteration=iteration if isinstance(iteration, int) else None,
        notes=notes,
    )


def _read_model(text: str, notes: list[str]) -> Mapping[str, Any]:
    """The model of the config in the file; empty without one."""
    try:
        return read_settings(text, ('model',)).get('model', {})
    except ValueError as error:
        notes.append(f'The config in the file is not used: {error}.')
        return {}


def _drop_others(parts: _Parts) -> None:
    ledger = parts.ledger
    for name in ('data_preprocessor.mean', 'data_preprocessor.std'):
        if name in ledger and not bool((ledger.peek(name) == 127.5).all()):
            raise parts.file.refuse(
                f'has images scaled by {name}={ledger.peek(name).flatten().tolist()}, and ours are '
                'in [-1, 1], by 127.5',
                'It cannot be converted',
            )
    for pattern, reason in _OTHERS.items():
        ledger.drop([name for name in ledger.names() if re.match(pattern, name)], reason)


def _check_order(parts: _Parts, model: Mapping[str, Any], text: str) -> None:
    """Raise unless the user gave the order of the colors, if there are any."""
    generator = model['generator']
    channels = generator['image_shape'][:1] if 'image_shape' in generator else ()
    channels = channels or (generator['in_channels'], generator['out_channels'])
    if parts.file.channel_order is not None or 3 not in channels:
        return
    hints = [order for order, pattern in _HINTS.items() if re.search(pattern, text)]
    hint = f'; the config in it says {hints[0]}' if len(hints) == 1 else ''
    raise parts.file.refuse(
        'has color images, and is of a project that trains on blue, green, red (bgr) unless its '
        f'config says rgb{hint}',
        "Pass --channel-order bgr, or channel_order='bgr'; rgb for networks of RGB images.",
    )


def _known_family(parts: _Parts, place: str) -> Family:
    names = parts.ledger.under(place).names()
    family = find_family(names)
    if family is None:
        kind = parts.given('generator').get('type')
        what = f'a {kind}' if kind else f'one of tensors such as {", ".join(names[:4])}'
        raise parts.file.refuse(
            f'has a generator that is not supported: {what}',
            'Pass a DCGAN, SNGAN, SAGAN, BigGAN, PGGAN, StyleGAN2, pix2pix or CycleGAN',
        )
    return family


def _convert_gan(parts: _Parts) -> tuple[Family, dict[str, Any], tuple[str, ...]]:
    """A model from latents to images."""
    ledger = parts.ledger
    average = 'generator_ema.module.' if ledger.names('generator_ema.module.') else 'generator_ema.'
    averaged, alone = bool(ledger.names(average)), not ledger.names('generator.')
    if 'generator_ema.steps' in ledger:
        parts.state['generator_ema.steps'] = ledger.take('generator_ema.steps')
    place = average if averaged and alone else 'generator.'
    family = _known_family(parts, place)
    transfer = parts.transfer(place)
    generator = family.generator(transfer, parts.given('generator'))
    parts.add('generator', transfer)
    model: dict[str, Any] = dict(type='GAN', generator=generator, **copy.deepcopy(family.training))
    if averaged:
        model['ema'] = dict(type='ExponentialMovingAverage', momentum=_momentum(parts))
        if alone:
            parts.notes.append(
                'The file has only the average of the generator: training goes on from it.'
            )
        else:
            transfer = parts.transfer(average)
            family.generator(transfer, parts.given('generator'))
        parts.add('generator_ema.module', transfer)
    model['discriminator'], fresh = _convert_discriminator(parts, family, generator)
    if generator['type'] == 'PGGANGenerator':
        _set_growth(parts, model)
    return family, model, fresh


def _momentum(parts: _Parts) -> float:
    """Weight of the newest values; some of their configs have that of the average in its place."""
    found = float(parts.given('ema_config').get('momentum', 1e-3))
    return round(min(found, 1 - found), 12) or 1e-3


def _convert_discriminator(
    parts: _Parts, family: Family, generator: Mapping[str, Any]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Its settings, and its name if it starts from random weights."""
    shape = generator['image_shape']
    if parts.ledger.names('discriminator.'):
        transfer = parts.transfer('discriminator.')
        settings = family.discriminator(transfer, parts.given('discriminator'), shape)
        parts.add('discriminator', transfer)
        return settings, ()
    kind = generator['type'].replace('Generator', 'Discriminator')
    settings = dict(type=kind, image_shape=shape)
    if generator.get('num_classes') is not None:
        settings['num_classes'] = generator['num_classes']
    return settings, ('discriminator',)


def _set_growth(parts: _Parts, model: Mapping[str, Any]) -> None:
    """The stage that PGGAN has grown to, and how far it has faded in."""
    ledger = parts.ledger
    side, fade = model['generator']['image_shape'][1], torch.tensor(1.0)
    if '_curr_scale_int' in ledger:
        side = int(ledger.derive('_curr_scale_int', 'the stage'))
    if '_curr_transition_weight' in ledger:
        fade = ledger.derive('_curr_transition_weight', 'how far the stage has faded in')
    for name in (
        'generator',
        'discriminator',
        *(['generator_ema.module'] if 'ema' in model else []),
    ):
        parts.state[f'{name}.stage'] = torch.tensor((side // 4).bit_length() - 1)
        parts.state[f'{name}.fade'] = fade.float().reshape(())
    parts.notes.append(
        f'It has grown to {side}x{side}. Training goes on at this size; it grows no further in a '
        'GAN, but does in a GrowingGAN.'
    )


def _convert_translation(parts: _Parts) -> tuple[Family, dict[str, Any], tuple[str, ...]]:
    """A model from images to images."""
    ledger = parts.ledger
    domains = list(dict.fromkeys(n.split('.')[1] for n in ledger.names('generators.')))
    if len(domains) > 2:
        raise parts.file.refuse(
            f'has generators of {len(domains)} domains: {", ".join(domains)}',
            'Pass a pix2pix or a CycleGAN, which have one or two',
        )
    # From source to target: its own last, or the one that the config names.
    target = parts.model.get('default_domain', domains[-1])
    target = target if target in domains else domains[-1]
    family = _known_family(parts, f'generators.{target}.')
    if len(domains) == 1:
        names = {target: ('generator', 'discriminator')}
        parts.notes.append(f'It translates to {target!r}.')
    else:
        source = domains[domains[0] == target]
        names = {
            target: ('generator_a2b', 'discriminator_b'),
            source: ('generator_b2a', 'discriminator_a'),
        }
        parts.notes.append(f"'a2b' translates from {source!r} to {target!r}, 'b2a' back.")
    settings = [_convert_direction(parts, family, domain, *names[domain]) for domain in names]
    if any(other[:2] != settings[0][:2] for other in settings):
        raise parts.file.refuse(
            f'has generators or discriminators of {" and ".join(names)} that differ',
            'Ours has the same networks in both directions',
        )
    generator, discriminator = settings[0][:2]
    kind, training = _training(parts, generator, len(domains))
    model = dict(type=kind, generator=generator, discriminator=discriminator, **training)
    return family, model, tuple(name for *_, fresh in settings for name in fresh)


def _convert_direction(
    parts: _Parts, family: Family, domain: str, generator_name: str, discriminator_name: str
) -> tuple[dict[str, Any], dict[str, Any], tuple[str, ...]]:
    """The settings of the networks that make and judge images of a domain; what starts anew."""
    transfer = parts.transfer(f'generators.{domain}.')
    generator = family.generator(transfer, parts.given('generator'))
    parts.add(generator_name, transfer)
    images = [generator['out_channels']]
    if discriminator_name == 'discriminator':
        images.insert(0, generator['in_channels'])
    place = f'discriminators.{domain}.'
    if not parts.ledger.names(place):
        norm = generator['norm']
        fresh = dict(type='PatchDiscriminator', in_channels=sum(images), norm=norm)
        return generator, fresh, (discriminator_name,)
    transfer = parts.transfer(place)
    discriminator = family.discriminator(transfer, parts.given('discriminator'), images)
    parts.add(discriminator_name, transfer)
    return generator, discriminator, ()


def _training(
    parts: _Parts, generator: Mapping[str, Any], domains: int
) -> tuple[str, dict[str, Any]]:
    """The type of the model, and its losses: those of the papers."""
    if domains == 2:
        return 'CycleGAN', dict(loss=dict(type='LeastSquaresGANLoss'))
    training: dict[str, Any] = dict(loss=dict(type='NonSaturatingGANLoss'))
    if generator['norm'] == 'batch':
        training['test_statistics'] = 'batch'
        parts.notes.append(
            'As there, it translates by the statistics of the batch; '
            "test_statistics='running' of the model for those of the training."
        )
    if not parts.given('generator') and generator['type'] == 'UNetTranslator':
        parts.notes.append(
            'The file does not say whether it has dropout: none is taken. '
            'For that of the paper set dropout=0.5 of the generator.'
        )
    return 'Pix2Pix', training
