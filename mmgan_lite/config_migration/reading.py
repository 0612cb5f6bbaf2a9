"""Read a config and its ``_base_`` files without running them, with the line of each setting."""

import ast
import copy
import math
import operator
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

_OPERATORS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
# Numbers and lengths beyond this are no settings, and could take all memory.
_LARGEST = 1e12
_MAX_LENGTH = 10_000
_MAX_BASES = 20


class Place(NamedTuple):
    """Where a setting is: a file, and a line of it."""

    file: Path
    line: int


class Unknown(NamedTuple):
    """A value that would have to run, as its code."""

    code: str


class Table(dict[str, Any]):
    """A dict of a config, with the place of each key."""

    def __init__(self) -> None:
        super().__init__()
        self.places: dict[str, Place] = {}

    def put(self, key: str, value: Any, place: Place) -> None:
        """Set a key."""
        self[key] = value
        self.places[key] = place

    def merge(self, other: 'Table') -> None:
        """Take another's keys over, as MMEngine does: dicts in each other, unless ``_delete_``."""
        for key, value in other.items():
            own = self.get(key)
            delete = isinstance(value, Table) and value.pop('_delete_', False)
            if isinstance(own, Table) and isinstance(value, Table) and not delete:
                own.merge(value)
                # An empty table has no lines of its own.
                self.places[key] = other.places[key]
            else:
                self.put(key, value, other.places[key])


class _WouldRunError(Exception):
    """A value is no literal."""


def read_tables(path: str | Path) -> tuple[Table, list[tuple[Place, str]]]:
    """The settings of a config with its bases.

    Args:
        path: A Python file of assignments.

    Returns:
        The settings, without the names that only other settings use; values that are no literals
        are :class:`Unknown`. And the code that is no setting, with its place.

    Raises:
        ValueError: If a file is missing, or is no Python.
    """
    reader = _Reader(Path(path), [])
    return reader.settings(), reader.code


class _Reader:
    """One file."""

    def __init__(self, path: Path, above: list[Path]) -> None:
        self.path = path
        self.code: list[tuple[Place, str]] = []
        self._used: set[str] = set()
        self._own = Table()
        self._base = Table()
        if path in above or len(above) > _MAX_BASES:
            raise ValueError(f'_base_ of {str(path)!r} must not lead back to it. Correct it.')
        try:
            statements = ast.parse(path.read_text('utf-8')).body
        except OSError as error:
            hint = f', which is a _base_ of {str(above[-1])!r}' if above else ''
            raise ValueError(
                f'{str(path)!r} cannot be read ({error.strerror}){hint}. Put it there: a config is '
                'read with its bases.'
            ) from None
        except (SyntaxError, ValueError, RecursionError) as error:
            raise ValueError(f'{str(path)!r} must be a config in Python: {error}.') from None
        for statement in statements:
            self._read_base(statement, [*above, path])
        for statement in statements:
            self._read(statement)

    def settings(self) -> Table:
        """Of the bases and this file; a name that is only used in others is no setting."""
        merged = copy.deepcopy(self._base)
        merged.merge(copy.deepcopy(self._own))
        for name in self._used - _SETTINGS:
            merged.pop(name, None)
        return merged

    def _place(self, node: ast.AST) -> Place:
        return Place(self.path, getattr(node, 'lineno', 0))

    def _read_base(self, statement: ast.stmt, above: list[Path]) -> None:
        match statement:
            case ast.Assign(targets=[ast.Name(id='_base_')], value=value):
                found = self._value(value)
                for name in [found] if isinstance(found, str) else found:
                    if not isinstance(name, str) or '::' in name or '://' in name:
                        self.code.append((self._place(statement), f'_base_ = {name!r}'))
                        continue
                    base = _Reader((self.path.parent / name).resolve(), above)
                    self._base.merge(base.settings())
                    self.code += base.code

    def _read(self, statement: ast.stmt) -> None:
        place = self._place(statement)
        match statement:
            case ast.Assign(targets=[ast.Name(id='_base_')]) | ast.Expr(value=ast.Constant()):
                pass
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                self._own.put(name, self._value(value), place)
            case ast.Assign(targets=[ast.Subscript() as target], value=value):
                self._set(target, value, place)
            case _:
                first = ast.unparse(statement).partition('\n')[0]
                self.code.append((place, first))

    def _set(self, target: ast.Subscript, value: ast.expr, place: Place) -> None:
        """``model['generator']['out_size'] = 256``."""
        used = set(self._used)  # to change a setting is not to use its name in another
        owner = self._value(target.value, copied=False)
        self._used = used
        key = self._value(target.slice)
        if isinstance(owner, Table) and isinstance(key, str):
            owner.put(key, self._value(value), place)
        else:
            self.code.append((place, ast.unparse(target)))

    def _value(self, node: ast.expr, copied: bool = True) -> Any:
        """Of an expression; :class:`Unknown` if it would have to run."""
        try:
            found = self._evaluated(node)
        except (
            _WouldRunError,
            ArithmeticError,
            LookupError,
            RecursionError,
            TypeError,
            ValueError,
        ):
            return Unknown(ast.unparse(node))
        return copy.deepcopy(found) if copied else found

    def _evaluated(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=str(text)) if text.startswith('{{') and text.endswith('}}'):
                return self._evaluated(ast.parse(text[2:-2].strip(), mode='eval').body)
            case ast.Constant(value=value):
                return value
            case ast.Name(id=name):
                return self._named(name)
            case ast.Set(elts=[ast.Set(elts=[inner])]):  # {{_base_.name}}
                return self._evaluated(inner)
            case ast.Attribute(value=owner, attr=name):
                return self._owner(owner)[name]
            case ast.Subscript(value=owner, slice=key):
                return self._owner(owner)[self._evaluated(key)]
            case ast.List(elts=items) | ast.Tuple(elts=items):
                values = self._items(items)
                return values if isinstance(node, ast.List) else tuple(values)
            case ast.Dict() | ast.Call(func=ast.Name(id='dict'), args=[]):
                return self._table(node)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self._evaluated(operand)
            case ast.BinOp(left=left, op=op, right=right):
                return self._computed(op, self._evaluated(left), self._evaluated(right))
            case ast.JoinedStr(values=pieces):
                return ''.join(self._piece(piece) for piece in pieces)
        raise _WouldRunError

    def _named(self, name: str) -> Any:
        self._used.add(name)
        value = self._own[name]
        if isinstance(value, Unknown):
            raise _WouldRunError
        return value

    def _owner(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Name) and node.id == '_base_':
            return self._base
        return self._evaluated(node)

    def _items(self, nodes: list[ast.expr]) -> list[Any]:
        values: list[Any] = []
        for node in nodes:
            if isinstance(node, ast.Starred):
                values += self._evaluated(node.value)
            else:
                values.append(self._value(node, copied=False))
        return values

    def _table(self, node: ast.Dict | ast.Call) -> Table:
        table = Table()
        if isinstance(node, ast.Dict):
            pairs = [(key, value) for key, value in zip(node.keys, node.values, strict=True)]
        else:
            pairs = [
                (None if k.arg is None else ast.Constant(k.arg), k.value) for k in node.keywords
            ]
        for key, value in pairs:
            if key is None:
                found = self._evaluated(value)
                table.merge(copy.deepcopy(found))
            else:
                name = self._evaluated(key)
                table.put(str(name), self._value(value, copied=False), self._place(value))
        return table

    def _piece(self, node: ast.expr) -> str:
        if isinstance(node, ast.FormattedValue) and node.format_spec is None:
            return str(self._evaluated(node.value))
        return str(self._evaluated(node))

    @staticmethod
    def _computed(op: ast.operator, left: Any, right: Any) -> Any:
        for value in (left, right):
            if isinstance(value, int | float) and abs(value) > _LARGEST:
                raise _WouldRunError
        if isinstance(op, ast.Pow) and not (
            isinstance(right, int | float) and abs(right) * math.log10(abs(left) + 1) < 12
        ):
            raise _WouldRunError
        sizes = [len(value) for value in (left, right) if isinstance(value, list | tuple | str)]
        counts = [value for value in (left, right) if isinstance(value, int)]
        if sizes and counts and sizes[0] * counts[0] > _MAX_LENGTH:
            raise _WouldRunError
        return _OPERATORS[type(op)](left, right)


# Top-level settings that other settings may refer to by name and that are settings all the same.
_SETTINGS = frozenset(
    (  # fmt: skip
        'model',
        'train_cfg',
        'test_cfg',
        'optimizer',
        'optim_wrapper',
        'data',
        'train_dataloader',
        'val_dataloader',
        'test_dataloader',
        'total_iters',
        'lr_config',
        'param_scheduler',
        'custom_hooks',
        'default_hooks',
        'evaluation',
        'val_evaluator',
        'test_evaluator',
    )
)


def has_unknown(value: Any) -> bool:
    """Whether there is an :class:`Unknown` in a value."""
    if isinstance(value, Mapping):
        return any(map(has_unknown, value.values()))
    if isinstance(value, list | tuple) and not isinstance(value, Unknown):
        return any(map(has_unknown, value))
    return isinstance(value, Unknown)


def as_plain(value: Any) -> Any:
    """A value with plain dicts."""
    if isinstance(value, Mapping):
        return {key: as_plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple) and not isinstance(value, Unknown):
        return type(value)(as_plain(entry) for entry in value)
    return value
