"""What becomes of each tensor of a file of another project."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor


class Ledger:
    """The tensors of a file; each must be taken, derived from or dropped, or the file is refused.

    Args:
        tensors: By their names in the file.
        source: Path of the file, for errors.

    Example:
        >>> import torch
        >>> ledger = Ledger({'g.weight': torch.ones(2, 3), 'g.filter': torch.ones(4)}, 'a.pkl')
        >>> network = ledger.under('g.')
        >>> network.derive('weight', 'transposed').T.shape
        torch.Size([3, 2])
        >>> network.drop('filter', 'rebuilt')
        >>> ledger.close()
        >>> ledger.summary()
        '0 tensors taken, 1 derived (1 transposed), 1 dropped (1 rebuilt)'
    """

    def __init__(self, tensors: Mapping[str, Tensor], source: str) -> None:
        self.source, self._prefix = source, ''
        self._left: dict[str, Tensor] = dict(tensors)
        # What was done to how many tensors.
        self._taken: list[str] = []
        self._derived: list[tuple[str, str]] = []
        self._dropped: list[tuple[str, str]] = []

    def under(self, prefix: str) -> 'Ledger':
        """The same ledger, in which all names begin with a prefix that is left out."""
        view = object.__new__(type(self))
        view.__dict__.update(self.__dict__)
        view._prefix = self._prefix + prefix
        return view

    def names(self, start: str = '') -> list[str]:
        """Names of tensors that nothing was done to yet, of those that begin with ``start``."""
        prefix = self._prefix
        return [n[len(prefix) :] for n in self._left if n.startswith(prefix + start)]

    def __contains__(self, name: str) -> bool:
        return self._prefix + name in self._left

    def peek(self, name: str) -> Tensor:
        """A tensor whose shape or value is only looked at.

        Raises:
            ValueError: If the file has none of this name.
        """
        found = self._left.get(self._prefix + name)
        if found is None:
            raise ValueError(
                f'{self.source!r} must have the tensor {self._prefix + name!r} for the network '
                f'that its others make, but has none: it has other parts, or not all. Take the '
                'complete file.'
            )
        return found

    def take(self, name: str) -> Tensor:
        """A tensor that becomes one of ours as it is; ``ValueError`` if there is none."""
        self._taken.append(self._prefix + name)
        return self._pop(name)

    def derive(self, name: str, how: str) -> Tensor:
        """A tensor that ours is computed from.

        Args:
            name: Of the tensor.
            how: What the caller does to it, such as 'transposed'.

        Raises:
            ValueError: If there is none of this name.
        """
        self._derived.append((self._prefix + name, how))
        return self._pop(name)

    def take_renamed(self, rules: Mapping[str, str], prefix: str = '') -> dict[str, Tensor]:
        r"""All tensors whose names match a rule, by our names; the others stay.

        Args:
            rules: From a regular expression of the whole name there to ours, such as
                ``{r'fc(\\d+)\\.(weight|bias)': r'layers.\\1.\\2'}``; the first that matches counts.
            prefix: What our names begin with.
        """
        found = {}
        for name in self.names():
            for pattern, ours in rules.items():
                if (match := re.fullmatch(pattern, name)) is not None:
                    found[prefix + match.expand(ours)] = self.take(name)
                    break
        return found

    def drop(self, names: str | Iterable[str], reason: str) -> None:
        """Leave tensors out that ours has no use for.

        Args:
            names: One name, or several.
            reason: Such as 'resampling filters, which are rebuilt'.

        Raises:
            ValueError: If there is none of this name.
        """
        for name in [names] if isinstance(names, str) else list(names):
            self._dropped.append((self._prefix + name, reason))
            self._pop(name)

    def close(self) -> None:
        """Check that nothing is left over.

        Raises:
            ValueError: If there is; it names the tensors.
        """
        if self._left:
            names = list(self._left)
            raise ValueError(
                f'{self.source!r} has {len(names)} tensors with no place in our networks, such as '
                f'{", ".join(names[:5])}. It is of an architecture that is not supported; nothing '
                'was written.'
            )

    def summary(self) -> str:
        """How many tensors were taken, derived and dropped, and why."""

        def counted(verb: str, entries: list[tuple[str, str]]) -> str:
            reasons = Counter(reason for _, reason in entries)
            listed = ', '.join(f'{count} {reason}' for reason, count in reasons.items())
            return f'{len(entries)} {verb}' + (f' ({listed})' if listed else '')

        derived, dropped = counted('derived', self._derived), counted('dropped', self._dropped)
        return f'{len(self._taken)} tensors taken, {derived}, {dropped}'

    def accounts(self) -> dict[str, Any]:
        """What was done, by the names in the file: ``taken``, ``derived``, ``dropped``."""
        return dict(
            taken=list(self._taken), derived=dict(self._derived), dropped=dict(self._dropped)
        )

    def _pop(self, name: str) -> Tensor:
        found = self.peek(name)
        del self._left[self._prefix + name]
        return found
