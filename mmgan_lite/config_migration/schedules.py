"""Optimizers, length and learning rates of old configs."""

from typing import Any

from mmgan_lite.config_migration.section import Section

Settings = dict[str, Any]

_PLAIN_SCHEDULERS = (
    'ConstantLR',
    'CosineAnnealingLR',
    'ExponentialLR',
    'LinearLR',
    'MultiStepLR',
    'PolyLR',
    'StepLR',
)


def migrate_length(config: Section, train: Section, default: int = 100_000) -> Settings:
    """``train_cfg`` of ours."""
    runner = config.section('runner')
    runner.ignore('type', 'is_dynamic_ddp', 'pass_training_status')
    iterations = train.take('max_iters') or config.take('total_iters') or runner.take('max_iters')
    if iterations is None:
        config.report.add(config.place, 'max_iters', f'it is not there, and {default} is taken')
        iterations = default
    train.ignore('type', 'by_epoch', 'val_begin')
    for section, key in ((train, 'max_epochs'), (runner, 'max_epochs'), (config, 'total_epochs')):
        section.leave('the length here is max_iters: epochs times batches', key)
    return dict(by_epoch=False, max_iters=iterations)


def migrate_optimizers(config: Section) -> Settings:
    """``optim_wrapper`` of ours."""
    old, new = config.section('optimizer'), config.section('optim_wrapper')
    new.ignore('constructor', 'type')
    wrapper: Settings = dict(constructor='MultiOptimWrapperConstructor')
    for name in ('generator', 'discriminator'):
        settings: Settings = {}
        for section, key in ((old, name), (old, f'{name}s'), (new, name), (new, f'{name}s')):
            if key in section:
                settings = _optimizer(section.section(key))
        if not settings:
            config.report.add(
                config.place, f'optim_wrapper.{name}', 'it is not there, and Adam is taken'
            )
        wrapper[name] = settings or dict(optimizer=dict(type='Adam', lr=2e-4, betas=(0.5, 0.999)))
    return wrapper


def _optimizer(section: Section) -> Settings:
    """Of one network: ``dict(type='Adam', ...)``, or that in a wrapper."""
    inner = section.section('optimizer') if 'optimizer' in section else section
    optimizer = {key: inner.take(key) for key in inner.table}
    if inner is section:
        return dict(optimizer=optimizer)
    settings: Settings = dict(optimizer=optimizer)
    kind = str(section.take('type', 'OptimWrapper')).rpartition('.')[2]
    if kind == 'AmpOptimWrapper':
        settings['dtype'] = section.take('dtype', 'float16')
        section.ignore('loss_scale')
    for key in ('accumulative_counts', 'clip_grad'):
        if key in section:
            settings[key] = section.take(key)
    return settings


def take_rates(config: Section, base: float, stages: int) -> tuple[float, ...]:
    """Factors of PGGAN's learning rates at each stage; none where there are no others."""
    schedule = config.section('optim_wrapper') if 'optim_wrapper' in config else None
    rates = schedule.take('lr_schedule', {}) if schedule is not None else {}
    rates = rates.get('generator', rates)
    found = [rates.get(str(4 << stage), base) / base for stage in range(stages)]
    return tuple(round(rate, 6) for rate in found) if any(rate != 1 for rate in found) else ()


def migrate_rates(config: Section, iterations: int, rate: float) -> list[Settings]:
    """``param_scheduler`` of ours."""
    found = [_linear(old, iterations, rate) for old in config.sections('lr_config')]
    for section in config.sections('param_scheduler'):
        kind = str(section.take('type')).rpartition('.')[2]
        if kind == 'LinearLrInterval':
            section.ignore('interval', 'by_epoch', 'start_factor', 'convert_to_iter_based')
            found.append(
                dict(
                    type='LinearLR',
                    start_factor=1.0,
                    end_factor=float(section.take('end_factor', 0.0)),
                    by_epoch=False,
                    begin=section.take('begin', 0),
                    end=section.take('end', iterations),
                )
            )
        elif kind in _PLAIN_SCHEDULERS:
            kept = {key: section.take(key) for key in list(section.table) if key != 'type'}
            found.append(dict(type=kind, **kept))
        else:
            section.list_('type', 'write one of MMEngine in its place')
            section.ignore(*section.table)
    return [entry for entry in found if entry is not None]


def _linear(section: Section, iterations: int, rate: float) -> Settings | None:
    policy = str(section.take('policy', 'fixed')).lower()
    if policy == 'linear':
        section.ignore('interval', 'by_epoch')
        target = section.take('target_lr', 0.0)
        return dict(
            type='LinearLR',
            start_factor=1.0,
            end_factor=float(f'{target / rate:.6g}'),
            by_epoch=False,
            begin=section.take('start', 0),
            end=iterations,
        )
    if policy != 'fixed':
        section.list_('policy', 'write a scheduler of MMEngine in param_scheduler')
        section.ignore(*section.table)
    section.ignore('by_epoch')
    return None
