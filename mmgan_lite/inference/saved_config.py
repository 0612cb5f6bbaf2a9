"""Read the config inside a checkpoint without running it.

MMEngine runs such a config as Python code of whoever wrote the file. It also imports a ``type``
that is in no registry by its name, so that ``type='os.system'`` would be called. Here the text is
only parsed, and each ``type`` must be registered already.
"""

import ast
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmgan_lite.registry import MODELS
from mmgan_lite.utils.migration import new_modules

# Settings that drawing needs; others are not read.
_WANTED = ('model', 'default_scope', 'custom_imports')
# Names of numbers that are not finite, in configs that MMEngine writes.
_NUMBERS = {'inf': math.inf, 'nan': math.nan}


def parse_config(text: str, source: str | Path) -> dict[str, Any]:
    r"""Parse a config: ``model``, and ``default_scope``, ``custom_imports`` if there are any.

    Args:
        text: A config as MMEngine dumps it: assignments of literals and ``dict(...)``.
        source: The file that it is from, for the error.

    Raises:
        ValueError: If the text is no such config, or has code that would have to run.

    Example:
        >>> parse_config("model = dict(type='GAN', sizes=(1, -2.5))\nhooks = start()", 'a.pth')
        {'model': {'type': 'GAN', 'sizes': (1, -2.5)}}
    """
    try:
        statements = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise _no_config(source, f'it is not Python: {error}') from error
    settings = {}
    for statement in statements:
        if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
            continue
        target = statement.targets[0]
        if isinstance(target, ast.Name) and target.id in _WANTED:
            settings[target.id] = _literal(statement.value, source)
    if not isinstance(settings.get('model'), dict):
        raise _no_config(source, 'it has no model')
    return settings


def check_parts(
    model: Mapping, source: str | Path, default_scope: Any = None, custom_imports: Any = None
) -> dict[str, Any]:
    """Check that a model's config builds registered parts only; nothing is imported.

    Args:
        model: Config of a model, from an untrusted file.
        source: That file, for the error.
        default_scope: Scope in which MMEngine looks up names that are in neither package.
        custom_imports: Imports of the config, for the error.

    Returns:
        A copy without ``init_cfg``, as the weights are in the file.

    Raises:
        ValueError: If a part is not registered.
    """
    scope = default_scope if isinstance(default_scope, str) else None
    imports = custom_imports.get('imports') if isinstance(custom_imports, Mapping) else None

    def checked(value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return type(value)(checked(item) for item in value)
        if not isinstance(value, Mapping):
            return value
        copy = {key: checked(item) for key, item in value.items() if key != 'init_cfg'}
        if '_scope_' in copy:
            raise ValueError(f"The config in {str(source)!r} must not hold '_scope_'.")
        if 'type' in copy:
            copy['type'] = _registered(copy['type'], scope, imports, source)
        return copy

    return checked(model)


def _literal(node: ast.expr, source: str | Path) -> Any:
    """Value of a node, if it is a literal or ``dict(...)`` of them."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name) and node.id in _NUMBERS:
        return _NUMBERS[node.id]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        number = _literal(node.operand, source)
        if isinstance(number, (int, float)):
            return -number
    if isinstance(node, ast.List):
        return [_literal(item, source) for item in node.elts]
    if isinstance(node, ast.Tuple):
        return tuple(_literal(item, source) for item in node.elts)
    if isinstance(node, ast.Dict):
        keys = [None if key is None else _literal(key, source) for key in node.keys]
        if all(isinstance(key, (str, int, float)) for key in keys):
            return {
                key: _literal(value, source) for key, value in zip(keys, node.values, strict=True)
            }
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == 'dict':
        keywords = [keyword for keyword in node.keywords if keyword.arg is not None]
        if not node.args and len(keywords) == len(node.keywords):
            return {keyword.arg: _literal(keyword.value, source) for keyword in keywords}
    code = ast.unparse(node)
    raise _no_config(
        source,
        f'line {node.lineno} has {code[:60]!r}, which would have to run; only literals and '
        'dict(...) are read',
    )


def _no_config(source: str | Path, reason: str) -> ValueError:
    return ValueError(
        f'The config inside {str(source)!r} cannot be read: {reason}. '
        'Pass the config that it was trained with, as model=...'
    )


def _registered(name: Any, scope: str | None, imports: Any, source: str | Path) -> str:
    """The name by which a registry finds the part without an import."""
    MODELS.import_from_location()
    registries = {'mmengine': MODELS.parent, **MODELS.parent.children}
    found = None
    if isinstance(name, type):  # in a config that was given, and is code already
        found = _name_of(name, registries)
    elif isinstance(name, str):
        found = _find(name, scope, registries)
    if found is None:
        first = f'Import {", ".join(imports)} first' if imports else 'Import its module first'
        raise ValueError(
            f'The model in {str(source)!r} has a part {name!r} that is not registered, and nothing '
            f'is imported by a name in a file. {first}, or pass the config as model=...'
        )
    return found


def _find(name: str, scope: str | None, registries: Mapping[str, Any]) -> str | None:
    # In the order of build_part.
    candidates = [('mmgan_lite', name), ('mmengine', name)]
    if '.' in name:
        candidates = [(name.partition('.')[0], name.partition('.')[2])]
    elif scope is not None:
        candidates.append((scope, name))
    for owner, key in candidates:
        part = registries[owner].module_dict.get(key) if owner in registries else None
        if part is not None and _draws(part):
            return name if owner in ('mmgan_lite', 'mmengine') else f'{owner}.{key}'
    # Configs in pure Python are saved with the import path of each class.
    module, _, attribute = name.rpartition('.')
    for path in (module, *new_modules(module)):
        part = getattr(sys.modules.get(path), attribute, None)
        if (found := _name_of(part, registries)) is not None:
            return found
    return None


def _name_of(named: Any, registries: Mapping[str, Any]) -> str | None:
    for owner, registry in registries.items():
        for key, part in registry.module_dict.items():
            if part is named and _draws(part):
                return f'{owner}.{key}'
    return None


def _draws(part: Any) -> bool:
    """Whether it can be part of a GAN: extractors read files that their arguments name."""
    return not part.__module__.startswith('mmgan_lite.evaluation')
