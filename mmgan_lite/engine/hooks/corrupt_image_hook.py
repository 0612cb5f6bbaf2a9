"""Images that could not be read, told in the log by their names."""

from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmgan_lite.registry import HOOKS
from mmgan_lite.utils.validation import check_positive


@HOOKS.register_module()
class CorruptImageHook(Hook):
    """Warns of each image that the training data had to do without, and counts them at the end.

    A dataset that tells ``corrupt_files``, such as ``ImageFolderDataset`` with ``max_corrupt``,
    goes on past images that it cannot read. Its workers meet them; this hook asks in the process
    that writes the log. Of any other dataset there is nothing to tell.

    Args:
        interval: Iterations between two looks, at least 1. There is one more at the end.

    Raises:
        ValueError: If ``interval`` is not an int of at least 1.

    Example:
        In a config: ``default_hooks = dict(corrupt_images=dict(type='CorruptImageHook'))``.
    """

    priority = 'LOW'

    def __init__(self, interval: int = 100) -> None:
        self.interval = check_positive('interval', interval)
        self._told: set[str] = set()

    def before_train(self, runner: Runner) -> None:
        """Begin to count."""
        self._told.clear()

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict | None = None
    ) -> None:
        """Warn of what is new, every ``interval`` iterations."""
        if self.every_n_train_iters(runner, self.interval):
            self._tell(runner)

    def after_train(self, runner: Runner) -> None:
        """Warn of what is new, and say how many there were."""
        self._tell(runner)
        if self._told:
            dataset: Any = runner.train_dataloader.dataset
            runner.logger.warning(
                f'{len(self._told)} of {len(dataset)} images of the training data could not be '
                'read, and others were taken for them.'
            )

    def _tell(self, runner: Runner) -> None:
        for name in getattr(runner.train_dataloader.dataset, 'corrupt_files', ()):
            if name not in self._told:
                self._told.add(name)
                runner.logger.warning(
                    f"The image '{name}' of the training data cannot be read, or is not the one of "
                    'SHA256SUMS; the next one in the folder is taken for it.'
                )
