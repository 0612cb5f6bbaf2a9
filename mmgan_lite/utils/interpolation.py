"""Straight and spherical interpolation between vectors."""

import torch
from torch import Tensor, nn


def lerp(start: Tensor, end: Tensor, fractions: Tensor | float) -> Tensor:
    """Linear interpolation: ``(1 - t) * start + t * end``.

    Halfway between two independent normal latents, the result is shorter than either by a factor of
    about the square root of 2, which is rare in training; :func:`slerp` keeps the length.

    Args:
        start: Float ``(..., Z)``.
        end: Float, broadcastable with ``start``.
        fractions: t, 0 at ``start`` and 1 at ``end``; a number, or broadcastable with ``start``.

    Returns:
        Of ``start``'s dtype.

    Example:
        >>> lerp(torch.tensor([2.0, 0.0]), torch.tensor([0.0, 2.0]), 0.5)
        tensor([1., 1.])
    """
    t = torch.as_tensor(fractions, dtype=start.dtype, device=start.device)
    return torch.lerp(*torch.broadcast_tensors(start, end, t))


def slerp(start: Tensor, end: Tensor, fractions: Tensor | float) -> Tensor:
    """Spherical interpolation: along a great circle at constant speed, with linear length.

    Shoemake 1985, Animating rotation with quaternion curves; for latents of GANs: White 2016,
    arXiv:1609.04468.

    Differs: Directions follow the great circle and lengths are interpolated separately, which for
    unit vectors is the formula of the paper, ``(sin((1 - t) w) a + sin(t w) b) / sin(w)``. That
    divides by nearly 0 for vectors that are nearly parallel or opposite; here the angle and the
    second axis come from differences, in float64, and are exact there too. Opposite vectors are
    joined by many great circles, of which one is chosen, always the same. A zero vector takes the
    direction of the other one, which gives a straight line.

    Args:
        start: Float ``(..., Z)``, Z at least 2.
        end: Float, broadcastable with ``start``.
        fractions: t, 0 at ``start`` and 1 at ``end``; a number, or broadcastable with
            ``(..., 1)``.

    Returns:
        Of ``start``'s dtype; ``start`` and ``end`` themselves where t is 0 or 1.

    Example:
        >>> slerp(torch.tensor([2.0, 0.0]), torch.tensor([0.0, 2.0]), 0.5)
        tensor([1.4142, 1.4142])
    """
    a, b = torch.broadcast_tensors(start.double(), end.double())
    t = torch.as_tensor(fractions, dtype=torch.float64, device=start.device)
    length_a, length_b = a.norm(dim=-1, keepdim=True), b.norm(dim=-1, keepdim=True)
    u, v = _direction(a, length_a), _direction(b, length_b)
    u, v = torch.where(length_a > 0, u, v), torch.where(length_b > 0, v, u)
    # Kahan's angle: acos of the product has no digits left near 0 and pi.
    angle = 2 * torch.atan2((u - v).norm(dim=-1, keepdim=True), (u + v).norm(dim=-1, keepdim=True))
    axis = _second_axis(u, v)
    direction = torch.cos(t * angle) * u + torch.sin(t * angle) * axis
    between = ((1 - t) * length_a + t * length_b) * direction
    between = torch.where(t == 0, a, torch.where(t == 1, b, between))
    return between.to(start.dtype)


def _direction(vector: Tensor, length: Tensor) -> Tensor:
    return vector / torch.where(length > 0, length, 1.0)


def _second_axis(u: Tensor, v: Tensor) -> Tensor:
    """Unit vectors at right angles to ``u``, in its plane with ``v`` where there is one."""
    # Of a sum or difference that is small, so that rounding of the large part does not count.
    nearly_opposite = (u * v).sum(dim=-1, keepdim=True) < 0
    rest = torch.where(nearly_opposite, u + v, v - u)
    rest = rest - (rest * u).sum(dim=-1, keepdim=True) * u
    # Where there is no plane, the coordinate axis that u is furthest from.
    other = nn.functional.one_hot(u.abs().argmin(dim=-1), u.shape[-1]).to(u.dtype)
    other = other - (other * u).sum(dim=-1, keepdim=True) * u
    # Below this the plane is a matter of rounding; above it, once more makes the angle right.
    axis = torch.where(rest.norm(dim=-1, keepdim=True) > 1e-12, rest, other)
    axis = _direction(axis, axis.norm(dim=-1, keepdim=True))
    axis = axis - (axis * u).sum(dim=-1, keepdim=True) * u
    return _direction(axis, axis.norm(dim=-1, keepdim=True))
