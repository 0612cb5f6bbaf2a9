"""Checkpoints from which a training is resumed exactly."""

import functools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.dist import broadcast_object_list, get_world_size, is_main_process
from mmengine.fileio import LocalBackend, get_file_backend, register_backend
from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner

import mmgan_lite.engine.mmengine_compat as compat
from mmgan_lite import checkpoints
from mmgan_lite.engine.hooks.common import raised_in_all_processes, take_over
from mmgan_lite.engine.hooks.provenance_hook import ProvenanceHook
from mmgan_lite.engine.hooks.safe_checkpoint_hook import SafeCheckpointHook
from mmgan_lite.engine.resume import resumed_settings, rng_state, training_state
from mmgan_lite.engine.resume.dataloader_state import number_batches
from mmgan_lite.engine.resume.preemption import EXIT_CODE, StopSignals
from mmgan_lite.engine.resume.work_dir_lock import WorkDirLock
from mmgan_lite.registry import HOOKS
from mmgan_lite.utils.atomic_io import TEMPORARY_FILES, atomic_write
from mmgan_lite.utils.interfaces import NamesScores
from mmgan_lite.utils.signatures import unknown_argument

_BACKEND = 'mmgan_lite_sealed'
_KEY = 'training_state'


class SealedFileBackend(LocalBackend):
    """MMEngine's backend of local files, whose checkpoints are atomic and have a checksum."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write the bytes of a checkpoint."""
        Path(filepath).parent.mkdir(parents=True, exist_ok=True)
        checkpoints.write_sealed(obj, filepath)


register_backend(_BACKEND, SealedFileBackend, force=True)


def check_save_best(
    wanted: str | Sequence[str], validates: bool, names: Sequence[str] | None
) -> None:
    """Raise ``ValueError`` unless ``save_best`` names scores of the validation.

    Args:
        wanted: The value of ``save_best``.
        validates: Whether there is a validation.
        names: Those of all its scores; None if they are not known before there are some.
    """
    if not validates:
        raise ValueError(
            f'save_best={wanted!r} needs a validation, got none. Add val_cfg, val_dataloader and '
            'val_evaluator, or leave save_best out.'
        )
    for name in [wanted] if isinstance(wanted, str) else wanted:
        if names is not None and name not in ('auto', *names):
            raise ValueError(
                f'save_best must name scores of the validation, got {name!r}. It gives '
                f'{", ".join(map(repr, names))}.'
            )


@HOOKS.register_module()
class GANCheckpointHook(compat.OrderedCheckpointHook):
    """MMEngine's ``CheckpointHook``, whose files resume a training exactly, and run no code.

    N iterations in one go and the same N interrupted anywhere end in the same bytes on a CPU. For
    that the files also hold the random states of all processes, the position in the data, and
    gradients of an accumulation that is not over. ``resume`` reads these, ``load_from`` alone does
    not. Validation does not change the random state of training, and is repeated after a resume if
    it was interrupted.

    The files are atomic and have a checksum. ``last_checkpoint`` names the newest one, and only
    then are older ones deleted. ``resume`` without a path takes the newest undamaged checkpoint of
    ``work_dir``, or begins where there is none. All this holds for local files.

    SIGTERM and SIGUSR1 write a checkpoint at the end of the running iteration and end the process
    with code 75: start the same command again, with ``--resume``. A second signal, more than two
    seconds later, ends it at once. Several processes agree on the iteration within about a second.

    One training at a time runs in a ``work_dir``, which is locked until the process ends. A second
    one ends with an error; evaluations are not affected.

    It includes :class:`ProvenanceHook`, which records command, versions, git and data, and
    :class:`SafeCheckpointHook`, which makes the files readable by plain ``torch.load``.

    Args:
        args, kwargs: Those of MMEngine's hook, which follow.
        interval: Iterations, or epochs with ``by_epoch``, from one checkpoint to the next; -1 for
            none.
        by_epoch: Whether ``interval`` counts epochs.
        save_optimizer: Whether the files hold the optimizers, which resuming needs.
        save_param_scheduler: Whether the files hold the schedules.
        out_dir: Where the files go, into a folder of the name of ``work_dir``; None for
            ``work_dir`` itself.
        max_keep_ckpts: How many files are kept; -1 for all.
        save_last: Whether the last iteration is saved in any case.
        save_best: Names of scores of which the best checkpoint is kept, too, such as
            'FID[mnist-classifier]'; 'auto' for the first score.
        rule: Which value of each is better, 'greater' or 'less'; None where the name says it.
        greater_keys: Parts of names of metrics that are better when greater.
        less_keys: Parts of names of metrics that are better when less.
        filename_tmpl: Name of a file, with {} for its iteration or epoch.
        backend_args: MMEngine's file backend; None for local files as above.
        published_keys: What of the last and the best checkpoint is written anew after training.
        save_begin: Iteration or epoch from which on files are written.
        history_length: As for :class:`SafeCheckpointHook`.
        allow_mmengine_types: As for :class:`SafeCheckpointHook`.
        resume_lr: Where a resumed training has its rates and schedules from, which are
            ``optimizer`` and ``paramwise_cfg`` in ``optim_wrapper``, and ``param_scheduler``:
            'checkpoint', with a warning that lists what the config changes; or 'config', as if the
            training had begun with it. Moments and position are always the checkpoint's.

    Raises:
        ValueError: If ``resume_lr`` is none of these. Before training, if ``save_best`` names no
            score of the validation, or there is none, or another training runs in ``work_dir``.
        OSError: While training, if a checkpoint cannot be written. The ones before it stay, and the
            error names the newest undamaged one, the folder and a remedy.

    Example:
        >>> default_hooks = dict(checkpoint=dict(type='GANCheckpointHook', interval=5000,
        ...     by_epoch=False, max_keep_ckpts=2))
    """

    # Other hooks may add to the checkpoint, which is then turned into plain types.
    priority = 'LOWEST'

    def __init__(
        self,
        *args: Any,
        history_length: int = 1000,
        allow_mmengine_types: bool = False,
        resume_lr: str = 'checkpoint',
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        if resume_lr not in ('checkpoint', 'config'):
            raise ValueError(f"resume_lr must be 'checkpoint' or 'config', got {resume_lr!r}.")
        self.resume_lr = resume_lr
        if self.args:  # MMEngine keeps what it does not know
            raise TypeError(unknown_argument(GANCheckpointHook, next(iter(self.args))))
        if self.file_client_args is not None:
            raise TypeError('file_client_args is not supported. Pass backend_args.')
        safe = SafeCheckpointHook(history_length, allow_mmengine_types)
        self._parts: list[Hook] = [ProvenanceHook(), safe]
        self._signals = StopSignals()
        self._loaded: dict | None = None
        self._rates_from: str | None = None
        self._to_save: dict | None = None
        self._before_val: dict | None = None
        self._validated = False
        self._saved_iteration = 0

    # Before and at the start of training.

    def before_run(self, runner: Runner) -> None:
        """Lock ``work_dir``; find the checkpoint to resume from, or check the one that was named.

        Raises:
            ValueError: If another training runs in ``work_dir``, or the checkpoint that was named
                is damaged.
        """
        self._parts = take_over(self, self._parts, runner)
        if (loop := compat.train_loop(runner)) is not None:
            compat.call_at_end(runner, functools.partial(compat.end_workers, loop))
        if compat.call_at_end(runner, self._signals.uninstall):
            self._lock_work_dir(runner)
        self._loaded = self._rates_from = None
        if not compat.is_resumed(runner):
            return
        if (named := compat.loaded_checkpoint(runner)) is not None:
            checkpoints.require_undamaged(named)
            return
        found = [checkpoints.newest_checkpoint(runner.work_dir) if is_main_process() else None]
        broadcast_object_list(found)
        compat.resume_from(runner, None if found[0] is None else str(found[0]))
        if found[0] is None:
            runner.logger.info(f'No undamaged checkpoint in {runner.work_dir}: training begins.')

    def _lock_work_dir(self, runner: Runner) -> None:
        with raised_in_all_processes():
            if is_main_process():
                lock = WorkDirLock(runner.work_dir)
                compat.call_at_end(runner, lock.release)
                lock.acquire(runner.logger)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keep the state of the training until it goes on.

        Raises:
            ValueError: If a training is resumed with another model than it began with, or from a
                checkpoint of another project; none of the weights that are loaded is of this
                model; or ``resume_lr='config'`` does not fit the checkpoint.
        """
        training_state.fit_weights(runner, checkpoint.setdefault('state_dict', {}))
        _log_conversion(runner, (checkpoint.get('meta') or {}).get('converted'))
        self._loaded = state = checkpoint.pop(_KEY, None)
        if compat.is_resumed(runner) and compat.train_loop(runner):
            untrue = tuple(training_state.untrue_warnings(runner, state) if state else ())
            runner.logger.addFilter(lambda record: not record.getMessage().startswith(untrue))
            source = (state or {}).get('rates_from')
            self._rates_from = resumed_settings.reconcile(
                runner, checkpoint, source, self.resume_lr
            )
        for part in self._parts:
            part.after_load_checkpoint(runner, checkpoint)

    def before_train(self, runner: Runner) -> None:
        """Remove what an interrupted run left; repeat a validation that was interrupted."""
        for part in self._parts:
            part.before_train(runner)
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
            runner.logger.info(
                'SIGTERM and SIGUSR1 save no checkpoint: training does not run in the main thread.'
            )
        self._signals.spare_workers(runner.train_dataloader)
        if runner.val_loop is not None:
            self._signals.spare_workers(runner.val_dataloader)
        if compat.is_resumed(runner) and compat.is_over(runner):
            runner.logger.warning(
                f'Nothing is left to train: the checkpoint is of iteration {runner.iter}, and '
                'train_cfg ends there or before. Set a larger max_iters or max_epochs.'
            )
        # The state of load_from alone is another training's.
        if self._loaded is None or runner.iter == 0:
            self._loaded = None
            self._start_without_state(runner)
            return
        if not self._loaded['validated'] and compat.validation_is_due(runner):
            runner.val_loop.run()
        if not isinstance(runner.train_loop, IterBasedTrainLoop):
            self._restore(runner)

    def _check_save_best(self, runner: Runner) -> None:
        """MMEngine finds out at the first validation, which may be hours away, or never."""
        if not self.save_best:
            return
        evaluator = None if runner.val_loop is None else runner.val_loop.evaluator
        names = evaluator.score_names if isinstance(evaluator, NamesScores) else None
        check_save_best(self.key_indicators, evaluator is not None, names)
        if names is not None and 'auto' in self.key_indicators:
            self.set_best_of(names[:1])

    def before_train_epoch(self, runner: Runner) -> None:
        """Begin in the middle of the data, once the sampler has its epoch."""
        if isinstance(runner.train_loop, IterBasedTrainLoop):
            self._restore(runner)

    def _start_without_state(self, runner: Runner) -> None:
        if runner.iter == 0:
            number_batches(runner.train_loop, runner.seed)
            return
        runner.logger.warning(
            f'The checkpoint of iteration {runner.iter} is not of GANCheckpointHook: this run goes '
            'on with other random numbers than one that was never interrupted.'
        )

    def _restore(self, runner: Runner) -> None:
        if self._loaded is not None:
            training_state.restore_state(runner, self._loaded)
            self._loaded = None

    # While training.

    def after_train_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        """Save at the interval, or because of a signal, which then ends the training.

        Raises:
            SystemExit: With code 75, after a signal.
        """
        super().after_train_iter(runner, *args, **kwargs)
        for part in self._parts:
            part.after_train_iter(runner, *args, **kwargs)
        if self._signals.agreed(runner.iter + 1):
            self._stop(runner, runner.iter + 1)

    def before_val(self, runner: Runner) -> None:
        """Keep the random state, which a validation must not change for training."""
        self._before_val = rng_state.get_random_state(training_state.model_device(runner))

    def after_val_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        """Stop without waiting for the end of a validation, which is repeated after a resume."""
        # Several processes may validate on unequal numbers of batches, so they do wait.
        if self._signals.received is not None and get_world_size() == 1 and runner.iter > 0:
            self._stop(runner, runner.iter)

    def after_val_epoch(self, runner: Runner, metrics: dict | None = None) -> None:
        """Keep the best checkpoint, if ``save_best`` names a score."""
        self._validated = True
        super().after_val_epoch(runner, metrics or {})

    def after_val(self, runner: Runner) -> None:
        """Restore the random state."""
        self._validated = False
        if self._before_val is not None:
            rng_state.set_random_state(self._before_val, training_state.model_device(runner))
            self._before_val = None

    def _stop(self, runner: Runner, iteration: int) -> None:
        if self._saved_iteration != iteration:
            meta = dict(epoch=runner.epoch, iter=iteration)
            if self.by_epoch:
                path = self.file_backend.join_path(self.out_dir, f'iter_{iteration}.pth')
                runner.message_hub.update_info('extra_ckpt', path)
                self.write(runner, path, meta)
            else:
                self.write_step(runner, iteration, meta)
        runner.logger.info(
            f'Training stops after iteration {iteration} because of a signal. It goes on from '
            f'{self.last_ckpt} by --resume (exit code {EXIT_CODE}).'
        )
        raise SystemExit(EXIT_CODE)

    # What is written.

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add the state of the training to a checkpoint that has optimizers."""
        # Another hook may save; the state of several processes is only known in write.
        if 'optimizer' in checkpoint and (self._to_save or get_world_size() == 1):
            checkpoint[_KEY] = self._to_save or self._collect(runner)
        for part in self._parts:
            part.before_save_checkpoint(runner, checkpoint)

    def _collect(self, runner: Runner) -> dict[str, Any]:
        # While a validation is repeated, training has not begun.
        state = self._loaded or training_state.collect_state(runner, self._before_val)
        return {**state, 'validated': self._validated, 'rates_from': self._rates_from}

    def write(self, runner: Runner, path: str, meta: dict) -> None:
        """Write a checkpoint, then its name; raises in all processes if the first one cannot."""
        self.last_ckpt = path
        runner.message_hub.update_info('last_ckpt', path)
        self._to_save = self._collect(runner)
        with raised_in_all_processes(OSError):
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
                raise checkpoints.not_written(caught, path, runner.work_dir) from caught
            finally:
                self._to_save = None
        self._saved_iteration = meta['iter']
        extra = runner.message_hub.runtime_info.get('extra_ckpt')
        if extra not in (None, path):
            self.remove(extra)
            runner.message_hub.pop_info('extra_ckpt')

    def write_best(self, runner: Runner, metrics: dict) -> None:
        """Write the checkpoints that have the best scores so far.

        Raises:
            ValueError: If ``save_best`` names a score that there is not.
            OSError: If one cannot be written.
        """
        check_save_best(self.key_indicators, True, [*metrics])
        try:
            super().write_best(runner, metrics)
        except OSError as caught:
            if caught.__cause__ is not None or not is_main_process():
                raise  # it is of the checkpoint that follows the best one, and says all
            raise checkpoints.not_written(
                caught, f'{self.out_dir}/best_*.pth', runner.work_dir
            ) from caught


def _log_conversion(runner: Runner, converted: dict | None) -> None:
    """Log what was not as in the checkpoint of another project; that is no state of a training."""
    if converted is None:
        return
    if compat.is_resumed(runner):
        raise ValueError(
            f'resume must be a checkpoint of a training, got one that was converted from a file of '
            f'{converted["source"]}, without optimizers. Pass it as load_from=... instead.'
        )
    for note in converted['notes']:
        runner.logger.info(f'Converted checkpoint: {note}')
