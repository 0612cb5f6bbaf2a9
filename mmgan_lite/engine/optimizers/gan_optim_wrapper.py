"""An optim wrapper with autocast on every device, without synchronization."""

import platform
import warnings
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.amp import GradScaler

from mmgan_lite.engine.mmengine_compat import CountedOptimWrapper
from mmgan_lite.engine.optimizers.step_guard import StepGuard
from mmgan_lite.registry import OPTIM_WRAPPERS

_DTYPES = {None: None, 'bfloat16': torch.bfloat16, 'float16': torch.float16}


@OPTIM_WRAPPERS.register_module()
class GANOptimWrapper(CountedOptimWrapper):
    """MMEngine's optim wrapper, with mixed precision on a CPU as on a GPU.

    What one network's step computes runs under ``torch.autocast``; weights, gradients and the
    optimizer stay in float32. With float16 the loss is scaled (Micikevicius et al. 2018,
    arXiv:1710.03740), and a step with infinite gradients is left out. Differs from MMEngine's
    ``AmpOptimWrapper``, which needs a GPU, and from its ``OptimWrapper``, which waits for the
    device to log the norm of clipped gradients: here ``grad_norm`` keeps it as a tensor.

    :class:`MultiOptimWrapperConstructor` takes this class where an entry names no ``type``.

    Args:
        optimizer: The optimizer of one network. With float16, one with ``fused=True`` looks for
            infinite gradients on the device; any other waits for it in each step.
        dtype: 'bfloat16' or 'float16' for mixed precision, None for none.
        accumulative_counts: Backward passes to a step, at least 1.
        clip_grad: MMEngine's settings of clipping, such as ``dict(max_norm=1.0)``; None for none.

    Attributes:
        lr_factor: Factor of the learning rate in each step, beside any schedule; 1 at first.
            ``NonFiniteGuardHook`` lowers it.
        step_guard: A :class:`StepGuard` that leaves steps out, from ``guard_steps``; None at first.
        skipped: Whether the last step was left out.

    Raises:
        ValueError: If ``dtype`` is none of these.

    Warns:
        UserWarning: If the device has no instructions for bfloat16, which is then emulated.

    Example:
        In a config::

            optim_wrapper = dict(
                constructor='MultiOptimWrapperConstructor',
                generator=dict(dtype='bfloat16', optimizer=dict(type='Adam', lr=2e-4)),
                discriminator=dict(dtype='bfloat16', optimizer=dict(type='Adam', lr=2e-4)),
            )
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        dtype: str | None = None,
        accumulative_counts: int = 1,
        clip_grad: Mapping | None = None,
    ) -> None:
        clip_grad = None if clip_grad is None else dict(clip_grad)
        super().__init__(optimizer, accumulative_counts, clip_grad)
        if dtype not in _DTYPES:
            raise ValueError(
                f"dtype must be 'bfloat16', 'float16' or None for float32, got {dtype!r}."
            )
        self.dtype = _DTYPES[dtype]
        self.grad_norm: Tensor | None = None
        self.lr_factor = 1.0
        self.step_guard: StepGuard | None = None
        self.skipped = False
        self.device = optimizer.param_groups[0]['params'][0].device
        self.scaler = GradScaler(self.device.type) if self.dtype is torch.float16 else None
        if self.dtype is torch.bfloat16 and not has_bfloat16(self.device):
            warnings.warn(
                f"dtype='bfloat16' is emulated on this {self.device.type.upper()}, which has no "
                'instructions for it: the results are right, but slower than in float32. '
                'Leave dtype out for float32.',
                stacklevel=2,
            )

    def guard_steps(self, network: nn.Module) -> StepGuard:
        """From now on, leave out each step whose loss or gradients are not finite.

        Args:
            network: What this wrapper trains.

        Returns:
            The guard, which counts.
        """
        self.step_guard = StepGuard(network)
        return self.step_guard

    def get_lr(self) -> dict[str, list[float]]:
        """The learning rates that the steps take, for the log."""
        rates = super().get_lr()
        return {name: [rate * self.lr_factor for rate in values] for name, values in rates.items()}

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Autocast, and no exchange of gradients where they are only accumulated."""
        if self.step_guard is not None:
            self.step_guard.enter()
        with super().optim_context(model), self._autocast():
            yield

    def _autocast(self) -> AbstractContextManager:
        return nullcontext() if self.dtype is None else torch.autocast(self.device.type, self.dtype)

    def update_params(
        self, loss: Tensor, step_kwargs: dict | None = None, zero_kwargs: dict | None = None
    ) -> None:
        """One backward pass, and a step where enough gradients are accumulated.

        Unlike in MMEngine, gradients are freed before the next backward pass, not after the step:
        a CPU then reuses their memory, rather than return it to the system and ask for it again.
        """
        if self.inner_count % self.accumulative_counts == 0:
            self.zero_grad(**(zero_kwargs or {}))
        self.backward(self.scale_loss(loss))
        if self.should_update():
            self.step(**(step_kwargs or {}))

    def backward(self, loss: Tensor, **kwargs: Any) -> None:
        """Back-propagate the loss, scaled where the gradients are float16."""
        if self.step_guard is not None:
            self.step_guard.note(loss)
        super().backward(loss if self.scaler is None else self.scaler.scale(loss), **kwargs)

    def step(self, **kwargs: Any) -> None:
        """Clip, if asked to, and step, unless the guard skips the step."""
        self.skipped = self.step_guard is not None and self.step_guard.refuses(
            look_at_gradients=self.scaler is None
        )
        if not self.skipped:
            with nullcontext() if self.lr_factor == 1 else self._lowered_rate():
                self._step(**kwargs)

    def _step(self, **kwargs: Any) -> None:
        if self.scaler is None:
            super().step(**kwargs)
            return
        if self.clip_grad_kwargs:
            self.scaler.unscale_(self.optimizer)
            self._clip_grad()
        self.scaler.step(self.optimizer, **kwargs)
        self.scaler.update()

    @contextmanager
    def _lowered_rate(self) -> Iterator[None]:
        """Inside, the learning rate is multiplied by ``lr_factor``; schedules never see that."""
        groups = self.optimizer.param_groups
        rates = [group['lr'] for group in groups]
        for group in groups:
            group['lr'] = group['lr'] * self.lr_factor
        try:
            yield
        finally:
            for group, rate in zip(groups, rates, strict=True):
                group['lr'] = rate

    def _clip_grad(self) -> None:
        parameters = [p for group in self.optimizer.param_groups for p in group['params']]
        # None from clip_grad_value_, which has no norm.
        self.grad_norm = self.clip_func(parameters, **self.clip_grad_kwargs)

    def state_dict(self) -> dict:
        """The optimizer's state, and the scale of the loss where there is one."""
        state = super().state_dict()
        return state if self.scaler is None else {**state, 'loss_scaler': self.scaler.state_dict()}

    def load_state_dict(self, state_dict: dict) -> None:
        """Load what ``state_dict`` gave; one from a run in another precision loads too."""
        state = dict(state_dict)
        scale = state.pop('loss_scaler', None)
        if self.scaler is not None and scale:
            self.scaler.load_state_dict(scale)
        super().load_state_dict(state)


def has_bfloat16(device: torch.device) -> bool:
    """Whether a device has instructions for bfloat16, which otherwise is emulated."""
    if device.type == 'cuda':
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == 'cpu' and platform.machine().lower() in ('x86_64', 'amd64'):
        # AMX comes only with AVX-512 BF16. Torch before 2.6 has no such query.
        return getattr(torch.cpu, '_is_avx512_bf16_supported', lambda: True)()
    return True
