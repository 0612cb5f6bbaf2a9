"""Read the config inside a checkpoint without running it.

MMEngine runs such a config as Python code of whoever wrote the file. It also imports a ``type``
that is in no registry by its name, so that ``type='os.system'`` would be called. Here the text is
only parsed, and each ``type`` must be registered already.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmgan_lite.registry import MODELS
from mmgan_lite.utils.config_text import read_settings
from mmgan_lite.utils.migration import new_modules

# Settings that drawing needs; others are not read.
_WANTED = ('model', 'data_preprocessor', 'default_scope', 'custom_imports')


def parse_config(text: str, source: str | Path) -> dict[str, Any]:
    r"""Parse a config: ``model``, and what else it has of the settings that drawing needs.

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
        settings = read_settings(text, _WANTED)
    except ValueError as error:
        raise _no_config(source, str(error)) from error
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

    def checked(value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return type(value)(checked(item) for item in value)
        if not isinstance(value, Mapping):
            return value
        copy = {key: checked(item) for key, item in value.items() if key != 'init_cfg'}
        if '_scope_' in copy:
            raise ValueError(f"The config in {str(source)!r} must not hold '_scope_'.")
        if 'type' in copy:
            copy['type'] = _registered_name(value['type'], default_scope)
            if copy['type'] is None:
                raise _not_registered(value['type'], source, custom_imports)
        return copy

    return checked(model)


def _no_config(source: str | Path, reason: str) -> ValueError:
    remedy = 'Pass the config of the training as model=...'
    return ValueError(f'The config inside {str(source)!r} cannot be read: {reason}. {remedy}')


def _not_registered(name: Any, source: str | Path, custom_imports: Any) -> ValueError:
    imports = custom_imports.get('imports') if isinstance(custom_imports, Mapping) else None
    modules = ', '.join(imports) if imports else 'its module'
    text = f'The model in {str(source)!r} has a part {name!r} that is not registered, and nothing'
    remedy = f'Import {modules} first, or pass the config as model=...'
    return ValueError(f'{text} is imported by a name in a file. {remedy}')


def _registered_name(name: Any, scope: Any) -> str | None:
    """The name by which a registry finds the part without an import; None if none does."""
    MODELS.import_from_location()
    parts = {
        f'{owner}.{key}': part
        for owner, registry in {'mmengine': MODELS.parent, **MODELS.parent.children}.items()
        for key, part in registry.module_dict.items()
        # No part of a GAN: extractors read files that their arguments name.
        if not part.__module__.startswith('mmgan_lite.evaluation')
    }
    names = {id(part): found for found, part in reversed(parts.items())}
    if isinstance(name, type):  # in a config that was given, and is code already
        return names.get(id(name))
    if not isinstance(name, str):
        return None
    # In the order of build_part, which needs no prefix for these two.
    own = {name} if '.' in name else {f'mmgan_lite.{name}', f'mmengine.{name}'}
    if not own.isdisjoint(parts):
        return name
    if f'{scope}.{name}' in parts:
        return f'{scope}.{name}'
    # Configs in pure Python are saved with the import path of each class.
    module, _, attribute = name.rpartition('.')
    paths = [path for path in (module, *new_modules(module)) if path in sys.modules]
    found = [names.get(id(getattr(sys.modules[path], attribute, None))) for path in paths]
    return next(filter(None, found), None)
