"""One child registry for each of MMEngine's, all in the scope ``mmgan_lite``.

MMEngine imports this module by its name the first time a config says ``mmgan_lite.X`` (or the
default scope is this one), and then the modules in ``locations``: that is why a config needs no
``custom_imports``. All of MMEngine's registries have a child here, also those that we register
nothing in yet, because a look-up under our scope would warn about each one that is missing.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any

from mmengine import registry as mmengine_registry
from mmengine.registry import Registry as MMEngineRegistry

from mmgan_lite.utils.migration import check_name
from mmgan_lite.utils.signatures import unknown_argument

SCOPE = 'mmgan_lite'


class Registry(MMEngineRegistry):
    """MMEngine's registry; the names of MMGeneration and MMagic are answered with the new ones."""

    def get(self, key: str) -> Any:
        """As in MMEngine.

        Raises:
            ValueError: If ``key`` is a name of MMGeneration or MMagic that is not registered.
        """
        part = super().get(key)
        if part is None:
            check_name(key.removeprefix(f'{SCOPE}.'))
        return part


def _build_explained(
    build: Callable, cfg: Any, *args: Any, registry: MMEngineRegistry, **kwargs: Any
) -> Any:
    """MMEngine's ``build_func``, with an error that helps for an argument that is unknown."""
    try:
        return build(cfg, *args, registry=registry, **kwargs)
    except TypeError as error:
        if not isinstance(cfg, Mapping) or 'type' not in cfg:
            raise
        with registry.switch_scope_and_registry(cfg.get('_scope_')) as found:
            target = found.get(cfg['type']) if isinstance(cfg['type'], str) else cfg['type']
        for name in cfg:
            if name not in ('type', '_scope_') and (text := unknown_argument(target, name)):
                raise TypeError(text) from error
        raise


def build_part(registry: MMEngineRegistry, cfg: Any, argument: str) -> Any:
    """Build the part of a part: ``cfg`` is a config, or the object itself, which passes through.

    An unprefixed ``type`` is one of this package even under the default scope of another project,
    and one of that project only if this package has none of the name; a prefixed one
    (``'mmpretrain.ResNet'``) is left to MMEngine.

    Args:
        registry: Where to look the type up.
        cfg: A dict with ``type``, or an object that is already built.
        argument: The name under which the user gave ``cfg``, for the error.

    Raises:
        ValueError: If ``cfg`` is None, a name, a class, or a dict without ``type``.
    """
    if cfg is None or isinstance(cfg, (str, type)):
        name = cfg.__name__ if isinstance(cfg, type) else cfg or '...'
        example = f'{argument}=dict(type={name!r})'
        raise ValueError(f'{argument} must be a config or an object, got {cfg!r}. Pass {example}.')
    if not isinstance(cfg, Mapping):
        return cfg
    if 'type' not in cfg:
        raise ValueError(f"{argument} must name its class, got {dict(cfg)}. Add type='...'.")
    name = cfg['type']
    if isinstance(name, str) and '.' not in name and (found := registry.get(name)) is not None:
        # The class and not the scope: the parts in it may be of the default scope again.
        cfg = {**cfg, 'type': found}
    return registry.build(cfg)


# Runner builds from MMEngine's own registries, which only pick the class from those below.
for _root in vars(mmengine_registry).values():
    if isinstance(_root, MMEngineRegistry):
        _root.build_func = functools.partial(_build_explained, _root.build_func)


def _child(name: str, parent: MMEngineRegistry, *locations: str) -> Registry:
    places = [f'{SCOPE}.{location}' for location in locations]
    return Registry(name, parent=parent, scope=SCOPE, locations=places)


RUNNERS = _child('runner', mmengine_registry.RUNNERS)
RUNNER_CONSTRUCTORS = _child('runner constructor', mmengine_registry.RUNNER_CONSTRUCTORS)
LOOPS = _child('loop', mmengine_registry.LOOPS)
HOOKS = _child('hook', mmengine_registry.HOOKS, 'engine')
STRATEGIES = _child('strategy', mmengine_registry.STRATEGIES)
# With the engine, which lets a data loader take the collate function of its dataset.
DATASETS = _child('dataset', mmengine_registry.DATASETS, 'datasets', 'engine')
DATA_SAMPLERS = _child('data sampler', mmengine_registry.DATA_SAMPLERS, 'datasets', 'evaluation')
TRANSFORMS = _child('transform', mmengine_registry.TRANSFORMS, 'datasets')
MODELS = _child('model', mmengine_registry.MODELS, 'models', 'evaluation')
MODEL_WRAPPERS = _child('model wrapper', mmengine_registry.MODEL_WRAPPERS, 'models')
WEIGHT_INITIALIZERS = _child('weight initializer', mmengine_registry.WEIGHT_INITIALIZERS)
OPTIMIZERS = _child('optimizer', mmengine_registry.OPTIMIZERS)
OPTIM_WRAPPERS = _child('optim wrapper', mmengine_registry.OPTIM_WRAPPERS)
OPTIM_WRAPPER_CONSTRUCTORS = _child(
    'optim wrapper constructor', mmengine_registry.OPTIM_WRAPPER_CONSTRUCTORS, 'engine'
)
PARAM_SCHEDULERS = _child('parameter scheduler', mmengine_registry.PARAM_SCHEDULERS)
METRICS = _child('metric', mmengine_registry.METRICS, 'evaluation')
EVALUATOR = _child('evaluator', mmengine_registry.EVALUATOR, 'evaluation')
TASK_UTILS = _child('task util', mmengine_registry.TASK_UTILS)
VISUALIZERS = _child('visualizer', mmengine_registry.VISUALIZERS)
VISBACKENDS = _child('vis backend', mmengine_registry.VISBACKENDS)
LOG_PROCESSORS = _child('log processor', mmengine_registry.LOG_PROCESSORS)
INFERENCERS = _child('inferencer', mmengine_registry.INFERENCERS, 'inference')
FUNCTIONS = _child('function', mmengine_registry.FUNCTIONS, 'datasets')
