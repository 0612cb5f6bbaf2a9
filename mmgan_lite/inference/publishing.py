"""Publish trained generators: one safetensors file with their config, its hash in the name.

The file has the tensors under their names in a :class:`~mmgan_lite.models.GAN`, or in a
:class:`~mmgan_lite.models.TranslationModel`, and in its header, under ``mmgan_lite``, a JSON object
with the config of the generators and their origin. Reading it runs no code: there is no pickle in
it, and only registered parts are built.
"""

import functools
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import mmengine
import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from mmgan_lite.inference.loading import Device, LoadedModel, find_device, load_weights
from mmgan_lite.inference.sampling import draw_images, non_finite_names
from mmgan_lite.inference.saved_config import check_parts
from mmgan_lite.inference.translation import Translation
from mmgan_lite.models import GAN, NonSaturatingGANLoss, TranslationModel
from mmgan_lite.utils.atomic_io import atomic_write
from mmgan_lite.version import __version__

SUFFIX = '.safetensors'
FORMAT = 1
_KEY = 'mmgan_lite'
# Settings of a GAN that draw images; the others train.
_DRAWING = ('generator', 'latents', 'data_preprocessor', 'channels_last')
# And those of a model that translates.
_TRANSLATING = ('data_preprocessor', 'channels_last', 'test_statistics')
# Images that are compared between file and model.
_TRIAL_IMAGES = 8


class PublishedGenerator(NamedTuple):
    """Content of a published file.

    Attributes:
        model: A GAN that only draws, or a model that only translates: it has no discriminator and
            no average.
        info: The header: ``model`` (config of the drawing parts), ``weights`` ('ema' or 'last'),
            ``iteration``, ``name``, ``classes``, ``image_range``, ``versions``; ``origin`` of
            weights of another project.
    """

    model: GAN | TranslationModel
    info: dict[str, Any]


class PublishedTranslator(TranslationModel):
    """Only translates: the generator of each direction, and nothing to train them with.

    A file of ``publish-model`` is read as one.

    Args:
        domains: Names of the directions.
        generators: Config of the generator of each direction, in this order, by its name.
        settings: Other arguments of :class:`TranslationModel`.
    """

    discriminators = ()

    def __init__(
        self, domains: Sequence[str], generators: Mapping[str, Mapping], **settings: Any
    ) -> None:
        self.domains, self.generators = tuple(domains), tuple(generators)
        super().__init__(loss=NonSaturatingGANLoss(), **settings)
        self.add_networks(**generators)

    def generator_losses(self, batch: Any) -> dict[str, Tensor]:
        """Not of a published model."""
        raise NotImplementedError('a published model has no discriminator to train with')

    def judged(self, discriminator: str, batch: Any) -> tuple[Tensor, Tensor]:
        """Not of a published model."""
        raise NotImplementedError('a published model has no discriminator to train with')


def publish_loaded(
    loaded: LoadedModel, out_dir: str | Path, name: str | None = None, use_ema: bool = True
) -> Path:
    """Write only the generators of a model that was loaded from a checkpoint.

    Args:
        loaded: The model, and where it is from.
        out_dir: Folder of the file; it is made.
        name: Beginning of the file name; None for the name of the run.
        use_ema: Whether to take the average of the weights, if there is one.

    Returns:
        As :func:`publish_generator`.

    Raises:
        ValueError: If there are no trained weights, they cannot be published, or ``name`` is
            no valid file name.
    """
    if name is not None and re.fullmatch(r'[\w.-]+', name) is None:
        raise ValueError(f'name must be made of letters, digits, ".", "_", "-", got {name!r}.')
    model, cfg, info, classes = loaded
    if cfg is None or 'iteration' not in info or 'versions' in info:
        text = 'weights of a training must be given to be published, got none, or a generator'
        remedy = "Build the inferencer with weights='iter_8000.pth'."
        raise ValueError(f'{text} that is published. {remedy}')
    name, iteration = name or info['name'], info['iteration']
    parts = check_parts(cfg['model'], 'config', cfg.get('default_scope'))
    origin = info.get('origin')
    return publish_generator(model, parts, out_dir, name, iteration, classes, use_ema, origin)


def has_average(model: GAN | TranslationModel) -> bool:
    """Whether images come from an average of the weights."""
    if isinstance(model, GAN):
        return model.generator_ema is not None
    return model.translator() is not model.translator(use_ema=False)


def publish_generator(
    model: GAN | TranslationModel,
    config: Mapping,
    out_dir: str | Path,
    name: str = 'generator',
    iteration: int | None = None,
    classes: Sequence[str] | None = None,
    use_ema: bool = True,
    origin: Mapping | None = None,
) -> Path:
    """Write only the generators of a trained model, and check that they give the same images.

    Args:
        model: The trained GAN, or model that translates.
        config: Its config, ``model`` of the complete one.
        out_dir: Folder of the file; it is made.
        name: Beginning of the file name.
        iteration: Iteration of the training, if known.
        classes: Names of the classes in the order of the labels, if known.
        use_ema: Whether to take the average of the weights, if there is one.
        origin: File, hash and license of weights of another project.

    Returns:
        The file, ``<name>_iter-<iteration>-<hash>.safetensors``; the hash is the first 8
        hexadecimal digits of the SHA-256 of its content.

    Raises:
        ValueError: If a weight is not finite, the config cannot be written as JSON, or the file
            would give other images than the model.
    """
    averaged = use_ema and has_average(model)
    parts = _drawing_parts(model, averaged).state_dict().items()
    # Contiguous copies on the CPU, as safetensors refuses tensors that share memory.
    state = {key: value.detach().cpu().contiguous().clone() for key, value in parts}
    if broken := non_finite_names(state):
        text = f'weights must be finite to be published, but {len(broken)} tensors are not, such as'
        raise ValueError(f'{text} {broken[0]}. Take an earlier checkpoint.')
    info = dict(
        format=FORMAT,
        name=name,
        model=_drawing_config(model, config),
        weights='ema' if averaged else 'last',
        iteration=iteration,
        classes=classes,
        image_range=[-1, 1],
        versions=dict(
            mmgan_lite=__version__, mmengine=mmengine.__version__, torch=torch.__version__
        ),
    )
    if origin is not None:
        info['origin'] = dict(origin)
    # One key and sorted names: the same generator gives the same bytes and the same hash.
    content = save(state, {_KEY: _to_json({**info, 'digest': _digest(info, state)})})
    _check_same_images(model, content, use_ema)
    middle = '' if iteration is None else f'_iter-{iteration}'
    safe_name = re.sub(r'[^\w.-]+', '-', name)
    path = Path(out_dir) / f'{safe_name}{middle}-{_short_hash(content)}{SUFFIX}'
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)
    return path


def read_published(path: str | Path, device: Device = None) -> PublishedGenerator:
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
    found = _short_hash(content)
    expected = re.findall(r'-([0-9a-f]{8})(?![0-9a-f])', path.stem) or [found]
    if expected[-1] != found:
        text = f'must have the hash in its name, {expected[-1]}, but has {found}: it was truncated,'
        raise ValueError(f'{str(path)!r} {text} altered, or renamed. Download it again.')
    model, info = _build(content, path)
    return PublishedGenerator(model.to(find_device(device)).eval(), info)


def _drawing_parts(model: GAN | TranslationModel, averaged: bool) -> nn.ModuleDict:
    """What gives images, by its name in the model."""
    parts = nn.ModuleDict(dict(data_preprocessor=model.data_preprocessor))
    if isinstance(model, TranslationModel):
        for domain, name in zip(model.domains, model.generators, strict=True):
            parts[name] = model.translator(domain, averaged)
        return parts
    if isinstance(model.latents, nn.Module):  # those without weights may be any object
        parts['latents'] = model.latents
    parts['generator'] = model.get_submodule('generator_ema.module' if averaged else 'generator')
    return parts


def _drawing_config(model: GAN | TranslationModel, config: Mapping) -> dict[str, Any]:
    """The settings of these parts."""
    names = _DRAWING if isinstance(model, GAN) else _TRANSLATING
    kept = {key: config[key] for key in names if config.get(key) is not None}
    if isinstance(model, GAN):
        return kept
    # Both generators of a CycleGAN are of one config.
    generators = {name: config.get(name, config.get('generator')) for name in model.generators}
    return dict(domains=model.domains, generators=generators, **kept)


def _refuse(value: Any) -> Any:
    text = 'config must be made of numbers, strings, lists and dicts to be published, but holds'
    raise ValueError(f'{text} {value!r}. Give its part as a dict with a type.')


_to_json = functools.partial(json.dumps, sort_keys=True, default=_refuse)


def _digest(info: Mapping, state: Mapping[str, Tensor]) -> str:
    """Hash of the complete content, which is checked whatever the file name is."""
    digest = hashlib.sha256(_to_json(info).encode())
    for name, value in sorted(state.items()):
        digest.update(f'{name} {value.dtype} {tuple(value.shape)}'.encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _short_hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:8]


def _build(content: bytes, path: str | Path) -> PublishedGenerator:
    """Check the bytes of a file, and build the model of its header."""
    source = repr(str(path))
    try:
        state = load(content)
        length = int.from_bytes(content[:8], 'little')
        metadata = json.loads(content[8 : 8 + length]).get('__metadata__')
    except (SafetensorError, ValueError) as error:
        text = f'is not a complete safetensors file ({error}). Download it again.'
        raise ValueError(f'{source} {text}') from error
    try:
        info = json.loads(metadata[_KEY])
        translates = 'domains' in info['model']
        names = ('domains', 'generators', *_TRANSLATING) if translates else _DRAWING
        parts = {key: info['model'][key] for key in names if key in info['model']}
    except (KeyError, TypeError, ValueError) as error:
        text = 'must be a file of mmgan-lite publish-model, but has no generator in its header'
        raise ValueError(f'{source} {text} ({error!r}).') from error
    if info.pop('digest', None) != _digest(info, state):
        raise ValueError(f'{source} was altered: the hash in it differs. Download it again.')
    if (found := info.get('format')) != FORMAT:
        raise ValueError(f'{source} must be of format {FORMAT}, got {found}: update mmgan_lite.')
    # Neither discriminator nor loss is used to draw images.
    parts = check_parts(parts, path)
    model: GAN | TranslationModel
    if translates:
        model = PublishedTranslator(**parts)
    else:
        model = GAN(discriminator=nn.Identity(), loss=NonSaturatingGANLoss(), **parts)
    load_weights(model, state, path)
    return PublishedGenerator(model, info)


def _check_same_images(model: GAN | TranslationModel, content: bytes, use_ema: bool) -> None:
    """Raise unless the file gives the same images as the model."""
    published = _build(content, 'the file to publish').model.to(model.device).eval()
    if not torch.equal(_trial(model, use_ema), _trial(published, use_ema)):
        text = f'the generator must draw the same images alone as in its {type(model).__name__},'
        reason = 'but they need more than generator, latents and data_preprocessor'
        raise ValueError(f'{text} {reason}. Nothing was written.')


def _trial(model: Any, use_ema: bool) -> Tensor:
    """Images of fixed inputs: of all directions, if the model translates."""
    if isinstance(model, GAN):
        return draw_images(model, _TRIAL_IMAGES, use_ema=use_ema)[0]
    stream, images = np.random.default_rng(0), []
    for domain in model.domains:
        translation = Translation(model, domain, use_ema)
        side = 2 * translation.network.min_side
        size = (side, side, translation.network.in_channels)
        pixels = stream.integers(256, size=size, dtype=np.uint8)
        images += translation([translation.decoder.convert_array(pixels)])
    return torch.cat([image.flatten() for image in images])
