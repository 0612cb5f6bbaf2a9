"""Checkpoints that a training goes on from to the bit, and that are never half there."""

import errno
import functools
import hashlib
import logging
import os
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import mmengine.hooks
import torch
from mmengine.dist import (
    all_gather_object,
    broadcast_object_list,
    get_rank,
    get_world_size,
    is_main_process,
)
from mmengine.fileio import LocalBackend, get_file_backend, register_backend
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.runner import BaseLoop, IterBasedTrainLoop, Runner
from torch import Tensor

from mmgan_lite.checkpoints import (
    newest_checkpoint,
    read_checkpoint,
    require_undamaged,
    write_checkpoint,
    write_sealed,
)
from mmgan_lite.engine.mmengine_compat import passes_made
from mmgan_lite.engine.resume.dataloader_state import (
    can_begin_anywhere,
    go_on,
    number_batches,
)
from mmgan_lite.engine.resume.preemption import EXIT_CODE, StopSignals
from mmgan_lite.engine.resume.rng_state import (
    get_partial_gradients,
    get_random_state,
    set_partial_gradients,
    set_random_state,
)
from mmgan_lite.registry import HOOKS
from mmgan_lite.utils.atomic_io import TEMPORARY_FILES, atomic_write
from mmgan_lite.utils.log_filters import BATCHES_LOADED, GRADIENTS_LOST, UntrueWarnings

_BACKEND = 'mmgan_lite_sealed'
_KEY = 'training_state'


class SealedFileBackend(LocalBackend):
    """MMEngine's backend of local files, whose checkpoints have a seal and are never half there."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write the bytes of a checkpoint."""
        Path(filepath).parent.mkdir(parents=True, exist_ok=True)
        write_sealed(obj, filepath)


register_backend(_BACKEND, SealedFileBackend, force=True)


@HOOKS.register_module()
class GANCheckpointHook(mmengine.hooks.CheckpointHook):
    """MMEngine's ``CheckpointHook``, from whose files a training goes on as if never interrupted.

    What it adds to the files, with which N iterations in one go and the same N cut anywhere end in
    the same bytes on a CPU: the random streams of all processes, the place in the data, gradients
    of an accumulation that is not over. It is read by ``resume``, not by ``load_from`` alone. A
    validation draws its random numbers aside, and one that was due is made up for.

    Each file is written aside and gets its name when it is on the disk, with a checksum at its end;
    then ``last_checkpoint`` names it, and only then are older ones deleted. ``resume`` without a
    path takes the newest whole checkpoint of ``work_dir``, or begins where there is none. All this
    holds for local files; what another backend does is its own.

    SIGTERM and SIGUSR1 write a checkpoint at the end of the running iteration and end the process
    with code 75: start the same command again, with ``--resume``. A second signal, more than two
    seconds later, ends it at once. Several processes agree on the iteration within about a second.

    Args:
        interval: Iterations, or epochs with ``by_epoch``, from one checkpoint to the next; -1 for
            none.
        by_epoch: Whether ``interval`` counts epochs.
        save_optimizer: Whether the files hold the optimisers, without which there is no resuming.
        save_param_scheduler: Whether the files hold the schedules.
        out_dir: Where the files go, into a folder of the name of ``work_dir``; None for
            ``work_dir`` itself.
        max_keep_ckpts: How many files are kept; -1 for all.
        save_last: Whether the last iteration is saved whatever ``interval`` says.
        save_best: Names of scores of which the best checkpoint is kept, too, such as
            'FID[mnist-classifier]'; 'auto' for the first score.
        rule: Which value of each is better, 'greater' or 'less'; None where its name tells.
        greater_keys: Parts of names of metrics that are better when greater.
        less_keys: Parts of names of metrics that are better when less.
        filename_tmpl: Name of a file, with {} for its iteration or epoch.
        backend_args: MMEngine's file backend; None for local files as above.
        published_keys: What of the last and the best checkpoint is written anew after training.
        save_begin: Iteration or epoch from which on files are written.

    Raises:
        ValueError: Before training, if ``save_best`` names no score of the validation, or there is
            none.
        OSError: While training, if a checkpoint cannot be written. The ones before it stay, and it
            names the newest whole one, the folder and a remedy.

    Example:
        >>> default_hooks = dict(checkpoint=dict(type='GANCheckpointHook', interval=5000,
        ...     by_epoch=False, max_keep_ckpts=2))
    """

    out_dir: Any
    backend_args: dict | None
    last_ckpt: str | None
    keep_ckpt_ids: deque
    best_ckpt_path: str | None
    best_ckpt_path_dict: dict[str, str | None]

    def __init__(
        self,
        interval: int = -1,
        by_epoch: bool = True,
        save_optimizer: bool = True,
        save_param_scheduler: bool = True,
        out_dir: str | Path | None = None,
        max_keep_ckpts: int = -1,
        save_last: bool = True,
        save_best: str | list[str] | None = None,
        rule: str | list[str] | None = None,
        greater_keys: Sequence[str] | None = None,
        less_keys: Sequence[str] | None = None,
        filename_tmpl: str | None = None,
        backend_args: dict | None = None,
        published_keys: str | list[str] | None = None,
        save_begin: int = 0,
    ) -> None:
        super().__init__(
            interval=interval,
            by_epoch=by_epoch,
            save_optimizer=save_optimizer,
            save_param_scheduler=save_param_scheduler,
            out_dir=out_dir,
            max_keep_ckpts=max_keep_ckpts,
            save_last=save_last,
            save_best=save_best,
            rule=rule,
            greater_keys=greater_keys,
            less_keys=less_keys,
            filename_tmpl=filename_tmpl,
            backend_args=backend_args,
            published_keys=published_keys,
            save_begin=save_begin,
        )
        self._signals = StopSignals()
        self._loaded: dict | None = None
        self._to_save: dict | None = None
        self._before_val: dict | None = None
        self._validated = False
        self._saved_iteration = 0
        self._silenced = UntrueWarnings()

    # Before and at the start of training.

    def before_run(self, runner: Runner) -> None:
        """Find the checkpoint to resume from, or see that the one that was named is whole.

        Raises:
            ValueError: If the one that was named is damaged.
        """
        self._loaded = None
        if not runner._resume:
            return
        if runner._load_from is None:
            found = [newest_checkpoint(runner.work_dir) if is_main_process() else None]
            broadcast_object_list(found)
            if found[0] is None:
                runner._resume = False
                runner.logger.info(
                    f'There is no whole checkpoint in {runner.work_dir} yet: training starts from '
                    'the beginning.'
                )
            else:
                runner._load_from = str(found[0])
        else:
            require_undamaged(runner._load_from)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keep what training goes on from until it does.

        Raises:
            ValueError: If a training is resumed with another model than it began with, or none of
                the weights that are loaded is of this model.
        """
        _check_weights(runner, checkpoint.get('state_dict', {}))
        state = checkpoint.pop(_KEY, None)
        self._loaded = None if state is None else dict(state, iteration=checkpoint['meta']['iter'])
        if state is not None and runner._resume and isinstance(runner._train_loop, BaseLoop):
            self._silence(runner, state)

    def before_train(self, runner: Runner) -> None:
        """Put aside what an interrupted run left; make up for a validation that was due."""
        local = self.backend_args is None and isinstance(
            get_file_backend(str(self.out_dir or runner.work_dir)), LocalBackend
        )
        if local:
            self.backend_args = dict(backend=_BACKEND)
        super().before_train(runner)
        self._check_save_best(runner)
        if local and is_main_process():
            for path in Path(self.out_dir).glob(TEMPORARY_FILES):
                path.unlink()
        self._saved_iteration = runner.iter
        if not self._signals.install():
            print_log(
                'SIGTERM and SIGUSR1 save no checkpoint: training does not run in the main thread.',
                logger='current',
            )
        # What load_from read alone is another training's, which this one does not go on from.
        if self._loaded is None or runner.iter == 0 or self._loaded['iteration'] != runner.iter:
            self._loaded = None
            self._silenced.end()
            self._start_without_state(runner)
            return
        if not self._loaded['validated'] and _validation_is_due(runner):
            runner.val_loop.run()
        if not isinstance(runner.train_loop, IterBasedTrainLoop):
            self._go_on(runner)

    def _check_save_best(self, runner: Runner) -> None:
        """MMEngine finds out at the first validation, which may be hours away, or never."""
        if not self.save_best:
            return
        if runner.val_loop is None:
            raise ValueError(
                f'save_best={self.save_best!r} needs a validation, got none. Add val_cfg, '
                'val_dataloader and val_evaluator, or leave save_best out.'
            )
        names = getattr(getattr(runner.val_loop, 'evaluator', None), 'score_names', None)
        if names is not None:
            self._require_scores(names)
            if 'auto' in self.key_indicators:
                self._init_rule(self.rules, names[:1])

    def _require_scores(self, names: Iterable[str]) -> None:
        known = ['auto', *names]
        for name in self.key_indicators:
            if name not in known:
                raise ValueError(
                    f'save_best must name scores of the validation, got {name!r}. It gives '
                    f'{", ".join(map(repr, known[1:]))}.'
                )

    def before_train_epoch(self, runner: Runner) -> None:
        """Begin in the middle of the data, after the sampler has been told the epoch."""
        if self._loaded is not None and isinstance(runner.train_loop, IterBasedTrainLoop):
            self._go_on(runner)

    def _silence(self, runner: Runner, state: dict) -> None:
        """Leave out what MMEngine warns of when it resumes, where it is not so here."""
        untrue = []
        if len(state['processes']) == get_world_size():
            untrue.append(GRADIENTS_LOST)
        if can_begin_anywhere(runner.train_dataloader):
            untrue.append(BATCHES_LOADED)
        self._silenced.begin(runner.logger, untrue)

    def _start_without_state(self, runner: Runner) -> None:
        if runner.iter == 0:
            number_batches(runner.train_loop, runner.seed)
            return
        runner.logger.warning(
            f'The checkpoint of iteration {runner.iter} holds no random numbers, as it was not '
            'written by GANCheckpointHook: this run goes on, but not as one that was never '
            'interrupted would.'
        )

    def _go_on(self, runner: Runner) -> None:
        state, self._loaded = self._loaded, None
        assert state is not None
        _restore_sampler_seed(runner, state['sampler_seed'])
        ready = functools.partial(_restore_process, runner, state['processes'])
        go_on(runner.train_loop, runner.seed, state['passes'], ready)

    # While training.

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict | None = None
    ) -> None:
        """Save at the interval, or because a signal came; then training ends.

        Raises:
            SystemExit: With code 75, after a signal.
        """
        self._silenced.end()
        super().after_train_iter(runner, batch_idx, data_batch, outputs)
        if self._signals.agreed(runner.iter + 1):
            self._stop(runner, runner.iter + 1)

    def before_val(self, runner: Runner) -> None:
        """Note the random streams: training shall not notice a validation."""
        self._before_val = get_random_state(_device(runner))

    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Sequence | None = None,
    ) -> None:
        """Do not wait for the end of a validation to stop; it is made up for."""
        # Several processes may validate on unequal numbers of batches, so they do wait.
        if self._signals.received is not None and get_world_size() == 1 and runner.iter > 0:
            self._stop(runner, runner.iter)

    def after_val_epoch(self, runner: Runner, metrics: dict | None = None) -> None:
        """Keep the best checkpoint, if asked to."""
        self._validated = True
        super().after_val_epoch(runner, metrics or {})

    def after_val(self, runner: Runner) -> None:
        """Put the random streams back."""
        self._validated = False
        if self._before_val is not None:
            set_random_state(self._before_val, _device(runner))
            self._before_val = None

    def after_train(self, runner: Runner) -> None:
        """Publish, if asked to; signals are again what they were."""
        self._silenced.end()
        self._signals.uninstall()
        super().after_train(runner)

    def _stop(self, runner: Runner, iteration: int) -> None:
        if self._saved_iteration != iteration:
            meta = dict(epoch=runner.epoch, iter=iteration)
            if self.by_epoch:
                path = self.file_backend.join_path(self.out_dir, f'iter_{iteration}.pth')
                runner.message_hub.update_info('extra_ckpt', path)
                self._write(runner, path, meta)
            else:
                self._save_checkpoint_with_step(runner, iteration, meta)
        self._signals.uninstall()
        runner.logger.info(
            f'Training stops after iteration {iteration}, as a signal asked for. It goes on from '
            f'{self.last_ckpt} by --resume (exit code {EXIT_CODE}).'
        )
        raise SystemExit(EXIT_CODE)

    # What is written.

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add what training goes on from to a checkpoint that has optimisers."""
        if 'optimizer' not in checkpoint:
            return
        state = self._to_save
        if state is None and get_world_size() == 1:  # saved by somebody else
            state = self._collect(runner)
        if state is not None:
            checkpoint[_KEY] = state

    def _collect(self, runner: Runner) -> dict[str, Any]:
        """What all processes train with besides weights and optimisers; all must call it."""
        if self._loaded is not None:  # a validation is made up for; training has not begun
            kept = {key: value for key, value in self._loaded.items() if key != 'iteration'}
            return {**kept, 'validated': self._validated}
        process = dict(
            random=self._before_val or get_random_state(_device(runner)),
            gradients=get_partial_gradients(runner.optim_wrapper),
        )
        return dict(
            processes=all_gather_object(process),
            passes=passes_made(runner.train_loop),
            sampler_seed=getattr(_sampler(runner), 'seed', None),
            validated=self._validated,
        )

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        """MMEngine's, which deletes what is too old before it has the new file; here after."""
        path = self.file_backend.join_path(self.out_dir, self.filename_tmpl.format(step))
        if self.max_keep_ckpts <= 0:
            self._write(runner, path, meta)
            return
        kept = [*(other for other in self.keep_ckpt_ids if other != step), step]
        # With the one that will be deleted: should that not come about, a resumed run does it.
        runner.message_hub.update_info('keep_ckpt_ids', kept)
        self._write(runner, path, meta)
        for old in kept[: -self.max_keep_ckpts]:
            self._remove(self.file_backend.join_path(self.out_dir, self.filename_tmpl.format(old)))
        self.keep_ckpt_ids = deque(kept[-self.max_keep_ckpts :], self.max_keep_ckpts)
        runner.message_hub.update_info('keep_ckpt_ids', list(self.keep_ckpt_ids))

    def _write(self, runner: Runner, path: str, meta: dict) -> None:
        """Write a checkpoint, then its name; raises in all processes if the first one cannot."""
        self.last_ckpt = path
        runner.message_hub.update_info('last_ckpt', path)
        self._to_save = self._collect(runner)
        error = None
        try:
            runner.save_checkpoint(
                self.out_dir,
                os.path.basename(path),
                save_optimizer=self.save_optimizer,
                save_param_scheduler=self.save_param_scheduler,
                meta=meta,
                by_epoch=self.by_epoch,
                backend_args=self.backend_args,
            )
            if is_main_process():
                with atomic_write(Path(runner.work_dir) / 'last_checkpoint') as temporary:
                    temporary.write_text(path)
        except OSError as caught:
            error = _not_written(caught, path, runner.work_dir)
        finally:
            self._to_save = None
        _raise_in_all_processes(error)
        self._saved_iteration = meta['iter']
        extra = runner.message_hub.runtime_info.get('extra_ckpt')
        if extra not in (None, path):
            self._remove(extra)
            runner.message_hub.pop_info('extra_ckpt')

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        """MMEngine's, which deletes the best so far before it has the new file; here after."""
        if not self.save_best:
            return
        self._require_scores(metrics)
        several = len(self.key_indicators) > 1
        before = dict(self.best_ckpt_path_dict) if several else {'': self.best_ckpt_path}
        # It deletes what it knows of.
        if several:
            self.best_ckpt_path_dict = dict.fromkeys(before)
        else:
            self.best_ckpt_path = None
        try:
            super()._save_best_checkpoint(runner, metrics)
        except OSError as caught:
            if caught.__cause__ is not None or not is_main_process():
                raise  # it is of the checkpoint that follows the best one, and tells all
            raise _not_written(caught, f'{self.out_dir}/best_*.pth', runner.work_dir) from caught
        now = self.best_ckpt_path_dict if several else {'': self.best_ckpt_path}
        for name, path in before.items():
            if now[name] is None:  # it was not surpassed
                now[name] = path
            elif path not in (None, now[name]):
                self._remove(path)
        if not several:
            self.best_ckpt_path = now['']

    def _publish_model(self, runner: Runner, ckpt_path: str) -> None:
        """MMEngine's, by our reader and our writer."""
        if not is_main_process():
            return
        checkpoint = read_checkpoint(ckpt_path)
        kept = {key: value for key, value in checkpoint.items() if key in self.published_keys}
        path = Path(ckpt_path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
        published = path.with_name(f'{path.stem}-{digest}.pth')
        write_checkpoint(kept, published)
        left_out = ', '.join(map(repr, checkpoint.keys() - kept.keys())) or 'nothing'
        runner.logger.info(f'{ckpt_path} is published as {published}, without {left_out}.')

    def _remove(self, path: str) -> None:
        if not is_main_process():
            return
        try:
            if self.file_backend.isfile(path):
                self.file_backend.remove(path)
        except OSError as error:  # the new one is written: no reason to stop, and alone at that
            told = f'{path} is no longer needed, but could not be removed: {error}.'
            print_log(told, logger='current', level=logging.WARNING)


_REMEDIES = {
    (errno.ENOSPC, errno.EDQUOT, errno.EFBIG): 'Make room, or keep fewer by max_keep_ckpts',
    (errno.EACCES, errno.EPERM, errno.EROFS): 'Make the folder writable again',
    (errno.ENOENT, errno.ENOTDIR, errno.EEXIST): 'Put the folder back',
}


def _not_written(caught: OSError, path: str, work_dir: str) -> OSError:
    """The error in our words, and of the same type: file, folder, what there is, what to do."""
    folder, name = os.path.split(path)
    newest = newest_checkpoint(work_dir)
    remedy = next(
        (text for numbers, text in _REMEDIES.items() if caught.errno in numbers), 'Mend that'
    )
    found = 'there is none before it' if newest is None else f'the newest whole one is {newest}'
    error = OSError(
        caught.errno,
        f'checkpoint {name!r} could not be written to {folder!r}: {caught.strerror or caught}. '
        f'Training stops; {found}. '
        f'{remedy}, or set out_dir of GANCheckpointHook to another disk; then go on by --resume',
    )
    error.__cause__ = caught
    return error


def _raise_in_all_processes(error: OSError | None) -> None:
    """Raise the error of the first process in all: the others would wait for it for ever."""
    message = [None if error is None else str(error)]
    broadcast_object_list(message)
    if error is not None:
        raise error
    if message[0] is not None:
        raise OSError(f'In process 0: {message[0]}')


def _restore_process(runner: Runner, processes: Sequence[dict]) -> None:
    rank, count = get_rank(), get_world_size()
    if len(processes) != count:
        runner.logger.warning(
            f'The checkpoint was written by {len(processes)} processes, and {count} go on from it: '
            'each gets other images and other random numbers than it would have got.'
        )
    if rank < len(processes):
        set_random_state(processes[rank]['random'], _device(runner))
    if len(processes) == count:
        set_partial_gradients(runner.optim_wrapper, processes[rank]['gradients'])


def _check_weights(runner: Runner, found: Mapping[str, Tensor]) -> None:
    """MMEngine only warns where names or shapes differ, and trains from what is left."""
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    expected = model.state_dict()
    differing = [
        name
        for name in dict.fromkeys([*expected, *found])
        if name not in expected or name not in found or expected[name].shape != found[name].shape
    ]
    # Counts, such as those of an average, have one name and shape in all models.
    fitting = [name for name in expected if expected[name].ndim and name not in differing]
    if not differing or (fitting and not runner._resume):
        return
    what = 'resume' if runner._resume else 'load_from'
    remedy = (
        'Resume with the config that it was written with; for its weights alone, '
        'set load_from and not resume.'
        if runner._resume
        else 'Set load_from to a checkpoint of the same networks, or to None.'
    )
    raise ValueError(
        f'{what} must be given a checkpoint of this model, but {len(differing)} weights of '
        f"'{runner._load_from}' differ in name or shape: {', '.join(differing[:3])}, ... {remedy}"
    )


def _device(runner: Runner) -> torch.device:
    return next(runner.model.parameters()).device


def _sampler(runner: Runner) -> Any:
    loader = runner.train_dataloader
    return getattr(loader.batch_sampler, 'sampler', loader.sampler)


def _restore_sampler_seed(runner: Runner, seed: int | None) -> None:
    """A run without a seed in its config drew one before it knew that it was to be resumed."""
    sampler = _sampler(runner)
    if seed is not None and getattr(sampler, 'seed', None) is not None:
        sampler.seed = seed


def _validation_is_due(runner: Runner) -> bool:
    """Whether the loop would have validated next, had it not been interrupted."""
    loop: Any = runner.train_loop
    if runner.val_loop is None:
        return False
    loop._decide_current_val_interval()
    if isinstance(loop, IterBasedTrainLoop):
        done, last = loop.iter, loop.max_iters
    else:
        if loop.iter != loop.epoch * len(loop.dataloader):
            return False  # in the middle of an epoch
        done, last = loop.epoch, loop.max_epochs
    return done >= loop.val_begin and (done % loop.val_interval == 0 or done == last)
