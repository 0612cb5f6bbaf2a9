"""The GAN under several processes: one wrapper, and every network synchronised by itself."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.dist import get_rank
from mmengine.model import MMSeparateDistributedDataParallel

from mmgan_lite.registry import MODEL_WRAPPERS


@MODEL_WRAPPERS.register_module()
class GANDistributedDataParallel(MMSeparateDistributedDataParallel):
    """MMEngine's wrapper for models of several networks, on GPUs and on CPUs.

    Differs from MMEngine's: needs no GPU, and each process draws latents of its own from one seed.

    Args:
        module: The model; each child that trains is wrapped by itself.
        device_ids: The GPU of this process, as the Runner gives it; no part in it on a CPU.
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
        # With one seed in all processes all would draw the same latents, and a batch over four
        # processes would teach no more than one over one.
        torch.manual_seed(torch.initial_seed() + get_rank())
