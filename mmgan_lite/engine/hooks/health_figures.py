"""Figures of the health of a training, from images and logits; nothing waits for the device."""

import math
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from mmgan_lite.utils.interfaces import unwrap_model

# With fewer images that have another of their class, diversity is that of all classes together.
_MIN_MATED = 8

GRADIENT_SHARE = 'gradient_norm_generator / weight_norm_generator'

# Names of logged logits begin with it.
_REAL = 'real_logits'


@runtime_checkable
class _HasThreshold(Protocol):
    """An objective with a logit that divides real from fake, or None."""

    decision_threshold: float | None


def gan_figures(
    model: Any, probe: Mapping[str, Tensor], real_images: Tensor, labels: Tensor | None
) -> dict[str, Tensor]:
    """Scalars on the device, from the result of :meth:`GAN.probe`."""
    real, fake, fakes = (probe[k] for k in ('real_logits', 'fake_logits', 'fake_images'))
    norms = [w.detach().norm() for w in unwrap_model(model.generator).parameters()]
    pairs = pairs_of(len(real_images), labels if model.num_classes else None, real_images.device)
    shift = (fakes.mean(0) - real_images.mean(0)).square().sum()
    figures = {}
    threshold = _threshold(model.loss)
    if threshold is not None:
        figures['real_accuracy'] = (real > threshold).float().mean()
        figures['fake_accuracy'] = (fake < threshold).float().mean()
    return {
        **figures,
        'separation': separation(real, fake),
        'logit_gap': real.mean() - fake.mean(),
        'doubt': doubt(model.loss, real, fake),
        # Not 'grad_norm': MMEngine's log takes the mean of what is called so over past iterations.
        'gradient_norm_generator': probe['grad_norm_generator'],
        'gradient_norm_discriminator': probe['grad_norm_discriminator'],
        'diversity': nearest(fakes, pairs) / nearest(real_images, pairs),
        'mean_shift': shift / real_images.var(0, unbiased=False).sum(),
        'max_logit': torch.maximum(real.abs().max(), fake.abs().max()),
        GRADIENT_SHARE: probe['grad_norm_generator'] / torch.stack(norms).norm(),
    }


def translation_figures(
    model: Any, sources: Tensor, targets: Tensor, logged: Mapping[str, Any]
) -> dict[str, dict[str, Tensor]]:
    """Scalars on the device, grouped by what comes after their names in the log.

    Args:
        model: A :class:`~mmgan_lite.models.TranslationModel`.
        sources: Float ``(N, C, H, W)`` in [-1, 1].
        targets: As many of the other domain.
        logged: What the training step returned.

    Returns:
        By '', or by the end that one of several directions or discriminators has.
    """
    groups: dict[str, dict[str, Tensor]] = defaultdict(dict)
    sides = ((sources, targets), (targets, sources))
    for domain, (images, wanted) in zip(model.domains, sides, strict=False):
        figures = groups[f'_{domain}' if len(model.domains) > 1 else '']
        fakes = model.translate(images, domain, use_ema=False)
        others = pairs_of(len(fakes), None, fakes.device)
        figures['output_diversity'] = nearest(fakes, others) / nearest(wanted, others)
        if images.shape == fakes.shape == wanted.shape:
            change = (fakes - images).abs().mean()
            figures['change'] = change / (wanted - images).abs().mean()
    peaks = []
    for end in [name[len(_REAL) :] for name in logged if name.startswith(_REAL)]:
        logits = [logged[f'{kind}_logits{end}'].reshape(1) for kind in ('real', 'fake')]
        groups[end]['mean_doubt'] = doubt(model.loss, *logits)
        peaks += logits
    if peaks:
        groups['']['max_logit'] = torch.cat(peaks).abs().max()
    return groups


def _threshold(loss: Any) -> float | None:
    return loss.decision_threshold if isinstance(loss, _HasThreshold) else None


def doubt(loss: Any, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """How much the objective moves the logits, over how much it does if undecided."""
    undecided = torch.full_like(real_logits, _threshold(loss) or 0.0)
    return slope(loss, real_logits, fake_logits) / slope(loss, undecided, undecided)


def separation(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Share of pairs in which the real image has the larger mean logit; a tie counts half."""
    real, fake = (logits.reshape(len(logits), -1).mean(1) for logits in (real_logits, fake_logits))
    difference = real[:, None] - fake
    return (difference.sign().mean() + 1) / 2


def slope(loss: Any, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Sum of the magnitudes of the gradient of the discriminator's objective at the logits."""
    with torch.enable_grad():
        logits = [side.detach().requires_grad_() for side in (real_logits, fake_logits)]
        slopes = torch.autograd.grad(loss.discriminator(*logits), logits, allow_unused=True)
    return torch.stack([slope.abs().sum() for slope in slopes if slope is not None]).sum()


def pairs_of(num: int, labels: Tensor | None, device: torch.device) -> Tensor:
    """Which images to compare, bool ``(N, N)``: others, of the same class if there are enough."""
    others = ~torch.eye(num, dtype=torch.bool, device=device)
    if labels is None:
        return others
    same = others & (labels[:, None] == labels)
    return torch.where(same.any(1).sum() >= _MIN_MATED, same, others)


def nearest(images: Tensor, pairs: Tensor) -> Tensor:
    """Mean distance of an image to the nearest of those that it is paired with."""
    flat = images.flatten(1).float()
    # The faster way by a matrix product does not distinguish a small distance from 0.
    distances = torch.cdist(flat, flat, compute_mode='donot_use_mm_for_euclid_dist')
    nearest = distances.masked_fill(~pairs, math.inf).amin(1)
    mated = pairs.any(1)
    return nearest.where(mated, torch.zeros_like(nearest)).sum() / mated.sum()
