"""Configs and registered parts by name.

Cheap to import: the functions import torch and MMEngine themselves, if they need them.
"""

import fnmatch
import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mmgan_lite.utils.validation import did_you_mean

if TYPE_CHECKING:
    from mmengine.config import Config

# Formats that MMEngine reads.
CONFIG_SUFFIXES = ('.py', '.json', '.yaml', '.yml')

# Older names of kinds, from the folders that the parts were in.
_OLD_KINDS = dict(apis='inference', augmentations='augmentation')


class Component(NamedTuple):
    """A registered part.

    Attributes:
        name: The ``type`` in a config, such as 'MLPGenerator'.
        kind: Such as 'generators', 'losses' or 'hooks'.
        signature: Its arguments with their defaults.
        summary: First line of its docstring.
    """

    name: str
    kind: str
    signature: str
    summary: str


def config_path(name: str) -> str:
    """Path of a config of the package, installed or not.

    It can be the base of a config anywhere:
    ``_base_ = __import__('mmgan_lite').config_path('gan/gan_mlp_digits-28x28.py')``.

    Args:
        name: Path below ``configs/``, or the bare name of a config.

    Returns:
        Absolute path.

    Raises:
        ValueError: If there is no such config.

    Example:
        >>> config_path('gan_mlp_digits-28x28').endswith('configs/gan/gan_mlp_digits-28x28.py')
        True
    """
    below = _configs_folder() / name
    if below.suffix == '.py' and below.is_file():
        return str(below)
    stem = Path(name).stem
    known = {path.stem: path for path in _config_files()}
    if stem not in known or '/' in name:
        remedy = did_you_mean(stem, known, 'list_configs() returns the names.')
        raise ValueError(f'name must be that of a config of mmgan_lite, got {name!r}. {remedy}')
    return str(known[stem])


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


def read_config(name: str) -> 'Config':
    """Read the config of a path, or one of the package by name; its code runs.

    Args:
        name: Path of a file, or as for :func:`config_path`.

    Raises:
        ValueError: If there is no such config, or it is not a config file.
    """
    from mmengine.config import Config

    path = Path(name)
    if not path.is_file():
        return Config.fromfile(config_path(name))
    if path.suffix not in CONFIG_SUFFIXES:
        text = f'config must be a file that ends in {", ".join(CONFIG_SUFFIXES)}, or a name, got'
        raise ValueError(f'{text} {name!r}. mmgan-lite list configs shows the names.')
    return Config.fromfile(path)


def get_config(name: str, data_root: str | None = None) -> 'Config':
    """A config of the package, with its bases merged and a ``work_dir`` of its name.

    Args:
        name: As for :func:`config_path`.
        data_root: Folder of every dataset in it; None for those of the config.

    Raises:
        ValueError: If there is no such config, or none of its datasets reads files.

    Example:
        >>> cfg = get_config('dcgan_mnist-28x28', data_root='/data')
        >>> cfg.train_dataloader.dataset.data_root, cfg.val_evaluator.train_dataset.data_root
        ('/data', '/data')
    """
    cfg = read_config(config_path(name))
    cfg.setdefault('work_dir', f'work_dirs/{Path(name).stem}')
    if data_root is not None:
        set_data_root(cfg, data_root)
    return cfg


def set_data_root(cfg: 'Config', data_root: str) -> None:
    """Set the folder of all datasets with a ``data_root`` in the data loaders and evaluators.

    Args:
        cfg: Changed in place.
        data_root: The folder.

    Raises:
        ValueError: If no dataset in it has a ``data_root``.
    """
    loops, keys = ('train', 'val', 'test'), ('dataloader', 'evaluator')
    parts = [cfg.get(f'{loop}_{key}') for loop in loops for key in keys]
    found = _with_data_root(parts)
    for dataset in found:
        dataset['data_root'] = data_root
    if not found:
        remedy = 'Leave it out: the data is not read from a folder.'
        text = 'data_root needs a dataset with a data_root in the config, got none.'
        raise ValueError(f'{text} {remedy}')


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
        ['BigGANDeepGenerator', 'BigGANGenerator']
    """
    components = []
    for part in _parts():
        summary = (inspect.getdoc(part) or '').partition('\n')[0]
        signature = str(inspect.signature(part))
        components.append(Component(part.__name__, _kind_of(part), signature, summary))
    kind = _OLD_KINDS.get(kind, kind) if kind else None
    kinds = sorted({component.kind for component in components})
    if kind is not None and kind not in kinds:
        raise ValueError(f'kind must be one of {", ".join(kinds)}, got {kind!r}.')
    found = [component for component in components if kind in (None, component.kind)]
    return sorted(found, key=lambda component: (component.kind, component.name))


def explain(name: str) -> str:
    """Arguments and docstring of a registered part, or the text of a config with its bases.

    Raises:
        ValueError: If there is neither of this name.
    """
    if name in list_configs():
        return get_config(name).pretty_text
    parts = {part.__name__: part for part in _parts()}
    if name in parts:
        part = parts[name]
        return f'{name}{inspect.signature(part)}\n\n{inspect.getdoc(part) or ""}'
    remedy = did_you_mean(name, [*list_configs(), *parts], 'mmgan-lite list shows the names.')
    raise ValueError(f'name must be that of a part or a config, got {name!r}. {remedy}')


def _kind_of(part: Any) -> str:
    """The folder that a part is in; of networks their role, as each family has a file."""
    folder = part.__module__.split('.')[-2]
    if folder != 'networks':
        return folder
    roles = ('Generator', 'Translator', 'Discriminator')
    return next(f'{role.lower()}s' for role in roles if part.__name__.endswith(role))


def _parts() -> list[Any]:
    """The registered classes and functions of mmgan_lite."""
    from mmgan_lite import registry

    parts = []
    for found in vars(registry).values():
        if isinstance(found, registry.Registry):
            found.import_from_location()
            parts += found.module_dict.values()
    return [part for part in parts if part.__module__.startswith('mmgan_lite.')]


def _configs_folder() -> Path:
    package = Path(__file__).resolve().parent
    installed = package / '.mim' / 'configs'
    return installed if installed.is_dir() else package.parent / 'configs'


def _config_files() -> list[Path]:
    folder = _configs_folder()
    return [path for path in folder.rglob('*.py') if '_base_' not in path.relative_to(folder).parts]
