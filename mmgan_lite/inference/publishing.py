"""A trained generator as one small file: safetensors, the config inside, the hash in the name.

The file holds the tensors under their names in a :class:`~mmgan_lite.models.GAN`, and in its
header, under ``mmgan_lite``, one JSON object that tells how to build the generator and what it is.
Reading it runs no code: there is no pickle in it, and only parts that are registered are built.
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

from mmgan_lite.inference.model import find_device, load_weights
from mmgan_lite.inference.sampling import draw_images, non_finite_names
from mmgan_lite.inference.saved_config import check_parts
from mmgan_lite.models import GAN
from mmgan_lite.utils.atomic_io import atomic_write
from mmgan_lite.version import __version__

SUFFIX = '.safetensors'
FORMAT = 1
_KEY = 'mmgan_lite'
# What of a GAN's config draws images; the rest trains.
_DRAWING = ('generator', 'latents', 'data_preprocessor', 'channels_last')
# Images that must come out the same from the file as from the model.
_TRIAL_IMAGES = 8


class PublishedGenerator(NamedTuple):
    """What a published file gives.

    Attributes:
        model: A GAN that only draws: it has no discriminator and no average.
        info: What the file tells of itself: ``model`` (config of what draws), ``weights`` ('ema' or
            'last'), ``iteration``, ``name``, ``classes``, ``image_range``, ``versions``.
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
    """Write the generator of a trained GAN alone, and make sure that it draws the same images.

    Args:
        model: The trained GAN.
        config: Its config, the ``model`` of the whole.
        out_dir: Where the file goes; the folder is made.
        name: How the name of the file begins.
        iteration: Of training, if known.
        classes: Their names in the order of the labels, if known.
        use_ema: Whether to take the average of the weights, where there is one.

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
        versions=dict(
            mmgan_lite=__version__, mmengine=mmengine.__version__, torch=torch.__version__
        ),
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
    """The generator of a file that :func:`publish_generator` wrote; no code in it runs.

    Args:
        path: The file. Without a hash in its name, the one inside is looked at alone.
        device: Where the model goes; None for a GPU where there is one, and the CPU elsewhere.

    Raises:
        ValueError: If the file is missing, cut off or altered, was not written by us, or needs a
            part that is not registered.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f'weights must be a file, but {str(path)!r} is none. Check the path.')
    content = path.read_bytes()
    told = re.findall(r'-([0-9a-f]{8})(?![0-9a-f])', path.stem)
    if told and told[-1] != _sha256(content)[:8]:
        raise ValueError(
            f'{str(path)!r} must have the hash that its name tells, {told[-1]}, but has '
            f'{_sha256(content)[:8]}: it was cut off, altered, or given the name of another file. '
            'Fetch it again.'
        )
    published = _build(content, path)
    return published._replace(model=published.model.to(find_device(device)).eval())


def _drawing_state(model: GAN, averaged: bool) -> dict[str, Tensor]:
    """Contiguous copies on the CPU, for safetensors refuses tensors that share memory."""
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
    # One key and sorted names: the same generator is the same bytes, and so has the same hash.
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
    """Of all that the file says, so that it is guarded under any name too."""
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
        raise ValueError(f'{str(path)!r} tells nothing of its generator ({error!r}).') from error
    if not intact:
        raise ValueError(
            f'{str(path)!r} was altered: its hash inside is not that of its content. '
            'Fetch it again.'
        )
    if not known:
        raise ValueError(
            f'{str(path)!r} must be of format {FORMAT}, got {info["format"]!r}. '
            'A newer mmgan_lite wrote it: update this one.'
        )
    # Neither of the two is called when images are drawn.
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
            f'{str(path)!r} is no whole safetensors file ({error}). Fetch it again.'
        ) from error
    try:
        info = json.loads(metadata[_KEY])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f'{str(path)!r} is a safetensors file, but not one of mmgan-lite publish-model: it '
            f'tells no {_KEY!r}. Pass a file that this wrote.'
        ) from error
    if not isinstance(info, dict):
        raise ValueError(f'{str(path)!r} tells nothing of its generator.')
    return info, state


def _check_same_images(model: GAN, content: bytes, use_ema: bool) -> None:
    """Raise unless a reader of the file draws what the model draws."""
    published = _build(content, 'the file to publish').model.to(model.device).eval()
    expected, _ = draw_images(model, _TRIAL_IMAGES, use_ema=use_ema)
    found, _ = draw_images(published, _TRIAL_IMAGES)
    if not torch.equal(expected, found):
        raise ValueError(
            f'the generator must draw the same images by itself as in its {type(model).__name__}, '
            'but does not: they depend on more than generator, latents and data_preprocessor. '
            'Nothing was written.'
        )
