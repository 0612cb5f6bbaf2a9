"""Publish a trained generator: one safetensors file with its config, its hash in the name.

The file has the tensors under their names in a :class:`~mmgan_lite.models.GAN`, and in its header,
under ``mmgan_lite``, a JSON object with the config of the generator and its origin. Reading it runs
no code: there is no pickle in it, and only registered parts are built.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import mmengine
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

import mmgan_lite
from mmgan_lite.inference.model import find_device, load_weights
from mmgan_lite.inference.sampling import draw_images, non_finite_names
from mmgan_lite.inference.saved_config import check_parts
from mmgan_lite.models import GAN
from mmgan_lite.utils.atomic_io import atomic_write

SUFFIX = '.safetensors'
FORMAT = 1
_KEY = 'mmgan_lite'
# Settings of a GAN that draw images; the others train.
_DRAWING = ('generator', 'latents', 'data_preprocessor', 'channels_last')
# Images that are compared between file and model.
_TRIAL_IMAGES = 8


class PublishedGenerator(NamedTuple):
    """Content of a published file.

    Attributes:
        model: A GAN that only draws: it has no discriminator and no average.
        info: The header: ``model`` (config of the drawing parts), ``weights`` ('ema' or 'last'),
            ``iteration``, ``name``, ``classes``, ``image_range``, ``versions``.
    """

    model: GAN
    info: dict[str, Any]


def publish_generator(
    model: GAN,
    config: Mapping,
    out_dir: str | Path,
    name: str = 'generator',
    iteration: int | None = None,
    classes: list[str] | None = None,
    use_ema: bool = True,
) -> Path:
    """Write only the generator of a trained GAN, and check that it draws the same images.

    Args:
        model: The trained GAN.
        config: Its config, ``model`` of the complete one.
        out_dir: Folder of the file; it is made.
        name: Beginning of the file name.
        iteration: Iteration of the training, if known.
        classes: Names of the classes in the order of the labels, if known.
        use_ema: Whether to take the average of the weights, if there is one.

    Returns:
        The file, ``<name>_iter-<iteration>-<hash>.safetensors``; the hash is the first 8
        hexadecimal digits of the SHA-256 of its content.

    Raises:
        ValueError: If a weight is not finite, the config cannot be written as JSON, or the file
            would draw other images than the model.
    """
    averaged = use_ema and model.generator_ema is not None
    state = _drawing_state(model, averaged)
    broken = non_finite_names(state)
    if broken:
        raise ValueError(
            f'weights must be finite to be published, but {len(broken)} tensors are not, such as '
            f'{broken[0]}. Take an earlier checkpoint.'
        )
    info = dict(
        format=FORMAT,
        name=name,
        model={key: config[key] for key in _DRAWING if config.get(key) is not None},
        weights='ema' if averaged else 'last',
        iteration=iteration,
        classes=classes,
        image_range=[-1, 1],
        versions={
            package.__name__: package.__version__ for package in (mmgan_lite, mmengine, torch)
        },
    )
    content = _pack(info, state)
    _check_same_images(model, content, use_ema)
    middle = '' if iteration is None else f'_iter-{iteration}'
    safe_name = re.sub(r'[^\w.-]+', '-', name)
    path = Path(out_dir) / f'{safe_name}{middle}-{_sha256(content)[:8]}{SUFFIX}'
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)
    return path


def read_published(
    path: str | Path, device: str | torch.device | None = None
) -> PublishedGenerator:
    """Read a file of :func:`publish_generator`; no code in it runs.

    Args:
        path: The file. Without a hash in its name, only the one inside is checked.
        device: Device of the model; None for a GPU if there is one, else the CPU.

    Raises:
        ValueError: If the file is missing, truncated or altered, was not written by
            :func:`publish_generator`, or has a part that is not registered.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f'weights must be a file, but {str(path)!r} is none. Check the path.')
    content = path.read_bytes()
    expected = re.findall(r'-([0-9a-f]{8})(?![0-9a-f])', path.stem)
    if expected and expected[-1] != _sha256(content)[:8]:
        raise ValueError(
            f'{str(path)!r} must have the hash in its name, {expected[-1]}, but has '
            f'{_sha256(content)[:8]}: it was truncated, altered, or renamed. Download it again.'
        )
    published = _build(content, path)
    return published._replace(model=published.model.to(find_device(device)).eval())


def _drawing_state(model: GAN, averaged: bool) -> dict[str, Tensor]:
    """Contiguous copies on the CPU, as safetensors refuses tensors that share memory."""
    average: Any = model.generator_ema
    generator = average.module if averaged else model.generator
    parts = dict(
        generator=generator, latents=model.latents, data_preprocessor=model.data_preprocessor
    )
    return {
        key: value.detach().cpu().contiguous().clone()
        for name, part in parts.items()
        for key, value in part.state_dict(prefix=f'{name}.').items()
    }


def _pack(info: Mapping, state: Mapping[str, Tensor]) -> bytes:
    # One key and sorted names: the same generator gives the same bytes and the same hash.
    document = {**info, 'digest': _digest(info, state)}
    return save(dict(state), {_KEY: _to_json(document)})


def _to_json(document: Mapping) -> str:
    def refuse(value: Any) -> Any:
        raise ValueError(
            f'config must be made of numbers, strings, lists and dicts to be published, but holds '
            f'{value!r}. Give its part as a dict with a type.'
        )

    return json.dumps(document, sort_keys=True, default=refuse)


def _digest(info: Mapping, state: Mapping[str, Tensor]) -> str:
    """Hash of the complete content, which is checked whatever the file name is."""
    digest = hashlib.sha256(_to_json(info).encode())
    for name in sorted(state):
        value = state[name].contiguous()
        digest.update(f'{name} {value.dtype} {tuple(value.shape)}'.encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _build(content: bytes, path: str | Path) -> PublishedGenerator:
    info, state = _unpack(content, path)
    try:
        intact = info.pop('digest', None) == _digest(info, state)
        known = info['format'] == FORMAT
        config = dict(info['model'])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f'{str(path)!r} has no generator in its header ({error!r}).') from error
    if not intact:
        raise ValueError(
            f'{str(path)!r} was altered: the hash in it is not that of its content. '
            'Download it again.'
        )
    if not known:
        raise ValueError(
            f'{str(path)!r} must be of format {FORMAT}, got {info["format"]!r}. '
            'A newer mmgan_lite wrote it: update this one.'
        )
    # Neither of the two is used to draw images.
    parts: dict[str, Any] = dict(discriminator=nn.Identity(), loss=nn.Identity())
    parts |= check_parts({key: config[key] for key in _DRAWING if key in config}, path)
    model = GAN(**parts)
    load_weights(model, state, path)
    return PublishedGenerator(model, info)


def _unpack(content: bytes, path: str | Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The JSON object and the tensors of a file."""
    try:
        state = load(content)
        length = int.from_bytes(content[:8], 'little')
        metadata = json.loads(content[8 : 8 + length]).get('__metadata__') or {}
    except (SafetensorError, ValueError) as error:
        raise ValueError(
            f'{str(path)!r} is not a complete safetensors file ({error}). Download it again.'
        ) from error
    try:
        info = json.loads(metadata[_KEY])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f'{str(path)!r} is a safetensors file, but not one of mmgan-lite publish-model: it '
            f'has no {_KEY!r} in its header. Pass a file of publish-model.'
        ) from error
    if not isinstance(info, dict):
        raise ValueError(f'{str(path)!r} has no generator in its header.')
    return info, state


def _check_same_images(model: GAN, content: bytes, use_ema: bool) -> None:
    """Raise unless the file draws the same images as the model."""
    published = _build(content, 'the file to publish').model.to(model.device).eval()
    expected, _ = draw_images(model, _TRIAL_IMAGES, use_ema=use_ema)
    found, _ = draw_images(published, _TRIAL_IMAGES)
    if not torch.equal(expected, found):
        raise ValueError(
            f'the generator must draw the same images alone as in its {type(model).__name__}, '
            'but does not: they depend on more than generator, latents and data_preprocessor. '
            'Nothing was written.'
        )
