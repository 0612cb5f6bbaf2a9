"""Configs and registered parts by name.

Cheap to import: functions import what they need beyond the standard library.
"""

import difflib
import fnmatch
import inspect
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from mmengine.config import Config

_LOOPS = ('train', 'val', 'test')
# Older names of kinds, from the folders that the parts were in.
_OLD_KINDS = dict(apis='inference', augmentations='augmentation')


class Component(NamedTuple):
    """A registered part.

    Attributes:
        name: The ``type`` in a config, such as 'MLPGenerator'.
        kind: Kind of part, such as 'generators'.
        signature: Its arguments with their defaults.
        summary: First line of its documentation.
    """

    name: str
    kind: str
    signature: str
    summary: str


def config_path(name: str) -> str:
    """Path of a config of the package, installed or not.

    It can be the base of any config:
    ``_base_ = __import__('mmgan_lite').config_path('gan/gan_mlp_digits-28x28.py')``.

    Args:
        name: Path below ``configs/``, or the bare name of a config.

    Returns:
        Absolute path.

    Raises:
        ValueError: If there is no such config; the nearest names are given.

    Example:
        >>> config_path('gan_mlp_digits-28x28').endswith('configs/gan/gan_mlp_digits-28x28.py')
        True
    """
    folder = _configs_folder()
    below = folder / name
    if below.suffix == '.py' and below.is_file():
        return str(below)
    stem = Path(name).stem
    found = [path for path in _config_files() if path.stem == stem]
    if not found or '/' in name:
        known = [path.stem for path in _config_files()]
        remedy = _nearest(stem, known) or 'There is no such file; list_configs() lists the names.'
        raise ValueError(f'name must be that of a config of mmgan_lite, got {name!r}. {remedy}')
    return str(found[0])


def list_configs(pattern: str = '*') -> list[str]:
    """Names of the configs of the package.

    Args:
        pattern: Shell-style pattern, such as 'gan_mlp_*'.

    Returns:
        Sorted names, for :func:`get_config`.

    Example:
        >>> list_configs('gan_mlp_digits*')
        ['gan_mlp_digits-28x28', 'gan_mlp_digits-28x28_conditional']
    """
    return sorted(fnmatch.filter((path.stem for path in _config_files()), pattern))


def get_config(name: str, data_root: str | None = None) -> 'Config':
    """A config of the package, with its bases merged.

    Args:
        name: As for :func:`config_path`.
        data_root: Folder of the data, for each dataset in it; None for those in the config.

    Raises:
        ValueError: If there is no such config, or none of its datasets reads files.

    Example:
        >>> cfg = get_config('dcgan_mnist-28x28', data_root='/data')
        >>> cfg.train_dataloader.dataset.data_root, cfg.val_evaluator.train_dataset.data_root
        ('/data', '/data')
    """
    from mmengine.config import Config

    cfg = Config.fromfile(config_path(name))
    if data_root is not None:
        set_data_root(cfg, data_root)
    return cfg


def set_data_root(cfg: 'Config', data_root: str) -> None:
    """Set the folder of the data in all data loaders and evaluators of a config.

    Datasets without a ``data_root``, such as the embedded digits, are not changed.

    Args:
        cfg: The config; it is changed in place.
        data_root: The folder.

    Raises:
        ValueError: If no dataset in it has a ``data_root``.
    """
    parts = [cfg.get(f'{loop}_{part}') for loop in _LOOPS for part in ('dataloader', 'evaluator')]
    found = [dataset for part in parts for dataset in _with_data_root(part)]
    for dataset in found:
        dataset['data_root'] = data_root
    if not found:
        raise ValueError(
            'data_root needs a dataset with a data_root in the config, got none. Leave it out: '
            'its data is not read from a folder.'
        )


def _with_data_root(part: Any) -> list[dict]:
    """The dicts with a ``data_root`` in a config's dicts and lists."""
    if isinstance(part, list | tuple):
        return [dataset for each in part for dataset in _with_data_root(each)]
    if not isinstance(part, dict):
        return []
    return [part] if 'data_root' in part else _with_data_root(list(part.values()))


def list_components(kind: str | None = None) -> list[Component]:
    """The parts that a config can name.

    Args:
        kind: Kind, such as 'losses', 'generators', 'datasets', 'hooks'; None for all.

    Raises:
        ValueError: If there is no such kind.

    Example:
        >>> [component.name for component in list_components('generators')][:2]
        ['DCGANGenerator', 'MLPGenerator']
    """
    kind = None if kind is None else _OLD_KINDS.get(kind, kind)
    components = sorted(_components(), key=lambda component: (component.kind, component.name))
    kinds = sorted({component.kind for component in components})
    if kind is not None and kind not in kinds:
        raise ValueError(f'kind must be one of {", ".join(kinds)}, got {kind!r}.')
    return [component for component in components if kind in (None, component.kind)]


def explain(name: str) -> str:
    """Arguments and documentation of a registered part, or the text of a config.

    Raises:
        ValueError: If there is no such part or config; the nearest names are given.
    """
    if name in list_configs():
        return get_config(name).pretty_text
    for part in _parts():
        if part.__name__ == name:
            return f'{name}{inspect.signature(part)}\n\n{inspect.getdoc(part) or ""}'
    known = [*list_configs(), *(component.name for component in list_components())]
    error = f'name must be that of a part or a config of mmgan_lite, got {name!r}. '
    raise ValueError((error + _nearest(name, known)).rstrip())


def _nearest(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
    return f'The nearest are: {", ".join(near)}.' if near else ''


def _components() -> list[Component]:
    components = []
    for part in _parts():
        summary = (inspect.getdoc(part) or '').partition('\n')[0]
        signature = str(inspect.signature(part))
        components.append(Component(part.__name__, _kind(part), signature, summary))
    return components


def _kind(part: Any) -> str:
    """The folder of its file; for networks, generators or discriminators."""
    for suffix in ('Generator', 'Discriminator'):
        if part.__name__.endswith(suffix):
            return f'{suffix.lower()}s'
    return part.__module__.split('.')[-2]


def _parts() -> list[Any]:
    """The registered classes and functions of this package."""
    from mmgan_lite import registry as module

    registries = [r for r in vars(module).values() if isinstance(r, module.Registry)]
    for registry in registries:
        registry.import_from_location()
    registered = [part for registry in registries for part in registry.module_dict.values()]
    return [part for part in registered if part.__module__.startswith('mmgan_lite.')]


def _configs_folder() -> Path:
    package = Path(__file__).resolve().parent
    installed = package / '.mim' / 'configs'
    return installed if installed.is_dir() else package.parent / 'configs'


def _config_files() -> list[Path]:
    folder = _configs_folder()
    return [path for path in folder.rglob('*.py') if '_base_' not in path.relative_to(folder).parts]
