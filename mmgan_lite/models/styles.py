"""Images through the intermediate latent space of a generator that has one."""

from typing import Any

import torch
from torch import Tensor, nn

from mmgan_lite.models.modes import evaluating
from mmgan_lite.utils.interfaces import HasStyles, TruncatesStyles


@torch.no_grad()
def generate(
    network: Any,
    latents: Tensor,
    labels: Tensor | None = None,
    truncation: float = 1.0,
    cutoff: int | None = None,
) -> Tensor:
    """Images of any generator in eval mode, truncated in W where it has one, else in the latents.

    Args:
        network: The generator.
        latents: Float ``(N, Z)``.
        labels: int64 ``(N,)``; None without labels.
        truncation: What is kept of the distance to the mean, in [0, 1].
        cutoff: The first so many layers are truncated; None for all.

    Returns:
        Float ``(N, C, H, W)``.

    Raises:
        ValueError: If there is a ``cutoff``, and no W or not so many layers.
    """
    if cutoff is not None or (truncation != 1 and isinstance(network, TruncatesStyles)):
        return synthesize(network, map_latents(network, latents, labels, truncation, cutoff))
    with evaluating(network):
        return network(truncation * latents, labels)


@torch.no_grad()
def map_latents(
    network: Any,
    latents: Tensor,
    labels: Tensor | None,
    truncation: float = 1.0,
    cutoff: int | None = None,
) -> Tensor:
    """Styles of latents in eval mode, truncated in W, or without a mean style in the latents.

    Args:
        network: The generator, with ``mapping`` and ``synthesis``.
        latents: Float ``(N, Z)``.
        labels: int64 ``(N,)``; None without labels.
        truncation: What is kept of the distance to the mean, in [0, 1].
        cutoff: The first so many layers are truncated; None for all.

    Returns:
        Float ``(N, num_ws, W)``.

    Raises:
        ValueError: If the generator has no styles, not so many layers, or no mean style.
    """
    _check_styles(network)
    in_w = isinstance(network, TruncatesStyles)
    if cutoff is not None and not in_w:
        raise ValueError(
            'A cutoff of the truncation needs a generator with truncate(ws, psi, cutoff), but '
            f'{type(network).__name__} has none. Leave it out.'
        )
    with evaluating(network):
        ws = network.mapping(latents if in_w else truncation * latents, labels)
        if not in_w or (truncation == 1 and cutoff is None):
            return ws
        return network.truncate(ws, truncation, cutoff)


@torch.no_grad()
def synthesize(network: Any, ws: Tensor) -> Tensor:
    """Images ``(N, C, H, W)`` of styles ``(N, num_ws, W)``, in eval mode.

    Raises:
        ValueError: If the generator has no styles.
    """
    _check_styles(network)
    with evaluating(network):
        return network.synthesis(ws)


def mix_styles(ws: Tensor, others: Tensor, layer: int) -> Tensor:
    """The first ``layer`` styles of one, and the others of another.

    Args:
        ws: Float ``(..., num_ws, W)``.
        others: Float, broadcastable with ``ws``.
        layer: From 1 to ``num_ws - 1``.

    Raises:
        ValueError: If ``layer`` is out of its range.

    Example:
        >>> mix_styles(torch.zeros(3, 1), torch.ones(3, 1), layer=1).flatten()
        tensor([0., 1., 1.])
    """
    num_ws = ws.shape[-2]
    if isinstance(layer, bool) or not isinstance(layer, int) or not 0 < layer < num_ws:
        raise ValueError(
            f'Styles can be mixed from layer 1 to {num_ws - 1} on, as the generator has {num_ws}, '
            f'got {layer!r}. Pass layer {max(1, num_ws // 2)}.'
        )
    ws, others = torch.broadcast_tensors(ws, others)
    return torch.cat([ws[..., :layer, :], others[..., layer:, :]], dim=-2)


def _check_styles(network: nn.Module) -> None:
    if not isinstance(network, HasStyles):
        raise ValueError(
            'Truncation with a cutoff, mixed styles and styles need a generator with '
            f'mapping(latents, labels) and synthesis(ws), but {type(network).__name__} has none. '
            'Draw from StyleGAN2Generator, or leave them out.'
        )
