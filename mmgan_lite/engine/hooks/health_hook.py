"""Figures of the health of a training, and a warning when something goes wrong."""

import math
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner, get_state_dict
from torch import Tensor, nn

from mmgan_lite.engine.hooks.common import non_finite, read_numbers, take_over
from mmgan_lite.engine.hooks.health_figures import (
    GRADIENT_SHARE,
    gan_figures,
    translation_figures,
)
from mmgan_lite.engine.hooks.health_states import STATES, HealthWatch
from mmgan_lite.engine.resume.rng_state import isolated_random_state
from mmgan_lite.registry import HOOKS, MODELS, build_part
from mmgan_lite.utils.interfaces import HasPlayers, HasProbe, Translates, unwrap_model
from mmgan_lite.utils.validation import check_positive, did_you_mean

# Images in a probe of a translation, whose batches are small: so is the probe's share of the time.
_MOST_TRANSLATED = 8

# Only for the states: beside the others they are not worth a log key.
_UNLOGGED = ('max_logit', GRADIENT_SHARE)


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

    A translation has no probe, but other figures besides the last two. With two directions, or
    discriminators, their names are at the end, as in ``change_a2b``.

    - ``change``: mean absolute difference of outputs and sources, over that of targets and sources;
      where these have as many channels.
    - ``output_diversity``: mean distance of an output to the one nearest to it, over that of the
      targets.
    - ``mean_doubt``: as ``doubt``, of the mean logits of the training step.

    The states are ``'mode_collapse'``, ``'discriminator_won'``, ``'discriminator_lost'``,
    ``'dead_generator'``, ``'identity_collapse'``, ``'dead_domain'`` and ``'diverged'``. When one
    begins, a warning names it, with what to try; when it is over, the log says so. Of several
    processes the first measures, on its own batch.

    A model with neither ``probe`` nor ``translate`` is not measured.

    With ``guard`` it includes :class:`NonFiniteGuardHook`, which ends a training that is no longer
    finite, skips steps or rolls back. The default runtime has ``guard=dict()``.

    Args:
        interval: Iterations from one probe to the next, at least 1.
        num_samples: Real images, and fakes, in a probe, at least 2; fewer if the batch is smaller.
            Of a translation at most 8 are taken, where batches are smaller from several of them.
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
        # By the end of the names of their figures.
        self._watches: dict[str, HealthWatch] = defaultdict(HealthWatch)
        self._measures = True
        # The last batches of a translation.
        self._batches: deque = deque(maxlen=0)
        self._num_translated = min(self.num_samples, _MOST_TRANSLATED)
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
        self._batches.clear()
        is_gan = isinstance(model, HasProbe)
        self._measures = is_gan or isinstance(model, Translates)
        if not self._measures:
            name = type(model).__name__
            runner.logger.info(
                f'GANHealthHook does not measure a {name}: it has neither probe nor translate.'
            )
            return
        # In how many iterations each player has had its turn.
        turn = max(p.every for p in model.players.values()) if isinstance(model, HasPlayers) else 1
        self._watches = defaultdict(lambda: HealthWatch(turn))
        if not is_gan:
            batch_size = runner.train_dataloader.batch_size or 1
            self._batches = deque(maxlen=math.ceil(self._num_translated / batch_size))
            return
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
        self._batches.append(data_batch)
        if not self._measures or not self.every_n_train_iters(runner, self.interval):
            return
        if is_main_process():
            # Other latents in each probe, the same in a run that is repeated.
            model: Any = unwrap_model(runner.model)
            with isolated_random_state(runner.iter, model.device):
                if self._batches:
                    groups, checked = self._measure_translation(model, outputs or {})
                else:
                    figures, checked = self._measure(model, data_batch, outputs or {})
                    groups = {'': figures}
            self._report(runner, groups, checked)
        if not self.stop_on:
            return
        # The answer of the first process in all: one that went on would wait for the others.
        stop = [any(name in self.stop_on for w in self._watches.values() for name in w.active)]
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
        figures = gan_figures(model, probe, images, labels)
        if self._classifier is not None:
            figures['class_entropy'] = self._class_entropy(model, images, probe['fake_images'])
        checked = {
            **get_state_dict(model),
            **{name: torch.as_tensor(value) for name, value in outputs.items()},
            **{f'{name} of the probe': tensor for name, tensor in probe.items()},
        }
        return figures, checked

    def _measure_translation(
        self, model: Any, outputs: Mapping[str, Any]
    ) -> tuple[dict[str, dict[str, Tensor]], dict[str, Tensor]]:
        """As :meth:`_measure`; the figures are grouped by the end of their names."""
        batches = [model.prepare_batch(data) for data in self._batches]
        # Of a dataset with several sizes those of the last one.
        batches = [b for b in batches if b.source[0].shape == batches[-1].source[0].shape]
        sources, targets = (
            torch.cat([getattr(batch, name) for batch in batches])[-self._num_translated :]
            for name in ('source', 'target')
        )
        groups = translation_figures(model, sources, targets, outputs)
        checked = {name: torch.as_tensor(value) for name, value in outputs.items()}
        return groups, get_state_dict(model) | checked

    @torch.no_grad()
    def _class_entropy(self, model: Any, real_images: Tensor, fake_images: Tensor) -> Tensor:
        """Entropy of the classes of all fakes together over that of the real images."""

        def entropy(images: Tensor) -> Tensor:
            logits = self._classifier(model.data_preprocessor.to_uint8(images)).logits
            return torch.special.entr(logits.float().softmax(1).mean(0)).sum()

        return entropy(fake_images) / entropy(real_images)

    def _report(
        self,
        runner: Runner,
        groups: Mapping[str, Mapping[str, Tensor]],
        checked: Mapping[str, Tensor],
    ) -> None:
        """Log the figures, and which states begin or end with them."""
        bad = non_finite(checked)
        numbers = iter(read_numbers(v for figures in groups.values() for v in figures.values()))
        read = {end: {n: next(numbers) for n in figures} for end, figures in groups.items()}
        read.setdefault('', {})['nonfinite'] = len(bad)
        when = f'Health at iteration {runner.iter + 1}'
        for end, figures in read.items():
            for name, value in figures.items():
                if name not in _UNLOGGED:
                    runner.message_hub.update_scalar(f'train/health/{name}{end}', value)
            known = {name: value for name, value in figures.items() if math.isfinite(value)}
            for name, sign in self._watches[end].update(known).items():
                _tell(runner, f'{when}: ', name, end, sign, bad)
        alarms = sum(len(watch.active) for watch in self._watches.values())
        runner.message_hub.update_scalar('train/health/alarms', alarms)


def _tell(
    runner: Runner, when: str, name: str, end: str, sign: str | None, bad: Sequence[str]
) -> None:
    """Log that a state begins, or ends without a sign; ``end`` says of which direction."""
    where = end.replace('_', ' of ')
    if sign is None:
        runner.logger.info(f'{when}over is {name}{where}.')
        return
    first = f', first {bad[0]}' if name == 'diverged' and bad else ''
    state = STATES[name]
    runner.logger.warning(
        f'{when}{name}{where}: {state.title}. The sign: {sign}{first}. What to try: {state.remedy}'
    )


def _check_states(names: Sequence[str]) -> tuple[str, ...]:
    names = (names,) if isinstance(names, str) else tuple(names)
    for name in names:
        if name not in STATES:
            remedy = did_you_mean(name, STATES, 'Pass () to stop on none.')
            known = ', '.join(map(repr, STATES))
            raise ValueError(f'stop_on must name states of {known}, got {name!r}. {remedy}')
    return names
