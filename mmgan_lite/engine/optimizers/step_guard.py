"""Keeps a network from a step on a loss or on gradients that are not finite."""

import math
from collections.abc import Mapping

import torch
from mmengine.dist import all_reduce, get_world_size
from torch import Tensor, nn


class StepGuard:
    """Looks at one network's loss and gradients before each of its steps.

    The number that decides is read in each step. On a CPU that costs a pass over the gradients; on
    a GPU the CPU also waits for all work given to it before.

    Where there is something bad, the step is left out, and with it what the forward pass left in
    the network's buffers, such as the statistics of batch norm. Several processes decide alike.

    Args:
        network: The network, as it is passed to ``optim_context``.

    Attributes:
        num_skipped: Steps left out so far.
        reason: What was not finite the last time, in words; empty before.

    Example:
        >>> network = nn.Linear(1, 1, bias=False)
        >>> guard = StepGuard(network)
        >>> guard.enter()
        >>> network(torch.tensor([[float('inf')]])).sum().backward()
        >>> guard.refuses(), guard.num_skipped, guard.reason
        (True, 1, 'the gradient of weight (1 of 1)')
    """

    def __init__(self, network: nn.Module) -> None:
        self.num_skipped = 0
        self.reason = ''
        self._network = network
        self._buffers: list[Tensor] | None = None
        self._bad_loss: Tensor | None = None

    def enter(self) -> None:
        """Keep what the buffers are before the first forward pass of a step."""
        if self._buffers is None:
            self._buffers = [buffer.clone() for buffer in self._network.buffers()]

    def note(self, loss: Tensor) -> None:
        """Remember whether a loss of this step is not finite; nothing waits."""
        bad = ~loss.detach().isfinite()
        self._bad_loss = bad if self._bad_loss is None else self._bad_loss | bad

    def refuses(self, look_at_gradients: bool = True) -> bool:
        """Whether the step must be left out; if so, the buffers are put back.

        Args:
            look_at_gradients: Whether gradients count; not those of a scaled loss, which may
                overflow before the scale has found its place.
        """
        parameters = self._network.named_parameters() if look_at_gradients else ()
        gradients = {name: p.grad for name, p in parameters if p.grad is not None}
        refused = self._is_bad(gradients)
        if refused:
            self.num_skipped += 1
            self.reason = self._describe(gradients)
            with torch.no_grad():
                for buffer, kept in zip(
                    self._network.buffers(), self._buffers or (), strict=self._buffers is not None
                ):
                    buffer.copy_(kept)
        self._buffers = self._bad_loss = None
        return refused

    def _is_bad(self, gradients: Mapping[str, Tensor]) -> bool:
        # One number for all gradients. A norm also overflows where a gradient is so large that
        # its square does, which Adam could not take either.
        parts = []
        if gradients:
            norms = torch._foreach_norm(list(gradients.values()))
            parts.append(torch.stack([norm.float() for norm in norms]).sum())
        if self._bad_loss is not None:
            parts.append(torch.where(self._bad_loss, math.nan, 0.0))
        if not parts:
            return False
        bad = (~torch.stack(parts).sum().isfinite()).float()
        if get_world_size() > 1:
            all_reduce(bad, 'max')
        return bool(bad)

    def _describe(self, gradients: Mapping[str, Tensor]) -> str:
        if self._bad_loss is not None and bool(self._bad_loss):
            return 'the loss'
        bad = [name for name, value in gradients.items() if not bool(value.norm().isfinite())]
        if bad:
            first = bad[0].removeprefix('module.')
            return f'the gradient of {first} ({len(bad)} of {len(gradients)})'
        return 'what another process computed'
