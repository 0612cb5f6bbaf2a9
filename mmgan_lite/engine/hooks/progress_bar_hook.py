"""A progress bar for people who watch the training in a terminal."""

import contextlib
import logging
import sys
import time
import weakref
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from rich import progress
from rich.console import Console
from rich.text import Text

from mmgan_lite.registry import HOOKS

_REFRESH_SECONDS = 0.25


@HOOKS.register_module()
class ProgressBarHook(Hook):
    """Shows iterations done, speed and time left under the log lines of an interactive terminal.

    Where standard output is not a terminal (a file, a pipe, a notebook), and on every process but
    the main one, it does nothing at all: the usual log lines are there. Counts iterations in
    iteration- and epoch-based training alike; a resumed run starts where it was.

    Example:
        >>> default_hooks = dict(progress_bar=dict(type='ProgressBarHook'))
    """

    # The bar starts after what the other hooks log before training, and counts after them.
    priority = 'VERY_LOW'

    def __init__(self) -> None:
        self._bar: progress.Progress | None = None

    def before_train(self, runner: Runner) -> None:
        """Start the bar at the current iteration."""
        self._stop()  # the bar of an earlier training that was interrupted
        console = _interactive_console()
        if console is None or not is_main_process():
            return
        # Drawn by the training thread, not by one of rich's own: a thread that held a lock while
        # the data loader forks its workers would leave it locked in them for ever.
        self._bar = progress.Progress(
            progress.TextColumn('{task.description}'),
            progress.BarColumn(bar_width=None),
            progress.MofNCompleteColumn(),
            _SpeedColumn(),
            progress.TimeRemainingColumn(compact=True),
            console=console,
            auto_refresh=False,
            expand=True,
            redirect_stderr=sys.stderr.isatty(),
        )
        self._task = self._bar.add_task('Training', total=runner.max_iters, completed=runner.iter)
        self._next_refresh = 0.0
        # No hook is called when training ends in an exception; then the bar is put away when the
        # Runner is collected, or at the interpreter's exit.
        self._finalizer = weakref.finalize(runner, _show(self._bar, runner.logger).close)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict | None = None
    ) -> None:
        """Move the bar, at most four times a second."""
        if self._bar is not None and time.monotonic() >= self._next_refresh:
            self._next_refresh = time.monotonic() + _REFRESH_SECONDS
            self._bar.update(self._task, completed=runner.iter + 1, refresh=True)

    def after_train(self, runner: Runner) -> None:
        """Leave the finished bar on the screen and give the terminal back."""
        if self._bar is not None:
            self._bar.update(self._task, completed=runner.iter)
        self._stop()

    def _stop(self) -> None:
        if self._bar is not None:
            self._finalizer()
            self._bar = None


class _SpeedColumn(progress.TaskProgressColumn):
    """Iterations a second over the last half minute."""

    def render(self, task: progress.Task) -> Text:
        return self.render_speed(task.finished_speed or task.speed)


def _interactive_console() -> Console | None:
    """The terminal, or None where standard output is none that can redraw a line."""
    # By the stream: rich alone would also take FORCE_COLOR in a CI job for a terminal.
    console = Console() if sys.stdout.isatty() else None
    return console if console is not None and console.is_interactive else None


def _show(bar: progress.Progress, logger: logging.Logger) -> contextlib.ExitStack:
    """Start the bar and let the log lines pass above it; closing what it returns undoes both."""
    old = [sys.stdout, sys.stderr]
    stack = contextlib.ExitStack()
    stack.enter_context(bar)
    # rich hides the cursor; shown, a training that is killed outright cannot lose it.
    bar.console.show_cursor(True)
    # rich has put streams of its own in the place of these two, but a handler keeps the one that
    # it was made with, and would write right into the bar.
    for handler in logger.handlers:
        if isinstance(handler, logging.StreamHandler) and handler.stream in old:
            stack.callback(handler.setStream, handler.stream)
            handler.setStream([sys.stdout, sys.stderr][old.index(handler.stream)])
    return stack
