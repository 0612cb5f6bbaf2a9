"""A walk through a config: each part is compared with the signature of its class."""

import functools
import importlib
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from mmengine import registry as roots
from mmengine import runner as runners
from mmengine.registry import DefaultScope
from mmengine.registry import Registry as MMEngineRegistry
from mmengine.utils.dl_utils import set_multi_processing
from torch.distributed import init_process_group
from torch.utils.data import DataLoader

from mmgan_lite import registry as built_in
from mmgan_lite.utils.signatures import check_arguments, package_of, signature_of
from mmgan_lite.utils.validation import did_you_mean


class Place(NamedTuple):
    """What may stand in a place of a config.

    Attributes:
        kind: Registry of its class; empty for a function or class without a ``type``.
        added: Arguments that its owner adds if they are missing: names, or how many leading ones.
        default: Its class without a ``type``.
        read: Keys that its owner reads, so that its class does not get them.
    """

    kind: str = ''
    added: Collection[str] | int = ()
    default: Any = None
    read: tuple[str, ...] = ()


_LOOP = ('runner', 'dataloader', 'evaluator')
# By entries of a config, and by arguments of a class: with its registry, which is none of a data
# loader, or with any. Under any other argument a dict with ``type`` is of the registry around it.
_PLACES = {
    'model': Place('MODELS'),
    'model_wrapper_cfg': Place('MODEL_WRAPPERS', ('module', 'device_ids')),
    'train_cfg': Place('LOOPS', _LOOP[:2], runners.IterBasedTrainLoop, ('by_epoch',)),
    'val_cfg': Place('LOOPS', _LOOP, runners.ValLoop),
    'test_cfg': Place('LOOPS', _LOOP, runners.TestLoop),
    **dict.fromkeys(
        ('train_dataloader', 'val_dataloader', 'test_dataloader'),
        Place('', (), DataLoader, ('num_batch_per_epoch', 'disable_subprocess_warning')),
    ),
    '.sampler': Place('DATA_SAMPLERS', ('dataset',)),
    '.batch_sampler': Place('DATA_SAMPLERS', ('sampler', 'batch_size')),
    **dict.fromkeys(('.collate_fn', '.worker_init_fn'), Place('FUNCTIONS', 1, read=('_delete_',))),
    'OPTIM_WRAPPERS.optimizer': Place('OPTIMIZERS', ('params',)),
    'OPTIM_WRAPPERS.clip_grad': Place(),  # its ``type`` is that of a norm
    'param_scheduler': Place(
        'PARAM_SCHEDULERS', ('optimizer', 'param_name'), read=('convert_to_iter_based',)
    ),
    **dict.fromkeys(('default_hooks', 'custom_hooks'), Place('HOOKS', read=('priority',))),
    'visualizer': Place('VISUALIZERS', ('name', 'save_dir')),
    'log_processor': Place('LOG_PROCESSORS', default=runners.LogProcessor),
    'randomness': Place('', ('self',), runners.Runner.set_randomness),
    'env_cfg.mp_cfg': Place('', ('distributed',), set_multi_processing),
    'env_cfg.dist_cfg': Place('', (), init_process_group, ('init_backend', 'timeout')),
    **dict.fromkeys(('*.dataset', '*.datasets', '*.train_dataset'), Place('DATASETS')),
    **dict.fromkeys(('*.pipeline', '*.transforms'), Place('TRANSFORMS')),
    '*.metrics': Place('METRICS'),
    '*.extractor': Place('MODELS'),
    '*.ema': Place('MODELS', ('model',)),
    '*.init_cfg': Place('WEIGHT_INITIALIZERS'),
    '*.vis_backends': Place('VISBACKENDS', ('save_dir',)),
}
_DICTS_OF_PARTS = ('default_hooks', 'param_scheduler')
NO_EPOCHS = 'train_cfg counts iterations, and no epoch ends'
# Packages whose parts are all built through registries; elsewhere a ``type`` may mean anything.
_KNOWN_PACKAGES = ('mmgan_lite', 'mmengine', 'torch')


class Part(NamedTuple):
    """A valid part: its config, its class, the place where it stands, and the class around it."""

    cfg: dict
    target: Any
    place: Place
    owner: Any

    def is_a(self, base: type) -> bool:
        """Whether its class is a subclass of ``base``."""
        return isinstance(self.target, type) and issubclass(self.target, base)


class ConfigWalk:
    """A config, the errors found in it so far, its valid parts, and what could be built of it."""

    def __init__(self, cfg: dict) -> None:
        self.cfg = cfg
        self.problems: list[str] = []  # each as ``where: what``
        self.parts: dict[str, Part] = {}  # by path
        self.by_epoch: bool | None = None  # whether training counts epochs, if that is known
        self.model: Any = None  # on the meta device, if it is valid
        self.optim_wrapper: Any = None  # that of the model, if it is valid

    def of_kind(self, kind: str) -> list[tuple[str, Part]]:
        """The valid parts of a registry, with their paths."""
        return [(path, part) for path, part in self.parts.items() if part.place.kind == kind]

    def note(self, path: str, text: str) -> None:
        """Add an error as one line."""
        self.problems.append(f'{path}: {" ".join(text.split())}')

    def entry(self, key: str) -> dict:
        """A top-level entry; empty if it is no dict, which is an error of the top level."""
        value = self.cfg.get(key)
        return value if isinstance(value, dict) else {}

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

    def part(self, path: str, cfg: Any, place: Place, owner: Any = runners.Runner) -> Any:
        """Check a part of the class ``owner``, and the parts in it; returns its class if valid."""
        if not isinstance(cfg, dict) or ('type' not in cfg and place.default is None):
            wanted = 'a dict' if place.default else "a dict with type='...'"
            self.note(path, f'must be {wanted}, got {cfg!r}.')
            return None
        count, target = len(self.problems), place.default
        given = {key: value for key, value in cfg.items() if key not in ('_scope_', *place.read)}
        # The parts in it are built in its scope.
        with DefaultScope.overwrite_default_scope(cfg.get('_scope_')):
            if place.kind and 'type' in given:
                look_up = functools.partial(find, given.pop('type'), place.kind, package_of(owner))
                target = self.attempt(f'{path}.type', look_up)
            if target is None:
                return None
            added, taken = place.added, list(signature_of(target).parameters)
            if not is_known(owner):
                added = taken
            elif isinstance(added, int):
                added = taken[:added]
            valid = self.arguments(path, target, given, set(added).difference(cfg))
            for key, value in valid.items():
                self.inside(f'{path}.{key}', value, f'{place.kind}.{key}', target)
        if len(self.problems) > count:
            return None
        self.parts[path] = Part(cfg, target, place, owner)
        return target

    def inside(self, path: str, value: Any, key: str, owner: Any = runners.Runner) -> None:
        """Check the part or parts, if there are any, in a place; ``key`` is that of ``_PLACES``."""
        if path not in (items := items_of(path, value)):
            for where, item in items.items():
                self.inside(where, item, key, owner)
            return
        kind, _, argument = key.rpartition('.')
        listed = _PLACES.get(key, _PLACES.get(f'*.{argument}'))
        place = Place(kind) if listed is None else listed
        if not isinstance(value, dict):
            is_part = listed is not None and isinstance(value, (str, int, float))  # and no object
        elif is_known(owner):
            is_part = listed is not None or 'type' in value
        else:
            is_part = 'type' in value and is_registered(value['type'], place.kind)
        if is_part and place != Place():
            self.part(path, value, place, owner)

    def attempt(self, path: str, build: Callable[[], Any], cfg: Mapping | None = None) -> Any:
        """Call ``build``; if it raises, the result is None and the error is noted."""
        try:
            return build()
        except Exception as error:  # whatever a class may raise
            text = str(error) or type(error).__name__
            settings = ', '.join(f'{key}={value!r}' for key, value in (cfg or {}).items())
            self.note(path, f'{text} (in {settings:.200})' if cfg else text)
            return None

    def build(self, path: str, **added: Any) -> Any:
        """Build a valid part; None, and an error, if it raises."""
        cfg, target, place, _ = self.parts[path]
        given = {key: value for key, value in cfg.items() if key not in place.read}
        given |= {**added, 'type': target}
        return self.attempt(path, lambda: vars(roots)[place.kind].build(given), cfg)


def is_known(target: Callable) -> bool:
    """Whether it is of a package whose classes read no data when they are built."""
    return package_of(target) in _KNOWN_PACKAGES


def items_of(path: str, cfg: Any) -> dict[str, Any]:
    """The items of a list or a dict of parts by their paths; anything else is its only item."""
    if isinstance(cfg, (list, tuple)):
        return {f'{path}[{position}]': item for position, item in enumerate(cfg)}
    if isinstance(cfg, dict) and 'type' not in cfg and path in _DICTS_OF_PARTS:
        return {f'{path}.{name}': item for name, item in cfg.items()}
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
    # Runner looks up functions without the default scope.
    with root.switch_scope_and_registry(root.scope if kind == 'FUNCTIONS' else None) as registry:
        is_own = owner == 'mmgan_lite' and '.' not in name
        found = (own.get(name) if is_own else None) or registry.get(name)
    if found is not None:
        return found
    own.import_from_location()
    known = {*registry.module_dict, *own.module_dict, *root.module_dict}
    close = did_you_mean(name.rpartition('.')[2], known)
    remedy = f'{close} A class of yours needs custom_imports.'
    if name in own.module_dict:
        scope = '' if kind == 'FUNCTIONS' else "default_scope='mmgan_lite', or "
        remedy = f"Set {scope}type='mmgan_lite.{name}'."
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
