"""A walk through a config: parts against the signatures of their classes, and what is wrong."""

import contextlib
import importlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from mmengine import registry as roots
from mmengine.registry import DefaultScope
from mmengine.registry import Registry as MMEngineRegistry

from mmgan_lite import registry as ours
from mmgan_lite.config_validation.config_keys import did_you_mean
from mmgan_lite.config_validation.signatures import check_arguments, signature_of

# Registry of the parts under an argument of this name; any other is that of the part around it.
_KIND_OF_ARGUMENT = {
    'dataset': 'DATASETS',
    'datasets': 'DATASETS',
    'train_dataset': 'DATASETS',
    'pipeline': 'TRANSFORMS',
    'transforms': 'TRANSFORMS',
    'metrics': 'METRICS',
    'extractor': 'MODELS',
    'init_cfg': 'WEIGHT_INITIALIZERS',
    'vis_backends': 'VISBACKENDS',
}
# Arguments that are parts, or lists of them: a dict there that names no class is a mistake.
_PARTS = (
    *_KIND_OF_ARGUMENT,
    *('generator', 'discriminator', 'loss', 'auxiliary_loss', 'regularizers', 'augmentation'),
    *('latents', 'ema', 'data_preprocessor'),
)
# What whoever builds the part under an argument of this name adds.
_ADDED = {'ema': ('model',)}
# Packages whose parts are all built through registries; others may mean anything by a ``type``.
_KNOWN_PACKAGES = ('mmgan_lite', 'mmengine')


class ConfigWalk:
    """Walks through a config and notes what is wrong.

    Args:
        cfg: The whole config; it is not changed.

    Attributes:
        cfg: As given.
        problems: What was found so far, each ``where: what``, and each once.
        noted: How often something was found; a part that two networks share is looked at twice.
    """

    def __init__(self, cfg: Mapping) -> None:
        self.cfg = cfg
        self.problems: list[str] = []
        self.noted = 0

    def note(self, path: str, text: str) -> None:
        """Add a mistake."""
        self.noted += 1
        # An error of several lines is one mistake still.
        problem = f'{path}: {" ".join(text.split())}'
        if problem not in self.problems:
            self.problems.append(problem)

    def entry(self, key: str) -> dict | None:
        """A top-level entry if it is a dict; what else it may be is noted with the top level."""
        value = self.cfg.get(key)
        return value if isinstance(value, dict) else None

    def setting(self, key: str, name: str) -> Any:
        """A setting in a top-level entry; None if there is none of either."""
        return (self.entry(key) or {}).get(name)

    def arguments(
        self, path: str, target: Callable, given: Mapping, added: Collection[str] = ()
    ) -> dict:
        """Check settings against a signature; returns those that are right.

        Args:
            path: Where the settings stand.
            target: The class or function that they are for.
            given: The settings.
            added: Arguments that whoever calls it adds.
        """
        problems = check_arguments(target, given, added)
        for key, text in problems.items():
            self.note(f'{path}.{key}', text)
        return {key: value for key, value in given.items() if key not in problems}

    def only_known(self, path: str, given: Any, known: Collection[str]) -> None:
        """Check the keys of a dict that is no part."""
        for key in given if isinstance(given, dict) else ():
            if key not in known:
                self.note(
                    f'{path}.{key}',
                    f'is unknown. {did_you_mean(key, known)}There are: {", ".join(known)}.',
                )

    def part(
        self,
        path: str,
        cfg: Any,
        kind: str,
        added: Collection[str] = (),
        in_ours: bool = False,
        default: Any = None,
    ) -> Any:
        """Check a part, and the parts in it; returns its class if all of it is right.

        Args:
            path: Where it stands.
            cfg: Its config, or anything else that stands there.
            kind: Name of its registry.
            added: Arguments that whoever builds it adds.
            in_ours: Whether it stands in a part of ours, which looks among ours first.
            default: Its class where it has no type.
        """
        if not isinstance(cfg, dict):
            self.note(path, f"must be a dict with type='...', got {cfg!r}.")
            return None
        before = self.noted
        # What it contains is built in its scope.
        with DefaultScope.overwrite_default_scope(cfg.get('_scope_')):
            target = default
            if 'type' in cfg:
                target = self.resolve(f'{path}.type', cfg['type'], kind, in_ours)
            elif default is None:
                self.note(path, f"must name its class, got {cfg}. Add type='...'.")
            if target is None:
                return None
            given = {k: v for k, v in cfg.items() if k not in ('type', '_scope_')}
            package = getattr(target, '__module__', '').partition('.')[0]
            for key, value in self.arguments(path, target, given, added).items():
                self._parts_in(f'{path}.{key}', key, value, kind, package)
        return target if self.noted == before else None

    def _parts_in(self, path: str, key: str, value: Any, kind: str, package: str) -> None:
        """Check what stands under an argument of a class of ``package``."""
        if isinstance(value, (list, tuple)):
            for position, item in enumerate(value):
                self._parts_in(f'{path}[{position}]', key, item, kind, package)
        elif isinstance(value, dict) and 'type' in value:
            kind = _KIND_OF_ARGUMENT.get(key, kind)
            if package in _KNOWN_PACKAGES or find(value['type'], kind) is not None:
                # Whoever builds these fills in what they lack.
                filled = {'save_dir': '', **value} if key == 'vis_backends' else value
                self.part(path, filled, kind, _ADDED.get(key, ()), package == 'mmgan_lite')
        elif isinstance(value, dict) and key in _PARTS and package in _KNOWN_PACKAGES:
            self.note(path, f"must name its class, got {value}. Add type='...'.")

    def resolve(self, path: str, name: Any, kind: str, in_ours: bool = False) -> Any:
        """The class or function of a name, which stands at ``path``; None if there is none."""
        if not isinstance(name, str):
            if callable(name):
                return name
            self.note(path, f'must be the name of a class, got {name!r}.')
            return None
        try:
            found = find(name, kind, in_ours)
        except Exception as error:  # an old name is explained; a scope may be none
            self.note(path, str(error))
            return None
        if found is None:
            with _registry(kind) as registry:
                self.note(path, _not_registered(name, kind, registry))
        return found

    def function(self, path: str, cfg: Any, num_added: int) -> None:
        """Check the config of a function, whose caller adds so many arguments in front."""
        if cfg is None or callable(cfg):
            return
        if not isinstance(cfg, dict) or 'type' not in cfg:
            self.note(path, f"must be a dict with type='...', got {cfg!r}.")
            return
        target = self.resolve(f'{path}.type', cfg['type'], 'FUNCTIONS')
        name = cfg['type']
        # The Runner asks without a scope.
        if target is not None and isinstance(name, str) and roots.FUNCTIONS.get(name) is None:
            name = f'{ours.SCOPE}.{name}'
            self.note(f'{path}.type', f'must have its project in front. Set type={name!r}.')
        elif target is not None:
            added = list(signature_of(target).parameters)[:num_added]
            given = {key: value for key, value in cfg.items() if key != 'type'}
            self.arguments(path, target, given, added)

    def build(self, path: str, cfg: Mapping, kind: str, **added: Any) -> Any:
        """Build a part that is right so far; what it refuses is noted, and None returned."""
        try:
            return getattr(roots, kind).build({**cfg, **added})
        except Exception as error:  # whatever a class may raise
            self.note(path, f'{sentence(error)} (in {shortened(cfg)})')
            return None


def is_known(target: Any) -> bool:
    """Whether a class is ours or MMEngine's, so that what it does when it is built is known."""
    return getattr(target, '__module__', '').partition('.')[0] in _KNOWN_PACKAGES


def find(name: Any, kind: str, in_ours: bool = False) -> Any:
    """What the Runner takes for the name under the present scope; None if there is nothing."""
    if not isinstance(name, str):
        return name
    if kind == 'TRANSFORMS':
        with contextlib.suppress(ImportError):  # optional, and registers when it is imported
            importlib.import_module('mmcv.transforms')
    with _registry(kind) as registry:
        found = getattr(ours, kind).get(name) if in_ours and '.' not in name else None
        return found or registry.get(name)


def check_scope(scope: str) -> str | None:
    """What is wrong with a default scope; None if there are registries of it."""
    with contextlib.suppress(ImportError):  # where MMEngine looks for them
        importlib.import_module(f'{scope}.registry')
    registries = [r for r in vars(roots).values() if isinstance(r, MMEngineRegistry)]
    known = {name for registry in registries for name in (registry.scope, *registry.children)}
    if scope in known:
        return None
    return (
        f'must be the scope of registries, got {scope!r}. {did_you_mean(scope, known)}'
        f'It is the name of a package that is installed.'
    )


def sentence(error: Exception) -> str:
    """What an error says, with a full stop."""
    text = str(error) or type(error).__name__
    return text if text[-1] in '.!?' else f'{text}.'


def shortened(cfg: Mapping) -> str:
    """The settings of a part, 200 characters of them."""
    text = ', '.join(f'{key}={value!r}' for key, value in cfg.items())
    return text if len(text) <= 200 else f'{text[:200]}...'


@contextlib.contextmanager
def _registry(kind: str) -> Iterator[MMEngineRegistry]:
    """The registry that the Runner asks, which depends on ``default_scope``."""
    with getattr(roots, kind).switch_scope_and_registry(None) as registry:
        yield registry


def _not_registered(name: str, kind: str, registry: MMEngineRegistry) -> str:
    registries = (registry, getattr(ours, kind), getattr(roots, kind))
    names: Iterable[str] = [known for found in registries for known in found.module_dict]
    near = did_you_mean(name.rpartition('.')[2], names)
    remedy = f'{near}A class of yours needs custom_imports.'
    if name in getattr(ours, kind).module_dict:
        remedy = f"Set default_scope='mmgan_lite', or write 'mmgan_lite.{name}'."
    return (
        f'{name!r} is not registered as a {registry.name} under the scope {registry.scope!r}. '
        f'{remedy}'
    )
