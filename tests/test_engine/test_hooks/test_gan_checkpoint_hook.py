"""Checkpoints that are whole, found again, and written when a cluster asks the training to stop."""

import errno
import json
import multiprocessing
import os
import re
import resource
import shutil
import signal
from pathlib import Path

import pytest
import torch
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmgan_lite.checkpoints import find_damage, read_checkpoint
from mmgan_lite.engine.hooks import GANCheckpointHook
from mmgan_lite.engine.resume.work_dir_lock import WorkDirLock
from mmgan_lite.registry import METRICS


@METRICS.register_module()
class Count(BaseMetric):
    """How many images there were."""

    default_prefix = ''

    def process(self, data_batch, data_samples):
        self.results.extend([1] * len(data_samples))

    def compute_metrics(self, results):
        return dict(count=len(results))


@pytest.fixture
def config(repo, shrunk_config):
    """Six iterations, a checkpoint after every second."""

    def load(iterations=6, **checkpoint):
        cfg = shrunk_config(repo / 'configs/gan/gan_mlp_digits-28x28.py', iterations)
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
        cfg.default_hooks.checkpoint.update({'interval': 2, **checkpoint})
        cfg.resume = True
        return cfg

    return load


def named(cfg):
    """Iteration of the checkpoint that ``last_checkpoint`` names, which must be whole."""
    path = Path((Path(cfg.work_dir) / 'last_checkpoint').read_text())
    assert find_damage(path) is None
    return read_checkpoint(path)['meta']['iter']


def files(cfg):
    return sorted(path.name for path in Path(cfg.work_dir).glob('*.pth'))


class At(Hook):
    """Does something after an iteration, before the checkpoint is written."""

    def __init__(self, iteration, action, priority='NORMAL'):
        self.iteration, self.action, self.priority = iteration, action, priority

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter + 1 == self.iteration:
            self.action()


def test_the_newest_are_kept_and_named(config):
    cfg = config(max_keep_ckpts=2)
    Runner.from_cfg(cfg).train()
    assert files(cfg) == ['iter_4.pth', 'iter_6.pth']
    assert named(cfg) == 6
    assert not list(Path(cfg.work_dir).glob('.*.tmp'))


def test_nothing_to_resume_from_is_a_beginning(config):
    runner = Runner.from_cfg(config(2))
    runner.train()
    assert runner.iter == 2


@pytest.mark.parametrize('damage', ['cut', 'flipped', 'empty', 'gone'])
def test_the_newest_whole_one_is_taken(config, damage, caplog):
    cfg = config(4)
    Runner.from_cfg(cfg).train()
    path = Path(cfg.work_dir) / 'iter_4.pth'
    data = bytearray(path.read_bytes())
    if damage == 'flipped':
        data[len(data) // 2] ^= 1
    path.write_bytes({'cut': data[:-100], 'empty': b''}.get(damage, data))
    if damage == 'gone':
        path.unlink()
    cfg = config(6)
    runner = Runner.from_cfg(cfg)
    started = []
    runner.register_hook(At(3, lambda: started.append(runner.iter)))
    runner.train()
    assert started == [2]  # it went on from iter_2.pth
    assert named(cfg) == 6
    log = next(Path(cfg.work_dir).glob(f'{runner.timestamp}*/*.log')).read_text()
    assert 'iter_4.pth is damaged' in log


def test_a_damaged_one_that_was_asked_for_is_refused(config):
    cfg = config(2)
    Runner.from_cfg(cfg).train()
    path = Path(cfg.work_dir) / 'iter_2.pth'
    path.write_bytes(path.read_bytes()[:-50])
    cfg = config(4)
    cfg.load_from = str(path)
    with pytest.raises(ValueError, match=r"iter_2.pth' is damaged: its end is missing"):
        Runner.from_cfg(cfg).train()


def test_a_full_disk_leaves_the_one_before(config):
    """The kernel refuses to let a file grow, as a full disk does."""
    cfg = config(max_keep_ckpts=1)
    runner = Runner.from_cfg(cfg)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = []

    def fill():
        size.append((Path(cfg.work_dir) / 'iter_2.pth').stat().st_size)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size[0] // 2, before[1]))

    runner.register_hook(At(3, fill))
    try:
        with pytest.raises(OSError, match=r"iter_4.pth' could not be written.*iter_2.pth") as info:
            runner.train()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert info.value.errno == errno.EFBIG
    assert size[0] > 100_000  # the log is far smaller, and was not meant
    assert files(cfg) == ['iter_2.pth']
    assert named(cfg) == 2
    assert not list(Path(cfg.work_dir).glob('.*.tmp'))
    cfg = config()
    Runner.from_cfg(cfg).train()  # room again
    assert named(cfg) == 6


@pytest.mark.parametrize(
    ('number', 'kind', 'remedy', 'victim'),
    [
        (errno.EROFS, OSError, 'Make the folder writable again', 'iter_4.pth'),
        (errno.EACCES, PermissionError, 'Make the folder writable again', 'last_checkpoint'),
        (errno.ENOSPC, OSError, 'Make room, or keep fewer by max_keep_ckpts', 'last_checkpoint'),
        (errno.EIO, OSError, 'Mend that', 'iter_4.pth'),
    ],
)
def test_a_folder_that_becomes_unwritable(config, monkeypatch, number, kind, remedy, victim):
    cfg = config()
    replace = os.replace

    def refuse(source, target):
        # The name of the first checkpoint is not refused.
        if Path(target).name == victim and (Path(cfg.work_dir) / 'last_checkpoint').exists():
            raise OSError(number, os.strerror(number), str(source))
        replace(source, target)

    monkeypatch.setattr(os, 'replace', refuse)
    with pytest.raises(kind) as info:
        Runner.from_cfg(cfg).train()
    folder, error = Path(cfg.work_dir), info.value
    assert error.errno == number
    assert isinstance(error.__cause__, OSError)
    assert error.strerror == (
        f"checkpoint 'iter_4.pth' could not be written to '{folder}': {os.strerror(number)}. "
        f'Training stops; the newest undamaged one is {folder}/iter_2.pth. {remedy}, or set '
        'out_dir of GANCheckpointHook to another disk; then go on by --resume'
    )
    assert named(cfg) == 2
    assert not list(folder.glob('.*.tmp'))


def test_a_file_where_the_folder_was(config, tmp_path):
    cfg = config(out_dir=str(tmp_path / 'elsewhere'))
    folder = tmp_path / 'elsewhere' / 'work'

    def put_a_file():
        shutil.rmtree(folder)
        folder.write_text('')

    runner = Runner.from_cfg(cfg)
    runner.register_hook(At(3, put_a_file))
    with pytest.raises(OSError, match=f"'iter_4.pth' could not be written to '{folder}'") as info:
        runner.train()
    assert 'there is none before it. Put the folder back, or set out_dir' in str(info.value)


@pytest.fixture
def validated_config(repo, shrunk_config):
    """Four iterations, a validation after every second."""

    def load(**checkpoint):
        cfg = shrunk_config(repo / 'configs/gan/gan_mlp_digits-28x28.py', 4)
        cfg.train_cfg.val_interval = 2
        cfg.default_hooks.checkpoint.update(interval=2, by_epoch=False, **checkpoint)
        return cfg

    return load


def test_the_best_is_kept(validated_config):
    cfg = validated_config(save_best=['FID[mnist-classifier]', 'precision[mnist-classifier]'])
    cfg.default_hooks.checkpoint.rule = ['less', 'greater']
    runner = Runner.from_cfg(cfg)
    runner.train()
    (log,) = Path(cfg.work_dir).glob('*/evaluations.jsonl')
    history = log.read_text().splitlines()
    fids = [json.loads(line)['scores']['FID[mnist-classifier]']['value'] for line in history]
    best = f'best_FID[mnist-classifier]_iter_{2 * (1 + fids.index(min(fids)))}.pth'
    assert best in files(cfg)
    assert find_damage(Path(cfg.work_dir, best)) is None


def test_best_of_a_score_that_is_not_there(validated_config):
    runner = Runner.from_cfg(validated_config(save_best='FID', rule='less'))
    with pytest.raises(
        ValueError,
        match=r"save_best must name scores of the validation, got 'FID'\. It gives "
        r"'FID\[mnist-classifier\]', ",
    ):
        runner.train()
    assert runner.iter == 0


def test_best_of_scores_that_are_known_only_when_they_are_there(validated_config):
    cfg = validated_config(save_best='FID', rule='less')
    cfg.val_evaluator = dict(type='mmengine.Evaluator', metrics=[dict(type='Count')])
    with pytest.raises(ValueError, match="got 'FID'. It gives 'count'."):
        Runner.from_cfg(cfg).train()
    cfg.val_evaluator = dict(type='GANEvaluator', metrics=[dict(type='Count')])
    with pytest.raises(ValueError, match="got 'FID'. It gives 'count'."):
        Runner.from_cfg(cfg).train()


def test_best_without_a_validation(validated_config):
    cfg = validated_config(save_best='FID[mnist-classifier]', rule='less')
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    with pytest.raises(ValueError, match='needs a validation, got none. Add val_cfg'):
        Runner.from_cfg(cfg).train()


def test_whether_less_is_better_is_asked_before_training(validated_config):
    runner = Runner.from_cfg(validated_config(save_best='auto'))
    with pytest.raises(ValueError, match='a specific rule must be specified'):
        runner.train()
    assert runner.iter == 0


def test_the_best_checkpoint_cannot_be_written(repo, shrunk_config, monkeypatch):
    cfg = shrunk_config(repo / 'configs/gan/gan_mlp_digits-28x28.py', 2)
    cfg.train_cfg.val_interval = 2
    cfg.default_hooks.checkpoint.update(
        interval=2, save_best='FID[mnist-classifier]', rule='less', by_epoch=False
    )
    replace = os.replace

    def refuse(source, target):
        if Path(target).name.startswith('best_'):
            raise OSError(errno.EROFS, 'Read-only file system')
        replace(source, target)

    monkeypatch.setattr(os, 'replace', refuse)
    with pytest.raises(OSError, match=r"'best_\*.pth' could not be written .*iter_2.pth. Make the"):
        Runner.from_cfg(cfg).train()


def test_an_old_one_that_cannot_be_removed_is_told(config, monkeypatch):
    cfg = config(4, max_keep_ckpts=1)
    runner = Runner.from_cfg(cfg)

    def refuse():
        def remove(path):
            raise PermissionError(errno.EACCES, 'Permission denied', path)

        monkeypatch.setattr(os, 'remove', remove)

    runner.register_hook(At(3, refuse))
    runner.train()
    assert files(cfg) == ['iter_2.pth', 'iter_4.pth']
    assert named(cfg) == 4
    log = next(Path(cfg.work_dir).glob(f'{runner.timestamp}*/*.log')).read_text()
    assert 'iter_2.pth is no longer needed, but could not be removed: [Errno 13]' in log


@pytest.mark.parametrize('ours', [True, False])
def test_warnings_that_are_not_so_are_left_out(config, ours):
    """Those of MMEngine's, of gradients that are lost and of batches that are loaded again."""

    def load(iterations):
        cfg = config(iterations, interval=3)
        cfg.optim_wrapper.discriminator.accumulative_counts = 2
        if not ours:
            cfg.default_hooks.checkpoint['type'] = 'CheckpointHook'
            cfg.resume = iterations > 3
        return cfg

    Runner.from_cfg(load(3)).train()
    cfg = load(5)
    runner = Runner.from_cfg(cfg)
    runner.train()
    log = next(Path(cfg.work_dir).glob(f'{runner.timestamp}*/*.log')).read_text()
    assert runner.iter == 5
    assert 'resumed epoch: 0, iter: 3' in log
    assert ('gradient of some iterations is lost' in log) != ours
    assert ('Advance dataloader 3 steps' in log) != ours


def test_what_a_killed_process_left_is_removed(config):
    cfg = config(2)
    Path(cfg.work_dir).mkdir(parents=True)
    (Path(cfg.work_dir) / '.iter_2.pth.tmp').write_bytes(b'half')
    Runner.from_cfg(cfg).train()
    assert not list(Path(cfg.work_dir).glob('.*.tmp'))


@pytest.mark.parametrize(('name', 'workers'), [('SIGTERM', 1), ('SIGUSR1', 0)])
def test_a_signal_saves_and_says_resume_me(config, name, workers):
    """The signal goes to all processes there are, as that of a cluster."""
    others = set(multiprocessing.active_children())
    number = getattr(signal, name)

    def send_to_all():
        processes = set(multiprocessing.active_children()) - others
        assert len(processes) == workers
        for process in processes:
            os.kill(process.pid, number)
            process.join(0.5)
            assert process.is_alive()
        os.kill(os.getpid(), number)

    def load():
        cfg = config()
        cfg.train_dataloader.num_workers = workers
        return cfg

    cfg = load()
    runner = Runner.from_cfg(cfg)
    handler = signal.getsignal(number)
    runner.register_hook(At(3, send_to_all))
    with pytest.raises(SystemExit) as info:
        runner.train()
    assert info.value.code == 75
    assert named(cfg) == 3
    assert signal.getsignal(number) == handler
    runner = Runner.from_cfg(load())
    runner.train()
    assert runner.iter == 6
    # Python ends those that are left by a signal, which PyTorch reports as an error.
    assert set(multiprocessing.active_children()) == others


def test_one_training_at_a_time(config):
    cfg = config(2)
    runner = Runner.from_cfg(cfg)
    lock = WorkDirLock(cfg.work_dir)
    lock.acquire(runner.logger)
    with pytest.raises(ValueError, match=f'by one training at a time, but .* {os.getpid()} on'):
        runner.train()
    assert not files(cfg)
    runner.call_hook('before_run')  # as an evaluation does
    lock.release()

    errors = [KeyboardInterrupt]

    def fail():
        with pytest.raises(ValueError, match='by one training at a time'):
            lock.acquire(runner.logger)
        if errors:
            raise errors.pop()

    runner.register_hook(At(2, fail))
    with pytest.raises(KeyboardInterrupt):
        runner.train()
    for _ in range(2):  # it is free again, for the same Runner too
        runner.train()
    lock.acquire(runner.logger)
    lock.release()


def test_best_is_deleted_only_when_there_is_a_better(config, repo, shrunk_config):
    cfg = shrunk_config(repo / 'configs/gan/gan_mlp_digits-28x28.py', 4)
    cfg.train_cfg.val_interval = 2
    cfg.default_hooks.checkpoint.update(
        interval=2, save_best='FID[mnist-classifier]', rule='less', by_epoch=False
    )
    runner = Runner.from_cfg(cfg)
    runner.train()
    best = [name for name in files(cfg) if name.startswith('best_')]
    assert len(best) == 1
    assert find_damage(Path(cfg.work_dir) / best[0]) is None


def test_published_keys(config):
    cfg = config(2, published_keys=['meta', 'state_dict'])
    Runner.from_cfg(cfg).train()
    (published,) = [name for name in files(cfg) if '-' in name]
    checkpoint = torch.load(Path(cfg.work_dir) / published, weights_only=True)
    assert set(checkpoint) == {'meta', 'state_dict'}


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(interval_=3), "no argument 'interval_'. Did you mean 'interval'?"),
        (
            dict(file_client_args=dict(backend='disk')),
            'file_client_args is not supported. Pass backend_args.',
        ),
        (dict(resume_lr='new'), "resume_lr must be 'checkpoint' or 'config', got 'new'."),
        (dict(history_length=0), 'history_length must be an int of at least 1'),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises((TypeError, ValueError), match=re.escape(message)):
        GANCheckpointHook(**arguments)
