"""Models of old configs: losses, averages and steps."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from mmgan_lite.config_migration.networks import migrate_network
from mmgan_lite.config_migration.section import Section

Model = dict[str, Any]

_LOSSES = {
    'vanilla': 'NonSaturatingGANLoss',
    'wgan-logistic-ns': 'NonSaturatingGANLoss',
    'lsgan': 'LeastSquaresGANLoss',
    'wgan': 'WassersteinGANLoss',
    'hinge': 'HingeGANLoss',
}
# The loss of models that have one of their own, and the model of ours.
_KINDS = dict(
    DCGAN='vanilla',
    LSGAN='lsgan',
    WGANGP='wgan',
    SNGAN='hinge',
    SAGAN='hinge',
    BigGAN='hinge',
    StyleGAN2='wgan-logistic-ns',
    ProgressiveGrowingGAN='wgan',
    PGGAN='wgan',
    Pix2Pix='vanilla',
    CycleGAN='lsgan',
    StaticUnconditionalGAN=None,
    BasicConditionalGAN=None,
    BasiccGAN=None,
    BaseGAN=None,
    BaseConditionalGAN=None,
)
_AVERAGE_HOOKS = ('ExponentialMovingAverageHook',)


class Average(NamedTuple):
    """An average of the generator there, wherever it was set; its section is that of a hook."""

    section: Section
    kind: str


def migrate_model(section: Section, train: Section, average: Average | None, batch: int) -> Model:
    """The model of ours.

    Args:
        section: ``model``.
        train: ``train_cfg``, which older configs have steps in.
        average: That of a hook.
        batch: Images of a batch.

    Raises:
        ValueError: If there is no model of its kind.
    """
    kind = str(section.take('type', '')).rpartition('.')[2]
    if kind not in _KINDS:
        raise ValueError(
            f'model.type must be one of {", ".join(_KINDS)} to be migrated, got {kind!r}. Write '
            'the config anew, from one of mmgan-lite list configs.'
        )
    judge = section.section('discriminator')
    augmentation = judge.section('data_aug')
    networks = dict(
        generator=migrate_network(section.section('generator')),
        discriminator=migrate_network(judge),
    )
    section.ignore('data_preprocessor', 'use_ema')
    train.ignore('use_ema')
    _spread(section, networks)
    model: Model = dict(type='GAN', **networks, loss=_loss(section, _KINDS[kind]))
    if kind in ('Pix2Pix', 'CycleGAN'):
        return model | _translation(section, train, kind)
    steps = section.take('discriminator_steps') or train.take('disc_steps', 1)
    model |= dict(discriminator_steps=steps) if steps > 1 else {}
    more = section.take('generator_steps') or train.take('gen_steps', 1)
    model |= dict(generator_steps=more) if more > 1 else {}
    regularizers = _regularizers(section, kind)
    model |= dict(regularizers=regularizers) if regularizers else {}
    if augmentation.table:
        model |= dict(augmentation=_augmentation(augmentation))
    if kind in ('ProgressiveGrowingGAN', 'PGGAN'):
        model |= _growth(section, train, model['generator']['image_shape'][1])
    return model | _average(section, average, steps, batch)


def _spread(section: Section, networks: dict[str, Any]) -> None:
    """What is set for the model there, and for each network here."""
    classes, noise = section.take('num_classes'), section.take('noise_size')
    for network in networks.values():
        if classes and network.get('num_classes', 0) is None:
            network['num_classes'] = classes
    if noise and 'latent_dim' in networks['generator']:
        networks['generator']['latent_dim'] = noise


def _loss(section: Section, kind: str | None) -> Model:
    given = section.section('gan_loss')
    given.ignore('type')
    kind = given.take('gan_type', kind)
    if kind not in _LOSSES:
        section.report.add(section.place, f'gan_type = {kind!r}', 'ours is NonSaturatingGANLoss')
    smoothing = round(1 - given.take('real_label_val', 1.0), 6)
    for key, value in (('fake_label_val', 0.0), ('loss_weight', 1.0)):
        if given.take(key, value) != value:
            given.list_(key, f'ours has {value:g}')
    loss: Model = dict(type=_LOSSES.get(str(kind), 'NonSaturatingGANLoss'))
    return loss | (dict(label_smoothing=smoothing) if smoothing and kind != 'wgan' else {})


def _r1(section: Section) -> Model:
    interval = section.take('interval', 1)
    section.ignore('norm_mode', 'data_info', 'loss_name', 'use_apex_amp')
    weight = 2 * section.take('loss_weight', 1.0) / interval
    return dict(type='R1Regularizer', weight=weight, interval=interval)


def _penalty(section: Section) -> Model:
    if section.take('norm_mode', 'HWC') != 'HWC':
        section.list_('norm_mode', 'ours takes the norm over all pixels')
    section.ignore('data_info', 'loss_name')
    return dict(type='GradientPenalty', weight=float(section.take('loss_weight', 1.0)))


def _path_length(section: Section) -> Model:
    interval = section.take('interval', 1)
    section.ignore('data_info', 'loss_name', 'use_apex_amp')
    return dict(
        type='PathLengthRegularizer',
        weight=section.take('loss_weight', 1.0) / interval,
        interval=interval,
        decay=section.take('decay', 0.01),
        batch_divisor=section.take('pl_batch_shrink', 1),
    )


def _drift(section: Section) -> Model:
    if 'fake' in str(section.take('data_info')):
        section.list_('data_info', 'ours is of the real logits alone')
    section.ignore('loss_name')
    return dict(type='DriftRegularizer', weight=section.take('loss_weight', 1.0))


_REGULARIZERS: dict[str, Callable[[Section], Model]] = dict(
    R1GradientPenalty=_r1,
    GradientPenaltyLoss=_penalty,
    GeneratorPathRegularizer=_path_length,
    DiscShiftLoss=_drift,
)


def _regularizers(section: Section, kind: str) -> list[Model]:
    found = {}
    for key in ('disc_auxiliary_loss', 'gen_auxiliary_loss'):
        for loss in section.sections(key):
            name = str(loss.take('type')).removesuffix('Comps')
            if name in _REGULARIZERS:
                # The shift of real and of fake logits are two there.
                found[name] = _REGULARIZERS[name](loss)
            else:
                loss.list_('type', 'ours has no such loss; others are in docs/custom_components.md')
                loss.ignore(*loss.table)
    return list(found.values()) or _own_regularizers(section.section('loss_config'), kind)


def _own_regularizers(config: Section, kind: str) -> list[Model]:
    """Of models that have losses of their own, by ``loss_config``."""
    config.ignore('norm_mode', 'gp_norm_mode', 'scale_r1_loss', 'scale_pl_loss')
    if kind == 'StyleGAN2':
        interval, path = config.take('r1_interval', 1), config.take('g_reg_interval', 1)
        r1, length = config.take('r1_loss_weight', 0), config.take('g_reg_weight', 0)
        r1 = dict(type='R1Regularizer', weight=2 * r1 / interval, interval=interval)
        length = dict(
            type='PathLengthRegularizer',
            weight=length / path,
            interval=path,
            batch_divisor=config.take('pl_batch_shrink', 1),
        )
        return [entry for entry in (r1, length) if entry['weight']]
    if kind in ('WGANGP', 'ProgressiveGrowingGAN', 'PGGAN'):
        penalty = dict(type='GradientPenalty', weight=float(config.take('gp_loss_weight', 10.0)))
        drift = dict(type='DriftRegularizer', weight=0.001)
        return [penalty] if kind == 'WGANGP' else [penalty, drift]
    return []


def _augmentation(section: Section) -> Model:
    """Adaptive augmentation."""
    section.ignore('type')
    return dict(
        type='AdaptiveAugment',
        p=float(section.take('augment_initial_p', 0.0)),
        target=section.take('ada_target', 0.6),
        interval=section.take('update_interval', 4),
        ramp_images=int(section.take('ada_kimg', 500) * 1000),
    )


def _growth(section: Section, train: Section, side: int) -> Model:
    """Stages, of images; ours has one length for all."""
    lengths = section.take('nkimgs_per_scale') or train.take('nkimgs_per_scale', {})
    fade = section.take('transition_kimgs') or train.take('transition_kimgs', 600)
    section.ignore('interp_real', 'prev_stage')
    train.ignore('interp_real', 'start_iter', 'prev_stage')
    inner = [length for scale, length in lengths.items() if 4 < int(scale) < side] or [1200]
    if len(set(inner)) > 1:
        owner = section if 'nkimgs_per_scale' in section.table else train
        owner.list_('nkimgs_per_scale', f'ours has one length for all stages: {inner[0]}')
    stable = max(1, inner[0] - fade)
    return dict(
        type='GrowingGAN',
        growth=dict(fade_images=int(fade * 1000), stable_images=int(stable * 1000)),
    )


def _average(section: Section, average: Average | None, steps: int, batch: int) -> Model:
    config = section.section('ema_config')
    if config.table:
        average = Average(config, str(config.take('type', 'ExponentialMovingAverage')))
    if average is None:
        return {}
    hook, kind = average
    settings = hook.section('interp_cfg')
    settings = settings if settings.table else hook
    interval, start = hook.take('interval', steps), hook.take('start_iter', 0)
    hook.ignore('module_keys', 'priority', 'interp_mode', 'update_buffers')
    if kind.endswith('RampUpEMA') or hook.take('interp_mode') == 'rampup':
        half_life = settings.take('ema_kimg', 10) * 1000
        settings.ignore('momentum', 'interval')
        return dict(
            ema=dict(
                type='HalfLifeMovingAverage',
                half_life=float(half_life),
                images_per_update=batch * steps,
                ramp_up=settings.take('ema_rampup', 0.05),
            )
        )
    # What their hook and their model have where nothing is said.
    default = 1e-3 if kind == 'ExponentialMovingAverageHook' else 2e-4
    momentum = settings.take('momentum', default)
    momentum = min(momentum, 1 - momentum)
    if interval > steps:
        # As long an average by steps of the generator, each of which updates ours.
        momentum = -math.expm1(math.log1p(-momentum) * steps / interval)
    ema: Model = dict(type='ExponentialMovingAverage', momentum=float(f'{momentum:.6g}'))
    return dict(ema=ema | (dict(start=start // steps) if start // steps > 1 else {}))


def _translation(section: Section, train: Section, kind: str) -> Model:
    config = section.section('loss_config')
    weights: dict[str, Any] = {}
    for loss in section.sections('gen_auxiliary_loss'):
        loss.ignore('type', 'data_info', 'reduction')
        weights[str(loss.take('loss_name', 'pixel_loss'))] = loss.take('loss_weight', 1.0)
    section.ignore('related_domains', 'reachable_domains', 'default_domain')
    if kind == 'Pix2Pix':
        weight = weights.get('pixel_loss', config.take('pixel_loss_weight', 100.0))
        section.ignore('discriminator_steps')
        return dict(type=kind, l1_weight=float(weight), test_statistics='batch')
    cycle = weights.get('cycle_loss', config.take('cycle_loss_weight', 10.0))
    identity = weights.get('id_loss', config.take('id_loss_weight', 0.5))
    pool = train.take('buffer_size') or section.take('buffer_size', 50)
    section.ignore('discriminator_steps')
    # Our least squares loss is half of theirs.
    return dict(
        type=kind,
        cycle_weight=cycle / 2,
        identity_weight=float(f'{identity / cycle:.6g}') if cycle else 0.0,
        pool_size=pool,
    )


def find_average(hooks: list[Section]) -> Average | None:
    """The average of a hook, if there is one."""
    for hook in hooks:
        kind = str(hook.table.get('type', '')).rpartition('.')[2]
        if kind in _AVERAGE_HOOKS:
            hook.ignore('type')
            return Average(hook, kind)
    return None
