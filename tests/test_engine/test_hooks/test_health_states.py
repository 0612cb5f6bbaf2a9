import re

import pytest

from mmgan_lite.engine.hooks.health_states import STATES, HealthWatch, Rule

GRADIENT_SHARE = 'gradient_norm_generator / weight_norm_generator'
HEALTHY = dict(
    separation=0.8,
    doubt=0.7,
    diversity=0.9,
    mean_shift=0.1,
    class_entropy=1.0,
    max_logit=3.0,
    mean_doubt=0.7,
    change=0.5,
    output_diversity=0.8,
    nonfinite=0,
    **{GRADIENT_SHARE: 0.006},
)
# What names each state, and for how many probes in a row it must be so.
SICK = [
    ('mode_collapse', dict(diversity=0.09), 2),
    ('mode_collapse', dict(diversity=0.2), 5),
    ('mode_collapse', dict(class_entropy=0.2), 10),
    ('discriminator_won', dict(separation=1.0, doubt=0.01), 5),
    ('discriminator_won', dict(mean_doubt=0.01), 5),
    ('identity_collapse', dict(change=0.02), 3),
    ('dead_domain', dict(output_diversity=0.04), 3),
    ('discriminator_lost', dict(separation=0.2), 3),
    ('discriminator_lost', dict(separation=0.5, mean_shift=1.5), 3),
    ('dead_generator', {GRADIENT_SHARE: 8e-7}, 2),
    ('diverged', dict(nonfinite=3), 1),
    ('diverged', dict(max_logit=2e4), 1),
]
# As far in that direction as a healthy training may go for as long as it likes.
WELL = [
    dict(diversity=0.3),
    dict(class_entropy=0.4),
    dict(separation=1.0, doubt=0.05),
    dict(separation=0.9, doubt=0.0),
    dict(mean_doubt=0.03),
    dict(change=0.04),
    dict(output_diversity=0.06),
    dict(separation=0.3),
    dict(separation=0.5, mean_shift=0.9),
    {GRADIENT_SHARE: 1.2e-6},
    dict(max_logit=9e3),
]


@pytest.mark.parametrize(('name', 'figures', 'patience'), SICK)
def test_state_is_named_once_after_its_patience_and_told_to_be_over(name, figures, patience):
    watch = HealthWatch()
    sick = {**HEALTHY, **figures}
    for _ in range(patience - 1):
        assert watch.update(sick) == {}
    begun = watch.update(sick)
    assert list(begun) == watch.active == [name]
    assert all(f'{key} is {value:.3g}, ' in begun[name] for key, value in figures.items())
    assert watch.update(sick) == {}
    assert watch.update(HEALTHY) == {}
    assert watch.update(sick) == {}  # one good probe is no recovery
    assert watch.update(HEALTHY) == {}
    assert watch.update(HEALTHY) == {name: None}
    assert watch.active == []


@pytest.mark.parametrize('figures', WELL)
def test_healthy_figures_raise_no_alarm(figures):
    watch = HealthWatch()
    assert [watch.update({**HEALTHY, **figures}) for _ in range(20)] == [{}] * 20


def test_a_good_probe_between_bad_ones_begins_the_count_anew():
    watch = HealthWatch()
    for figures in [dict(diversity=0.01), dict(diversity=0.5)] * 4:
        assert watch.update({**HEALTHY, **figures}) == {}


def test_rare_turns_of_the_generator_take_longer_to_be_lost():
    watch = HealthWatch(discriminator_steps=4)
    won = {**HEALTHY, 'separation': 1.0, 'doubt': 0.0}
    assert [watch.update(won) for _ in range(19)] == [{}] * 19
    assert list(watch.update(won)) == ['discriminator_won']


def test_the_sign_has_the_figures_and_their_limits():
    rule = Rule(1, dict(separation=('at least', 0.99), doubt=('below', 0.02)))
    sign = rule.sign(dict(separation=1.0, doubt=0.0012345))
    assert sign == 'separation is 1, at least 0.99 and doubt is 0.00123, below 0.02'


def test_figures_that_could_not_be_taken_count_for_nothing():
    watch = HealthWatch()
    assert [watch.update({}) for _ in range(20)] == [{}] * 20


def test_diverged_training_is_in_no_other_state():
    watch = HealthWatch()
    both = {**HEALTHY, 'nonfinite': 1, 'diversity': 0.0}
    assert [name for _ in range(6) for name in watch.update(both)] == ['diverged']


def test_two_states_at_once_are_both_named():
    watch = HealthWatch()
    sick = {**HEALTHY, 'diversity': 0.0, GRADIENT_SHARE: 0.0}
    watch.update(sick)
    assert set(watch.update(sick)) == {'mode_collapse', 'dead_generator'}


@pytest.mark.parametrize('name', STATES)
def test_docs_tell_the_figures_and_the_patience_of_each_rule(repo, name):
    page = (repo / 'docs' / 'health.md').read_text()
    section = re.search(rf'^### `{name}`\n(.*?)(?=^##|\Z)', page, re.MULTILINE | re.DOTALL)[1]
    for rule in STATES[name].rules:
        for figure, (side, limit) in rule.limits.items():
            if figure != 'max_logit':
                assert f'`{figure.partition(" ")[0]}`' in section
            text = {10_000: '1e+04', 1.0: '1.0'}.get(limit, f'{limit:g}')
            assert f'{side} {text}' in section
        assert f'{rule.patience} probe' in section
