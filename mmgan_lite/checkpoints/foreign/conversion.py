"""Convert a file of another project to one of our checkpoints."""

import hashlib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.logging import print_log
from torch import Tensor

from mmgan_lite.catalog import config_path, read_config
from mmgan_lite.checkpoints.files import load_safely
from mmgan_lite.checkpoints.foreign import (
    biggan,
    cyclegan,
    mmagic,
    mmgeneration,
    pix2pix,
    r3gan,
    stylegan2_ada,
)
from mmgan_lite.checkpoints.foreign.pickles import is_pickle, read_pickle
from mmgan_lite.checkpoints.foreign.source import Conversion, ForeignFile, Source
from mmgan_lite.registry import MODELS, build_part
from mmgan_lite.utils.validation import check_choice

# By the names that a user gives, in the order in which they are tried.
SOURCES: dict[str, Source] = {
    'stylegan2-ada': stylegan2_ada,
    'r3gan': r3gan,
    'mmgeneration': mmgeneration,
    'mmagic': mmagic,
    'pix2pix': pix2pix,
    'cyclegan': cyclegan,
    'biggan': biggan,
}
_CHANNEL_ORDERS = ('rgb', 'bgr')
_DATA = dict(GAN='image_folder_64x64', Pix2Pix='facades_256x256', CycleGAN='horse2zebra_256x256')
_LICENSE = (
    'The weights are those of their authors, under their license, which may ask to name them or '
    'forbid some uses. Read it before you share this file.'
)


def convert_checkpoint(
    path: str | Path, source: str = 'auto', channel_order: str | None = None
) -> dict[str, Any]:
    """Convert a file of another project to a checkpoint of ours, in memory.

    Args:
        path: The file: a pickle, or what ``torch.save`` wrote.
        source: Name of the project, one of ``SOURCES``; 'auto' tells it by what is in the file.
        channel_order: 'rgb' or 'bgr', of the images that its networks see; None where the project
            has but one.

    Returns:
        What :func:`~mmgan_lite.checkpoints.write_checkpoint` takes: ``state_dict``, and ``meta``
        with the config (``cfg``) and what was done (``converted``).

    Raises:
        ValueError: If the file is missing, damaged, or names what could run code; if it is of no
            project that is supported, not complete, or has tensors with no place in our networks.
    """
    check_choice('source', source, ('auto', *SOURCES))
    path = Path(path)
    if not path.is_file():
        raise ValueError(f'checkpoint must be a file, but {str(path)!r} is none. Check the path.')
    content = read_pickle(path) if is_pickle(path) else load_safely(path, True)
    file = ForeignFile(path, content, channel_order)
    if source == 'auto' and _is_ours(content):
        raise file.refuse('is a checkpoint of mmgan_lite already', 'Use it as it is')
    return _convert(file, source)


def read_any(
    path: str | Path, allow_mmengine_types: bool = False, channel_order: str | None = None
) -> dict[str, Any]:
    """:func:`~mmgan_lite.checkpoints.read_checkpoint`; a file of another project is converted.

    Args:
        path: A checkpoint of ours, or of another project.
        allow_mmengine_types: As for :func:`~mmgan_lite.checkpoints.no_code`.
        channel_order: As for :func:`convert_checkpoint`.

    Raises:
        ValueError: As :func:`convert_checkpoint`.
    """
    path = Path(path)
    if path.is_file() and is_pickle(path):
        return _convert_and_log(ForeignFile(path, read_pickle(path), channel_order))
    content = load_safely(path, allow_mmengine_types)
    file = ForeignFile(path, content, channel_order)
    if not _is_ours(content) and any(source.recognizes(file) for source in SOURCES.values()):
        return _convert_and_log(file)
    if not isinstance(content, dict) or not isinstance(content.get('state_dict'), Mapping):
        raise file.refuse("has no 'state_dict'", 'Pass a file that training wrote')
    return content


def _convert_and_log(file: ForeignFile) -> dict[str, Any]:
    checkpoint = _convert(file)
    for note in checkpoint['meta']['converted']['notes']:
        print_log(f'{file.path.name}: {note}', logger='current', level=logging.WARNING)
    return checkpoint


def _is_ours(content: Any) -> bool:
    """By the config in it; others write theirs as text too, but of other parts."""
    meta = content.get('meta') if isinstance(content, Mapping) else None
    return isinstance(meta, Mapping) and 'mmgan_lite' in str(meta.get('cfg'))


def _convert(file: ForeignFile, source: str = 'auto') -> dict[str, Any]:
    if file.channel_order is not None:
        check_choice('channel_order', file.channel_order, _CHANNEL_ORDERS)
    found = [name for name, module in SOURCES.items() if module.recognizes(file)]
    if source != 'auto' and source not in found:
        known = f'it looks like one of {found[0]}' if found else 'nor one of another known project'
        raise file.refuse(f'is no file of {source}: {known}', 'Leave --from out')
    if not found:
        held = list(file.content)[:5] if isinstance(file.content, Mapping) else file.content
        raise file.refuse(
            f'is of no project that is known ({", ".join(SOURCES)}): it holds {str(held)[:200]}',
            'Pass the checkpoint of a GAN of one of these',
        )
    name = found[0] if source == 'auto' else source
    try:
        conversion = SOURCES[name].convert(file)
    except ValueError:
        raise
    # Of a network of other parts than those that are looked for.
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError) as error:
        raise file.refuse(
            f'is of an architecture of {name} that is not supported ({type(error).__name__}: '
            f'{error})',
            'Nothing was written',
        ) from error
    conversion.ledger.close()
    return _as_checkpoint(conversion, file, name)


def _as_checkpoint(conversion: Conversion, file: ForeignFile, name: str) -> dict[str, Any]:
    state, initial = _complete(conversion, file)
    notes = [f'The file has no {n}: it starts from random weights.' for n in conversion.fresh]
    converted = dict(
        source=name,
        file=file.path.name,
        sha256=hashlib.sha256(file.path.read_bytes()).hexdigest(),
        license=_LICENSE,
        notes=[*conversion.notes, *notes],
        tensors=conversion.ledger.summary(),
        ledger=conversion.ledger.accounts(),
        initial=initial,
    )
    meta = dict(
        cfg=_training_config(conversion).pretty_text,
        iter=conversion.iteration,
        epoch=0,
        experiment_name=file.path.stem,
        dataset_meta=dict(classes=conversion.classes) if conversion.classes else {},
        converted=converted,
    )
    return dict(meta=meta, state_dict=state)


def _complete(conversion: Conversion, file: ForeignFile) -> tuple[dict[str, Tensor], list[str]]:
    """The state of the whole model, and the names of what is as it begins: not from the file."""
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        model = build_part(MODELS, conversion.model, 'model')
    expected, given = model.state_dict(), conversion.state
    may_lack = tuple(f'{name}.' for name in (*conversion.fresh, 'data_preprocessor'))
    networks = tuple(f'{name}' for name in ('generator', 'discriminator'))
    wrong = []
    for key in {**expected, **given}:
        shapes = [
            tuple(state[key].shape) if key in state else 'none' for state in (given, expected)
        ]
        lacks = key not in given and not key.startswith(networks) or key.startswith(may_lack)
        if shapes[0] != shapes[1] and not (lacks or key.endswith('_ema.steps')):
            wrong.append(f'{key} ({shapes[0]} of the file, {shapes[1]} in ours)')
    if wrong:
        raise file.refuse(
            f'must make all of our network, but {len(wrong)} tensors differ, such as '
            f'{", ".join(wrong[:3])}',
            'It has another architecture, or not all of its tensors',
        )
    state = {
        key: given.get(key, value).detach().to(value.dtype, copy=True)
        for key, value in expected.items()
    }
    for key in state:
        if key.endswith('_ema.steps') and key not in given:
            # At 0 the first update would copy the weights over the average.
            state[key].fill_(conversion.iteration or 1)
    return state, [key for key in expected if key not in given]


def _training_config(conversion: Conversion) -> Config:
    """A whole config to train on with: our runtime, and images of a folder."""
    cfg = Config()
    for name in ('default_runtime', f'datasets/{_DATA[conversion.model["type"]]}'):
        cfg.merge_from_dict(dict(read_config(config_path(f'_base_/{name}.py')).items()))
    cfg.model = conversion.model
    cfg.optim_wrapper = dict(constructor='MultiOptimWrapperConstructor', **conversion.optim_wrapper)
    cfg.train_dataloader.batch_size = conversion.batch_size
    cfg.train_cfg = dict(by_epoch=False, max_iters=100_000)
    # Of the images that are validated and tested on we know nothing.
    for key in [key for key in cfg if key.startswith(('val_', 'test_'))]:
        cfg.pop(key)
    dataset = cfg.train_dataloader.dataset
    generator = conversion.model['generator']
    if 'image_shape' in generator:
        channels, dataset.image_size, _ = generator['image_shape']
        if channels != 3:
            dataset.channels = channels
    return cfg
