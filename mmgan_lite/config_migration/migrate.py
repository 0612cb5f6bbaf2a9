"""From a config of MMGeneration 0.x or MMagic 1.x to one of ours."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmgan_lite.config_migration.data import (
    growing_batches,
    migrate_loader,
    split_data,
    without_flips,
)
from mmgan_lite.config_migration.evaluation import (
    ignore_runner,
    migrate_evaluator,
    migrate_hooks,
    take_metrics,
)
from mmgan_lite.config_migration.models import find_average, migrate_model
from mmgan_lite.config_migration.reading import Place, read_tables
from mmgan_lite.config_migration.schedules import (
    migrate_length,
    migrate_optimizers,
    migrate_rates,
    take_rates,
)
from mmgan_lite.config_migration.section import Report, Section

_LOOPS = ('train', 'val', 'test')
_WIDTH = 96
_HEAD = """# From {name}, by mmgan-lite migrate-config.
_base_ = __import__('mmgan_lite').config_path('_base_/default_runtime.py')
"""


@dataclass(frozen=True)
class Migration:
    """A migrated config.

    Attributes:
        text: Of the new config, with what was not migrated in its comments.
        config: The same as a dict, without its base.
        listed: What was not migrated: file and line, setting and reason.
        ignored: How many settings of the runtime are those of our default runtime.
    """

    text: str
    config: dict[str, Any]
    listed: list[str]
    ignored: int


def migrate_config(path: str | Path) -> Migration:
    """A config of MMGeneration 0.x or MMagic 1.x, with its bases, as one of ours.

    Nothing in it is run: it is read as text. A setting that would have to run is listed.

    Args:
        path: The config.

    Raises:
        ValueError: If it or a base cannot be read, or its model is of a kind that ours has not.
    """
    path = Path(path)
    table, code = read_tables(path)
    report = Report()
    for place, text in code:
        report.add(place, text, 'code is not run')
    split_data(table)
    config = Section(table, '', Place(path, 1), report)
    if 'model' not in config:
        raise ValueError(
            f'{str(path)!r} must be a config of a GAN, with model = dict(...), but has none. Pass '
            'the config that is trained, not one of its bases.'
        )
    settings = _migrate(config)
    ignored = ignore_runner(config)
    config.close()
    listed = _lines(report, path)
    return Migration(_text(path, settings, listed), settings, listed, ignored)


def _migrate(config: Section) -> dict[str, Any]:
    model_section, train = config.section('model'), config.section('train_cfg')
    target = model_section.table.get('default_domain')
    hooks = config.sections('custom_hooks')
    average = find_average(hooks)
    batch = config.table.get('train_dataloader') or {}
    model = migrate_model(model_section, train, average, batch.get('batch_size') or 32)
    shape = model['generator'].get('image_shape', (3, 256, 256))
    length = migrate_length(config, train)
    is_growing = model['type'] == 'GrowingGAN'
    rates: tuple[float, ...] = ()
    optimizers = migrate_optimizers(config, train)
    rate = optimizers['generator']['optimizer'].get('lr', 1e-3)
    if is_growing:
        rates = take_rates(config, train, rate, (shape[1] // 4).bit_length())
        model |= dict(rates=rates) if rates else {}
    settings: dict[str, Any] = dict(model=model)
    loaders = {name: migrate_loader(config, name, shape, target) for name in _LOOPS}
    settings['train_dataloader'] = loaders['train'] or _no_data(config, shape)
    sizes = settings['train_dataloader'].pop('sizes', None)
    settings |= _evaluation(config, loaders, length, train)
    settings['optim_wrapper'] = optimizers
    scheduled = migrate_rates(config, length['max_iters'], rate)
    settings |= dict(param_scheduler=scheduled) if scheduled else {}
    if average is not None:
        hooks = [hook for hook in hooks if hook is not average.section]
    intervals = migrate_hooks(config, hooks)
    settings |= dict(default_hooks=intervals) if intervals else {}
    if is_growing:
        settings['train_dataloader'] |= growing_batches(sizes, model['growth'], shape[1])
        # Later stages have no gradient yet.
        settings['model_wrapper_cfg'] = dict(find_unused_parameters=True)
    seed = config.section('randomness').take('seed')
    settings |= {} if seed is None else dict(randomness=dict(seed=seed))
    config.section('randomness').ignore('diff_rank_seed')
    config.leave('import your own modules by custom_imports of the new config', 'custom_imports')
    for key in ('load_from', 'resume_from', 'resume'):
        if config.table.get(key):
            config.leave('convert checkpoints by mmgan-lite convert-checkpoint', key)
        config.ignore(key)
    return settings


def _evaluation(
    config: Section, loaders: dict[str, Any], length: dict[str, Any], train: Section
) -> dict[str, Any]:
    """Evaluators with their loaders; and ``train_cfg`` with its interval."""
    during, after, interval = take_metrics(config)
    interval = interval or train.take('val_interval')
    config.section('val_cfg').ignore('type')
    config.section('test_cfg').ignore('type', 'use_ema')
    settings: dict[str, Any] = {}
    evaluators = dict(val=migrate_evaluator(during), test=migrate_evaluator(after))
    evaluators['test'] = evaluators['test'] or evaluators['val']
    for name, evaluator in evaluators.items():
        if evaluator is None:
            continue
        loader = loaders[name] or loaders['train'] or _no_data(config, (3, 64, 64))
        settings[f'{name}_cfg'] = {}
        settings[f'{name}_dataloader'] = dict(
            batch_size=loader['batch_size'],
            num_workers=loader['num_workers'],
            sampler=dict(type='DefaultSampler', shuffle=False),
            dataset=without_flips(loader['dataset']),
        )
        settings[f'{name}_evaluator'] = evaluator
    if interval and 'val_evaluator' in settings:
        length = length | dict(val_interval=interval)
    return settings | dict(train_cfg=length)


def _no_data(config: Section, shape: tuple[int, int, int]) -> dict[str, Any]:
    config.report.add(
        config.place, 'train_dataloader', "it is not there, and a folder 'data/images' is taken"
    )
    return dict(
        batch_size=32,
        num_workers=2,
        sampler=dict(type='InfiniteSampler', shuffle=True),
        dataset=dict(type='ImageFolderDataset', data_root='data/images', image_size=shape[1]),
    )


def _lines(report: Report, path: Path) -> list[str]:
    """What was not migrated, by file and line; the config itself first."""
    entries = sorted(report.entries, key=lambda entry: (entry[0].file != path, *entry[0]))
    return [
        f'{os.path.relpath(place.file, path.parent)}, line {place.line}: {setting}: {reason}'
        for place, setting, reason in entries
    ]


def _text(path: Path, settings: dict[str, Any], listed: list[str]) -> str:
    head = _HEAD.format(name=path.name)
    if listed:
        lines = ''.join(f'#   {line}\n' for line in listed)
        head = head.replace('\n', f'\n# Not migrated:\n{lines}', 1)
    return head + ''.join(
        f'{key} = {_code(value, len(key) + 3)}\n' for key, value in settings.items()
    )


def _code(value: Any, used: int = 0, indent: str = '') -> str:
    """A value as a literal; a long one has a line for each entry."""
    inner = f'{indent}    '
    if isinstance(value, dict):
        entries = [f'{k}={_code(v, len(inner) + len(k) + 1, inner)}' for k, v in value.items()]
        begin, end = 'dict(', ')'
    elif isinstance(value, list):
        entries = [_code(entry, len(inner), inner) for entry in value]
        begin, end = '[', ']'
    else:
        return repr(value)
    short = f'{begin}{", ".join(entries)}{end}'
    if used + len(indent) + len(short) < _WIDTH and '\n' not in short:
        return short
    return begin + ''.join(f'\n{inner}{entry},' for entry in entries) + f'\n{indent}{end}'
