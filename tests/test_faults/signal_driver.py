"""Sends signals to one of two processes of a training, and tells what came of it.

usage: signal_driver.py FOLDER RANK_OF_SIGTERM [RANK_OF_SIGUSR1]

A script of its own process. The processes that train are forked children, so that only the first
pays for importing torch.
"""

import json
import os
import signal
import socket
import sys
import time
from pathlib import Path

from kill_driver import check, config, equal
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmgan_lite.checkpoints import read_checkpoint
from mmgan_lite.engine.processes import connect_processes

ITERATIONS = 60
# In turn; each comes after this many iterations.
SIGNALS = {'SIGTERM': 4, 'SIGUSR1': 28}
COMPARED = ('state_dict', 'optimizer', 'param_schedulers', 'training_state')


class SlowDown(Hook):
    """Makes iterations so long that the processes exchange their notes before training ends."""

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        time.sleep(0.05)


class Tell(Hook):
    """Writes down the iteration that was reached."""

    priority = 'HIGHEST'

    def __init__(self, path):
        self.path = path

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.path.write_text(str(runner.iter + 1))


def train(folder, rank, hooks):
    cfg = config(folder, ITERATIONS)
    cfg.launcher = 'pytorch'
    cfg.train_dataloader.batch_size = 8
    for network in (cfg.model.generator, cfg.model.discriminator):
        network.hidden_dims = (8,)
    cfg.default_hooks.samples.interval = 1000
    cfg.default_hooks.checkpoint.interval = 1000  # all files but the last are those of signals
    connect_processes(cfg)
    runner = Runner.from_cfg(cfg)
    for hook in [Tell(folder / f'reached_{rank}'), *hooks]:
        runner.register_hook(hook)
    runner.train()


def start(folder, hooks=()):
    """Two children that train to the end, or go on where others were stopped."""
    with socket.socket() as server:
        server.bind(('127.0.0.1', 0))
        port = server.getsockname()[1]
    folder.mkdir(exist_ok=True)
    return [fork(folder, rank, port, hooks) for rank in (0, 1)]


def fork(folder, rank, port, hooks):
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        log = os.open(
            folder.with_name(f'{folder.name}_{rank}.log'),
            os.O_WRONLY | os.O_CREAT | os.O_APPEND,
        )
        os.dup2(log, 1)
        os.dup2(log, 2)
        place = dict(MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port), WORLD_SIZE='2')
        os.environ.update(place, RANK=str(rank), LOCAL_RANK=str(rank))
        train(folder, rank, hooks)
        code = 0
    except SystemExit as stop:
        code = stop.code
    except BaseException as error:
        print(repr(error), file=sys.stderr)
        raise
    finally:
        os._exit(code)


def reached(folder, rank):
    """The iteration that a process has made; 0 at first."""
    path = folder / f'reached_{rank}'
    return int((path.read_text() if path.exists() else '') or 0)


def exit_codes(pids, seconds=60):
    """Of both processes; one that does not end in time is ended, which its code then tells."""
    end, codes = time.monotonic() + seconds, {}
    while len(codes) < len(pids):
        for pid in pids:
            if pid in codes:
                continue
            if time.monotonic() > end:
                os.kill(pid, signal.SIGKILL)
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                codes[pid] = os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    return [codes[pid] for pid in pids]


def stop(folder, name, rank):
    """Start a training, send the signal to one of its processes, and tell how both ended."""
    pids = start(folder, [SlowDown()])
    end = time.monotonic() + 60
    while reached(folder, rank) < SIGNALS[name] and time.monotonic() < end:
        time.sleep(0.005)
    os.kill(pids[rank], getattr(signal, name))
    codes = exit_codes(pids)
    damage = check(folder)
    saved = None
    if damage is None and (folder / 'last_checkpoint').exists():
        path = Path((folder / 'last_checkpoint').read_text())
        saved = read_checkpoint(path)['meta']['iter']
    iterations = [reached(folder, other) for other in (0, 1)]
    return dict(codes=codes, iterations=iterations, saved=saved, damage=damage)


def main():
    folder = Path(sys.argv[1])
    whole, stopped = folder / 'whole', folder / 'stopped'
    told = dict(whole=exit_codes(start(whole)))
    ranks = map(int, sys.argv[2:])
    told['stops'] = [stop(stopped, *how) for how in zip(SIGNALS, ranks, strict=False)]
    told['files'] = sorted(path.name for path in stopped.glob('*.pth'))
    told['rest'] = exit_codes(start(stopped))
    ends = [read_checkpoint(path / f'iter_{ITERATIONS}.pth') for path in (whole, stopped)]
    told['equal'] = {key: equal(*(end[key] for end in ends)) for key in COMPARED}
    told['left_over'] = [path.name for path in stopped.glob('.*.tmp')]
    print(json.dumps(told))


if __name__ == '__main__':
    main()
