"""The scores of every evaluation in a file, with what each of them means."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmgan_lite.registry import HOOKS


@HOOKS.register_module()
class EvaluationLogHook(Hook):
    """Writes each evaluation's scores and protocol where ``mmgan-lite report`` finds them.

    MMEngine's ``scalars.json`` has the bare numbers. This hook adds a line of JSON for each
    evaluation to ``<work_dir>/<timestamp>/evaluations.jsonl``: ``loop`` ('val' or 'test'),
    ``iteration`` (None in a test), ``checkpoint`` (None in a validation), ``scores`` and
    ``protocol``. The last two are what ``Report.to_dict`` of a ``GANEvaluator`` gives. Of another
    evaluator only the values are known, and ``protocol`` is None.

    Example:
        >>> default_hooks = dict(evaluation_log=dict(type='EvaluationLogHook'))
    """

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Add a line for a validation in training."""
        entry = dict(loop='val', iteration=runner.iter, checkpoint=None)
        self._add(runner, entry, runner.val_loop.evaluator, metrics or {})

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Add a line for a test, which knows its checkpoint and not the iteration."""
        # Neither runner.iter nor runner.epoch: they would build the training loop and its data.
        entry = dict(loop='test', iteration=None, checkpoint=runner._load_from)
        self._add(runner, entry, runner.test_loop.evaluator, metrics or {})

    def _add(
        self, runner: Runner, entry: dict[str, Any], evaluator: Any, metrics: Mapping[str, Any]
    ) -> None:
        if not is_main_process():
            return
        report = getattr(evaluator, 'report', None)
        summary = dict(scores={}, protocol=None) if report is None else report.to_dict()
        for name, value in metrics.items():
            summary['scores'].setdefault(name, dict(value=value))
        path = Path(runner.log_dir, 'evaluations.jsonl')
        # Metrics of other projects may give arrays or objects: their text is better than no line.
        line = json.dumps({**entry, **summary}, default=str)
        with path.open('a', encoding='utf-8') as file:
            file.write(line + '\n')
