"""Connects the processes that a launcher has started."""

import atexit
import os
import subprocess
import zlib
from datetime import timedelta

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import get_rank, get_world_size, is_distributed


def connect_processes(cfg: Config) -> None:
    """Connect the processes that ``cfg.launcher`` started, before a Runner is built.

    Without a GPU they are connected through gloo, which the Runner does not do. With GPUs only
    environment variables are set, and the Runner does the rest. Nothing happens in a single
    process, or where the processes are connected. The commands ``train`` and ``test`` call it.

    Args:
        cfg: ``launcher`` is what started the processes: 'pytorch' (torchrun), 'slurm', 'mpi'
            (Open MPI), or 'none'. ``env_cfg.dist_cfg`` may hold ``backend``, ``port`` (with slurm)
            and what ``torch.distributed.init_process_group`` takes, ``timeout`` in seconds.

    Raises:
        ValueError: If no such launcher has started this process, it is not known on which machine
            the first process runs, or there is no GPU for a process.

    Example:
        In a script of your own::

            connect_processes(cfg)
            Runner.from_cfg(cfg).train()
    """
    launcher = cfg.get('launcher', 'none')
    if launcher == 'none' or is_distributed():
        return
    if launcher not in _LAUNCHERS:
        known = ', '.join(map(repr, _LAUNCHERS))
        raise ValueError(f"launcher must be {known} or 'none' (one process), got {launcher!r}.")
    # Else threads of the group may outlive what they need, and abort a process that has ended well.
    atexit.register(_leave_group)
    options = dict(cfg.get('env_cfg', {}).get('dist_cfg', {}))
    backend, port = options.pop('backend', None), options.pop('port', None)
    _set_environment(launcher, port)
    if get_device() != 'cpu':
        rank, count = int(os.environ['LOCAL_RANK']), torch.cuda.device_count()
        if get_device() == 'cuda' and rank >= count:
            raise ValueError(
                f'Each process needs a GPU of its own, but LOCAL_RANK={rank} sees {count}. Let '
                'each see all GPUs, start fewer, or set CUDA_VISIBLE_DEVICES= to train on CPUs.'
            )
        return
    if backend not in (None, 'gloo'):
        raise ValueError(f"env_cfg.dist_cfg.backend={backend!r} needs GPUs, got none. Set 'gloo'.")
    if 'timeout' in options:
        options['timeout'] = timedelta(seconds=options['timeout'])
    torch.distributed.init_process_group('gloo', **options)
    if get_rank() == 0:
        print(f'torch finds no GPU: {get_world_size()} processes on CPUs, connected through gloo.')


# Environment variables of rank, world size and local rank, and the command.
_LAUNCHERS = {
    'pytorch': ('RANK WORLD_SIZE LOCAL_RANK', 'torchrun --nproc-per-node=2'),
    'slurm': ('SLURM_PROCID SLURM_NTASKS SLURM_LOCALID', 'srun --ntasks=2'),
    'mpi': (
        'OMPI_COMM_WORLD_RANK OMPI_COMM_WORLD_SIZE OMPI_COMM_WORLD_LOCAL_RANK',
        "Open MPI's mpirun -np 2",
    ),
}


def _leave_group() -> None:
    if is_distributed():
        torch.distributed.destroy_process_group()


def _set_environment(launcher: str, port: int | None) -> None:
    """Set the environment variables that torch and MMEngine read, as torchrun does."""
    names, command = _LAUNCHERS[launcher]
    for name, target in zip(names.split(), ('RANK', 'WORLD_SIZE', 'LOCAL_RANK'), strict=True):
        if name not in os.environ:
            raise ValueError(
                f'launcher={launcher!r} needs the environment variable {name}, which is not set. '
                f'Start the processes by {command}, or use no launcher for a single one.'
            )
        os.environ[target] = os.environ[name]
    if launcher == 'pytorch':
        return
    if 'MASTER_ADDR' not in os.environ:
        os.environ['MASTER_ADDR'] = _first_machine(launcher)
    if launcher == 'slurm' and port is not None:  # before MASTER_PORT, as in MMEngine
        os.environ['MASTER_PORT'] = str(port)
    # MMEngine takes 29500 for all, where two jobs on one machine would meet.
    keys = ('SLURM_JOB_ID', 'SLURM_STEP_ID') if launcher == 'slurm' else ('PMIX_NAMESPACE',)
    job = '.'.join(os.environ.get(key, '') for key in keys)
    os.environ.setdefault('MASTER_PORT', str(10_000 + zlib.crc32(job.encode()) % 20_000))


def _first_machine(launcher: str) -> str:
    """The machine of the first process; slurm writes those of a step as ``node[01-04,07]``."""
    nodes = os.environ.get('SLURM_STEP_NODELIST') or os.environ.get('SLURM_NODELIST', '')
    if launcher == 'mpi':
        if os.environ.get('OMPI_COMM_WORLD_LOCAL_SIZE') == os.environ['WORLD_SIZE']:
            return '127.0.0.1'
        why = 'where mpi starts processes on several. Pass it by mpirun -x MASTER_ADDR=<name>.'
    elif nodes and not set('[,') & set(nodes):
        return nodes
    else:
        try:
            command = ['scontrol', 'show', 'hostnames', nodes]
            return subprocess.check_output(command, text=True).split()[0]
        except (OSError, subprocess.CalledProcessError, IndexError) as error:
            why = f'which scontrol does not give for nodes {nodes!r} ({error}). Set MASTER_ADDR.'
    raise ValueError(f'MASTER_ADDR must name the machine of the first process, {why}')
