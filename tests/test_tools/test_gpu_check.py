"""``tools/dev/gpu_check.py`` on a CPU: what it writes, and what it makes of failures."""

import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / 'tools' / 'dev' / 'gpu_check.py'
FIGURES = {'images_per_second', 'seconds', 'min_seconds', 'max_seconds', 'blocks'}


@pytest.fixture
def check(monkeypatch):
    spec = importlib.util.spec_from_file_location('gpu_check', SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, 'get_device', lambda: 'cpu')
    return module


def test_writes_one_file(tmp_path):
    out = tmp_path / 'made' / 'check.json'
    command = [sys.executable, str(SCRIPT), '--device', 'cpu', '--sections', 'cuda_graph']
    done = subprocess.run([*command, '--out', str(out)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith('cuda_graph: skipped in ')
    report = json.loads(out.read_text())
    assert report.keys() == {'device', 'seconds', 'sections'}
    assert report['device'] == 'cpu'
    result = report['sections'].pop('cuda_graph')
    assert report['sections'] == {}
    assert 0 < result.pop('seconds') <= report['seconds']
    assert result == dict(status='skipped', reason='no CUDA device', limit=50)


def test_takes_ten_minutes_at_most(check):
    ends = 2 * check.GRACE  # of a section that does not end upon request
    assert sum(limit + ends for _, limit in check.SECTIONS.values()) + 30 <= 600


@pytest.mark.parametrize(
    ('section', 'first'), [('precision', 'float32'), ('r3gan', 'float32'), ('benchmark', 'mlp_64')]
)
def test_figures(check, section, first):
    result = check.run_here(section)
    assert result.keys() == {'status', 'figures'}, result
    assert result['status'] == 'passed'
    figures = result['figures']
    assert next(iter(figures)) == first
    for figure in figures.values():
        assert figure['batch_size'] == 4
        assert figure['device_peak_mib'] is None
        speed = figure['runner'] if section == 'benchmark' else figure
        assert speed.keys() >= FIGURES
        assert speed['images_per_second'] == pytest.approx(4 / speed['seconds'])
    if section == 'benchmark':
        assert {'median', 'min', 'max'} <= figures['mlp_64']['reference_to_runner'].keys()
    json.dumps(result, allow_nan=False)


def test_environment(check):
    figures = check.run_here('environment')['figures']
    assert {'torch', 'mmengine', 'python'} <= figures['versions'].keys()
    assert {'gpu', 'gpus', 'cores'} <= figures['machine'].keys()


def test_section_that_fails_says_why(check, monkeypatch):
    def fail():
        raise RuntimeError('out of memory')

    monkeypatch.setitem(check.SECTIONS, 'r3gan', (fail, 1))
    result = check.run_here('r3gan')
    assert result['status'] == 'failed'
    assert result['reason'].endswith('RuntimeError: out of memory\n')


def test_one_failure_does_not_stop_the_others(check, monkeypatch, tmp_path):
    results = dict(tests=dict(status='timed out'), r3gan=dict(status='failed'))
    monkeypatch.setattr(
        check,
        'run_section',
        lambda name, device: dict(results.get(name, dict(status='passed')), seconds=0, limit=1),
    )
    out = tmp_path / 'check.json'
    monkeypatch.setattr('sys.argv', ['gpu_check.py', '--device', 'cpu', '--out', str(out)])
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '')
    with pytest.raises(SystemExit, match=r'^tests, r3gan: see the reasons in .*check.json$'):
        check.main()
    assert json.loads(out.read_text())['sections'].keys() == check.SECTIONS.keys()


def test_what_runs_too_long_is_ended(check, monkeypatch, tmp_path):
    """With the processes that it started, also where they ignore the request."""
    monkeypatch.setattr(check, 'GRACE', 0.5)
    pid = tmp_path / 'pid'
    command = f'trap "" TERM; sleep 60 & echo $! >{pid}; echo begun; wait'
    ended, output = check.run_aside(['bash', '-c', command], 1)
    assert (ended, output) == (False, 'begun\n')
    number = int(pid.read_text())
    for _ in range(100):  # until whoever adopted it has noticed
        if not is_running(number):
            return
        time.sleep(0.05)
    pytest.fail('the process that it started still runs')


def is_running(pid):
    try:
        os.kill(pid, 0)
        return 'Z' not in Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0]
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_process_that_breaks_off(check, monkeypatch):
    """One that leaves no result failed, and the end of its output is the reason."""
    monkeypatch.setattr(check, '__file__', '/nowhere/gpu_check.py')
    result = check.run_section('environment', 'cpu')
    assert result['status'] == 'failed'
    assert "can't open file '/nowhere/gpu_check.py'" in result['reason']


TEST = """
import pytest


@pytest.mark.gpu
def test_{name}():
    {body}
"""


@pytest.mark.parametrize(
    ('bodies', 'outcome'),
    [
        (dict(a='pass', b='pytest.skip()'), dict(passed=1, skipped=1)),
        (dict(a='pytest.skip()', b='pytest.skip()'), 'no CUDA device: 2 tests'),
        (dict(a='pass', b='assert False'), '1 of 2 tests failed: tests.test_b.test_b'),
        ({}, 'pytest ended with exit status'),
    ],
)
def test_results_of_the_tests(check, monkeypatch, tmp_path, bodies, outcome):
    (tmp_path / 'tests').mkdir()
    (tmp_path / 'tests' / 'test_other.py').write_text('def test_of_the_cpu():\n    assert False\n')
    for name, body in bodies.items():
        text = TEST.format(name=name, body=body)
        (tmp_path / 'tests' / f'test_{name}.py').write_text(text)
    monkeypatch.setattr(check, 'REPO', tmp_path)
    if isinstance(outcome, dict):
        assert check.tests() == outcome
        return
    kind = check.SkippedError if 'CUDA' in outcome else RuntimeError
    with pytest.raises(kind, match=outcome):
        check.tests()
