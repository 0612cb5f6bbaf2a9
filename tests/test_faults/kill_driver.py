"""Kills a training again and again, and tells what came of it. A script of its own process.

usage: kill_driver.py FOLDER KILLS SEED FAMILY

Each training is a forked child, so that only the first pays for importing torch. Half of the kills
come at any moment; the others wait until a checkpoint is being written.
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import torch
from mmengine.runner import Runner

import mmgan_lite
from mmgan_lite.checkpoints import find_damage, read_checkpoint

INTERVAL = 3


ADAPTIVE = dict(type='AdaptiveAugment', p=0.2)
# A config, and what its model has besides.
FAMILIES = dict(
    mlp=(
        'gan_mlp_digits-28x28_conditional',
        dict(discriminator_steps=2, augmentation=ADAPTIVE),
    ),
    stylegan2=(
        'stylegan2_mnist-32x32_cpu',
        dict(
            generator=dict(channel_max=8, noise='random', style_mixing=0.9),
            discriminator=dict(channel_max=8),
            regularizers=[
                dict(type='R1Regularizer', interval=16),
                dict(type='PathLengthRegularizer', interval=4),
            ],
            augmentation=ADAPTIVE,
        ),
    ),
    pggan=(
        'pggan_digits-28x28',
        dict(
            generator=dict(base_channels=16),
            discriminator=dict(base_channels=16),
            growth=dict(fade_images=560, stable_images=10),  # fading nearly all the time
        ),
    ),
    cyclegan=(
        'cyclegan_emoji-64x64_cpu',
        dict(
            generator=dict(in_channels=1, out_channels=1, levels=2, base_channels=4),
            discriminator=dict(in_channels=1, base_channels=4, num_layers=1),
            pool_size=40,  # full after three iterations
        ),
    ),
)


def config(folder, iterations, family='mlp'):
    name, model = FAMILIES[family]
    cfg = mmgan_lite.get_config(name)
    cfg.merge_from_dict(dict(model=model))
    cfg.work_dir, cfg.resume = str(folder), True
    cfg.train_cfg.max_iters = iterations
    cfg.train_dataloader.update(batch_size=16, num_workers=0, persistent_workers=False)
    cfg.train_dataloader.dataset = dict(type='EdgesToDigitsDataset')
    if 'image_shape' in cfg.model.generator:
        side = cfg.model.generator.image_shape[1]
        cfg.train_dataloader.dataset = dict(type='DigitsDataset', image_size=side)
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.default_hooks.checkpoint.update(interval=INTERVAL, max_keep_ckpts=2)
    cfg.default_hooks.samples.interval = 10
    return cfg


def start(folder, iterations):
    """A child that trains to the end, or goes on where another was killed."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        errors = os.open(folder.with_suffix('.err'), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(errors, 2)
        Runner.from_cfg(config(folder, iterations, sys.argv[4])).train()
        code = 0
    finally:
        os._exit(code)


def finish(pid):
    status = os.waitpid(pid, 0)[1]
    assert os.waitstatus_to_exitcode(status) == 0, 'the training failed'


def is_writing(folder):
    return any(name.startswith('.iter_') for name in os.listdir(folder))


def wait(pid, folder, seconds, for_writing):
    """Wait for the moment of a kill; whether the training still runs then."""
    end = time.monotonic() + seconds
    while time.monotonic() < end or (for_writing and not is_writing(folder)):
        if os.waitpid(pid, os.WNOHANG)[0]:
            return False
        time.sleep(0.0002 if for_writing else 0.002)
    return True


def check(folder):
    """What is wrong with the file that ``last_checkpoint`` names; None if it is whole."""
    name = folder / 'last_checkpoint'
    if not name.exists():
        return None
    path = Path(name.read_text())
    problem = find_damage(path)
    if problem is None:
        read_checkpoint(path)
    return problem


def equal(ours, theirs):
    if isinstance(ours, dict):
        return ours.keys() == theirs.keys() and all(equal(ours[k], theirs[k]) for k in ours)
    if isinstance(ours, (list, tuple)):
        return len(ours) == len(theirs) and all(map(equal, ours, theirs))
    if isinstance(ours, torch.Tensor):
        views = [t.contiguous().reshape(-1).view(torch.uint8) for t in (ours, theirs)]
        return ours.dtype == theirs.dtype and torch.equal(*views)
    return ours == theirs


def main():
    folder, kills, stream = Path(sys.argv[1]), int(sys.argv[2]), random.Random(int(sys.argv[3]))
    iterations = 12 * INTERVAL + 3 * kills * INTERVAL // 2
    whole, killed = folder / 'whole', folder / 'killed'
    begin = time.monotonic()
    finish(start(whole, iterations))
    seconds = time.monotonic() - begin
    told = dict(kills=0, while_writing=0, named_damaged=[], seconds=seconds, iterations=iterations)
    while told['kills'] < kills:
        pid = start(killed, iterations)
        for_writing = told['kills'] % 2 == 1
        # A start takes some of it; what is left are a few iterations of progress.
        moment = stream.uniform(0.3, 1.0) + stream.uniform(0, 2) * seconds / kills
        killed.mkdir(exist_ok=True)
        if not wait(pid, killed, moment, for_writing):
            break  # it reached its end
        told['while_writing'] += is_writing(killed)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        told['kills'] += 1
        problem = check(killed)
        if problem is not None:
            told['named_damaged'].append(problem)
    finish(start(killed, iterations))
    ends = [read_checkpoint(path / f'iter_{iterations}.pth') for path in (whole, killed)]
    told['equal'] = {key: equal(*(end[key] for end in ends)) for key in ('state_dict', 'optimizer')}
    told['left_over'] = [path.name for path in killed.glob('.*.tmp')]
    print(json.dumps(told))


if __name__ == '__main__':
    main()
