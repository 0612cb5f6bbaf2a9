"""States of a training that has gone wrong, from a few figures of its networks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

# Figures by name; one that could not be taken is not there.
Figures: TypeAlias = Mapping[str, float]

# docs/health.md compares these limits with figures of the shipped configs on 28x28 and 32x32
# images: healthy runs keep a wide distance from each.
DIVERSITY_GONE = 0.1
DIVERSITY_LOW = 0.25
CLASSES_LOW = 0.3
SEPARATION_WON = 0.99
DOUBT_WON = 0.02
SEPARATION_LOST = 0.6
SEPARATION_FOOLED = 0.25
SHIFT_LOST = 1.0
GRADIENT_DEAD = 1e-6
LOGIT_DIVERGED = 1e4


@dataclass(frozen=True)
class Rule:
    """One way to be in a state.

    Args:
        holds: Whether figures, all that it names being there, are those of the state.
        needs: The figures that it uses.
        sign: What it says of them, to be filled in with them.
        patience: In how many probes in a row it must hold.
        per_turn: Whether that is multiplied by ``discriminator_steps``: the generator plays less
            often, and needs longer to catch up.
    """

    holds: Callable[[Figures], bool]
    needs: tuple[str, ...]
    sign: str
    patience: int
    per_turn: bool = False

    def applies(self, figures: Figures) -> bool:
        """Whether it holds; not where a figure that it needs is not there."""
        return all(name in figures for name in self.needs) and self.holds(figures)


@dataclass(frozen=True)
class State:
    """A training that needs attention: its signs, and a remedy."""

    title: str
    rules: tuple[Rule, ...]
    remedy: str


STATES: dict[str, State] = {
    'diverged': State(
        'the training has diverged',
        (
            Rule(
                lambda f: f['nonfinite'] > 0,
                ('nonfinite',),
                '{nonfinite:.0f} of the weights, losses and other values are NaN or infinite, '
                'first {first_nonfinite}',
                patience=1,
            ),
            Rule(
                lambda f: f['max_logit'] > LOGIT_DIVERGED,
                ('max_logit',),
                f'a logit is {{max_logit:.1e}}, over {LOGIT_DIVERGED:.0e}',
                patience=1,
            ),
        ),
        'Go back to a checkpoint from before, lower the learning rates, add '
        'clip_grad=dict(max_norm=1.0) to optim_wrapper, or a gradient penalty; with float16 take '
        'bfloat16.',
    ),
    'mode_collapse': State(
        'mode collapse: the generator draws the same few images whatever its latents',
        (
            Rule(
                lambda f: f['diversity'] < DIVERSITY_GONE,
                ('diversity',),
                f"diversity is {{diversity:.3f}} of the real images' one, below {DIVERSITY_GONE}",
                patience=2,
            ),
            Rule(
                lambda f: f['diversity'] < DIVERSITY_LOW,
                ('diversity',),
                f"diversity is {{diversity:.3f}} of the real images' one, below {DIVERSITY_LOW}",
                patience=5,
            ),
            Rule(
                lambda f: f['class_entropy'] < CLASSES_LOW,
                ('class_entropy',),
                "the entropy of the fakes' classes is {class_entropy:.3f} of the real images' one, "
                f'below {CLASSES_LOW}',
                patience=10,
            ),
        ),
        "Lower the generator's learning rate or generator_steps, raise discriminator_steps, or "
        'take RelativisticPairingGANLoss with R1Regularizer and R2Regularizer, as configs/r3gan '
        'does. Start from a checkpoint before the collapse.',
    ),
    'discriminator_won': State(
        'the discriminator has won: it is sure of every image and teaches nothing more',
        (
            Rule(
                lambda f: f['separation'] >= SEPARATION_WON and f['doubt'] < DOUBT_WON,
                ('separation', 'doubt'),
                f'separation is {{separation:.3f}}, and doubt {{doubt:.1e}}, below {DOUBT_WON}',
                patience=5,
                per_turn=True,
            ),
        ),
        "Lower the discriminator's learning rate or discriminator_steps, add R1Regularizer to "
        "regularizers, or augmentation=dict(type='DiffAugment') where images are few.",
    ),
    'discriminator_lost': State(
        'the discriminator has lost: it cannot tell fakes from real images, though they differ',
        (
            Rule(
                lambda f: f['separation'] < SEPARATION_FOOLED,
                ('separation',),
                'it takes the fakes for more real than the real images: separation is '
                f'{{separation:.3f}}, below {SEPARATION_FOOLED}',
                patience=3,
            ),
            Rule(
                lambda f: f['separation'] < SEPARATION_LOST and f['mean_shift'] > SHIFT_LOST,
                ('separation', 'mean_shift'),
                f'separation is {{separation:.3f}}, below {SEPARATION_LOST}, while the mean images '
                f'lie {{mean_shift:.2f}} apart, over {SHIFT_LOST}',
                patience=3,
            ),
        ),
        "Raise the discriminator's learning rate or discriminator_steps, lower the generator's "
        'rate, weaken the regularizers or the augmentation, or give the discriminator more '
        'channels.',
    ),
    'dead_generator': State(
        'the generator is dead: no gradient reaches its weights',
        (
            Rule(
                lambda f: (
                    f['gradient_norm_generator'] <= GRADIENT_DEAD * f['weight_norm_generator']
                ),
                ('gradient_norm_generator', 'weight_norm_generator'),
                "its gradient's norm is {gradient_norm_generator:.1e}, at most "
                f'{GRADIENT_DEAD:.0e} of the {{weight_norm_generator:.1f}} of its weights',
                patience=2,
            ),
        ),
        'Take NonSaturatingGANLoss in the place of SaturatingGANLoss, lower the learning rates. '
        'See whether the images are all black or white, or the units of a network stuck at 0, '
        'which LeakyReLU and normalisation prevent.',
    ),
}


@dataclass(frozen=True)
class Change:
    """A state that began or ended; ``sign`` is None at the end."""

    name: str
    sign: str | None


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
        []
        >>> [change.name for change in watch.update(dict(diversity=0.01))]
        ['mode_collapse']
        >>> watch.active
        ['mode_collapse']
    """

    _ENDS_AFTER = 2

    def __init__(self, discriminator_steps: int = 1) -> None:
        self._discriminator_steps = discriminator_steps
        self.active: list[str] = []
        self._held: dict[tuple[str, int], int] = {}
        self._clear: dict[str, int] = {}

    def update(self, figures: Figures, first_nonfinite: str = '') -> list[Change]:
        """Add a probe, and return the states that begin or end with it.

        Args:
            figures: By name.
            first_nonfinite: What is NaN or infinite, if anything is.
        """
        changes = []
        for name, state in STATES.items():
            if name != 'diverged' and 'diverged' in self.active:
                self._rest(name)
                continue
            begun = [
                rule
                for position, rule in enumerate(state.rules)
                if self._count((name, position), rule.applies(figures)) >= self._patience(rule)
            ]
            holds = any(rule.applies(figures) for rule in state.rules)
            self._clear[name] = 0 if holds else self._clear.get(name, 0) + 1
            if begun and name not in self.active:
                self.active.append(name)
                sign = begun[0].sign.format(**figures, first_nonfinite=first_nonfinite)
                changes.append(Change(name, sign))
            elif name in self.active and self._clear[name] >= self._ENDS_AFTER:
                self.active.remove(name)
                changes.append(Change(name, None))
        return changes

    def _patience(self, rule: Rule) -> int:
        return rule.patience * (self._discriminator_steps if rule.per_turn else 1)

    def _count(self, key: tuple[str, int], holds: bool) -> int:
        self._held[key] = self._held.get(key, 0) + 1 if holds else 0
        return self._held[key]

    def _rest(self, name: str) -> None:
        """Neither begin nor end, and count anew afterwards."""
        for position in range(len(STATES[name].rules)):
            self._held[name, position] = 0
        self._clear[name] = 0
