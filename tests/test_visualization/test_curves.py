"""Joining, grouping and thinning of curves, by hand."""

import math

import pytest

from mmgan_lite.visualization.curves import (
    Curve,
    any_match,
    choose,
    drop_repeats,
    group,
    join,
    thin,
)


def test_a_later_start_replaces_the_earlier_from_where_it_goes_on():
    first = (10, {10: 1.0, 20: 2.0, 30: 3.0, 40: 4.0})
    # Went on at 25, logged at 35 only: what the first wrote at 30 and 40 is undone.
    assert join([first, (26, {35: 9.0})]) == {10: 1.0, 20: 2.0, 35: 9.0}
    assert join([first, (41, {50: 5.0})])[40] == 4.0
    # This start has no value of the curve, but has undone those of the other.
    assert join([first, (1, {})]) == {}
    assert join([]) == {}


def test_groups_are_in_order_and_metrics_are_alone():
    names = ['time', 'zeta', 'generator.lr', 'lr', 'loss_r1', 'loss_gen', 'real_logits', 'FID[x]']
    charts = group([*names, 'loss_of_a_metric'], metrics=['FID[x]', 'loss_of_a_metric'])
    assert list(charts.items()) == [
        ('Losses', ['loss_gen', 'loss_r1']),
        ('Logits', ['real_logits']),
        ('FID[x]', ['FID[x]']),
        ('loss_of_a_metric', ['loss_of_a_metric']),
        ('zeta', ['zeta']),
        ('Learning rates', ['generator.lr', 'lr']),
        ('Seconds an iteration', ['time']),
    ]


def test_brackets_are_no_pattern():
    assert any_match('FID[pixels]', ['FID[pixels]'])
    assert any_match('FID[pixels]', ['FID*'])
    assert not any_match('FIDp', ['FID[pixels]'])


def test_thinning_keeps_ends_spikes_and_gaps():
    values = [0.0] * 10_000
    values[5_000], values[7_001], values[3_333] = 50.0, -50.0, math.nan
    thinned = thin(Curve(range(10_000), values, is_metric=True, real_score=0.5), most=100)
    assert len(thinned.steps) <= 200
    points = dict(zip(thinned.steps, thinned.values, strict=True))
    assert points[5_000] == 50
    assert points[7_001] == -50
    assert math.isnan(points[3_333])
    assert (thinned.steps[0], thinned.steps[-1]) == (0, 9_999)
    assert (thinned.is_metric, thinned.real_score) == (True, 0.5)
    short = Curve([1], [math.nan])
    assert thin(short) is short
    assert short.num_gaps == 1


def test_unknown_key_names_those_there_are():
    curves = {'loss_gen': Curve([1], [1.0]), 'loss_disc': Curve([1], [1.0])}
    assert choose(curves, ['loss_g*']) == ['loss_gen']
    assert choose(curves, None) == ['loss_gen', 'loss_disc']
    with pytest.raises(ValueError, match="got 'lossgen'. There are: loss_disc, loss_gen"):
        choose(curves, ['loss_gen', 'lossgen'])


def test_a_step_is_a_repeat_if_nothing_in_it_differs():
    nan = math.nan
    columns = {
        'a': {10: 0.0, 20: 0.0, 30: 0.0, 40: 0.0, 50: nan, 60: nan},
        'b': {10: 5.0, 20: 5.0, 30: 6.0, 40: 6.0, 50: 7.0, 60: 7.0},
        'late': {50: 1.0, 60: 1.0},
    }
    kept = drop_repeats(columns)
    assert kept['a'] == {10: 0.0, 30: 0.0, 50: kept['a'][50]}
    assert math.isnan(kept['a'][50])
    assert kept['b'] == {10: 5.0, 30: 6.0, 50: 7.0}
    assert kept['late'] == {50: 1.0}
    assert drop_repeats({}) == {}


def test_counts_are_whole_and_not_negative():
    assert Curve([1, 2], [0.0, 0.0]).is_count
    assert Curve([1, 2, 3], [3.0, math.nan, 7.0], real_score=10.0).is_count
    assert not Curve([1], [3.0], real_score=9.5).is_count
    assert not Curve([1, 2], [0.0, -1.0]).is_count
    assert not Curve([1, 2], [1.0, 0.5]).is_count
    assert not Curve([1], [math.nan]).is_count


def test_points_are_marked_where_there_are_few_measurements():
    few, many = Curve(range(100), [0.5] * 100), Curve(range(101), [0.5] * 101)
    assert few.is_rare('health/doubt')
    assert not many.is_rare('health/doubt')
    assert not few.is_rare('loss_gen')
    assert Curve([1], [0.5], is_metric=True).is_rare('FID')
