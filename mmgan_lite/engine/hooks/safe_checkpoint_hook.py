"""Checkpoints that plain ``torch.load`` reads, and a log history of bounded length."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.logging import HistoryBuffer
from mmengine.runner import Runner

from mmgan_lite.engine.mmengine_compat import use_safe_loader
from mmgan_lite.registry import HOOKS
from mmgan_lite.utils.migration import either_name
from mmgan_lite.utils.validation import check_positive

# A dict with this key stands for an object that plain types cannot express.
_KIND = 'mmgan_lite_kind'

# Types that the weights-only unpickler of torch reads. Compared by exact type: a subclass, an
# enum member for one, is pickled as a reference to its class, which that unpickler refuses.
_PLAIN_TYPES = (type(None), bool, int, float, str, bytes, torch.Tensor)

_SECTIONS = ('log_scalars', 'runtime_info')

# Iterations. Buffers appear with the first value of their scalar, so their bound is set repeatedly.
_BOUND_INTERVAL = 100


@HOOKS.register_module()
class SafeCheckpointHook(Hook):
    """Writes checkpoints of plain types only, which any safe ``torch.load`` reads.

    :class:`GANCheckpointHook` includes it; it also works beside MMEngine's ``CheckpointHook``.

    Since torch 2.6, ``torch.load`` refuses MMEngine's ``HistoryBuffer`` and numpy numbers in
    ``message_hub``, and with them ``resume=True`` and ``load_from``. This hook turns them into
    lists and numbers before a checkpoint is written, and back after one is read. Numpy numbers come
    back as Python numbers, numpy arrays as arrays. A value that has no plain form is left out of
    the file, with a warning that names it.

    MMEngine also copies the complete history of every logged scalar at each iteration. The hook
    bounds it, in memory and in the file: at 200k iterations that saves 2 ms an iteration and 23 MB
    a checkpoint.

    A Runner with this hook runs no code from a checkpoint that it loads by ``resume``,
    ``load_from`` or ``init_cfg`` of the kind 'Pretrained', from a disk or a URL; it refuses a file
    that holds some.

    Args:
        history_length: Values kept of each logged scalar, at least 1. A ``LogProcessor`` window
            that is longer (``'global'``, or ``'epoch'`` in a long epoch) covers the last
            ``history_length`` values only.
        allow_mmengine_types: Whether to load also the ``HistoryBuffer`` and the numpy numbers of a
            checkpoint that MMEngine wrote without this hook. Still no code is run.
        old_checkpoint: Former name of ``allow_mmengine_types``.

    Raises:
        ValueError: If ``history_length`` is not an int of at least 1.

    Example:
        >>> custom_hooks = [dict(type='mmgan_lite.SafeCheckpointHook')]
    """

    # After every hook that may still add something to the checkpoint.
    priority = 'VERY_LOW'

    def __init__(
        self,
        history_length: int = 1000,
        allow_mmengine_types: bool = False,
        old_checkpoint: bool = False,
    ) -> None:
        self.history_length = check_positive('history_length', history_length)
        self.allow_mmengine_types = either_name(
            'allow_mmengine_types', allow_mmengine_types, old_checkpoint
        )

    def before_run(self, runner: Runner) -> None:
        """From now on loading runs no code."""
        use_safe_loader(self.allow_mmengine_types)

    def after_train_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        """Bound the history of every logged scalar, those of a resumed run too."""
        if self.every_n_train_iters(runner, _BOUND_INTERVAL):
            for history in runner.message_hub.log_scalars.values():
                history.max_length = self.history_length

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Replace what is not plain by plain copies; the live objects are not touched."""
        checkpoint['meta'] = _plain_entries(runner, 'meta', checkpoint['meta'])
        if 'param_schedulers' in checkpoint:
            checkpoint['param_schedulers'] = _plain_schedulers(checkpoint['param_schedulers'])
        hub = checkpoint['message_hub']
        plain = {name: _plain_entries(runner, 'message_hub', hub[name]) for name in _SECTIONS}
        left_out = {key for name in _SECTIONS for key in hub[name].keys() - plain[name].keys()}
        resumed = {key: value for key, value in hub['resumed_keys'].items() if key not in left_out}
        checkpoint['message_hub'] = {**plain, 'resumed_keys': resumed}

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Bring the objects back; a checkpoint written without this hook passes through."""
        for section in ('meta', 'message_hub'):
            if section in checkpoint:
                checkpoint[section] = _from_plain(checkpoint[section])


def _plain_schedulers(schedulers: Any) -> Any:
    """States of schedulers, less the functions that some keep: a new scheduler has its own."""
    if isinstance(schedulers, list):
        return [{k: v for k, v in state.items() if not callable(v)} for state in schedulers]
    return {network: _plain_schedulers(states) for network, states in schedulers.items()}


def _plain_entries(runner: Runner, section: str, entries: Mapping) -> dict:
    """Plain copy of one section of the checkpoint, less the entries that have none."""
    plain = {}
    for key, value in entries.items():
        try:
            plain[key] = _to_plain(value)
        except TypeError as error:
            # One such object would make the file unreadable, hours after it was written.
            runner.logger.warning(
                f'{section}[{key!r}] is left out of the checkpoint: {error}. A resumed run starts '
                'without it. Store numbers, strings, tensors, numpy arrays, lists or dicts of them.'
            )
    return plain


def _to_plain(value: Any) -> Any:
    """Copy of ``value`` in plain types; ``TypeError`` where there is none."""
    if isinstance(value, HistoryBuffer):
        log_history, count_history = value.data
        return {
            _KIND: 'HistoryBuffer',
            'log_history': log_history[-value.max_length :].tolist(),
            'count_history': count_history[-value.max_length :].tolist(),
            'max_length': value.max_length,
        }
    if isinstance(value, np.generic):
        return _to_plain(value.item())
    if isinstance(value, np.ndarray):
        return {_KIND: 'ndarray', 'values': _to_plain(value.tolist()), 'dtype': value.dtype.str}
    if isinstance(value, Mapping):
        return {_to_plain(key): _to_plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return (list if isinstance(value, list) else tuple)(map(_to_plain, value))
    if type(value) not in _PLAIN_TYPES:
        raise TypeError(f'{type(value).__module__}.{type(value).__qualname__} is not a plain type')
    return value


def _from_plain(value: Any) -> Any:
    """Inverse of ``_to_plain``, but for numpy numbers; any other object passes through."""
    if isinstance(value, (list, tuple)):
        return type(value)(map(_from_plain, value))
    if not isinstance(value, dict):
        return value
    if value.get(_KIND) == 'HistoryBuffer':
        return HistoryBuffer(value['log_history'], value['count_history'], value['max_length'])
    if value.get(_KIND) == 'ndarray':
        return np.array(value['values'], dtype=value['dtype'])
    return {key: _from_plain(item) for key, item in value.items()}
