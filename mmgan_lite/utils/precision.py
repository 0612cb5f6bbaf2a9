"""Full precision within mixed precision."""

from contextlib import AbstractContextManager, nullcontext

import torch


def without_autocast(device: torch.device) -> AbstractContextManager:
    """Inside, operations on a device keep the dtype of their inputs.

    Args:
        device: One that has no autocast, such as 'meta', is left as it is.

    Example:
        >>> with torch.autocast('cpu', torch.bfloat16), without_autocast(torch.device('cpu')):
        ...     print((torch.ones(1, 1) @ torch.ones(1, 1)).dtype)
        torch.float32
    """
    if not torch.amp.is_autocast_available(device.type):
        return nullcontext()
    return torch.autocast(device.type, enabled=False)
