"""How long an iteration takes here, and so how wide the networks can be."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.optim import build_optim_wrapper

from mmgan_lite.registry import MODELS, build_part


def find_widest(widths: Sequence[int], seconds: Callable[[int], float], allowed: float) -> int:
    """The last of these widths, up to which none takes longer than is allowed; at least the first.

    Args:
        widths: Ascending, at least one; so wide ones that are much too slow are not tried.
        seconds: Gives the time of one.
        allowed: As long as it may take.

    Example:
        >>> find_widest([8, 16, 32, 64], lambda width: width / 100, allowed=0.4)
        32
    """
    widest = widths[0]
    for width in widths:
        if seconds(width) > allowed:
            break
        widest = width
    return widest


def time_iterations(cfg: Config, batches: Iterator[Any], block: int, seconds: float) -> float:
    """Mean seconds of an iteration of training, of the data too.

    A first iteration does not count. A model that needs more memory than there is takes forever.

    Args:
        cfg: With ``model`` and ``optim_wrapper``; the scope must be mmgan_lite.
        batches: Of the data loader, without an end.
        block: Iterations that are timed together, such as the interval of a regularizer; at least
            one block is.
        seconds: About as long as all may take.
    """
    try:
        model = build_part(MODELS, cfg.model, 'model').to(get_device()).train()
        optim_wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
        model.train_step(next(batches), optim_wrapper)
        start, num = _now(), 0
        while num == 0 or (_now() - start) * (num + block) <= seconds * num:
            for _ in range(block):
                model.train_step(next(batches), optim_wrapper)
            num += block
        return (_now() - start) / num
    except torch.OutOfMemoryError:
        return float('inf')


def _now() -> float:
    """Seconds, when the device has finished."""
    torch.get_device_module(get_device()).synchronize()
    return time.perf_counter()
