"""Images that could not be read, by their names in the log."""

from collections.abc import Iterable
from typing import Any, Protocol, runtime_checkable

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmgan_lite.registry import HOOKS
from mmgan_lite.utils.validation import check_positive


@runtime_checkable
class _HasCorruptFiles(Protocol):
    """A data set that replaces images which it cannot read."""

    corrupt_files: Iterable[str]


@HOOKS.register_module()
class CorruptImageHook(Hook):
    """Warns of each image of the training data that could not be read, and counts them.

    A dataset with ``corrupt_files``, such as ``ImageFolderDataset`` with ``max_corrupt``, replaces
    images that it cannot read. Its worker processes find them; this hook writes them to the log.
    For any other dataset it does nothing. :class:`SetupCheckHook` includes it.

    Args:
        interval: Iterations from one check to the next, at least 1. There is one more at the end.

    Raises:
        ValueError: If ``interval`` is not an int of at least 1.

    Example:
        >>> custom_hooks = [dict(type='CorruptImageHook', interval=1000)]
    """

    priority = 'LOW'

    def __init__(self, interval: int = 100) -> None:
        self.interval = check_positive('interval', interval)
        self._reported: set[str] = set()

    def before_train(self, runner: Runner) -> None:
        """Begin to count."""
        self._reported.clear()

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict | None = None
    ) -> None:
        """Warn of new ones, every ``interval`` iterations."""
        if self.every_n_train_iters(runner, self.interval):
            self._report(runner)

    def after_train(self, runner: Runner) -> None:
        """Warn of new ones, and of how many there were."""
        self._report(runner)
        if self._reported:
            dataset: Any = runner.train_dataloader.dataset
            runner.logger.warning(
                f'{len(self._reported)} of {len(dataset)} images of the training data could not be '
                'read, and others were taken for them.'
            )

    def _report(self, runner: Runner) -> None:
        dataset = runner.train_dataloader.dataset
        for name in dataset.corrupt_files if isinstance(dataset, _HasCorruptFiles) else ():
            if name not in self._reported:
                self._reported.add(name)
                runner.logger.warning(
                    f"The image '{name}' of the training data cannot be read, or is not the one of "
                    'SHA256SUMS; the next one in the folder is taken for it.'
                )
