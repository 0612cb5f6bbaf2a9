"""A walk through a config: each part is compared with the signature of its class."""

import importlib
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from typing import Any

from mmengine import registry as roots
from mmengine.registry import DefaultScope
from mmengine.registry import Registry as MMEngineRegistry

from mmgan_lite import registry as built_in
from mmgan_lite.utils.signatures import check_arguments, package_of, signature_of
from mmgan_lite.utils.validation import did_you_mean

# Registry of the parts under an argument; under any other it is that of the part around it.
_PART_KINDS = {
    **dict.fromkeys(('dataset', 'datasets', 'train_dataset'), 'DATASETS'),
    **dict.fromkeys(('pipeline', 'transforms'), 'TRANSFORMS'),
    'metrics': 'METRICS',
    'extractor': 'MODELS',
    'init_cfg': 'WEIGHT_INITIALIZERS',
    'vis_backends': 'VISBACKENDS',
}
# Arguments that the owner of a part adds, or fills in where they are missing.
_ADDED_BY_OWNER = {'ema': ('model',), 'vis_backends': ('save_dir',)}
NO_EPOCHS = 'train_cfg counts iterations, and no epoch ends'
# Packages whose parts are all built through registries; elsewhere a ``type`` may mean anything.
_KNOWN_PACKAGES = ('mmgan_lite', 'mmengine')


class ConfigWalk:
    """A config, the errors found in it so far, and what of it could be built."""

    def __init__(self, cfg: Mapping) -> None:
        self.cfg = cfg
        self.problems: list[str] = []  # each as ``where: what``
        self.by_epoch: bool | None = None  # whether training counts epochs, if that is known
        self.model: Any = None  # on the meta device, if it is valid
        self.optim_wrapper: Any = None  # that of the model, if it is valid

    def note(self, path: str, text: str) -> None:
        """Add an error as one line."""
        self.problems.append(f'{path}: {" ".join(text.split())}')

    def entry(self, key: str) -> dict | None:
        """A top-level entry if it is a dict; any other type is an error of the top level."""
        value = self.cfg.get(key)
        return value if isinstance(value, dict) else None

    def arguments(
        self, path: str, target: Callable, given: Mapping, added: Collection[str] = ()
    ) -> dict:
        """Check arguments against a signature; returns the valid ones."""
        problems = check_arguments(target, given, added)
        for name, text in problems.items():
            self.note(f'{path}.{name}' if path else name, text)
        return {name: value for name, value in given.items() if name not in problems}

    def keys(self, path: str, given: Any, known: Collection[str]) -> None:
        """Check the keys of a dict that is no part."""
        for key in given if isinstance(given, dict) else ():
            if key not in known:
                text = f'is unknown. {did_you_mean(key, known)} There are {", ".join(known)}.'
                self.note(f'{path}.{key}', text)

    def part(
        self, path: str, cfg: Any, kind: str, added: Any = (), default: Any = None, owner: str = ''
    ) -> Any:
        """Check a part, and the parts in it; returns its class if all of it is valid.

        The class around it, of the package ``owner`` (MMEngine if empty), adds the arguments
        ``added``: names, or how many leading ones. Without a ``type`` its class is ``default``.
        """
        if not isinstance(cfg, dict) or ('type' not in cfg and default is None):
            self.note(path, f"must be a dict with type='...', got {cfg!r}.")
            return None
        count = len(self.problems)
        # The parts in it are built in its scope.
        with DefaultScope.overwrite_default_scope(cfg.get('_scope_')):
            name = cfg.get('type', default)
            target = self.attempt(f'{path}.type', lambda: find(name, kind, owner))
            if target is None:
                return None
            taken = list(signature_of(target).parameters)
            if isinstance(added, int):
                added = taken[:added]
            elif owner and owner not in _KNOWN_PACKAGES:
                added = set(taken).difference(cfg)
            given = {key: value for key, value in cfg.items() if key not in ('type', '_scope_')}
            for key, value in self.arguments(path, target, given, added).items():
                self._parts_in(f'{path}.{key}', key, value, kind, package_of(target))
        return target if len(self.problems) == count else None

    def _parts_in(self, path: str, key: str, value: Any, kind: str, owner: str) -> None:
        """Check the parts under an argument of a class of the package ``owner``."""
        if isinstance(value, (list, tuple)):
            for place, item in items_of(path, value).items():
                self._parts_in(place, key, item, kind, owner)
        elif isinstance(value, dict):
            kind, added = _PART_KINDS.get(key, kind), _ADDED_BY_OWNER.get(key, ())
            is_part = 'type' in value or key in _PART_KINDS or key in _ADDED_BY_OWNER
            if owner not in _KNOWN_PACKAGES:
                is_part = 'type' in value and is_registered(value['type'], kind)
            if is_part:
                self.part(path, value, kind, set(added).difference(value), owner=owner)

    def attempt(self, path: str, build: Callable[[], Any], cfg: Mapping | None = None) -> Any:
        """Call ``build``; if it raises, the result is None and the error is noted."""
        try:
            return build()
        except Exception as error:  # whatever a class may raise
            text = str(error) or type(error).__name__
            settings = ', '.join(f'{key}={value!r}' for key, value in (cfg or {}).items())
            self.note(path, f'{text} (in {settings:.200})' if cfg else text)
            return None

    def build(self, path: str, cfg: Mapping, kind: str, **added: Any) -> Any:
        """Build a part that is valid so far; None, and an error, if it raises."""
        return self.attempt(path, lambda: vars(roots)[kind].build({**cfg, **added}), cfg)


def is_known(target: Callable) -> bool:
    """Whether it is of mmgan_lite or MMEngine, whose classes read no data when they are built."""
    return package_of(target) in _KNOWN_PACKAGES


def items_of(path: str, cfg: Any) -> dict[str, Any]:
    """The items of a list by their places; anything else is its own only item."""
    if isinstance(cfg, (list, tuple)):
        return {f'{path}[{position}]': item for position, item in enumerate(cfg)}
    return {path: cfg}


def find(name: Any, kind: str, owner: str = '') -> Any:
    """The class or function of a ``type`` under the current default scope.

    Raises:
        ValueError: If there is none.
    """
    if not isinstance(name, str):
        if callable(name):
            return name
        raise ValueError(f'must be the name of a class, got {name!r}.')
    if kind == 'TRANSFORMS':
        with suppress(ImportError):  # optional, and registers its transforms when imported
            importlib.import_module('mmcv.transforms')
    own, root = vars(built_in)[kind], vars(roots)[kind]
    with root.switch_scope_and_registry(None) as registry:
        is_own = owner == 'mmgan_lite' and '.' not in name
        found = (own.get(name) if is_own else None) or registry.get(name)
    if found is not None:
        return found
    known = {*registry.module_dict, *own.module_dict, *root.module_dict}
    remedy = did_you_mean(name.rpartition('.')[2], known)
    remedy += ' A class of yours needs custom_imports.'
    if name in own.module_dict:
        remedy = f"Set default_scope='mmgan_lite', or write 'mmgan_lite.{name}'."
    scope = f'a {registry.name} under the scope {registry.scope!r}'
    raise ValueError(f'{name!r} is not registered as {scope}. {remedy}')


def is_registered(name: Any, kind: str) -> bool:
    """Whether a ``type`` is that of a part."""
    with suppress(Exception):
        return find(name, kind) is not None
    return False


def check_scope(scope: str) -> None:
    """Raise ``ValueError`` unless a default scope has registries."""
    with suppress(ImportError):  # where MMEngine looks for them
        importlib.import_module(f'{scope}.registry')
    registries = [r for r in vars(roots).values() if isinstance(r, MMEngineRegistry)]
    known = {name for registry in registries for name in (registry.scope, *registry.children)}
    if scope not in known:
        remedy = did_you_mean(scope, known, 'It is the name of a package that is installed.')
        raise ValueError(f'must be the scope of a registry, got {scope!r}. {remedy}')
