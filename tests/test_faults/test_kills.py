"""A training that is killed at random moments ends in the bytes of one that was not."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

DRIVER = Path(__file__).with_name('kill_driver.py')
SIGNAL_DRIVER = Path(__file__).with_name('signal_driver.py')


def kill(tmp_path, kills, seed, timeout, family='mlp'):
    command = [sys.executable, str(DRIVER), str(tmp_path), str(kills), str(seed), family]
    result = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    errors = tmp_path / 'killed.err'
    tail = errors.read_text()[-3000:] if errors.is_file() else ''
    assert result.returncode == 0, result.stderr[-3000:] + tail
    told = json.loads(result.stdout.splitlines()[-1])
    print(told)
    return told


def assert_survived(told, kills):
    assert told['kills'] == kills
    assert told['while_writing'] >= kills // 4  # the window was hit, and not by chance alone
    assert told['named_damaged'] == []
    assert told['equal'] == dict(state_dict=True, optimizer=True)
    assert told['left_over'] == []


def test_a_few_kills(tmp_path):
    assert_survived(kill(tmp_path, kills=4, seed=0, timeout=240), 4)


@pytest.mark.slow
def test_fifty_kills(tmp_path):
    assert_survived(kill(tmp_path, kills=50, seed=1, timeout=1800), 50)


@pytest.mark.slow
@pytest.mark.parametrize('family', ['stylegan2', 'pggan', 'cyclegan'])
def test_other_families(tmp_path, family):
    assert_survived(kill(tmp_path, kills=8, seed=2, timeout=900, family=family), 8)


@pytest.mark.parametrize(
    'ranks',
    [pytest.param([1], id='SIGTERM'), pytest.param([0, 1], marks=pytest.mark.slow, id='both')],
)
def test_a_signal_to_one_of_two_ranks_stops_both(tmp_path, ranks):
    """Both in the same iteration, with one checkpoint, from which they end in the same bytes."""
    command = [sys.executable, str(SIGNAL_DRIVER), str(tmp_path), *map(str, ranks)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    logs = ''.join(path.read_text()[-2000:] for path in sorted(tmp_path.glob('*.log')))
    assert result.returncode == 0, result.stderr[-3000:] + logs
    told = json.loads(result.stdout.splitlines()[-1])
    print(told)
    assert told['whole'] == told['rest'] == [0, 0], logs
    assert len(told['stops']) == len(ranks)
    for stop in told['stops']:
        assert stop['codes'] == [75, 75], logs
        assert stop['damage'] is None
        assert stop['iterations'] == [stop['saved']] * 2
        assert stop['saved'] < 60
    assert sorted(told['files']) == sorted(f'iter_{stop["saved"]}.pth' for stop in told['stops'])
    assert len(told['equal']) == 4
    assert all(told['equal'].values()), told['equal']
    assert told['left_over'] == []


@pytest.fixture
def two_ranks(repo, tmp_path):
    """Start two processes of a training, each by itself, as on two machines."""

    def start(name, iterations):
        with socket.socket() as server:
            server.bind(('127.0.0.1', 0))
            port = server.getsockname()[1]
        options = (
            f'train_cfg.max_iters={iterations}',
            'default_hooks.checkpoint.interval=20',
            'model.generator.hidden_dims=(16,16)',
        )
        command = (
            *(sys.executable, 'tools/train.py', 'configs/gan/gan_mlp_digits-28x28.py'),
            *('--work-dir', tmp_path / name, '--resume', '--launcher', 'pytorch'),
            *('--no-validate', '--cfg-options', *options),
        )
        shared = dict(WORLD_SIZE='2', MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port))
        processes = []
        for rank in (0, 1):
            own = dict(RANK=str(rank), LOCAL_RANK=str(rank))
            with (tmp_path / f'{name}{rank}.log').open('a') as log:
                processes.append(
                    subprocess.Popen(
                        [str(part) for part in command],
                        cwd=repo,
                        env={**os.environ, **shared, **own},
                        stdout=log,
                        stderr=log,
                    )
                )
        return processes

    return start


@pytest.mark.slow
def test_one_of_two_ranks_is_killed(two_ranks, tmp_path):
    """The other ends by itself, and both go on together."""
    iterations = 400

    def finish(processes):
        for rank, process in enumerate(processes):
            assert process.wait(300) == 0, rank

    finish(two_ranks('whole', iterations))
    processes = two_ranks('killed', iterations)
    end = time.monotonic() + 200
    while not (tmp_path / 'killed' / 'iter_40.pth').exists():
        assert time.monotonic() < end
        time.sleep(0.01)
    processes[1].send_signal(signal.SIGKILL)
    killed = time.monotonic()
    assert processes[0].wait(120) != 0
    print('the other ended after', time.monotonic() - killed, 's')
    assert not (tmp_path / 'killed' / f'iter_{iterations}.pth').exists()
    finish(two_ranks('killed', iterations))
    ends = [
        torch.load(tmp_path / name / f'iter_{iterations}.pth', weights_only=True)['state_dict']
        for name in ('whole', 'killed')
    ]
    for key, value in ends[0].items():
        assert torch.equal(value, ends[1][key]), key
