"""The log of training, without waiting for the device at each iteration."""

import json
import time
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import mmengine.hooks
import numpy as np
from mmengine.dist import is_main_process
from mmengine.hooks import Hook, IterTimerHook
from mmengine.logging import MessageHub
from mmengine.runner import Runner
from torch import Tensor

from mmgan_lite.engine.hooks.common import read_numbers, take_over
from mmgan_lite.engine.hooks.gan_checkpoint_hook import GANCheckpointHook
from mmgan_lite.engine.hooks.provenance_hook import ProvenanceHook
from mmgan_lite.engine.hooks.safe_checkpoint_hook import SafeCheckpointHook
from mmgan_lite.engine.mmengine_compat import LazyHistoryBuffer, loaded_checkpoint
from mmgan_lite.registry import HOOKS

# ``IterTimerHook`` logs these in each iteration, into a history that MMEngine copies each time.
_TIMES = ('train/time', 'train/data_time')


@runtime_checkable
class _HasReport(Protocol):
    """An evaluator that explains its last scores, such as ``GANEvaluator``."""

    report: Any


@HOOKS.register_module()
class EvaluationLogHook(Hook):
    """Writes each evaluation's scores and protocol to a file that ``mmgan-lite report`` reads.

    :class:`DeferredLogHook` includes it.

    MMEngine's ``scalars.json`` has only the numbers. This hook adds a line of JSON for each
    evaluation to ``<work_dir>/<timestamp>/evaluations.jsonl``: ``loop`` ('val' or 'test'),
    ``iteration`` (None in a test), ``checkpoint`` (None in a validation), ``scores`` and
    ``protocol``. The last two are those of ``Report.to_dict`` of a ``GANEvaluator``. Of another
    evaluator only the values are known, and ``protocol`` is None.

    Example:
        >>> custom_hooks = [dict(type='EvaluationLogHook')]
    """

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Add a line for a validation in training."""
        entry = dict(loop='val', iteration=runner.iter, checkpoint=None)
        self._add(runner, runner.val_loop.evaluator, metrics, **entry)

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Add a line for a test, which knows its checkpoint and not the iteration."""
        # Neither runner.iter nor runner.epoch: they would build the training loop and its data.
        entry = dict(loop='test', iteration=None, checkpoint=loaded_checkpoint(runner))
        self._add(runner, runner.test_loop.evaluator, metrics, **entry)

    def _add(self, runner: Runner, evaluator: Any, metrics: Any, **entry: Any) -> None:
        if not is_main_process():
            return
        report = evaluator.report if isinstance(evaluator, _HasReport) else None
        summary = dict(scores={}, protocol=None) if report is None else report.to_dict()
        for name, value in (metrics or {}).items():
            summary['scores'].setdefault(name, dict(value=value))
        with Path(runner.log_dir, 'evaluations.jsonl').open('a', encoding='utf-8') as file:
            # Metrics of other projects may give arrays or objects: their text is better than none.
            file.write(json.dumps({**entry, **summary}, default=str) + '\n')


@HOOKS.register_module()
class DeferredLogHook(mmengine.hooks.RuntimeInfoHook):
    """MMEngine's ``RuntimeInfoHook``, which reads the values of the model only when needed.

    Takes its place in ``default_hooks`` under ``runtime_info``. MMEngine reads each value from the
    device in each iteration, and on a GPU each read waits for all work queued before it. This hook
    stores the tensors; they are read together for the log line every ``LoggerHook.interval``
    iterations, or for a checkpoint.

    The logged ``time`` of the iteration after a validation does not include the validation.

    It includes :class:`EvaluationLogHook`, which writes the scores of each evaluation to a file.
    Where there is no :class:`GANCheckpointHook`, it adds :class:`ProvenanceHook` and
    :class:`SafeCheckpointHook`: without the latter ``torch.load`` refuses its histories.

    Example:
        >>> default_hooks = dict(runtime_info=dict(type='DeferredLogHook'))
    """

    def __init__(self) -> None:
        self._parts: list[Hook] = [EvaluationLogHook()]

    def before_run(self, runner: Runner) -> None:
        """Store the config, the version and the experiment's name."""
        super().before_run(runner)
        kinds = {type(hook) for hook in runner.hooks}
        # Another checkpoint hook lacks these.
        for kind in (ProvenanceHook, SafeCheckpointHook) if GANCheckpointHook not in kinds else ():
            if kind not in kinds:
                runner.register_hook(kind())
        self._parts = take_over(self, self._parts, runner)

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Store the scores; write them with their protocol."""
        super().after_val_epoch(runner, metrics)
        for part in self._parts:
            part.after_val_epoch(runner, metrics)

    def after_val(self, runner: Runner) -> None:
        """Let the time of the next iteration begin now, and not at the last batch of validation."""
        for hook in runner.hooks:
            if isinstance(hook, IterTimerHook):
                hook.t = time.time()

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Store the scores; write them with their protocol."""
        super().after_test_epoch(runner, metrics)
        for part in self._parts:
            part.after_test_epoch(runner, metrics)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Store the number of the iteration and the learning rates."""
        runner.message_hub.update_info('iter', runner.iter)
        for name, rates in runner.optim_wrapper.get_lr().items():
            _history(runner.message_hub, f'train/{name}').append(rates[0])

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict | None = None
    ) -> None:
        """Store the scalars that the training step returned, under ``train/``."""
        for key, value in (outputs or {}).items():
            _history(runner.message_hub, f'train/{key}').append(value)
        for key in _TIMES:
            if key in runner.message_hub.log_scalars:
                _history(runner.message_hub, key)


class DeferredHistory(LazyHistoryBuffer):
    """MMEngine's history of a scalar, read from the device only when it is needed.

    Reading a number from a GPU makes the CPU wait for all work before it. Here ``append`` keeps the
    tensor, and all kept tensors are read together when the history is read: by the log line, a
    checkpoint, another hook. Values are also collected in a list, where MMEngine copies the
    complete history for each new one.

    Args:
        log_history: Values to start from, a sequence or array.
        count_history: How many values each of them sums up, as many ints.
        max_length: How many of the newest values are kept.

    Example:
        >>> history = DeferredHistory(max_length=100)
        >>> history.append(Tensor([1.0]))
        >>> history.append(2.0)
        >>> float(history.mean())
        1.5
    """

    def __init__(
        self, log_history: Any = (), count_history: Any = (), max_length: int = 1000
    ) -> None:
        self._pending: list[Tensor | float] = []
        super().__init__(log_history, count_history, max_length)

    def append(self, value: Tensor | float) -> None:
        """Add a number or a tensor of one element, which must not be changed afterwards.

        Raises:
            ValueError: If the tensor has more elements than one.
        """
        if isinstance(value, Tensor):
            if value.numel() != 1:
                shape = tuple(value.shape)
                raise ValueError(f'A logged value must be a scalar, got {shape=}. Log its mean.')
            # On a CPU there is nothing to wait for, and a small tensor that stays pins the large
            # block of heap that it was cut from: hundreds of MB until the next log line.
            value = value.item() if value.device.type == 'cpu' else value.detach().reshape(())
        self._pending.append(value)
        # Never read in the processes that print no log: half is dropped when twice is reached, so
        # that dropping costs next to nothing an iteration.
        if len(self._pending) >= 2 * self.max_length:
            del self._pending[: -self.max_length]

    def update(self, log_val: float, count: int = 1) -> None:
        """MMEngine's way to add a number.

        Args:
            log_val: The value, or the sum of ``count`` values.
            count: How many values it sums up.
        """
        if count == 1:
            self.append(log_val)
        else:
            super().update(log_val, count)

    def current(self) -> float:
        """The newest value.

        Raises:
            ValueError: If there is none yet.
        """
        if self._pending and not isinstance(self._pending[-1], Tensor):
            return self._pending[-1]
        return super().current()

    def settle(self) -> None:
        """Turn what is pending into numbers; this waits for the device, once."""
        keep = self.max_length
        pending, self._pending = self._pending[-keep:], []
        if pending:
            self.values = np.append(self.values, read_numbers(pending))[-keep:]
            self.counts = np.append(self.counts, np.ones(len(pending)))[-keep:]

    def __getstate__(self) -> dict[str, Any]:
        self.settle()
        return super().__getstate__()


def _history(hub: MessageHub, key: str) -> DeferredHistory:
    history = hub.log_scalars.get(key)
    if history is None:
        hub.update_scalar(key, 0.0)  # the hub registers the key; its buffer is replaced
        history = hub.log_scalars[key] = DeferredHistory()
    elif not isinstance(history, DeferredHistory):  # read from a checkpoint
        values, counts = history.data
        history = hub.log_scalars[key] = DeferredHistory(values, counts, history.max_length)
    return history
