"""Full precision within mixed precision."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar

import torch

_full_precision = ContextVar('full_precision', default=False)


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


@contextmanager
def full_precision(device: torch.device) -> Iterator[None]:
    """Inside, networks compute in the dtype of their weights, on all devices alike.

    There is no autocast, no TF32, and no layer of lower precision, such as the largest sizes of
    ``StyleGAN2Generator``.
    """
    matmul = torch.get_float32_matmul_precision()
    token = _full_precision.set(True)
    torch.set_float32_matmul_precision('highest')
    try:
        with (
            without_autocast(device),
            torch.backends.cudnn.flags(enabled=True, allow_tf32=False),
        ):
            yield
    finally:
        torch.set_float32_matmul_precision(matmul)
        _full_precision.reset(token)


def lowers_precision() -> bool:
    """Whether layers of lower precision have it: not inside :func:`full_precision`."""
    return not _full_precision.get()
