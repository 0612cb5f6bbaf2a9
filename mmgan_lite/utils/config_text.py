"""Read settings from the text of a config without running it."""

import ast
import math
from collections.abc import Collection
from typing import Any

# Names of numbers that are not finite, in configs that MMEngine writes.
_NUMBERS = {'inf': math.inf, '-inf': -math.inf, 'nan': math.nan}


def read_settings(text: str, names: Collection[str]) -> dict[str, Any]:
    r"""Values of some top-level settings of a config; those that it does not have are left out.

    Args:
        text: A config as MMEngine dumps it: assignments of literals and ``dict(...)``.
        names: The settings that are read; any others may hold code.

    Raises:
        ValueError: If the text is no such config, or one of these settings would have to run; the
            message is the reason alone.

    Example:
        >>> read_settings("model = dict(type='GAN', sizes=(1, -2.5))\nhooks = f()", ['model'])
        {'model': {'type': 'GAN', 'sizes': (1, -2.5)}}
    """
    try:
        statements = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f'it is not Python: {error}') from error
    settings = {}
    for statement in statements:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name in names:
                settings[name] = _literal(value)
    return settings


def _literal(node: ast.expr) -> Any:
    """Value of a node, if it is a literal or ``dict(...)`` of them."""
    match node:
        case ast.List(elts=items):
            return [_literal(item) for item in items]
        case ast.Tuple(elts=items):
            return tuple(_literal(item) for item in items)
        case ast.Dict(keys=keys, values=values):
            names = [key.value for key in keys if isinstance(key, ast.Constant)]
            if len(names) == len(values):
                return dict(zip(names, map(_literal, values), strict=True))
        case ast.Call(func=ast.Name(id='dict'), args=[], keywords=keys) if all(k.arg for k in keys):
            return {key.arg: _literal(key.value) for key in keys}
    code = ast.unparse(node)
    if code in _NUMBERS:
        return _NUMBERS[code]
    try:
        return ast.literal_eval(node)
    except (TypeError, ValueError):
        text = f'line {node.lineno} has {code[:60]!r}, which would have to run'
        raise ValueError(text) from None
