"""Reading of work dirs: complete, joined and broken."""

import json
import math

import pytest

from mmgan_lite.visualization import RunLog

A, B, C = '20261125_010000', '20261125_020000', '20261125_030000'


def points(log, name):
    curve = log.curves[name]
    return dict(zip(curve.steps, curve.values, strict=True))


def test_everything_is_found(work_dir):
    work_dir.train(A, [20, 40], loss_gen=0.5, real_logits=1)
    work_dir.log(A).config(A, "model = dict(type='GAN')").evaluate(A, 40, 2.5).grids(0, 100)
    (work_dir.path / 'provenance.json').write_text('{"runs": [{"seed": 1}]}')
    log = RunLog(work_dir.path)
    assert log.name == 'some_run'
    assert points(log, 'loss_gen') == {20: 0.5, 40: 0.5}
    assert points(log, 'FID[pixels]') == {40: 2.5}
    assert log.curves['FID[pixels]'].real_score == 0.25
    assert log.curves['FID[pixels]'].is_metric
    assert not log.curves['loss_gen'].is_metric
    assert log.last_step == 40
    assert log.config == "model = dict(type='GAN')"
    assert log.environment['sys.platform'] == 'linux'
    assert log.environment['PyTorch compiling details'] == 'PyTorch built with:\n- GCC 13.3'
    assert log.environment['seed'] == '0'
    assert log.messages == {
        ('WARNING', 'Something is odd.'): 2,
        ('ERROR', 'It broke:\nin two lines'): 1,
    }
    assert list(log.grids) == [0, 100]
    assert log.real_images.name == 'real.png'
    assert log.provenance == {'runs': [{'seed': 1}]}
    assert log.notes == []


def test_resumed_start_overrides_later_steps(work_dir):
    work_dir.train(A, [20, 40, 60, 80], loss_gen=1.0).evaluate(A, 50, 9.0).evaluate(A, 75, 8.0)
    # Saved at 50, went on from there, and logs at the same interval.
    work_dir.train(B, [60, 80, 100], loss_gen=2.0).log(B, last='resumed epoch: 0, iter: 50')
    # Died before its first line.
    work_dir.log(C, last='resumed epoch: 0, iter: 10')
    log = RunLog(work_dir.path)
    assert points(log, 'loss_gen') == {20: 1, 40: 1, 60: 2, 80: 2, 100: 2}
    # At 75 the second start had not validated, but what the first found there is undone.
    assert points(log, 'FID[pixels]') == {50: 9.0}
    assert [entry['iteration'] for entry in log.evaluations] == [50]
    assert [start.folder.name for start in log.starts] == [A, B, C]
    assert [start.first for start in log.starts] == [20, 51, None]


def test_a_test_is_kept_when_the_training_goes_on(work_dir):
    work_dir.train(A, [20, 40], loss_gen=1.0).evaluate(A, 40, 2.0).evaluate(A, None, 3.0)
    log = RunLog(work_dir.train(B, [20], loss_gen=2.0).path)
    assert [entry['iteration'] for entry in log.evaluations] == [None]


def test_training_anew_in_the_same_folder(work_dir):
    work_dir.train(A, [20, 40, 60], loss_gen=1.0).train(B, [20], loss_gen=2.0)
    assert points(RunLog(work_dir.path), 'loss_gen') == {20: 2.0}


def test_training_anew_that_validates_before_its_first_line(work_dir):
    work_dir.train(A, [20, 40, 60], loss_gen=1.0)
    validation = dict(FID=2.0, data_time=0.0, time=0.0, step=30)
    work_dir.scalars(B, validation, dict(loss_gen=2.0, iter=50, step=50))
    log = RunLog(work_dir.path)
    assert points(log, 'loss_gen') == {20: 1.0, 50: 2.0}
    assert points(log, 'FID') == {30: 2.0}


def test_half_written_and_broken_lines(work_dir):
    work_dir.scalars(
        A,
        dict(loss_gen=1.0, iter=20, step=20),
        'nonsense',
        '[1, 2]',
        dict(loss_gen=1.0),
        dict(loss_gen=3.0, name='text', flag=True, iter=40, step=40),
        '{"loss_gen": 1.',
    )
    log = RunLog(work_dir.path)
    assert points(log, 'loss_gen') == {20: 1.0, 40: 3.0}
    assert list(log.curves) == ['loss_gen']
    file = f'{A}/vis_data/scalars.json'
    assert log.notes == [f'4 lines of {file} left out: incomplete or without step.']


def test_values_that_are_not_finite_are_noted(work_dir):
    work_dir.scalars(
        A,
        dict(loss_gen=1.0, iter=20, step=20),
        dict(loss_gen=math.nan, iter=1040, step=1040),
        dict(loss_gen=-math.inf, iter=1060, step=1060),
    )
    log = RunLog(work_dir.path)
    assert points(log, 'loss_gen')[1060] == -math.inf
    assert log.notes == [
        '2 of 3 values of loss_gen not finite, the first at iteration 1,040: left out of the curve.'
    ]


def test_metrics_counted_in_epochs_are_put_beside_their_training_line(work_dir):
    """MMEngine's LoggerHook says step 0 for each, if log_metric_by_epoch is left on."""
    lines = []
    for step in (20, 40):
        lines.append(dict(loss_gen=1.0, time=0.1, iter=step, step=step))
        lines.append(dict(FID=float(step), data_time=0.0, time=0.0, step=0))
    log = RunLog(work_dir.scalars(A, *lines).path)
    assert points(log, 'FID') == {20: 20.0, 40: 40.0}
    assert points(log, 'time') == {20: 0.1, 40: 0.1}  # not the validation's
    assert log.notes == [
        'The log counts the validations of FID in epochs: each is drawn at the last training line '
        'before it, and of several the last. Set log_metric_by_epoch=False of LoggerHook, or '
        'EvaluationLogHook, for the iteration.'
    ]
    # Where evaluations.jsonl is, its iteration counts.
    work_dir.scalars(
        A, dict(loss_gen=1.0, iter=40, step=40), {'FID[pixels]': 2, 'data_time': 0, 'step': 0}
    )
    log = RunLog(work_dir.evaluate(A, 50, 2.0).path)
    assert points(log, 'FID[pixels]') == {50: 2.0}
    assert log.notes == []


def test_metrics_whose_iteration_is_known_need_no_note(work_dir):
    work_dir.scalars(
        A, dict(loss_gen=1.0, iter=40, step=40), dict(FID=2.0, data_time=0.0, time=0.0, step=50)
    )
    log = RunLog(work_dir.path)
    assert (points(log, 'FID'), log.notes) == ({50: 2.0}, [])


def test_of_several_metrics_beside_one_training_line_the_last_is_drawn(work_dir):
    train, validation = dict(loss_gen=1.0, iter=20, step=20), dict(data_time=0.0, time=0.0, step=0)
    log = RunLog(work_dir.scalars(A, train, {**validation, 'FID': 3.0}, {**validation, 'FID': 2.0},
                                  {**validation, 'FID': 1.0}).path)  # fmt: skip
    assert points(log, 'FID') == {20: 1.0}
    assert 'of several the last.' in log.notes[0]


def test_metrics_counted_in_epochs_in_a_resumed_start(work_dir):
    """Epoch 0 there is not the beginning: what the first start logged still stands."""
    validation = dict(data_time=0.0, time=0.0, step=0)
    work_dir.train(A, [20, 40, 60], loss_gen=1.0)
    work_dir.scalars(B, {**validation, 'FID': 3.0}, dict(loss_gen=2.0, iter=80, step=80))
    log = RunLog(work_dir.log(B, last='resumed epoch: 0, iter: 50').path)
    assert points(log, 'loss_gen') == {20: 1.0, 40: 1.0, 80: 2.0}
    assert points(log, 'FID') == {50: 3.0}


def probe_lines(steps, separation, norm):
    """Lines of training with the figures of the last probe."""
    figures = {'health/separation': separation, 'health/norm': norm, 'health/alarms': 0}
    return [dict(figures, loss_gen=1.0, iter=step, step=step) for step in steps]


def test_figures_of_a_probe_stand_once(work_dir):
    """Probes every 50 iterations, lines every 20: each repeats the last probe's figures."""
    work_dir.scalars(
        A,
        dict(loss_gen=1.0, iter=40, step=40),
        *probe_lines([60, 80], separation=1.0, norm=3.0),
        *probe_lines([100, 120, 140], separation=1.0, norm=4.0),
        *probe_lines([160, 180], separation=0.5, norm=5.0),
    )
    # Went on at 140 with the figures that the checkpoint had.
    work_dir.scalars(
        B,
        *probe_lines([160], separation=1.0, norm=4.0),
        *probe_lines([180], separation=1.0, norm=6.0),
    )
    log = RunLog(work_dir.log(B, last='resumed epoch: 0, iter: 140').path)
    assert points(log, 'health/norm') == {60: 3.0, 100: 4.0, 180: 6.0}
    assert points(log, 'health/separation') == {60: 1.0, 100: 1.0, 180: 1.0}
    assert points(log, 'health/alarms') == {60: 0.0, 100: 0.0, 180: 0.0}
    assert list(points(log, 'loss_gen')) == [40, 60, 80, 100, 120, 140, 160, 180]


def test_figures_that_are_not_finite_are_no_new_measurement(work_dir):
    lines = [{'health/separation': math.nan, 'iter': step, 'step': step} for step in (20, 40)]
    log = RunLog(work_dir.scalars(A, *lines).path)
    assert log.curves['health/separation'].steps == [20]


def test_evaluations_without_scores_are_noted(work_dir):
    work_dir.scalars(
        A,
        dict(loss_gen=1.0, iter=20, step=20),
        dict(data_time=0.0, time=0.0, step=20),
        dict(data_time=0.0, time=0.0, FID=1.0, step=20),
    )
    (work_dir.path / A / 'evaluations.jsonl').write_text(
        '{"loop": "val", "iteration": 20}\n{"scores": {}, "iteration": 40}\n'
    )
    log = RunLog(work_dir.path)
    assert log.evaluations == []
    assert points(log, 'FID') == {20: 1.0}
    assert log.notes == [
        f'2 lines of {A}/evaluations.jsonl left out: incomplete or without scores.',
    ]


def test_one_is_singular_in_notes(work_dir):
    work_dir.scalars(
        A, 'nonsense', dict(lr=math.nan, iter=20, step=20), dict(lr=1.0, iter=40, step=40)
    )
    assert RunLog(work_dir.path).notes == [
        f'1 line of {A}/vis_data/scalars.json left out: incomplete or without step.',
        '1 of 2 values of lr not finite, the first at iteration 20: left out of the curve.',
    ]


def test_a_test_alone_is_a_log_too(work_dir):
    log = RunLog(work_dir.log(A).evaluate(A, None, 3.0, checkpoint='iter_10.pth').path)
    assert log.curves == {}
    assert log.last_step is None
    assert log.evaluations[0]['checkpoint'] == 'iter_10.pth'


def test_strange_files_are_no_crash(work_dir):
    work_dir.train(A, [20], loss_gen=1.0)
    (work_dir.path / A / 'evaluations.jsonl').write_text(
        '{"scores": 3}\n{"scores": {"a": 1, "b": {"value": "x"}}, "iteration": null}\n'
        '{"scores": {"c": {"value": null, "floor": NaN}}, "iteration": 5}\n'
    )
    (work_dir.path / A / 'x.log').write_bytes(b'\xff\xfe no header\n2026/')
    (work_dir.path / 'provenance.json').write_text('{"runs": [')
    log = RunLog(work_dir.path)
    assert len(log.evaluations) == 2
    assert log.notes == [
        f'1 line of {A}/evaluations.jsonl left out: incomplete or without scores.',
        'provenance.json left out: not JSON.',
    ]


def test_no_work_dir(work_dir, tmp_path):
    with pytest.raises(ValueError, match="got '.*gone', which does not exist"):
        RunLog(tmp_path / 'gone')
    with pytest.raises(ValueError, match='has neither <timestamp>/vis_data, nor'):
        RunLog(work_dir.path)
    work_dir.train(A, [20], loss_gen=1.0)
    with pytest.raises(ValueError, match="one start of a training: pass its parent, '.*some_run'"):
        RunLog(work_dir.path / A)
    with pytest.raises(ValueError, match="Pass one of those in it, such as '.*some_run'"):
        RunLog(tmp_path)


def test_a_stray_log_makes_no_start(work_dir, tmp_path, monkeypatch):
    folder = work_dir.path
    for name in ('stray.log', 'some_run.log'):
        (folder / name).write_text('2026/11/25 04:39:09 - mmengine - INFO - hello')
    (folder / 'notes').mkdir()
    (folder / 'notes' / 'stray.log').write_text('hello')
    with pytest.raises(ValueError, match='nor samples. Pass work_dir of the config.$'):
        RunLog(folder)
    monkeypatch.chdir(folder)
    with pytest.raises(ValueError, match='nor samples. Pass work_dir of the config.$'):
        RunLog('.')
    # Beside a work dir the hint is that one.
    work_dir.path = folder / 'inner'
    work_dir.train(A, [20], loss_gen=1.0)
    with pytest.raises(ValueError, match="Pass one of those in it, such as '.*inner'"):
        RunLog(folder)
    # And one log of MMEngine's alone is a start.
    (tmp_path / 'other' / B).mkdir(parents=True)
    (tmp_path / 'other' / B / f'{B}.log').write_text('')
    assert [start.folder.name for start in RunLog(tmp_path / 'other').starts] == [B]
    monkeypatch.chdir(tmp_path / 'other' / B)
    with pytest.raises(ValueError, match="one start of a training: pass its parent, '.*other'"):
        RunLog('.')


def test_real_log_of_mmengine(work_dir):
    """The block as MMEngine's own code prints it."""
    from mmengine.utils.dl_utils import collect_env

    values = {key: str(value) for key, value in collect_env().items()}
    block = '\n    ' + '\n    '.join(f'{key}: {value}' for key, value in values.items())
    head = '2026/11/25 04:39:09 - mmengine - INFO - \n---\nSystem environment:' + block + '\n'
    (work_dir.path / A).mkdir()
    (work_dir.path / A / f'{A}.log').write_text(head)
    found = RunLog(work_dir.path).environment
    assert found['Python'] == values['Python'].strip()
    assert set(found) >= {'sys.platform', 'Python', 'PyTorch', 'MMEngine'}
    assert json.dumps(found)


def test_real_score_is_that_of_validations(work_dir):
    work_dir.train(A, [20, 40], loss_gen=1.0).evaluate(A, 20, 3.0).evaluate(A, None, 2.0)
    path = work_dir.path / A / 'evaluations.jsonl'
    validation, test = path.read_text().splitlines()
    path.write_text(f'{validation}\n{test.replace("0.25", "22.0")}\n')
    assert RunLog(work_dir.path).curves['FID[pixels]'].real_score == 0.25


def test_older_name_of_the_real_score(work_dir):
    work_dir.train(A, [20], loss_gen=1.0).evaluate(A, 20, 3.0)
    path = work_dir.path / A / 'evaluations.jsonl'
    path.write_text(path.read_text().replace('real_score', 'floor'))
    assert RunLog(work_dir.path).curves['FID[pixels]'].real_score == 0.25
