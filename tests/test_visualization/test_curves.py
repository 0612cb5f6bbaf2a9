"""Grouping and thinning of curves."""

import math

import pytest

from mmgan_lite.visualization.curves import (
    Curve,
    any_match,
    choose,
    group,
    thin,
)


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


def test_scores_of_a_source_are_beside_those_of_the_output():
    names = ['L1', 'source_L1', 'real_logits_b', 'fake_logits_b', 'source_x']
    assert list(group(names, metrics=names[:2]).items()) == [
        ('Logits', ['fake_logits_b', 'real_logits_b']),
        ('L1', ['L1', 'source_L1']),
        ('source_x', ['source_x']),
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


def test_unknown_key_names_those_there_are():
    curves = {'loss_gen': Curve([1], [1.0]), 'loss_disc': Curve([1], [1.0])}
    assert choose(curves, ['loss_g*']) == ['loss_gen']
    assert choose(curves, None) == ['loss_gen', 'loss_disc']
    with pytest.raises(ValueError, match="got 'lossgen'. There are: loss_disc, loss_gen"):
        choose(curves, ['loss_gen', 'lossgen'])


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
