"""A part of an old config, of which each setting is taken or listed."""

from dataclasses import dataclass, field
from typing import Any

from mmgan_lite.config_migration.reading import Place, Table, Unknown, as_plain, has_unknown

_MAX_TEXT = 60


@dataclass
class Report:
    """What was not migrated, and why."""

    entries: list[tuple[Place, str, str]] = field(default_factory=list)

    def add(self, place: Place, setting: str, reason: str) -> None:
        """List a setting, once."""
        entry = (place, setting, reason)
        if entry not in self.entries:
            self.entries.append(entry)


class Section:
    """Settings of a dict, by their keys.

    Args:
        table: The dict.
        path: Its place in the config, such as 'model.generator'; '' for the config.
        place: Where it is.
        report: Where what is not migrated is listed.
    """

    def __init__(self, table: Table, path: str, place: Place, report: Report) -> None:
        self.table, self.path, self.place, self.report = table, path, place, report
        self._left = dict.fromkeys(table)
        self._children: list[Section] = []
        self._by_key: dict[str, Section] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._left

    def take(self, key: str, default: Any = None) -> Any:
        """A plain value; the default where there is none, or it would have to run."""
        if key in self._left and has_unknown(self.table[key]):
            self.list_(key, 'it would have to run')
        return as_plain(self._pop(key, default))

    def section(self, key: str) -> 'Section':
        """A dict in this one, the same at each call; an empty one where there is none."""
        if key not in self._by_key:
            value = self._pop(key, None)
            if value is not None and not isinstance(value, Table):
                self.list_(key, 'it is no dict')
            self._by_key[key] = self._child(value if isinstance(value, Table) else Table(), key)
        return self._by_key[key]

    def sections(self, key: str) -> list['Section']:
        """The dicts of a list, or of one dict alone."""
        value = self._pop(key, None)
        values = value if isinstance(value, list | tuple) else [value]
        return [
            self._child(entry, f'{key}[{number}]' if isinstance(value, list) else key, key)
            for number, entry in enumerate(values)
            if isinstance(entry, Table)
        ]

    def leave(self, reason: str, *keys: str) -> None:
        """List settings, if they are there, with the reason."""
        for key in keys:
            if key in self._left:
                self.list_(key, reason)

    def ignore(self, *keys: str) -> None:
        """Settings whose effect ours has without them."""
        for key in keys:
            self._left.pop(key, None)

    def list_(self, key: str, reason: str) -> None:
        """List a setting that was taken or not."""
        self._left.pop(key, None)
        value = self.table[key]
        text = f'{key} = {value.code if isinstance(value, Unknown) else repr(value)}'
        if isinstance(value, Table) and len(text) > _MAX_TEXT:
            kind = f'type={value["type"]!r}, ' if 'type' in value else ''
            text = f'{key} = dict({kind}...)'
        prefix = f'{self.path}.' if self.path else ''
        self.report.add(self.table.places[key], prefix + text[:120], reason)

    def close(self, reason: str = 'ours has no such setting') -> None:
        """List what is left, in this section and those in it."""
        for child in self._children:
            child.close(reason)
        for key in list(self._left):
            if self.table[key] is None:
                self._left.pop(key)
                continue
            self.list_(key, reason)

    def _pop(self, key: str, default: Any) -> Any:
        if key not in self._left:
            return default
        value = self.table[key]
        if isinstance(value, Unknown):
            self.list_(key, 'it would have to run')
            return default
        self._left.pop(key)
        return default if value is None else value

    def _child(self, table: Table, key: str, owner: str | None = None) -> 'Section':
        place = self.table.places.get(owner or key, self.place)
        child = Section(table, f'{self.path}.{key}' if self.path else key, place, self.report)
        self._children.append(child)
        return child
