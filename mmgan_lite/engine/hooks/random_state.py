"""Random numbers of a hook's own, which training does not notice."""

import contextlib
import random
from collections.abc import Iterator

import numpy as np
import torch


@contextlib.contextmanager
def isolated_random_state(seed: int, device: torch.device) -> Iterator[None]:
    """Seed every global random stream, and put all of them back at the end.

    Args:
        seed: Of torch's stream on the CPU and on ``device``, numpy's and Python's, inside.
        device: Where random numbers may be drawn besides the CPU.

    Example:
        >>> state = torch.get_rng_state()
        >>> with isolated_random_state(0, torch.device('cpu')):
        ...     drawn = torch.randn(3)
        >>> torch.equal(state, torch.get_rng_state())
        True
    """
    python_state, numpy_state = random.getstate(), np.random.get_state()
    cuda_devices = [device] if device.type == 'cuda' else []
    try:
        with torch.random.fork_rng(devices=cuda_devices):
            random.seed(seed)
            np.random.seed(seed)
            # Not torch.manual_seed: it would reseed GPUs whose state is not put back.
            torch.default_generator.manual_seed(seed)
            for cuda_device in cuda_devices:
                with torch.cuda.device(cuda_device):
                    torch.cuda.manual_seed(seed)
            yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)
