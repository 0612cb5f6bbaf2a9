"""What the commands share."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

TRAIN = Path(__file__).resolve().parents[2] / 'tools' / 'train.py'


def test_config_by_name(command):
    assert "type='DigitsDataset'" in command('print-config', 'gan_mlp_digits-28x28').stdout


def test_unknown_config(command):
    result = command('print-config', 'gan_mlp_digit')
    assert 'The nearest are: gan_mlp_digits-28x28' in result.stderr


def test_one_folder_for_all_data(command):
    told = command('print-config', 'dcgan_mnist-28x28', '--data-root', '/elsewhere').stdout
    assert told.count("data_root='/elsewhere'") == told.count('data_root') == 5
    # What is said of one dataset in particular counts more.
    options = ('--cfg-options', 'train_dataloader.dataset.data_root=/there')
    arguments = ('print-config', 'dcgan_mnist-28x28', '--data-root', '/elsewhere', *options)
    assert "data_root='/there'" in command(*arguments).stdout
    result = command('print-config', 'gan_mlp_digits-28x28', '--data-root', '/elsewhere')
    assert 'data_root needs a dataset with a data_root in the config, got none' in result.stderr


def free_port():
    with socket.socket() as unused:
        unused.bind(('127.0.0.1', 0))
        return str(unused.getsockname()[1])


def slurm(rank):
    """What srun tells a process, of two on one machine."""
    ids = dict(SLURM_PROCID=str(rank), SLURM_LOCALID=str(rank), SLURM_NTASKS='2')
    return dict(ids, SLURM_NODELIST='localhost')


def mpi(rank):
    """What Open MPI's mpirun tells a process, of two on one machine."""
    told = dict(RANK=str(rank), LOCAL_RANK=str(rank), SIZE='2', LOCAL_SIZE='2')
    return {f'OMPI_COMM_WORLD_{name}': value for name, value in told.items()}


def train(launcher, folder):
    options = ('train_cfg.max_iters=2', 'model.generator.hidden_dims=(16,16)')
    config = ('gan_mlp_digits-28x28', '--work-dir', folder / 'work')
    return [*config, '--launcher', launcher, '--cfg-options', *options]


def check(out, folder):
    assert out.count('2 processes on CPUs, connected through gloo') == 1
    assert (folder / 'work' / 'iter_2.pth').is_file()
    assert (folder / 'work' / 'samples' / 'samples_iter-00000002.png').is_file()


def test_train_by_torchrun(torchrun, tmp_path):
    check(torchrun(TRAIN, *train('pytorch', tmp_path), cwd=tmp_path), tmp_path)


@pytest.mark.parametrize('launcher', [slurm, mpi])
def test_train_by_slurm_and_mpi(launcher, tmp_path):
    arguments = map(str, train(launcher.__name__, tmp_path))
    command, port = [sys.executable, str(TRAIN), *arguments], free_port()
    started = [
        subprocess.Popen(
            command,
            cwd=tmp_path,
            env={**os.environ, **launcher(rank), 'MASTER_PORT': port},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in (0, 1)
    ]
    try:
        outs = [process.communicate(timeout=120)[0] for process in started]
    finally:
        for process in started:
            process.kill()
    assert [process.returncode for process in started] == [0, 0], '\n'.join(outs)[-5000:]
    check(''.join(outs), tmp_path)
