"""The picture of curves."""

import math

import numpy as np
import pytest
from PIL import Image

from mmgan_lite.visualization import RunLog, plot_runs, plots

A = '20261125_010000'


def test_one_training(work_dir, tmp_path):
    work_dir.scalars(
        A,
        dict(loss_gen=1.0, loss_disc=2.0, time=0.1, iter=20, step=20),
        dict(loss_gen=math.nan, loss_disc=2.0, time=0.1, iter=40, step=40),
    )
    work_dir.evaluate(A, 40, 2.0)
    out = tmp_path / 'new' / 'curves.png'
    plot_runs([RunLog(work_dir.path)], out)
    with Image.open(out) as image:
        assert image.size == (1500, 320)  # losses, FID, seconds: three charts in a row
        assert np.array(image.convert('L')).std() > 1


axes = {}


@pytest.fixture
def drawn(monkeypatch):
    """Titles, labels and data of what is drawn."""
    charts = {}
    axes.clear()
    draw = plots._draw_chart

    def spy(axis, title, members, logs):
        draw(axis, title, members, logs)
        lines = [line for line in axis.get_lines() if not line.get_label().startswith('_')]
        charts[title] = {line.get_label(): line.get_xydata().tolist() for line in lines}
        axes[title] = axis

    monkeypatch.setattr(plots, '_draw_chart', spy)
    return charts


def test_trainings_are_compared_curve_by_curve(make_work_dir, tmp_path, drawn):
    first = make_work_dir('first').train(A, [20, 40], loss_gen=1.0, loss_disc=2.0)
    second = make_work_dir('second').train(A, [20], loss_gen=3.0)
    plot_runs([RunLog(first.path), RunLog(second.path)], tmp_path / 'x.svg')
    assert drawn == {
        'loss_disc': {'first': [[20, 2], [40, 2]]},
        'loss_gen': {'first': [[20, 1], [40, 1]], 'second': [[20, 3]]},
    }
    assert (tmp_path / 'x.svg').read_text().lstrip().startswith('<?xml')


def test_trainings_of_one_name_are_told_apart(make_work_dir, tmp_path, drawn):
    (tmp_path / 'a').mkdir()
    (tmp_path / 'b').mkdir()
    logs = [RunLog(make_work_dir(f'{x}/run').train(A, [20], lr=1.0).path) for x in 'ab']
    plot_runs(logs, tmp_path / 'x.png')
    assert list(drawn['lr']) == [str(tmp_path / 'a' / 'run'), str(tmp_path / 'b' / 'run')]


def test_only_some_keys(work_dir, tmp_path, drawn):
    work_dir.train(A, [20], loss_gen=1.0, loss_disc=2.0, real_logits=0.0).evaluate(A, 20, 1.0)
    plot_runs([RunLog(work_dir.path)], tmp_path / 'x.png', keys=['loss_gen', 'FID[pixels]'])
    assert list(drawn) == ['Losses', 'FID[pixels]']
    assert list(drawn['Losses']) == ['loss_gen']


def test_errors(work_dir, tmp_path):
    log = RunLog(work_dir.log(A).path)
    with pytest.raises(ValueError, match='There is no curve in .*some_run'):
        plot_runs([log], tmp_path / 'x.png')
    log = RunLog(work_dir.train(A, [20], loss_gen=1.0).path)
    with pytest.raises(
        ValueError, match=r"out must end in .*\.png, .*got '.*x.txt'. Name it '.*x.png'"
    ):
        plot_runs([log], tmp_path / 'x.txt')
    with pytest.raises(ValueError, match="got 'FID'. There are: loss_gen"):
        plot_runs([log], tmp_path / 'x.png', keys=['FID'])


def test_counts_start_at_zero_and_probes_stand_once(work_dir, tmp_path, drawn):
    figures = {'health/alarms': 0, 'health/doubt': 0.5}
    lines = [dict(figures, iter=step, step=step) for step in (20, 40, 60)]
    lines[2]['health/doubt'] = 0.25
    plot_runs([RunLog(work_dir.scalars(A, *lines).path)], tmp_path / 'x.png')
    assert drawn['health/alarms'] == {'health/alarms': [[20, 0], [60, 0]]}
    assert drawn['health/doubt'] == {'health/doubt': [[20, 0.5], [60, 0.25]]}
    low, high = axes['health/alarms'].get_ylim()
    assert low == 0
    assert high >= 1
    assert all(tick == round(tick) for tick in axes['health/alarms'].get_yticks())
    assert axes['health/doubt'].get_ylim()[0] > 0.2


def test_the_line_of_real_images_is_named(make_work_dir, tmp_path, drawn):
    logs = [RunLog(make_work_dir(n).evaluate(A, 20, 1.5).scalars(
        A, {'FID[pixels]': 1.5, 'data_time': 0, 'step': 20}).path) for n in 'ab']  # fmt: skip
    plot_runs(logs[:1], tmp_path / 'x.png')
    legend = axes['FID[pixels]'].get_legend().get_texts()
    assert [text.get_text() for text in legend] == ['FID[pixels]', 'real images score']
    plot_runs(logs, tmp_path / 'x.png')
    legend = axes['FID[pixels]'].get_legend().get_texts()
    assert [text.get_text() for text in legend] == ['a', 'b', 'real images score']
