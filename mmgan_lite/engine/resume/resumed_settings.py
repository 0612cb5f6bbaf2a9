"""Settings of a resumed training that the checkpoint has too: rates, schedules, and which win.

MMEngine loads the optimizers' groups and the states of the schedules from the checkpoint. What the
config says of them then has no effect.
"""

import inspect
import itertools
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmengine.optim import ReduceOnPlateauParamScheduler
from mmengine.runner import IterBasedTrainLoop, Runner
from torch.utils.data import DataLoader

from mmgan_lite.engine.mmengine_compat import named_wrappers
from mmgan_lite.utils.config_text import read_settings

_READ = (
    *('optim_wrapper', 'param_scheduler', 'auto_scale_lr'),
    *('train_cfg', 'train_dataloader', 'model'),
)
# Of all paths in a config, those of rates and schedules, and another whose value is in the file.
_RATES = re.compile(
    r'optim_wrapper\.(.+\.)?(optimizer|paramwise_cfg|lazy_correction)\b|auto_scale_lr\b'
)
_SCHEDULES = re.compile(r'param_scheduler\b')
_SAMPLER_SEED = 'train_dataloader.sampler.seed'
# What the state of an optim wrapper holds besides moments and the scale of the loss.
_SETTINGS = ('param_groups', 'base_param_settings')
_REMEDY = "--resume-lr config (resume_lr='config' of GANCheckpointHook)"

# A setting by its path, with the checkpoint's value and the config's.
Difference = tuple[str, Any, Any]


def reconcile(
    runner: Runner, checkpoint: dict[str, Any], source: str | None, resume_lr: str
) -> str | None:
    """Report what the config changes without effect, or let its rates and schedules take effect.

    Args:
        runner: Resumes a training; its optimizers and schedules are built, but not loaded yet.
        checkpoint: Will be loaded. With ``resume_lr='config'`` the rates and schedules in it are
            replaced by those that the training would have at this iteration, had it begun with
            the config. Moments and step counts stay.
        source: Text of the config whose rates and schedules are in the checkpoint; None for the
            config in ``checkpoint['meta']``.
        resume_lr: 'checkpoint' or 'config'.

    Returns:
        Text of the config whose rates and schedules the training has now; None if that is its own.

    Raises:
        ValueError: With ``resume_lr='config'``, if the moments do not fit the optimizers of the
            config, or a schedule depends on scores.
    """
    source = source or checkpoint['meta'].get('cfg')
    before, changed = {}, []
    if len(runner.cfg) > 0:  # not of a Runner that was built from objects
        try:
            before = _read(runner, source)
            changed = list(_compare('', before, _read(runner, runner.cfg.pretty_text)))
        except ValueError as error:
            text = f'The config cannot be compared with that of the checkpoint: {error}.'
            runner.logger.warning(text)
    rates = [entry for entry in changed if _in_checkpoint(entry[0], checkpoint)]
    fixed = [entry for entry in changed if _is_fixed(entry[0], checkpoint)]
    if resume_lr == 'config':
        _take_from_config(runner, checkpoint, rates)
        rates = []
    ended = _ended(runner, checkpoint, before.get('train_cfg', {}))
    if text := _report(rates, fixed, ended):
        runner.logger.warning(text)
    return source if rates or (ended and resume_lr == 'checkpoint') else None


def _read(runner: Runner, text: str | None) -> dict[str, Any]:
    """Settings of a config, with the defaults of optimizers, and of the ends of schedules."""
    if not text:
        raise ValueError('it has none')
    settings = read_settings(text, _READ)
    wrappers = settings.get('optim_wrapper') or {}
    for name, wrapper in named_wrappers(runner.optim_wrapper).items():
        entry = (wrappers if 'optimizer' in wrappers else wrappers.get(name)) or {}
        if isinstance(optimizer := entry.get('optimizer'), dict):
            arguments = inspect.signature(type(wrapper.optimizer)).parameters.values()
            for argument in arguments:
                if argument.default is not argument.empty:
                    optimizer.setdefault(argument.name, argument.default)
    lengths = _lengths(runner, settings.get('train_cfg') or {})
    schedules = settings.get('param_scheduler') or []
    if isinstance(schedules, dict) and 'type' in schedules:
        schedules = [schedules]
    settings['param_scheduler'] = schedules
    for entries in schedules.values() if isinstance(schedules, dict) else [schedules]:
        for entry in entries if isinstance(entries, list) else [entries]:
            entry.setdefault('end', lengths[entry.get('by_epoch', True)])  # as MMEngine does
    return settings


def _lengths(runner: Runner, train_cfg: Mapping) -> dict[bool, int]:
    """Length of a training in epochs (True) and iterations (False), as MMEngine counts them."""
    if isinstance(runner.train_loop, IterBasedTrainLoop):
        return {True: 1, False: train_cfg.get('max_iters', runner.max_iters)}
    epochs = train_cfg.get('max_epochs', runner.max_epochs)
    return {True: epochs, False: epochs * len(runner.train_dataloader)}


def _compare(path: str, before: Any, now: Any) -> Iterator[Difference]:
    """Paths at which two configs differ; one for all of what only one of them has."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for key in {**before, **now}:
            inner = f'{path}.{key}' if path else key
            yield from _compare(inner, before.get(key), now.get(key))
        return
    if isinstance(before, (list, tuple)) and isinstance(now, (list, tuple)):
        before, now = list(before), list(now)
        if any(isinstance(item, Mapping) for item in (*before, *now)):
            for index, pair in enumerate(itertools.zip_longest(before, now)):
                yield from _compare(f'{path}[{index}]', *pair)
            return
    if before != now:
        yield path, before, now


def _in_checkpoint(path: str, checkpoint: Mapping) -> bool:
    """Whether this is a rate or a schedule, and the checkpoint has a state of it."""
    return bool(
        ('optimizer' in checkpoint and _RATES.match(path))
        or ('param_schedulers' in checkpoint and _SCHEDULES.match(path))
    )


def _is_fixed(path: str, checkpoint: Mapping) -> bool:
    """Whether the value is part of the state, such as the probability of an augmentation."""
    part, _, name = path.partition('.')
    return path == _SAMPLER_SEED or (part == 'model' and name in checkpoint.get('state_dict', {}))


def _report(rates: Sequence[Difference], fixed: Sequence[Difference], ended: Sequence[str]) -> str:
    """The warning; empty if there is nothing to report."""
    lines = []
    if rates or fixed:
        lines.append('The training goes on with values of the checkpoint; the config has others:')
        lines += [_line(*entry) + _effect(*entry) for entry in (*rates, *fixed)]
    if rates:
        lines.append(f'Let rates and schedules of the config take effect by {_REMEDY}.')
    if fixed:
        names = ' and '.join(path for path, *_ in fixed)
        lines.append(f'{names} can only be set in a new training.')
    if rates or fixed:
        lines.append('Put the values of the checkpoint into the config to end this warning.')
    if ended:
        lines += ['The training is longer than that of the checkpoint, but not its schedules:']
        lines += [*ended, f'Set a later end in param_scheduler, and resume with {_REMEDY}.']
    return '\n'.join(lines)


def _line(path: str, before: Any, now: Any) -> str:
    old, new = ('none' if value is None else repr(value) for value in (before, now))
    return f'  {path}: {old} in the checkpoint, {new} in the config'


def _effect(path: str, before: Any, now: Any) -> str:
    """Of a schedule that one side lacks, which MMEngine does not load."""
    if not _SCHEDULES.match(path) or None not in (before, now):
        return ''
    return ', which begins only now' if before is None else ', which leaves the value as it is'


def _ended(runner: Runner, checkpoint: Mapping, train_cfg: Mapping) -> list[str]:
    """A line for each value whose schedule does not go beyond the former end of the training."""
    before, now = _lengths(runner, train_cfg), {True: runner.max_epochs, False: runner.max_iters}
    meta, lines = checkpoint['meta'], []
    optimizers = _by_network(checkpoint.get('optimizer', {}), 'param_groups')
    schedules = checkpoint.get('param_schedulers', [])
    schedules = schedules if isinstance(schedules, Mapping) else {'model': schedules}
    for network, states in schedules.items():
        for key in dict.fromkeys(state['param_name'] for state in states):
            ends = [(s['end'], s['by_epoch']) for s in states if s['param_name'] == key]
            if not all(end <= before[by_epoch] < now[by_epoch] for end, by_epoch in ends):
                continue
            end, by_epoch = max(ends)
            unit = 'epoch' if by_epoch else 'iteration'
            reached = meta['epoch' if by_epoch else 'iter'] >= end
            value = (
                optimizers[network]['param_groups'][0].get(key) if network in optimizers else None
            )
            known = f' ({value:g})' if reached and value is not None else ''
            lines.append(
                f'  {key} of {network} stays at its last value{known} from {unit} {end} to '
                f'{now[by_epoch]}'
            )
    return lines


def _by_network(states: Mapping, key: str) -> Mapping:
    """States of optimizers by network; ``model`` is a single one."""
    return {'model': states} if key in states else states


def _take_from_config(
    runner: Runner, checkpoint: dict[str, Any], changed: Sequence[Difference]
) -> None:
    """Replace rates and schedules of a checkpoint by those of the built optimizers."""
    meta = checkpoint['meta']
    schedules = runner.param_schedulers or []
    schedules = schedules if isinstance(schedules, dict) else {'model': schedules}
    for path, before, now in changed:
        if path.endswith('optimizer.type'):
            raise ValueError(
                f"{path} must be that of the checkpoint with resume_lr='config', got {now!r} for "
                f'{before!r}, which has other moments. Put it back, or load weights by load_from.'
            )
    for schedulers in schedules.values():
        _advance(schedulers, meta['iter'], meta['epoch'], runner.train_dataloader)
    stored = _by_network(checkpoint.get('optimizer', {}), 'param_groups')
    for network, wrapper in named_wrappers(runner.optim_wrapper).items():
        if network not in stored:
            continue
        built = wrapper.state_dict()
        sizes, found = (
            [len(group['params']) for group in state['param_groups']]
            for state in (built, stored[network])
        )
        if sizes != found:
            raise ValueError(
                f'The optimizer of {network!r} must have the groups of parameters of the '
                f"checkpoint with resume_lr='config', got {len(sizes)} for {len(found)}. Put "
                'paramwise_cfg back, or load weights by load_from.'
            )
        stored[network].update({key: built[key] for key in built if key in _SETTINGS})
    if 'param_schedulers' in checkpoint or runner.param_schedulers:
        states = {name: [s.state_dict() for s in entries] for name, entries in schedules.items()}
        several = isinstance(runner.param_schedulers, dict)
        checkpoint['param_schedulers'] = states if several else states['model']
    lines = ''.join(f'\n{_line(*entry)}' for entry in changed)
    runner.logger.info(
        f'From iteration {meta["iter"]} on, rates and schedules are those of the config '
        f"(resume_lr='config').{lines}"
    )


def _advance(schedulers: Sequence[Any], iterations: int, epochs: int, loader: DataLoader) -> None:
    """Step new schedulers as a training does, up to its position: their values are the same."""
    for scheduler in schedulers:
        if isinstance(scheduler, ReduceOnPlateauParamScheduler):
            raise ValueError(
                f"resume_lr='config' needs schedules of the iteration alone, got "
                f"{type(scheduler).__name__}. Set resume_lr='checkpoint', or another schedule."
            )
    by_iteration = [scheduler for scheduler in schedulers if not scheduler.by_epoch]
    by_epoch = [scheduler for scheduler in schedulers if scheduler.by_epoch]
    epochs_done = 0
    epoch_length = len(loader) if by_epoch else 1  # a stream has no length
    with warnings.catch_warnings():
        # No step of the optimizer is between them.
        warnings.filterwarnings('ignore', message='Detected call of `scheduler.step')
        for done in range(1, iterations + 1):
            for scheduler in by_iteration:
                scheduler.step()
            if done % epoch_length == 0 and epochs_done < epochs:
                epochs_done += 1
                for scheduler in by_epoch:
                    scheduler.step()
        for _ in range(epochs_done, epochs):  # another batch size than before
            for scheduler in by_epoch:
                scheduler.step()
