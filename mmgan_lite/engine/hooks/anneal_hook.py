"""Settings that change over training: learning rates, betas, weights of regularizers, and more."""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapperDict
from mmengine.optim.scheduler.momentum_scheduler import MomentumSchedulerMixin
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader

from mmgan_lite.engine.mmengine_compat import named_wrappers
from mmgan_lite.registry import HOOKS
from mmgan_lite.utils.interfaces import HasPlayers, unwrap_model
from mmgan_lite.utils.signatures import check_arguments
from mmgan_lite.utils.validation import check_positive, did_you_mean

_EXAMPLE = "dict(target='optimizer.*.lr', start=2e-4, end=0, iterations=10_000)"


@HOOKS.register_module()
class AnnealHook(Hook):
    """Changes settings from one value to another over the training.

    Before each iteration every setting gets its value at that point, which depends on the number
    of iterations or images before it only: there is no state, and a resumed run goes on exactly.
    The values are logged, and nothing waits for the device.

    A **target** is a name with dots, in which ``*`` stands for any one part:

    - ``optimizer.<network>.<setting>`` is a number in the parameter groups of an optimizer:
      ``optimizer.*.lr`` of all networks, ``optimizer.generator.betas.1`` the second of Adam's
      betas, ``optimizer.discriminator.weight_decay``.
    - ``model.<path>`` is a float tensor without dimensions that a part of the model registered as a
      buffer: ``model.regularizers.0.weight``, ``model.generator_ema.half_life``.

    With ``cuda_graph=True`` all settings of an optimizer but the learning rate are fixed in a
    recording. So they can only change in a few ``steps``, after each of which the iteration is
    recorded anew. Buffers of the model may change in every iteration.

    Args:
        schedules: Dicts, each with these entries:

            - ``target``: the name of the setting.
            - ``start``, ``end``: its value at the beginning, and from the end on.
            - ``images`` or ``iterations``: the duration, over 0. Images are those of all
              processes: ``iterations * batch_size * processes``.
            - ``begin``: images or iterations before it leaves ``start``; 0 by default.
            - ``shape``: ``'cosine'``, half a wave as in R3GAN (arXiv:2501.05441), the default:
              ``start + (end - start) * (1 - cos(pi * t)) / 2``; or ``'linear'``.
            - ``steps``: number of equal intervals of the duration, with the value of its
              beginning in each; by default it changes in every iteration. ``steps=1`` jumps from
              ``start`` to ``end`` after ``images``.

    Raises:
        ValueError: If an entry is missing, unknown or out of its range. Before training: if a
            target is not there, or is driven twice, also by ``param_scheduler``.

    Example:
        The schedules of R3GAN on CIFAR-10, in a config::

            custom_hooks = [dict(type='AnnealHook', schedules=[
                dict(target='optimizer.*.lr', start=2e-4, end=5e-5, images=2e7),
                dict(target='optimizer.*.betas.1', start=0.9, end=0.99, images=2e7),
                dict(target='model.regularizers.*.weight', start=0.05, end=0.005, images=2e7),
                dict(target='model.generator_ema.half_life', start=0, end=5e6, images=2e7),
                dict(target='model.augmentation.p', start=0, end=0.55, images=2e7),
            ])]
    """

    # Before the hook that logs the learning rate, and the one that logs what the step returned.
    priority = 'HIGHEST'

    def __init__(self, schedules: Sequence[Mapping]) -> None:
        entries = schedules if isinstance(schedules, Sequence) else ()
        if not entries or not all(isinstance(entry, Mapping) for entry in entries):
            raise ValueError(
                f'schedules must be a list of dicts, got {schedules!r}. Pass [{_EXAMPLE}].'
            )
        self._schedules = [_parse(entry) for entry in schedules]
        self._settings: list[_Setting] = []

    def before_train(self, runner: Runner) -> None:
        """Find the targets of the schedules.

        Raises:
            ValueError: If a name is not there, or is driven twice, or cannot change as it should.
        """
        model = unwrap_model(runner.model)
        if isinstance(model, HasPlayers):
            model.check_optim_wrapper(runner.optim_wrapper)
        recorded = isinstance(model, HasPlayers) and model.cuda_graph
        found = {
            **dict(_optimizer_settings(runner.optim_wrapper)),
            **dict(_model_settings(model, 'model')),
        }
        driven = dict.fromkeys(_driven_by_schedulers(runner), 'param_scheduler')
        self._settings = []
        for hook in runner.hooks:
            if isinstance(hook, AnnealHook):
                driven.update((setting.name, 'another AnnealHook') for setting in hook._settings)
        for schedule in self._schedules:
            scale = 1 if schedule.images is None else _images_per_iteration(runner.train_dataloader)
            for name in _matching(schedule.target, found):
                if name in driven:
                    raise ValueError(
                        f'{name} must have one schedule, got {driven[name]} and '
                        f'target={schedule.target!r}. Remove one of them.'
                    )
                driven[name] = f'target={schedule.target!r}'
                _check_change(schedule, name, found[name], recorded)
                self._settings.append(_Setting(name, schedule, scale, found[name]))

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Write the values of this iteration."""
        for setting in self._settings:
            setting.update(runner.iter)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict | None = None
    ) -> None:
        """Add the values to what the training step returned, for the log.

        Their names are those of the targets without the first part, as MMEngine has it for the
        learning rates, which it logs by itself.
        """
        if isinstance(outputs, dict):
            for setting in self._settings:
                if not setting.name.endswith('.lr'):
                    outputs[setting.name.partition('.')[2]] = setting.value


@dataclass(frozen=True)
class Schedule:
    """A value as a function of the images or iterations so far; see :class:`AnnealHook`."""

    target: str
    start: float
    end: float
    images: float | None = None
    iterations: float | None = None
    begin: float = 0
    shape: Literal['cosine', 'linear'] = 'cosine'
    steps: int | None = None

    def __post_init__(self) -> None:
        where = f'of the schedule of {self.target!r} must be'
        if (self.images is None) == (self.iterations is None):
            raise ValueError(
                f'Either images or iterations {where} the duration from start to end, got '
                f'images={self.images!r} and iterations={self.iterations!r}. Pass one of them.'
            )
        unit = 'iterations' if self.images is None else 'images'
        for name, value, holds, rule in (
            ('start', self.start, True, 'finite'),
            ('end', self.end, True, 'finite'),
            ('begin', self.begin, self.begin >= 0, 'finite and at least 0'),
            (unit, self.duration, self.duration > 0, 'finite and over 0'),
        ):
            if not (holds and math.isfinite(value)):
                raise ValueError(f'{name} {where} {rule}, got {value!r}. Example: {_EXAMPLE}.')
        if self.steps is not None:
            check_positive('steps', self.steps)

    @property
    def duration(self) -> float:
        """In images or iterations."""
        return self.images or self.iterations or 0

    def __call__(self, progress: float) -> float:
        """The value after so many images or iterations."""
        progress = min(max(progress - self.begin, 0), self.duration)
        if self.steps is None:
            t = progress / self.duration
        else:
            t = progress * self.steps // self.duration / self.steps
        share = t if self.shape == 'linear' else (1 - math.cos(math.pi * t)) / 2
        return (1 - share) * self.start + share * self.end  # exact at both ends


class _GroupSetting:
    """A number in all parameter groups of an optimizer, by itself or in a tuple."""

    def __init__(self, groups: Sequence[dict], key: str, position: int | None = None) -> None:
        self.groups, self.key, self.position = groups, key, position

    def read(self) -> list[float]:
        values = [group[self.key] for group in self.groups]
        return values if self.position is None else [value[self.position] for value in values]

    def __call__(self, value: float) -> None:
        for group in self.groups:
            old, p = group[self.key], self.position
            group[self.key] = value if p is None else (*old[:p], value, *old[p + 1 :])


@dataclass
class _Setting:
    """A target and its schedule."""

    name: str
    schedule: Schedule
    scale: int
    write: Callable[[float], Any]
    value: float = math.nan

    def update(self, iteration: int) -> None:
        value = self.schedule(iteration * self.scale)
        if value != self.value:  # on a GPU each writing is a kernel
            self.write(value)
            self.value = value


def _parse(entry: Mapping) -> Schedule:
    for name, problem in check_arguments(Schedule, entry).items():
        raise ValueError(f'In the schedule {dict(entry)}, {name}: {problem} Example: {_EXAMPLE}.')
    return Schedule(**entry)


def _optimizer_settings(optim_wrapper: Any) -> Iterator[tuple[str, Callable]]:
    """Names and setters of all numbers in the parameter groups of the optimizers."""
    several = isinstance(optim_wrapper, OptimWrapperDict)
    for network, wrapper in named_wrappers(optim_wrapper).items():
        prefix = f'optimizer.{network}' if several else 'optimizer'
        groups = wrapper.optimizer.param_groups
        for key, value in groups[0].items():
            if key.startswith('initial_') or not all(key in group for group in groups):
                continue  # the former are of MMEngine's schedulers
            if _is_number(value):
                yield f'{prefix}.{key}', _GroupSetting(groups, key)
            elif isinstance(value, (tuple, list)):
                for position, number in enumerate(value):
                    if _is_number(number):
                        yield f'{prefix}.{key}.{position}', _GroupSetting(groups, key, position)


def _model_settings(module: nn.Module, name: str) -> Iterator[tuple[str, Callable]]:
    """Names and setters of all buffers that hold one float, without names of wrappers."""
    bare = unwrap_model(module)
    for key, buffer in bare.named_buffers(recurse=False):
        if buffer.ndim == 0 and buffer.is_floating_point():
            yield f'{name}.{key}', buffer.fill_
    for key, child in bare.named_children():
        yield from _model_settings(child, f'{name}.{key}')


def _driven_by_schedulers(runner: Runner) -> Iterator[str]:
    """Names of the settings that ``param_scheduler`` changes."""
    schedulers = runner.param_schedulers or {}
    if not isinstance(schedulers, Mapping):
        schedulers = {None: schedulers}
    for network, drivers in schedulers.items():
        prefix = 'optimizer' if network is None else f'optimizer.{network}'
        for driver in drivers:
            yield f'{prefix}.{driver.param_name}'
            if isinstance(driver, MomentumSchedulerMixin) and driver.use_betas:
                yield f'{prefix}.betas.0'  # the momentum of Adam


def _matching(target: str, names: Iterable[str]) -> list[str]:
    pattern = re.escape(target).replace(r'\*', '[^.]+')
    found = [name for name in names if re.fullmatch(pattern, name)]
    if not found:
        remedy = did_you_mean(target, names, 'Check the name.')
        raise ValueError(
            'target must name a number of an optimizer, or a buffer of the model with one float, '
            f'got {target!r}. {remedy} There are: {", ".join(names)}.'
        )
    return found


def _check_change(schedule: Schedule, name: str, write: Callable, recorded: bool) -> None:
    """Raise if a setting of an optimizer cannot change by that schedule."""
    if not isinstance(write, _GroupSetting):
        return
    values = write.read()
    if len(set(values)) > 1:
        raise ValueError(
            f'{name} must be the same in all parameter groups, got {values}. '
            'Take it out of paramwise_cfg, or use param_scheduler, which scales each.'
        )
    limit = 1 if write.key == 'betas' else math.inf
    for value in (schedule.start, schedule.end):
        if not 0 <= value < limit:
            raise ValueError(
                f'{name} must lie in [0, {limit}), got start={schedule.start}, '
                f'end={schedule.end}. Correct the schedule of {schedule.target!r}.'
            )
    if recorded and write.key != 'lr' and schedule.steps is None:
        raise ValueError(
            f'{name} must change in steps under cuda_graph=True, which records each value anew. '
            f'Add steps=4 to the schedule of {schedule.target!r}, or set cuda_graph=False.'
        )


def _images_per_iteration(loader: DataLoader) -> int:
    if loader.batch_size is None:
        raise ValueError(
            'A schedule in images needs batches of one size, got a train_dataloader with a '
            'batch_sampler. Give the schedule iterations instead.'
        )
    return loader.batch_size * get_world_size()


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)
