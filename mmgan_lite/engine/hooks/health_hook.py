"""Figures of the health of a training, and a warning when something goes wrong."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner, get_state_dict
from torch import Tensor, nn

from mmgan_lite.engine.hooks.common import non_finite, read_numbers, take_over
from mmgan_lite.engine.hooks.health_states import STATES, HealthWatch
from mmgan_lite.engine.resume.rng_state import isolated_random_state
from mmgan_lite.registry import HOOKS, MODELS, build_part
from mmgan_lite.utils.interfaces import HasPlayers, HasProbe, unwrap_model
from mmgan_lite.utils.validation import check_positive, did_you_mean

# With fewer images that have another of their class, diversity is that of all classes together.
_MIN_MATED = 8

_GRADIENT_SHARE = 'gradient_norm_generator / weight_norm_generator'

# Only for the states: beside the others they are not worth a log key.
_UNLOGGED = ('max_logit', _GRADIENT_SHARE)


@runtime_checkable
class _HasThreshold(Protocol):
    """An objective with a logit that divides real from fake, or None."""

    decision_threshold: float | None


@runtime_checkable
class _HasLogits(Protocol):
    """The output of a classifier."""

    logits: Tensor | None


@HOOKS.register_module()
class GANHealthHook(Hook):
    """Measures both networks every ``interval`` iterations, and names what goes wrong.

    A probe passes some images of the batch through the networks as training does, and leaves no
    trace: no gradient, statistics, mode or random stream changes. Its figures go to the log under
    ``health/``. docs/health.md explains each, and from which values on a state is named.

    - ``real_accuracy``, ``fake_accuracy``: how many the discriminator is right about, where the
      objective has a logit that divides real from fake.
    - ``separation``: share of pairs in which the real image has the larger logit; 0.5 is chance.
    - ``logit_gap``: mean logit of the real images minus that of the fakes.
    - ``doubt``: how much its objective still moves the discriminator's logits: 1 as if undecided, 0
      if it is sure.
    - ``gradient_norm_generator``, ``gradient_norm_discriminator``: of the objective, on these
      images.
    - ``diversity``: mean distance of a fake to the one nearest to it, over that of the real images;
      of the same class, where the model is conditional.
    - ``mean_shift``: squared distance of the mean images, over the variance of the real ones.
    - ``class_entropy``: entropy of the classes of the fakes over that of the real images, with a
      ``classifier``.
    - ``nonfinite``: how many weights, buffers, losses and other values are NaN or infinite.
    - ``alarms``: how many of the states below the training is in.

    The states are ``'mode_collapse'``, ``'discriminator_won'``, ``'discriminator_lost'``,
    ``'dead_generator'`` and ``'diverged'``. When one begins, a warning names it, with what to try;
    when it is over, the log says so. Of several processes the first measures, on its own batch.

    A model without ``probe``, such as one of images to images, is not measured.

    With ``guard`` it includes :class:`NonFiniteGuardHook`, which ends a training that is no longer
    finite, skips steps or rolls back. The default runtime has ``guard=dict()``.

    Args:
        interval: Iterations from one probe to the next, at least 1.
        num_samples: Real images, and fakes, in a probe, at least 2; fewer if the batch is smaller.
        classifier: Config of a :class:`~mmgan_lite.evaluation.FeatureExtractor` with logits, as
            ``dict(type='MNISTClassifier')`` is; None for no ``class_entropy``.
        stop_on: States in which training stops: after the iteration, or, in training by epochs,
            after the epoch.
        guard: Arguments of :class:`NonFiniteGuardHook`: ``dict()``, or such as
            ``dict(max_skips=10, max_rollbacks=3)``; None for no guard.

    Raises:
        ValueError: If ``interval`` or ``num_samples`` is too small, or ``stop_on`` names no state.
            Before training: if the classifier takes no such images. And as
            :class:`NonFiniteGuardHook`.

    Example:
        >>> default_hooks = dict(health=dict(type='GANHealthHook', stop_on=('mode_collapse',)))
    """

    # Before the log line of the iteration, which then has the figures; the guard before samples.
    priority = 'ABOVE_NORMAL'

    def __init__(
        self,
        interval: int = 100,
        num_samples: int = 32,
        classifier: Mapping | nn.Module | None = None,
        stop_on: Sequence[str] = (),
        guard: Mapping | None = None,
    ) -> None:
        self.interval = check_positive('interval', interval)
        self.num_samples = check_positive('num_samples', num_samples, minimum=2)
        self.stop_on = _check_states(stop_on)
        self._classifier_cfg = classifier
        self._classifier: Any = None
        self._watch = HealthWatch()
        self._measures = True
        guards = [] if guard is None else [{'type': 'NonFiniteGuardHook', **guard}]
        self._parts: list[Hook] = [build_part(HOOKS, cfg, 'guard') for cfg in guards]

    def before_run(self, runner: Runner) -> None:
        """Take over the guard of the config, if it has one."""
        self._parts = take_over(self, self._parts, runner)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Refuse to write numbers that are not finite, under ``guard``.

        Raises:
            FloatingPointError: If a weight, or a number of an optimizer, is not.
        """
        for part in self._parts:
            part.before_save_checkpoint(runner, checkpoint)

    def before_train(self, runner: Runner) -> None:
        """Check the model, and build the classifier."""
        for part in self._parts:
            part.before_train(runner)
        model: Any = unwrap_model(runner.model)
        self._measures = isinstance(model, HasProbe)
        if not self._measures:
            name = type(model).__name__
            runner.logger.info(f'GANHealthHook does not measure a {name}: it has no probe.')
            return
        # In how many iterations each player has had its turn.
        turn = max(p.every for p in model.players.values()) if isinstance(model, HasPlayers) else 1
        self._watch = HealthWatch(turn)
        if self._classifier_cfg is not None and is_main_process():
            classifier = build_part(MODELS, self._classifier_cfg, 'classifier')
            self._classifier = classifier.to(model.device)
            black = torch.zeros(1, *model.image_shape, dtype=torch.uint8, device=model.device)
            output = self._classifier(black)
            if not isinstance(output, _HasLogits) or output.logits is None:
                raise ValueError(
                    f'classifier must give logits of classes, but {type(classifier).__name__} '
                    "gives none. Pass dict(type='MNISTClassifier'), or None."
                )

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict | None = None
    ) -> None:
        """Guard; probe every ``interval`` iterations."""
        for part in self._parts:
            part.after_train_iter(runner, batch_idx, data_batch, outputs)
        if not self._measures or not self.every_n_train_iters(runner, self.interval):
            return
        if is_main_process():
            # Other latents in each probe, the same in a run that is repeated.
            model: Any = unwrap_model(runner.model)
            with isolated_random_state(runner.iter, model.device):
                measured = self._measure(model, data_batch, outputs or {})
            self._report(runner, *measured)
        if not self.stop_on:
            return
        # The answer of the first process in all: one that went on would wait for the others.
        stop = [any(name in self.stop_on for name in self._watch.active)]
        broadcast_object_list(stop)
        if stop[0]:
            when = f'at iteration {runner.iter + 1}'
            runner.logger.error(f'Training stops {when}: stop_on of GANHealthHook.')
            runner.train_loop.stop_training = True

    def _measure(
        self, model: Any, data_batch: Any, outputs: Mapping[str, Any]
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Figures, and tensors that must be finite, by name; nothing waits for the device."""
        images, labels = model.prepare_batch(data_batch)
        images = images[: self.num_samples]
        labels = None if labels is None else labels[: self.num_samples]
        probe = model.probe(images, labels)
        figures = _figures(model, probe, images, labels)
        if self._classifier is not None:
            figures['class_entropy'] = self._class_entropy(model, images, probe['fake_images'])
        checked = {
            **get_state_dict(model),
            **{name: torch.as_tensor(value) for name, value in outputs.items()},
            **{f'{name} of the probe': tensor for name, tensor in probe.items()},
        }
        return figures, checked

    @torch.no_grad()
    def _class_entropy(self, model: Any, real_images: Tensor, fake_images: Tensor) -> Tensor:
        """Entropy of the classes of all fakes together over that of the real images."""

        def entropy(images: Tensor) -> Tensor:
            logits = self._classifier(model.data_preprocessor.to_uint8(images)).logits
            return torch.special.entr(logits.float().softmax(1).mean(0)).sum()

        return entropy(fake_images) / entropy(real_images)

    def _report(
        self, runner: Runner, figures: Mapping[str, Tensor], checked: Mapping[str, Tensor]
    ) -> None:
        """Log the figures, and which states begin or end with them."""
        bad = non_finite(checked)
        read = dict(zip(figures, read_numbers(figures.values()), strict=True))
        read['nonfinite'] = len(bad)
        changes = self._watch.update({k: v for k, v in read.items() if math.isfinite(v)})
        for name, value in {**read, 'alarms': len(self._watch.active)}.items():
            if name not in _UNLOGGED:
                runner.message_hub.update_scalar(f'train/health/{name}', value)
        when = f'Health at iteration {runner.iter + 1}'
        for name, sign in changes.items():
            if sign is None:
                runner.logger.info(f'{when}: over is {name}.')
                continue
            first = f', first {bad[0]}' if name == 'diverged' and bad else ''
            state = STATES[name]
            runner.logger.warning(
                f'{when}: {name}: {state.title}. The sign: {sign}{first}. '
                f'What to try: {state.remedy}'
            )


def _check_states(names: Sequence[str]) -> tuple[str, ...]:
    names = (names,) if isinstance(names, str) else tuple(names)
    for name in names:
        if name not in STATES:
            remedy = did_you_mean(name, STATES, 'Pass () to stop on none.')
            known = ', '.join(map(repr, STATES))
            raise ValueError(f'stop_on must name states of {known}, got {name!r}. {remedy}')
    return names


def _figures(
    model: Any, probe: Mapping[str, Tensor], real_images: Tensor, labels: Tensor | None
) -> dict[str, Tensor]:
    """Scalars on the device, from the result of :meth:`GAN.probe`."""
    real, fake, fakes = (probe[k] for k in ('real_logits', 'fake_logits', 'fake_images'))
    norms = [w.detach().norm() for w in unwrap_model(model.generator).parameters()]
    pairs = _pairs(len(real_images), labels if model.num_classes else None, real_images.device)
    shift = (fakes.mean(0) - real_images.mean(0)).square().sum()
    figures = {}
    threshold = model.loss.decision_threshold if isinstance(model.loss, _HasThreshold) else None
    if threshold is not None:
        figures['real_accuracy'] = (real > threshold).float().mean()
        figures['fake_accuracy'] = (fake < threshold).float().mean()
    undecided = torch.full_like(real, threshold or 0.0)
    return {
        **figures,
        'separation': _separation(real, fake),
        'logit_gap': real.mean() - fake.mean(),
        'doubt': _slope(model.loss, real, fake) / _slope(model.loss, undecided, undecided),
        # Not 'grad_norm': MMEngine's log takes the mean of what is called so over past iterations.
        'gradient_norm_generator': probe['grad_norm_generator'],
        'gradient_norm_discriminator': probe['grad_norm_discriminator'],
        'diversity': _nearest(fakes, pairs) / _nearest(real_images, pairs),
        'mean_shift': shift / real_images.var(0, unbiased=False).sum(),
        'max_logit': torch.maximum(real.abs().max(), fake.abs().max()),
        _GRADIENT_SHARE: probe['grad_norm_generator'] / torch.stack(norms).norm(),
    }


def _separation(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Share of pairs in which the real image has the larger mean logit; a tie counts half."""
    real, fake = (logits.reshape(len(logits), -1).mean(1) for logits in (real_logits, fake_logits))
    difference = real[:, None] - fake
    return (difference.sign().mean() + 1) / 2


def _slope(loss: Any, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Sum of the magnitudes of the gradient of the discriminator's objective at the logits."""
    with torch.enable_grad():
        logits = [side.detach().requires_grad_() for side in (real_logits, fake_logits)]
        slopes = torch.autograd.grad(loss.discriminator(*logits), logits, allow_unused=True)
    return torch.stack([slope.abs().sum() for slope in slopes if slope is not None]).sum()


def _pairs(num: int, labels: Tensor | None, device: torch.device) -> Tensor:
    """Which images to compare, bool ``(N, N)``: others, of the same class if there are enough."""
    others = ~torch.eye(num, dtype=torch.bool, device=device)
    if labels is None:
        return others
    same = others & (labels[:, None] == labels)
    return torch.where(same.any(1).sum() >= _MIN_MATED, same, others)


def _nearest(images: Tensor, pairs: Tensor) -> Tensor:
    """Mean distance of an image to the nearest of those that it is paired with."""
    flat = images.flatten(1).float()
    # The faster way by a matrix product does not distinguish a small distance from 0.
    distances = torch.cdist(flat, flat, compute_mode='donot_use_mm_for_euclid_dist')
    nearest = distances.masked_fill(~pairs, math.inf).amin(1)
    mated = pairs.any(1)
    return nearest.where(mated, torch.zeros_like(nearest)).sum() / mated.sum()
