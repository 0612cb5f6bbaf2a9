"""Variables of launchers, turned into those of torch; real processes are in test_options."""

import os
from datetime import timedelta

import pytest
import torch
from mmengine.config import Config

from mmgan_lite.engine import processes
from mmgan_lite.engine.processes import connect_processes

SLURM = dict(SLURM_PROCID='3', SLURM_NTASKS='4', SLURM_LOCALID='1', SLURM_NODELIST='alpha')
MPI = dict(
    OMPI_COMM_WORLD_RANK='3',
    OMPI_COMM_WORLD_SIZE='4',
    OMPI_COMM_WORLD_LOCAL_RANK='3',
    OMPI_COMM_WORLD_LOCAL_SIZE='4',
)
TORCHRUN = dict(RANK='3', WORLD_SIZE='4', LOCAL_RANK='1', MASTER_ADDR='alpha', MASTER_PORT='1234')


@pytest.fixture
def connect(monkeypatch):
    """Connect under an environment; returns the environment afterwards and torch's arguments."""

    def run(launcher, environment, device='cpu', **dist_cfg):
        calls = []
        monkeypatch.setattr(os, 'environ', dict(environment))
        monkeypatch.setattr(processes, 'get_device', lambda: device)
        monkeypatch.setattr(
            torch.distributed, 'init_process_group', lambda *a, **k: calls.append((*a, k))
        )
        connect_processes(Config(dict(launcher=launcher, env_cfg=dict(dist_cfg=dist_cfg))))
        return os.environ, calls

    return run


@pytest.mark.parametrize(
    ('launcher', 'given', 'local_rank', 'address'),
    [('slurm', SLURM, '1', 'alpha'), ('mpi', MPI, '3', '127.0.0.1')],
)
def test_ranks_and_address(connect, launcher, given, local_rank, address):
    environment, calls = connect(launcher, given)
    names = ('RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'MASTER_ADDR')
    assert [environment[name] for name in names] == ['3', '4', local_rank, address]
    assert calls == [('gloo', {})]


def test_what_torchrun_sets_stays(connect):
    environment, calls = connect('pytorch', TORCHRUN)
    assert environment == TORCHRUN
    assert calls == [('gloo', {})]


def test_one_process_needs_nothing(connect):
    assert connect('none', {}) == ({}, [])
    connect_processes(Config({}))


def test_timeout_in_seconds(connect):
    _, calls = connect('pytorch', TORCHRUN, backend='gloo', timeout=90)
    assert calls == [('gloo', dict(timeout=timedelta(seconds=90)))]


def test_address_and_port_of_the_user(connect):
    given = dict(MASTER_ADDR='beta', MASTER_PORT='1234')
    for launcher, variables in (('slurm', SLURM), ('mpi', MPI)):
        environment, _ = connect(launcher, {**variables, **given})
        assert given.items() <= environment.items()
    environment, _ = connect('slurm', {**SLURM, **given}, port=4321)
    assert environment['MASTER_PORT'] == '4321'


def test_two_jobs_on_one_machine_take_two_ports(connect):
    jobs = [dict(SLURM_JOB_ID='7', SLURM_STEP_ID=step) for step in '0011']
    ports = [int(connect('slurm', {**SLURM, **job})[0]['MASTER_PORT']) for job in jobs]
    assert ports[0] == ports[1] != ports[2] == ports[3]
    names = [dict(PMIX_NAMESPACE=name) for name in '12']
    ports += [int(connect('mpi', {**MPI, **name})[0]['MASTER_PORT']) for name in names]
    assert ports[-1] != ports[-2]
    assert all(10_000 <= port < 30_000 for port in ports)


def test_machine_of_the_first_process_in_a_list_of_slurm(connect, tmp_path):
    command = tmp_path / 'scontrol'
    command.write_text('#!/bin/sh\ntest "$*" = "show hostnames n[3-4]" && printf "n3\\nn4\\n"\n')
    command.chmod(0o755)
    environment = {**SLURM, 'SLURM_STEP_NODELIST': 'n[3-4]', 'PATH': f'{tmp_path}:/usr/bin:/bin'}
    assert connect('slurm', environment)[0]['MASTER_ADDR'] == 'n3'
    message = r"which scontrol does not give for nodes 'n\[1-2\].*Set MASTER_ADDR"
    for path in (f'{tmp_path}:/usr/bin:/bin', '/nowhere'):
        with pytest.raises(ValueError, match=message):
            connect('slurm', {**environment, 'SLURM_STEP_NODELIST': 'n[1-2]', 'PATH': path})


def test_mpi_over_several_machines_needs_an_address(connect):
    message = r'where mpi starts processes on several. Pass it by mpirun -x MASTER_ADDR=<name>'
    with pytest.raises(ValueError, match=message):
        connect('mpi', {**MPI, 'OMPI_COMM_WORLD_LOCAL_SIZE': '2'})


@pytest.mark.parametrize(
    ('launcher', 'message'),
    [
        ('pytorch', r'variable RANK, which is not set. Start the processes by torchrun'),
        ('slurm', r'variable SLURM_PROCID, which is not set. Start the processes by srun'),
        ('mpi', r"variable OMPI_COMM_WORLD_RANK, which is not set. .* Open MPI's mpirun"),
        ('slrum', r"must be 'pytorch', 'slurm', 'mpi' or 'none' .one process., got 'slrum'"),
    ],
)
def test_launcher_that_has_not_started_the_process(connect, launcher, message):
    with pytest.raises(ValueError, match=message):
        connect(launcher, {})


def test_backend_of_gpus_without_one(connect):
    with pytest.raises(ValueError, match=r"backend='nccl' needs GPUs, got none"):
        connect('pytorch', TORCHRUN, backend='nccl')


def test_with_gpus_the_runner_connects(connect, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 4)
    environment, calls = connect('mpi', MPI, device='cuda', backend='nccl')
    assert environment['LOCAL_RANK'] == '3'  # MMEngine reads it, and mpi does not set it
    assert calls == []


def test_more_processes_than_gpus(connect, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 1)
    with pytest.raises(ValueError, match=r'but LOCAL_RANK=1 sees 1. Let each see all'):
        connect('pytorch', TORCHRUN, device='cuda')
