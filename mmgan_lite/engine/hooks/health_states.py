"""States of a training that has gone wrong, from a few figures of its networks."""

import operator
from collections import Counter
from collections.abc import Callable, Mapping
from typing import NamedTuple

_SIDES: dict[str, Callable[[float, float], bool]] = {
    'below': operator.lt,
    'over': operator.gt,
    'at least': operator.ge,
    'at most': operator.le,
}

# Probes without a sign after which a state is over.
_ENDS_AFTER = 2


class Rule(NamedTuple):
    """One way to be in a state: figures beyond their limits, in several probes in a row.

    Attributes:
        patience: In how many probes.
        limits: On which side of which number each figure is, by its name: all of them must be.
        per_turn: Whether ``patience`` is multiplied by ``discriminator_steps``: the generator plays
            less often, and needs longer to catch up.
    """

    patience: int
    limits: Mapping[str, tuple[str, float]]
    per_turn: bool = False

    def holds(self, figures: Mapping[str, float]) -> bool:
        """Whether all are beyond their limits; not where one of them is not there."""
        return all(
            name in figures and _SIDES[side](figures[name], limit)
            for name, (side, limit) in self.limits.items()
        )

    def sign(self, figures: Mapping[str, float]) -> str:
        """The figures and their limits in words."""
        return ' and '.join(
            f'{name} is {figures[name]:.3g}, {side} {limit:g}'
            for name, (side, limit) in self.limits.items()
        )


class State(NamedTuple):
    """A training that needs attention: its rules, and a remedy."""

    title: str
    rules: tuple[Rule, ...]
    remedy: str


# docs/health.md compares these limits with figures of the shipped configs on 28x28 and 32x32
# images: healthy runs keep a wide distance from each.
STATES: dict[str, State] = {
    'diverged': State(
        'the training has diverged: values are NaN, infinite or far too large',
        (Rule(1, dict(nonfinite=('over', 0))), Rule(1, dict(max_logit=('over', 10_000)))),
        'Go back to a checkpoint from before, lower the learning rates, add '
        'clip_grad=dict(max_norm=1.0) to optim_wrapper, or a gradient penalty; with float16 take '
        'bfloat16.',
    ),
    'mode_collapse': State(
        'mode collapse: the generator draws the same few images whatever its latents',
        (
            Rule(2, dict(diversity=('below', 0.1))),
            Rule(5, dict(diversity=('below', 0.25))),
            Rule(10, dict(class_entropy=('below', 0.3))),
        ),
        "Lower the generator's learning rate or generator_steps, raise discriminator_steps, or "
        'take RelativisticPairingGANLoss with R1Regularizer and R2Regularizer, as configs/r3gan '
        'does. Start from a checkpoint before the collapse.',
    ),
    'discriminator_won': State(
        'the discriminator has won: it is sure of every image and teaches nothing more',
        (
            Rule(5, dict(separation=('at least', 0.99), doubt=('below', 0.02)), per_turn=True),
            Rule(5, dict(mean_doubt=('below', 0.02)), per_turn=True),
        ),
        "Lower the discriminator's learning rate or discriminator_steps, add R1Regularizer to "
        "regularizers, or augmentation=dict(type='DiffAugment') where images are few.",
    ),
    'discriminator_lost': State(
        'the discriminator has lost: it does not separate fakes that differ from real images',
        (
            Rule(3, dict(separation=('below', 0.25))),
            Rule(3, dict(separation=('below', 0.6), mean_shift=('over', 1.0))),
        ),
        "Raise the discriminator's learning rate or discriminator_steps, lower the generator's "
        'rate, weaken the regularizers or the augmentation, or give the discriminator more '
        'channels.',
    ),
    'dead_generator': State(
        'the generator is dead: no gradient reaches its weights',
        (Rule(2, {'gradient_norm_generator / weight_norm_generator': ('at most', 1e-6)}),),
        'Take NonSaturatingGANLoss in the place of SaturatingGANLoss, lower the learning rates. '
        'See whether the images are all black or white, or the units of a network stuck at 0, '
        'which LeakyReLU and normalization prevent.',
    ),
    'identity_collapse': State(
        'identity collapse: the generator gives its input back, although the target differs',
        (Rule(3, dict(change=('below', 0.03))),),
        'Weaken what asks for it: identity_weight and cycle_weight of CycleGAN, nce_weight of CUT. '
        "Raise the discriminator's learning rate; see whether source and target are exchanged or "
        'the same images.',
    ),
    'dead_domain': State(
        'a dead domain: the generator gives nearly the same image for all inputs',
        (Rule(3, dict(output_diversity=('below', 0.05))),),
        'Raise what holds on to the input: l1_weight of Pix2Pix, cycle_weight of CycleGAN, '
        "nce_weight of CUT. Lower the generator's learning rate. See whether the outputs are all "
        'black or white. Start from a checkpoint before it.',
    ),
}


class HealthWatch:
    """Follows the figures of one training, probe after probe.

    A state begins when one of its rules has held in as many probes in a row as its patience, and
    ends after two in a row in which none held. A training that has diverged is in no other state:
    its figures mean nothing more.

    Args:
        discriminator_steps: Of the GAN, to each turn of the generator.

    Example:
        >>> watch = HealthWatch()
        >>> watch.update(dict(diversity=0.01))
        {}
        >>> watch.update(dict(diversity=0.01))
        {'mode_collapse': 'diversity is 0.01, below 0.1'}
        >>> watch.active
        ['mode_collapse']
    """

    def __init__(self, discriminator_steps: int = 1) -> None:
        self._discriminator_steps = discriminator_steps
        self.active: list[str] = []
        # Probes in a row in which a rule has held, and in which no rule of a state has.
        self._held: Counter[tuple[str, int]] = Counter()
        self._clear: Counter[str] = Counter()

    def update(self, figures: Mapping[str, float]) -> dict[str, str | None]:
        """Add a probe.

        Args:
            figures: By name; one that could not be taken is not there.

        Returns:
            The states that begin with it, and the sign of each; None for one that ends.
        """
        changes: dict[str, str | None] = {}
        for name, state in STATES.items():
            paused = name != 'diverged' and 'diverged' in self.active
            held = [not paused and rule.holds(figures) for rule in state.rules]
            for index, holds in enumerate(held):
                self._held[name, index] = self._held[name, index] + 1 if holds else 0
            self._clear[name] = 0 if paused or any(held) else self._clear[name] + 1
            begun = [
                rule
                for index, rule in enumerate(state.rules)
                if self._held[name, index] >= self._patience(rule)
            ]
            if begun and name not in self.active:
                self.active.append(name)
                changes[name] = begun[0].sign(figures)
            elif name in self.active and self._clear[name] >= _ENDS_AFTER:
                self.active.remove(name)
                changes[name] = None
        return changes

    def _patience(self, rule: Rule) -> int:
        return rule.patience * (self._discriminator_steps if rule.per_turn else 1)
