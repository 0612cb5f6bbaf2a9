"""The scores of every evaluation in a file, each with its protocol."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmgan_lite.engine.mmengine_compat import loaded_checkpoint
from mmgan_lite.registry import HOOKS


@runtime_checkable
class _HasReport(Protocol):
    """An evaluator that explains its last scores, such as ``GANEvaluator``."""

    report: Any


@HOOKS.register_module()
class EvaluationLogHook(Hook):
    """Writes each evaluation's scores and protocol to a file that ``mmgan-lite report`` reads.

    :class:`DeferredLogHook` includes it.

    MMEngine's ``scalars.json`` has only the numbers. This hook adds a line of JSON for each
    evaluation to ``<work_dir>/<timestamp>/evaluations.jsonl``: ``loop`` ('val' or 'test'),
    ``iteration`` (None in a test), ``checkpoint`` (None in a validation), ``scores`` and
    ``protocol``. The last two are those of ``Report.to_dict`` of a ``GANEvaluator``. Of another
    evaluator only the values are known, and ``protocol`` is None.

    Example:
        >>> custom_hooks = [dict(type='EvaluationLogHook')]
    """

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Add a line for a validation in training."""
        entry = dict(loop='val', iteration=runner.iter, checkpoint=None)
        self._add(runner, entry, runner.val_loop.evaluator, metrics or {})

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Add a line for a test, which knows its checkpoint and not the iteration."""
        # Neither runner.iter nor runner.epoch: they would build the training loop and its data.
        entry = dict(loop='test', iteration=None, checkpoint=loaded_checkpoint(runner))
        self._add(runner, entry, runner.test_loop.evaluator, metrics or {})

    def _add(
        self, runner: Runner, entry: dict[str, Any], evaluator: Any, metrics: Mapping[str, Any]
    ) -> None:
        if not is_main_process():
            return
        report = evaluator.report if isinstance(evaluator, _HasReport) else None
        summary = dict(scores={}, protocol=None) if report is None else report.to_dict()
        for name, value in metrics.items():
            summary['scores'].setdefault(name, dict(value=value))
        path = Path(runner.log_dir, 'evaluations.jsonl')
        # Metrics of other projects may give arrays or objects: their text is better than no line.
        line = json.dumps({**entry, **summary}, default=str)
        with path.open('a', encoding='utf-8') as file:
            file.write(line + '\n')
