"""Filters for warnings of MMEngine that are untrue with the hooks of mmgan_lite."""

import logging
from collections.abc import Sequence

GRADIENTS_LOST = 'Resumed iteration number is not divisible by `_accumulative_counts`'
"""Beginning of the warning that gradients of an accumulation are lost."""

BATCHES_LOADED = 'Advance dataloader '
"""Beginning of the warning that all batches before the first new one are loaded."""


class UntrueWarnings(logging.Filter):
    """Keeps messages with some beginnings out of one logger, from ``begin`` to ``end``.

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
        self._logger = logging.getLogger(__name__)  # none of the messages
        self._beginnings: tuple[str, ...] = ()

    def begin(self, logger: logging.Logger, beginnings: Sequence[str]) -> None:
        """Filter messages from now on.

        Args:
            logger: Whose messages are filtered; handlers and other loggers are not.
            beginnings: Of the messages that are left out.
        """
        self.end()
        self._logger, self._beginnings = logger, tuple(beginnings)
        logger.addFilter(self)

    def end(self) -> None:
        """Stop filtering, if it was begun."""
        self._logger.removeFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a message is written; called by ``logging``."""
        return not record.getMessage().startswith(self._beginnings)
