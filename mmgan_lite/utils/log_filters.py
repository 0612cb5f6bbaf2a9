"""What MMEngine warns of when it resumes, and is not so where a hook of ours has seen to it."""

import logging
from collections.abc import Sequence

GRADIENTS_LOST = 'Resumed iteration number is not divisible by `_accumulative_counts`'
"""How MMEngine begins to say that gradients of a begun accumulation are lost."""

BATCHES_LOADED = 'Advance dataloader '
"""How MMEngine begins to say that it loads all batches before the first new one."""


class UntrueWarnings(logging.Filter):
    """Keeps messages with chosen beginnings out of one logger, from ``begin`` to ``end``.

    Example:
        >>> logger, silenced = logging.getLogger('example'), UntrueWarnings()
        >>> silenced.begin(logger, [GRADIENTS_LOST])
        >>> len(logger.filters)
        1
        >>> silenced.end()
        >>> len(logger.filters)
        0
    """

    def __init__(self) -> None:
        super().__init__()
        self._logger: logging.Logger | None = None
        self._beginnings: tuple[str, ...] = ()

    def begin(self, logger: logging.Logger, beginnings: Sequence[str]) -> None:
        """Keep these out from now on.

        Args:
            logger: Whose messages are looked at; handlers and other loggers are not touched.
            beginnings: Of the messages to leave out.
        """
        self.end()
        self._logger, self._beginnings = logger, tuple(beginnings)
        logger.addFilter(self)

    def end(self) -> None:
        """Let all messages pass again; nothing happens where they do."""
        if self._logger is not None:
            self._logger.removeFilter(self)
            self._logger = None

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a message is to be written; called by ``logging``."""
        return not record.getMessage().startswith(self._beginnings)
