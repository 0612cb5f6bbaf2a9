"""What is wrong with a config, all of it at once, without data.

Each dict with ``type`` is held against the signature of its class: unknown and missing arguments,
values of another type. What needs no data is then built, the model on torch's meta device, where
tensors have a shape and no memory; what its ``__init__`` refuses is a mistake too. At last the
settings are held against one another.
"""

import contextlib
import copy
import importlib
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import mmengine.hooks
import torch
from mmengine import registry as roots
from mmengine.config import Config
from mmengine.optim import OptimWrapperDict
from mmengine.registry import DefaultScope
from mmengine.registry import Registry as MMEngineRegistry
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner, TestLoop, ValLoop
from torch import nn
from torch.utils.data import DataLoader

from mmgan_lite import registry as ours
from mmgan_lite.apis.signatures import check_arguments, signature_of
from mmgan_lite.config_keys import RUNNER_KEYS, did_you_mean, unknown_keys

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
# What whoever builds the part under an argument of this name adds.
_PROVIDED = {'ema': ('model',), 'vis_backends': ('save_dir',), 'init_cfg': ()}
# Arguments that are parts, or lists of them: a dict there that names no class is a mistake.
_PARTS = (
    *_KIND_OF_ARGUMENT,
    *('generator', 'discriminator', 'loss', 'auxiliary_loss', 'regularizers', 'augmentation'),
    *('latents', 'ema', 'data_preprocessor'),
)
# Runner's own, which it adds where a config has none of the name.
_DEFAULT_HOOKS = {
    'runtime_info': 'RuntimeInfoHook',
    'timer': 'IterTimerHook',
    'sampler_seed': 'DistSamplerSeedHook',
    'logger': 'LoggerHook',
    'param_scheduler': 'ParamSchedulerHook',
    'checkpoint': 'CheckpointHook',
}
_PARAMWISE = (
    'lr_mult',
    'decay_mult',
    'bias_lr_mult',
    'bias_decay_mult',
    'norm_decay_mult',
    'flat_decay_mult',
    'dwconv_decay_mult',
    'dcn_offset_lr_mult',
    'bypass_duplicate',
    'custom_keys',
)
_set_randomness: Any = Runner.set_randomness
_CLIPPING: dict[str, Any] = {'norm': nn.utils.clip_grad_norm_, 'value': nn.utils.clip_grad_value_}
_ITEMS: Any = range(2**40)  # stand for the data: enough for any number of samples
# Shapes of the images of datasets that have one only.
_IMAGE_SHAPES = {
    'MNISTDataset': (1, 28, 28),
    'FashionMNISTDataset': (1, 28, 28),
    'KMNISTDataset': (1, 28, 28),
    'StackedMNISTDataset': (3, 28, 28),
    'CIFAR10Dataset': (3, 32, 32),
    'CIFAR100Dataset': (3, 32, 32),
}


def check_config(cfg: Config | Mapping) -> list[str]:
    """All mistakes in a config, each as ``where: what``; no data is read, and nothing fetched.

    Args:
        cfg: The whole config, as the Runner gets it; it is not changed.

    Example:
        >>> import mmgan_lite
        >>> cfg = mmgan_lite.get_config('gan_mlp_digits-28x28')
        >>> check_config(cfg)
        []
        >>> cfg.model.generator.laten_dim = 3
        >>> cfg.train_cfg.max_iters = '8000'
        >>> for mistake in check_config(cfg):
        ...     print(mistake[:68])
        model.generator.laten_dim: is no argument of MLPGenerator. Did you m
        train_cfg.max_iters: must be int, got '8000'.
    """
    plain = copy.deepcopy(cfg.to_dict() if isinstance(cfg, Config) else dict(cfg))
    checker = _Checker(plain)
    scope = plain.get('default_scope') or 'mmengine'
    # Seeds and the log belong to the training that may come afterwards.
    with (
        torch.random.fork_rng(devices=[]),
        warnings.catch_warnings(),
        DefaultScope.overwrite_default_scope(scope if isinstance(scope, str) else None),
    ):
        warnings.simplefilter('ignore')
        checker.check()
    return checker.problems


def require_valid(cfg: Config | Mapping) -> None:
    """Raise if there is any mistake in a config.

    Raises:
        ValueError: That lists all.
    """
    problems = check_config(cfg)
    if problems:
        count = 'a mistake' if len(problems) == 1 else f'{len(problems)} mistakes'
        lines = '\n'.join(f'  {problem}' for problem in problems)
        raise ValueError(f'The config has {count}:\n{lines}')


class _Checker:
    """Walks through a config and notes what is wrong."""

    def __init__(self, cfg: dict) -> None:
        self.cfg = cfg
        self.problems: list[str] = []
        # What could be built, for the settings that are held against one another.
        self.model: Any = None
        self.dataset: Any = None
        self.optim_wrapper: Any = None
        self.schedulers: Any = []
        self.hooks: dict[str, Any] = {}

    def note(self, path: str, text: str) -> None:
        # An error of several lines is one mistake still.
        problem = f'{path}: {" ".join(text.split())}'
        if problem not in self.problems:
            self.problems.append(problem)

    def check(self) -> None:
        self._top_level()
        self._model()
        self._training_loop()
        self._other_loops()
        for split in ('train', 'val', 'test'):
            self._dataloader(f'{split}_dataloader')
        self._optim_wrapper()
        self._schedulers()
        self._hooks()
        for split in ('val', 'test'):
            self._evaluator(f'{split}_evaluator')
        self._settings()
        self._counting()
        self._data_and_model()
        self._average()

    def _get(self, key: str) -> Any:
        """An entry that is a dict, else an empty one; other types are noted elsewhere."""
        value = self.cfg.get(key)
        return value if isinstance(value, dict) else {}

    def _top_level(self) -> None:
        for key, text in unknown_keys(self.cfg).items():
            self.note(key, text)
        given = {key: value for key, value in self.cfg.items() if key in RUNNER_KEYS}
        # Absent is the same as None, and the command that trains chooses a folder.
        given = {key: value for key, value in given.items() if value is not None}
        for key, text in check_arguments(Runner, given, ('work_dir', 'cfg')).items():
            if key != 'work_dir':
                self.note(key, text)
        if not isinstance(self.cfg.get('work_dir', ''), (str, type(None))):
            self.note('work_dir', f'must be str, got {self.cfg["work_dir"]!r}.')
        groups = [('train_dataloader', 'train_cfg', 'optim_wrapper')]
        groups += [(f'{s}_dataloader', f'{s}_cfg', f'{s}_evaluator') for s in ('val', 'test')]
        for group in groups:
            absent = [key for key in group if self.cfg.get(key) is None]
            if 0 < len(absent) < 3:
                there = ' and '.join(key for key in group if key not in absent)
                for key in absent:
                    self.note(key, f'is missing, and {there} cannot do without it.')
        if self.cfg.get('param_scheduler') and self.cfg.get('optim_wrapper') is None:
            self.note('param_scheduler', 'needs an optim_wrapper, got none.')

    # Parts: dicts with a type.

    def part(
        self,
        path: str,
        cfg: Any,
        kind: str,
        provided: Collection[str] = (),
        extra: Collection[str] = (),
        in_ours: bool = False,
        default: Any = None,
    ) -> Any:
        """Check a part, and the parts in it; returns its class if all of it is right.

        Args:
            path: Where it stands.
            cfg: Its config, or anything else that stands there.
            kind: Name of its registry.
            provided: Arguments that whoever builds it adds.
            extra: Entries that whoever builds it takes out.
            in_ours: Whether it stands in a part of ours, which looks among ours first.
            default: Its class where it has no type.
        """
        if not isinstance(cfg, dict):
            self.note(path, f"must be a dict with type='...', got {cfg!r}.")
            return None
        target = default
        if 'type' in cfg:
            target = self._resolve(path, cfg['type'], kind, in_ours)
        elif default is None:
            self.note(path, f"must name its class, got {cfg}. Add type='...'.")
        if target is None:
            return None
        before = len(self.problems)
        given = {k: v for k, v in cfg.items() if k not in ('type', '_scope_', *extra)}
        for key, text in check_arguments(target, given, provided).items():
            self.note(f'{path}.{key}', text)
        package = getattr(target, '__module__', '').partition('.')[0]
        for key, value in given.items():
            self._parts_in(f'{path}.{key}', key, value, kind, package == 'mmgan_lite')
        return target if len(self.problems) == before else None

    def _parts_in(self, path: str, key: str, value: Any, kind: str, in_ours: bool) -> None:
        kind = _KIND_OF_ARGUMENT.get(key, kind)
        if isinstance(value, (list, tuple)):
            for position, item in enumerate(value):
                self._parts_in(f'{path}[{position}]', key, item, kind, in_ours)
        elif isinstance(value, dict) and 'type' in value:
            self.part(path, value, kind, _PROVIDED.get(key, ()), in_ours=in_ours)
        elif isinstance(value, dict) and key in _PARTS:
            self.note(path, f"must name its class, got {value}. Add type='...'.")

    def _resolve(self, path: str, name: Any, kind: str, in_ours: bool) -> Any:
        if not isinstance(name, str):
            if callable(name):
                return name
            self.note(f'{path}.type', f'must be the name of a class, got {name!r}.')
            return None
        if kind == 'TRANSFORMS':
            with contextlib.suppress(ImportError):  # optional, and registers when it is imported
                importlib.import_module('mmcv.transforms')
        with self._registry(kind) as registry:
            try:
                found = None
                if in_ours and '.' not in name:
                    found = getattr(ours, kind).get(name)
                found = found or registry.get(name)
            except Exception as error:  # an old name is explained; a scope may be none
                self.note(f'{path}.type', str(error))
                return None
            if found is None:
                near = did_you_mean(name.rpartition('.')[2], _names(registry, kind))
                remedy = f'{near}A class of yours needs custom_imports.'
                if name in getattr(ours, kind).module_dict:
                    remedy = f"Set default_scope='mmgan_lite', or write 'mmgan_lite.{name}'."
                self.note(
                    f'{path}.type',
                    f'{name!r} is not registered as a {registry.name} under the scope '
                    f'{registry.scope!r}. {remedy}',
                )
            return found

    @contextlib.contextmanager
    def _registry(self, kind: str) -> Iterator[MMEngineRegistry]:
        """The registry that the Runner asks, which depends on ``default_scope``."""
        with getattr(roots, kind).switch_scope_and_registry(None) as registry:
            yield registry

    def build(self, path: str, cfg: Mapping, kind: str, **added: Any) -> Any:
        """Build a part that is right so far; what it refuses is noted."""
        try:
            return getattr(roots, kind).build({**cfg, **added})
        except Exception as error:  # whatever a class may raise
            self.note(path, f'{_text(error)} (in {_short(cfg)})')
            return None

    def _model(self) -> None:
        cfg = self.cfg.get('model')
        if not isinstance(cfg, dict) or not self.part('model', cfg, 'MODELS'):
            return
        # Runner hands this one over where the model has none.
        if self.cfg.get('data_preprocessor'):
            cfg = {'data_preprocessor': self.cfg['data_preprocessor'], **cfg}
        with torch.device('meta'):
            try:
                self.model = roots.MODELS.build(copy.deepcopy(cfg))
            except Exception as error:  # whatever a class may raise
                before = len(self.problems)
                for key, value in cfg.items():
                    self._build_parts_in(f'model.{key}', key, value)
                if len(self.problems) == before:
                    self.note('model', _text(error))

    def _build_parts_in(self, path: str, key: str, value: Any) -> None:
        """Build the parts of a part by themselves, so that each tells its mistake."""
        if isinstance(value, (list, tuple)):
            for position, item in enumerate(value):
                self._build_parts_in(f'{path}[{position}]', key, item)
        elif isinstance(value, dict) and 'type' in value and key not in _PROVIDED:
            try:
                ours.build_part(ours.MODELS, copy.deepcopy(value), key)
            except Exception as error:
                self.note(path, f'{_text(error)} (in {_short(value)})')

    # Loops and data.

    def _training_loop(self) -> None:
        cfg = self._get('train_cfg')
        if not cfg:
            return
        given = dict(cfg)
        by_epoch = given.pop('by_epoch', None)
        if ('type' in cfg) == ('by_epoch' in cfg):
            self.note(
                'train_cfg.by_epoch',
                'must be given, or type, and not both. Set by_epoch=False to count iterations.',
            )
        elif 'by_epoch' in cfg and not isinstance(by_epoch, bool):
            self.note('train_cfg.by_epoch', f'must be bool, got {by_epoch!r}.')
        default = EpochBasedTrainLoop if by_epoch else IterBasedTrainLoop
        self.part('train_cfg', given, 'LOOPS', ('runner', 'dataloader'), default=default)
        for key in ('max_iters', 'max_epochs', 'val_interval'):
            if type(cfg.get(key)) is int and cfg[key] < 1:
                self.note(f'train_cfg.{key}', f'must be at least 1, got {cfg[key]}.')

    def _other_loops(self) -> None:
        for key, default in (('val_cfg', ValLoop), ('test_cfg', TestLoop)):
            if isinstance(self.cfg.get(key), dict):
                provided = ('runner', 'dataloader', 'evaluator')
                self.part(key, self.cfg[key], 'LOOPS', provided, default=default)

    def _dataloader(self, path: str) -> None:
        cfg = self._get(path)
        if not cfg:
            return
        parts = ('dataset', 'sampler', 'batch_sampler', 'collate_fn', 'worker_init_fn')
        extra = ('num_batch_per_epoch', 'disable_subprocess_warning')
        given = {k: v for k, v in cfg.items() if k not in (*parts, *extra)}
        problems = check_arguments(DataLoader, given, parts)
        for key, text in problems.items():
            self.note(f'{path}.{key}', text)
        needed = ('dataset',) if cfg.get('batch_sampler') else ('dataset', 'sampler', 'batch_size')
        for key in needed:
            if cfg.get(key) is None:
                self.note(f'{path}.{key}', 'is missing, and the data loader needs it.')
        if not problems:
            try:
                DataLoader(_ITEMS, **given)
            except Exception as error:
                self.note(path, f'{_text(error)} (in {_short(given)})')
        self._sampling(path, cfg)
        if cfg.get('dataset') is not None:
            self._dataset(f'{path}.dataset', cfg['dataset'], path == 'train_dataloader')

    def _sampling(self, path: str, cfg: Mapping) -> None:
        if cfg.get('sampler') is not None:
            sampler = cfg['sampler']
            target = self.part(f'{path}.sampler', sampler, 'DATA_SAMPLERS', ('dataset', 'seed'))
            # One of somebody else might make a list of all.
            if target is not None and target.__module__.startswith(('mmgan_lite.', 'mmengine.')):
                self.build(f'{path}.sampler', sampler, 'DATA_SAMPLERS', dataset=_ITEMS, seed=0)
        if cfg.get('batch_sampler') is not None:
            provided = ('sampler', 'batch_size')
            self.part(f'{path}.batch_sampler', cfg['batch_sampler'], 'DATA_SAMPLERS', provided)
        self._function(f'{path}.collate_fn', cfg.get('collate_fn'), 1)
        self._function(f'{path}.worker_init_fn', cfg.get('worker_init_fn'), 4)

    def _function(self, path: str, cfg: Any, num_provided: int) -> None:
        """A function, whose caller adds so many arguments in front."""
        if cfg is None or callable(cfg):
            return
        if not isinstance(cfg, dict) or 'type' not in cfg:
            self.note(path, f"must be a dict with type='...', got {cfg!r}.")
            return
        target = self._resolve(path, cfg['type'], 'FUNCTIONS', False)
        if target is not None:
            provided = list(signature_of(target).parameters)[:num_provided]
            given = {k: v for k, v in cfg.items() if k != 'type'}
            for key, text in check_arguments(target, given, provided).items():
                self.note(f'{path}.{key}', text)

    def _dataset(self, path: str, cfg: Any, keep: bool) -> None:
        target = self.part(path, cfg, 'DATASETS')
        if target is None or 'lazy_init' not in signature_of(target).parameters:
            return
        dataset = self.build(path, cfg, 'DATASETS', lazy_init=True)
        if keep:
            self.dataset = dataset

    # Optimisers and schedules.

    def _optim_wrapper(self) -> None:
        cfg = self._get('optim_wrapper')
        if not cfg:
            return
        constructor = cfg.get('constructor', 'DefaultOptimWrapperConstructor')
        target = self._resolve(
            'optim_wrapper.constructor', constructor, 'OPTIM_WRAPPER_CONSTRUCTORS', False
        )
        if target is None:
            return
        before = len(self.problems)
        name = target.__name__
        if name == 'MultiOptimWrapperConstructor':
            for network, entry in cfg.items():
                if network != 'constructor':
                    self._network(f'optim_wrapper.{network}', entry)
            self._networks(cfg)
        elif name == 'DefaultOptimWrapperConstructor':
            self._single_wrapper(cfg)
        if len(self.problems) > before or self.model is None:
            return
        given = {k: v for k, v in cfg.items() if k != 'constructor'}
        paramwise = given.pop('paramwise_cfg', None)
        try:
            self.optim_wrapper = target(given, paramwise)(self.model)
        except Exception as error:
            self.note('optim_wrapper', _text(error))

    def _networks(self, cfg: Mapping) -> None:
        if self.model is None:
            return
        trained = [
            name
            for name, child in self.model.named_children()
            if any(parameter.requires_grad for parameter in child.parameters())
        ]
        for name in trained:
            if name not in cfg:
                self.note(f'optim_wrapper.{name}', 'is missing, and this network is to train.')
        for name in cfg:
            if name != 'constructor' and name not in trained:
                self.note(
                    f'optim_wrapper.{name}',
                    f'is no network that trains. {did_you_mean(name, trained)}'
                    f'There are: {", ".join(trained)}.',
                )

    def _single_wrapper(self, cfg: Mapping) -> None:
        if hasattr(self.model, 'check_optim_wrapper'):
            self.note(
                'optim_wrapper.constructor',
                "must be 'MultiOptimWrapperConstructor' for a GAN, with generator=dict(...) and "
                'discriminator=dict(...) beside it.',
            )
        else:
            self._network('optim_wrapper', cfg, default='OptimWrapper')

    def _network(self, path: str, cfg: Any, default: str = 'mmgan_lite.GANOptimWrapper') -> None:
        """One optim wrapper, with its optimiser."""
        if not isinstance(cfg, dict):
            self.note(path, f"must be a dict with optimizer=dict(type='Adam'), got {cfg!r}.")
            return
        cfg = {'type': default, **cfg}
        paths = ('optimizer', 'constructor', 'paramwise_cfg')
        given = {k: v for k, v in cfg.items() if k not in paths}
        self.part(path, given, 'OPTIM_WRAPPERS', ('optimizer',))
        if 'optimizer' not in cfg:
            self.note(f'{path}.optimizer', "is missing. Add optimizer=dict(type='Adam', lr=2e-4).")
        elif self.part(f'{path}.optimizer', cfg['optimizer'], 'OPTIMIZERS', ('params',)):
            parameters = [nn.Parameter(torch.zeros(1))]
            self.build(f'{path}.optimizer', cfg['optimizer'], 'OPTIMIZERS', params=parameters)
        if isinstance(counts := cfg.get('accumulative_counts'), int) and counts < 1:
            self.note(f'{path}.accumulative_counts', f'must be at least 1, got {counts}.')
        self._only_known(f'{path}.paramwise_cfg', cfg.get('paramwise_cfg'), _PARAMWISE)
        if isinstance(clip := cfg.get('clip_grad'), dict):
            function = _CLIPPING.get(clip.get('type', 'norm'))
            if function is None:
                self.note(f'{path}.clip_grad.type', f"must be 'norm' or 'value', got {clip}.")
                return
            entries = {k: v for k, v in clip.items() if k != 'type'}
            for key, text in check_arguments(function, entries, ('parameters',)).items():
                self.note(f'{path}.clip_grad.{key}', text)

    def _only_known(self, path: str, cfg: Any, known: Collection[str]) -> None:
        for key in cfg if isinstance(cfg, dict) else ():
            if key not in known:
                self.note(
                    f'{path}.{key}',
                    f'is unknown. {did_you_mean(key, known)}There are: {", ".join(known)}.',
                )

    def _schedulers(self) -> None:
        given = self.cfg.get('param_scheduler')
        wrappers = self.optim_wrapper
        several = isinstance(wrappers, OptimWrapperDict)
        if isinstance(given, dict) and 'type' not in given:
            networks = list(wrappers.optim_wrappers) if several else list(given)
            self._only_known('param_scheduler', given, networks)
            for name in networks:
                if name not in given:
                    self.note(f'param_scheduler.{name}', 'is missing. Add [] for a constant rate.')
            self.schedulers = {n: self._schedule(f'.{n}', v, n) for n, v in given.items()}
        elif several:
            self.schedulers = {n: self._schedule('', given, n) for n in wrappers.optim_wrappers}
        else:
            self.schedulers = self._schedule('', given, None)

    def _schedule(self, suffix: str, given: Any, network: str | None) -> list[Any]:
        """The schedulers of one network."""
        wrapper = self.optim_wrapper
        if isinstance(wrapper, OptimWrapperDict):
            wrapper = wrapper.optim_wrappers.get(network)
        built = []
        several = isinstance(given, (list, tuple))
        for position, cfg in enumerate(given if several else [given] if given else []):
            path = f'param_scheduler{suffix}' + (f'[{position}]' if several else '')
            target = self.part(
                path,
                cfg,
                'PARAM_SCHEDULERS',
                ('optimizer', 'param_name'),
                ('convert_to_iter_based',),
            )
            if target is None:
                continue
            if cfg.get('by_epoch', True) and self._get('train_cfg').get('by_epoch') is False:
                self.note(
                    f'{path}.by_epoch',
                    'must be False where train_cfg counts iterations: an epoch never ends there, '
                    'and the schedule would never move.',
                )
            elif wrapper is not None:
                plain = {k: v for k, v in cfg.items() if k != 'convert_to_iter_based'}
                length = 'max_epochs' if cfg.get('by_epoch', True) else 'max_iters'
                if length in self._get('train_cfg'):  # as the Runner has it
                    plain.setdefault('end', self.cfg['train_cfg'][length])
                scheduler = self.build(path, plain, 'PARAM_SCHEDULERS', optimizer=wrapper)
                built += [] if scheduler is None else [scheduler]
        return built

    # Hooks, evaluators and the rest.

    def _hooks(self) -> None:
        default_hooks = self._get('default_hooks')
        for name, cfg in default_hooks.items():
            if cfg is not None or name not in _DEFAULT_HOOKS:  # None takes out one of Runner's own
                self._hook(f'default_hooks.{name}', cfg)
                self._default_name(name, list(default_hooks))
        custom_hooks = self.cfg.get('custom_hooks')
        for position, cfg in enumerate(custom_hooks if isinstance(custom_hooks, list) else []):
            self._hook(f'custom_hooks[{position}]', cfg)
        if self.model is None or self.optim_wrapper is None:
            return
        runner = SimpleNamespace(
            model=self.model,
            optim_wrapper=self.optim_wrapper,
            param_schedulers=self.schedulers,
            train_dataloader=SimpleNamespace(
                batch_size=self._get('train_dataloader').get('batch_size')
            ),
            hooks=list(self.hooks.values()),
        )
        for path, hook in self.hooks.items():
            if type(hook).__name__ == 'AnnealHook':
                try:
                    hook.before_train(runner)
                except Exception as error:
                    self.note(path, _text(error))

    def _hook(self, path: str, cfg: Any) -> None:
        target = self.part(path, cfg, 'HOOKS', extra=('priority',))
        if isinstance(cfg, dict) and type(cfg.get('interval')) is int:
            # MMEngine takes 0 as never, or divides by it.
            saves = target is not None and issubclass(target, mmengine.hooks.CheckpointHook)
            least = -1 if saves else 1
            if cfg['interval'] < least or cfg['interval'] == 0:
                self.note(f'{path}.interval', f'must be at least 1, got {cfg["interval"]}.')
                return
        if target is not None:
            given = {k: v for k, v in cfg.items() if k != 'priority'}
            hook = self.build(path, given, 'HOOKS')
            if hook is not None:
                self.hooks[path] = hook

    def _default_name(self, name: str, names: Sequence[str]) -> None:
        """A misspelt name of a default hook: the Runner would add another under the right one."""
        hook = self.hooks.get(f'default_hooks.{name}')
        for known, default in _DEFAULT_HOOKS.items():
            if known not in names and isinstance(hook, getattr(mmengine.hooks, default)):
                self.note(
                    f'default_hooks.{name}',
                    f'would be added to the {default} that the Runner has under {known!r}. '
                    f'Did you mean {known!r}?',
                )

    def _evaluator(self, path: str) -> None:
        cfg = self.cfg.get(path)
        if cfg is None:
            return
        if isinstance(cfg, dict) and 'type' not in cfg and not cfg.keys() <= {'metrics'}:
            self.note(f'{path}.type', "is missing. Add type='GANEvaluator'.")
            return
        is_evaluator = isinstance(cfg, dict) and str(cfg.get('type')).endswith('Evaluator')
        if not is_evaluator and (not isinstance(cfg, dict) or 'metrics' not in cfg):
            entries = cfg if isinstance(cfg, (list, tuple)) else [cfg]
            for position, entry in enumerate(entries):
                if self.part(f'{path}[{position}]', entry, 'METRICS'):
                    self.build(f'{path}[{position}]', entry, 'METRICS')
            return
        target = self.part(path, {'type': 'Evaluator', **cfg}, 'EVALUATOR')
        if target is None or target.__name__ != 'GANEvaluator':
            return
        # Another network may have to be fetched, and training data be read.
        given = {**cfg, 'extractor': dict(type='ModuleExtractor', module=nn.Flatten(), name='none')}
        if cfg.get('train_dataset') is not None:
            given['train_dataset'] = SimpleNamespace(metainfo={})
            self._dataset(f'{path}.train_dataset', cfg['train_dataset'], False)
        self.build(path, given, 'EVALUATOR')

    def _settings(self) -> None:
        cfg = self.cfg.get('model_wrapper_cfg')
        if cfg is not None:
            self.part('model_wrapper_cfg', cfg, 'MODEL_WRAPPERS', ('module', 'device_ids'))
        if isinstance(cfg := self.cfg.get('visualizer'), dict):
            self.part('visualizer', cfg, 'VISUALIZERS', ('name', 'save_dir'))
        if isinstance(cfg := self.cfg.get('log_processor'), dict):
            log_processor = {'type': 'LogProcessor', **cfg}
            if self.part('log_processor', log_processor, 'LOG_PROCESSORS'):
                self.build('log_processor', log_processor, 'LOG_PROCESSORS')
        if isinstance(cfg := self.cfg.get('randomness'), dict):
            problems = check_arguments(_set_randomness, cfg, ('self',))
            for key, text in problems.items():
                self.note(f'randomness.{key}', text)
            seed = cfg.get('seed')
            if seed is not None and (type(seed) is not int or not 0 <= seed < 2**32):
                self.note('randomness.seed', f'must be an int in [0, 2**32) or None, got {seed!r}.')
        env = ('cudnn_benchmark', 'mp_cfg', 'dist_cfg', 'resource_limit')
        self._only_known('env_cfg', self.cfg.get('env_cfg'), env)
        level = self.cfg.get('log_level', 'INFO')
        levels = ('DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL')
        if isinstance(level, str) and level not in levels:
            self.note('log_level', f'must be one of {", ".join(levels)}, got {level!r}.')
        launchers = ('none', 'pytorch', 'slurm', 'mpi')
        if self.cfg.get('launcher', 'none') not in launchers:
            self.note('launcher', f'must be one of {", ".join(launchers)}.')

    # Settings that clash.

    def _counting(self) -> None:
        """Hooks that count epochs where there are none."""
        if self._get('train_cfg').get('by_epoch') is not False:
            return
        for path, hook in self.hooks.items():
            if getattr(hook, 'by_epoch', False) and getattr(hook, 'interval', -1) > 0:
                self.note(
                    f'{path}.by_epoch',
                    f'must be False where train_cfg counts iterations: {type(hook).__name__} '
                    'would wait for the end of an epoch.',
                )

    def _data_and_model(self) -> None:
        shape = getattr(self.model, 'image_shape', None)
        if shape is None or self.dataset is None:
            return
        data = _image_shape(self.dataset)
        if data is not None and tuple(shape) != data:
            self.note(
                'train_dataloader.dataset',
                f'has images of {data}, but image_shape of the networks is {tuple(shape)}. '
                f'Build both networks with image_shape={data}.',
            )
        classes = getattr(self.dataset, 'metainfo', {}).get('classes') or ()
        num_classes = self.model.num_classes
        if num_classes is not None and len(classes) > num_classes:
            self.note(
                'model.generator.num_classes',
                f'must be at least {len(classes)}, the number of classes in the data, got '
                f'{num_classes}. Build both networks with num_classes={len(classes)}.',
            )

    def _average(self) -> None:
        average = getattr(self.model, 'generator_ema', None)
        given = getattr(average, 'images_per_update', None)
        batch_size = self._get('train_dataloader').get('batch_size')
        if given is None or type(batch_size) is not int or self.optim_wrapper is None:
            return
        counts = self._get('optim_wrapper')['generator'].get('accumulative_counts', 1)
        images = batch_size * counts * self.model.discriminator_steps / self.model.generator_steps
        if given != images:
            self.note(
                'model.ema.images_per_update',
                f'must be the images from one step of the generator to the next, {images:g} with '
                f'batch_size={batch_size}, got {given}. Set images_per_update={images:g}.',
            )


def _names(registry: MMEngineRegistry, kind: str) -> list[str]:
    """What a config could have meant."""
    return [
        *registry.module_dict,
        *getattr(ours, kind).module_dict,
        *getattr(roots, kind).module_dict,
    ]


def _text(error: Exception) -> str:
    """What an error says, as a sentence."""
    text = str(error) or type(error).__name__
    return text if text[-1] in '.!?' else f'{text}.'


def _short(cfg: Mapping) -> str:
    text = ', '.join(f'{key}={value!r}' for key, value in cfg.items())
    return text if len(text) <= 200 else f'{text[:200]}...'


def _image_shape(dataset: Any) -> tuple[int, ...] | None:
    """``(C, H, W)`` of a dataset that is not loaded; None where only the files can tell."""
    name = type(dataset).__name__
    if getattr(getattr(dataset, 'pipeline', None), 'transforms', None):
        return None
    size = getattr(dataset, 'image_size', None)
    if name in ('DigitsDataset', 'ImageFolderDataset') and size is not None:
        return (getattr(dataset, 'channels', 1), *size)
    return _IMAGE_SHAPES.get(name)
