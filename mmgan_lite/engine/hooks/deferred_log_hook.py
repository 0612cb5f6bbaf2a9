"""The log of training, without waiting for the device at each iteration."""

from collections.abc import Sequence
from typing import Any

import mmengine.hooks
import numpy as np
import torch
from mmengine.logging import HistoryBuffer, MessageHub
from mmengine.runner import Runner
from torch import Tensor

from mmgan_lite.registry import HOOKS

# What ``IterTimerHook`` logs in each iteration, by itself into a history that is copied each time.
_TIMES = ('train/time', 'train/data_time')


@HOOKS.register_module()
class DeferredLogHook(mmengine.hooks.RuntimeInfoHook):
    """MMEngine's ``RuntimeInfoHook``, which reads what the model logs only when it is printed.

    Takes its place in ``default_hooks`` under ``runtime_info``. MMEngine's asks the device for each
    value in each iteration, and on a GPU each question waits for all work given to it before. This
    one stores the tensors; the whole window is read at once by whoever needs it, such as the log
    line every ``LoggerHook.interval`` iterations, or a checkpoint.

    Example:
        >>> default_hooks = dict(runtime_info=dict(type='DeferredLogHook'))
    """

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Store the number of the iteration and the learning rates."""
        runner.message_hub.update_info('iter', runner.iter)
        for name, rates in runner.optim_wrapper.get_lr().items():
            _history(runner.message_hub, f'train/{name}').append(rates[0])

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict[str, Tensor | float] | None = None,
    ) -> None:
        """Store the scalars that the training step returned, under ``train/``."""
        for key, value in (outputs or {}).items():
            _history(runner.message_hub, f'train/{key}').append(value)
        for key in _TIMES:
            if key in runner.message_hub.log_scalars:
                _history(runner.message_hub, key)


class DeferredHistory(HistoryBuffer):
    """MMEngine's history of a scalar, read from the device only when it is asked for.

    Reading a number from a GPU makes the CPU wait for all work before it. Here ``append`` keeps the
    tensor, and all that have come together are read in one go when anybody looks: the log line, a
    checkpoint, another hook. Values are also collected in a list, where MMEngine copies the whole
    history for each new one.

    Args:
        log_history: Values to start from.
        count_history: How many values each of them sums up.
        max_length: How many of the newest values are kept.

    Example:
        >>> history = DeferredHistory(max_length=100)
        >>> history.append(torch.tensor(1.0))
        >>> history.append(2.0)
        >>> float(history.mean())
        1.5
    """

    def __init__(
        self,
        log_history: Sequence[float] | np.ndarray = (),
        count_history: Sequence[int] | np.ndarray = (),
        max_length: int = 1000,
    ) -> None:
        self._pending: list[Tensor | float] = []
        self._log: np.ndarray
        self._count: np.ndarray
        super().__init__(log_history, count_history, max_length)

    def append(self, value: Tensor | float) -> None:
        """Add a number or a tensor of one element, which must not be changed afterwards.

        Raises:
            ValueError: If the tensor has more elements than one.
        """
        if isinstance(value, Tensor):
            if value.numel() != 1:
                raise ValueError(
                    f'A logged value must be a scalar, got a tensor of shape {tuple(value.shape)}. '
                    'Log its mean.'
                )
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

    def _settle(self) -> None:
        """Turn what is pending into numbers; this waits for the device, once."""
        pending, self._pending = self._pending[-self.max_length :], []
        if not pending:
            return
        tensors = [value for value in pending if isinstance(value, Tensor)]
        read = torch.stack(tensors).tolist() if tensors else []
        numbers = iter(read)
        values = np.array([next(numbers) if isinstance(v, Tensor) else v for v in pending])
        keep = self.max_length
        self._log = np.append(self._log, values)[-keep:]
        self._count = np.append(self._count, np.ones(len(values)))[-keep:]

    # The two arrays of the base class, which all its methods read.
    @property
    def _log_history(self) -> np.ndarray:
        self._settle()
        return self._log

    @_log_history.setter
    def _log_history(self, values: np.ndarray) -> None:
        self._log = values

    @property
    def _count_history(self) -> np.ndarray:
        self._settle()
        return self._count

    @_count_history.setter
    def _count_history(self, values: np.ndarray) -> None:
        self._count = values

    def __getstate__(self) -> dict[str, Any]:
        self._settle()
        return super().__getstate__()


def _history(hub: MessageHub, key: str) -> DeferredHistory:
    if key not in hub.log_scalars:
        hub.update_scalar(key, 0.0)  # the hub takes note of the key; its buffer is replaced
        hub.log_scalars[key] = DeferredHistory()
    history = hub.log_scalars[key]
    if not isinstance(history, DeferredHistory):  # read from a checkpoint
        log_history, count_history = history.data
        history = DeferredHistory(log_history, count_history, history.max_length)
        hub.log_scalars[key] = history
    return history
