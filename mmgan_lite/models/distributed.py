"""The wrapper of models for several processes; each network is synchronized by itself."""

import random
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch
from mmengine.dist import get_rank
from mmengine.model import MMSeparateDistributedDataParallel, is_model_wrapper
from torch import nn

from mmgan_lite.registry import MODEL_WRAPPERS


@MODEL_WRAPPERS.register_module()
class GANDistributedDataParallel(MMSeparateDistributedDataParallel):
    """MMEngine's wrapper for models of several networks, on GPUs and on CPUs.

    Differs from MMEngine's: needs no GPU; ``no_sync`` works; the keys of a checkpoint are those of
    a single process; and each process gets its own random numbers from one seed: torch's
    (latents, on the CPU and the GPU), numpy's and Python's.

    Args:
        module: The model; each child that trains is wrapped by itself.
        device_ids: The GPU of this process, as the Runner gives it; not used on a CPU.
        broadcast_buffers: Whether batch norm's statistics are those of the first process.
        find_unused_parameters: Whether a step may leave parameters of its network without gradient.

    Example:
        In a config: ``model_wrapper_cfg = dict(type='mmgan_lite.GANDistributedDataParallel')``.
    """

    def __init__(
        self,
        module: Any,
        device_ids: Sequence[int] | None = None,
        broadcast_buffers: bool = False,
        find_unused_parameters: bool = False,
    ) -> None:
        on_cpu = next(module.parameters()).device.type == 'cpu'
        super().__init__(
            module,
            broadcast_buffers=broadcast_buffers,
            find_unused_parameters=find_unused_parameters,
            device_ids=None if on_cpu else device_ids,
        )
        for network in self._networks():
            network.register_state_dict_post_hook(_leave_out_wrapper)
            network.register_load_state_dict_pre_hook(_put_in_wrapper)
        _seed_by_rank()

    def _networks(self) -> list[Any]:
        return [child for child in self.module.children() if is_model_wrapper(child)]

    @contextmanager
    def no_sync(self) -> Iterator[None]:
        """Inside, what is passed through a network leaves its gradients with each process."""
        with ExitStack() as stack:
            for network in self._networks():
                stack.enter_context(network.no_sync())
            yield


# Hooks of the networks and not of the model around them: MMEngine loads past the wrappers, and
# calls none of these; torch loads through them.
def _leave_out_wrapper(network: nn.Module, state: dict, prefix: str, metadata: dict) -> None:
    _rename(state, f'{prefix}module.', prefix)


def _put_in_wrapper(network: nn.Module, state: dict, prefix: str, *args: Any) -> None:
    _rename(state, prefix, f'{prefix}module.')


def _rename(state: dict, old: str, new: str) -> None:
    for key in [key for key in state if key.startswith(old)]:
        state[new + key.removeprefix(old)] = state.pop(key)


def _seed_by_rank() -> None:
    # All processes start from one seed, and would draw the same latents and flip the same images:
    # the batches of four processes would be little better than one's. The seed is mixed with the
    # rank, not added to it, so that runs with neighboring seeds share no noise.
    stream = np.random.SeedSequence((torch.initial_seed(), get_rank()))
    seed = int(stream.generate_state(1)[0])
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
