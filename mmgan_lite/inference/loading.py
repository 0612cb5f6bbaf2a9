"""Find the trained model of an inferencer: in a checkpoint, a published file, or a config."""

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmgan_lite.checkpoints import read_checkpoint
from mmgan_lite.inference.model import get_model, load_weights, read_config
from mmgan_lite.inference.publishing import SUFFIX, read_published
from mmgan_lite.inference.saved_config import check_parts, parse_config
from mmgan_lite.models import GAN
from mmgan_lite.registry import MODELS, build_part


@dataclass
class LoadedModel:
    """A model with what its file says about it.

    Attributes:
        model: The GAN; that of a published file has no discriminator.
        cfg: The config that it was built from; None for a model that was given.
        info: Origin of the weights: ``iteration``, ``name``, and the header of a published file.
        classes: Names of the classes in the order of the labels, None if unknown.
    """

    model: GAN
    cfg: Any = None  # a Config is no Mapping
    info: dict[str, Any] = field(default_factory=dict)
    classes: tuple[str, ...] | None = None

    def set_classes(self, names: Any) -> None:
        """Take names of classes, if there is one for each class of the model."""
        if isinstance(names, (list, tuple)) and len(names) == self.model.num_classes:
            self.classes = tuple(str(name) for name in names)


def load_model(
    model: str | Path | Mapping | GAN | None, weights: str | Path | None, allow_mmengine_types: bool
) -> LoadedModel:
    """Load a model from the arguments of ``GANInferencer``; it is on the CPU if it is built here.

    Raises:
        ValueError: As ``GANInferencer``.
    """
    if model is None and weights is None:
        raise ValueError(
            "model or weights must be given, got neither. Pass weights='iter_8000.pth'."
        )
    if isinstance(model, GAN):
        if weights is not None:
            load_weights(
                model, read_checkpoint(weights, allow_mmengine_types)['state_dict'], weights
            )
        return LoadedModel(model)
    if weights is not None and Path(weights).suffix == SUFFIX:
        return _load_published(model, weights)
    cfg = _given_config(model)
    if weights is None:
        warnings.warn(
            'No weights were given: images are those of an untrained model. '
            'Pass weights=... to draw from a trained one.',
            stacklevel=3,
        )
        return LoadedModel(get_model(cfg), cfg)
    return _load_checkpoint(cfg, weights, allow_mmengine_types)


def _load_published(model: Any, weights: str | Path) -> LoadedModel:
    if model is not None:
        raise ValueError(
            f'model must be None for {str(weights)!r}, which has its config inside, got '
            f'{type(model).__name__}. Leave it out.'
        )
    published = read_published(weights, 'cpu')
    info = dict(published.info)
    loaded = LoadedModel(published.model, Config(dict(model=info.pop('model'))), info)
    loaded.set_classes(info.get('classes'))
    return loaded


def _given_config(model: Any) -> Any:
    """The config of a name, a path or a mapping; None for None."""
    if model is None or isinstance(model, (Mapping, Config)):
        return model
    if not isinstance(model, (str, Path)):
        raise ValueError(
            f'model must be a config or the name of one, got {type(model).__name__}. '
            "Pass model='gan_mlp_digits-28x28'."
        )
    if Path(model).suffix in ('.pth', '.pt', SUFFIX):
        raise ValueError(
            f'model must be a config, got {str(model)!r}. Pass it as weights={str(model)!r}'
            '; its config is inside.'
        )
    return read_config(str(model))


def _load_checkpoint(cfg: Any, weights: str | Path, allow_mmengine_types: bool) -> LoadedModel:
    checkpoint = read_checkpoint(weights, allow_mmengine_types)
    meta = checkpoint.get('meta') or {}
    if cfg is None:
        cfg = _saved_config(meta, weights)
    model = build_part(MODELS, cfg['model'], 'model')
    load_weights(model, checkpoint['state_dict'], weights)
    run = str(meta.get('experiment_name') or Path(weights).parent.name or 'generator')
    # MMEngine appends the time of the start.
    name = re.sub(r'_\d{8}_\d{6}$', '', run)
    loaded = LoadedModel(model, cfg, dict(iteration=meta.get('iter'), name=name))
    loaded.set_classes((meta.get('dataset_meta') or {}).get('classes'))
    return loaded


def _saved_config(meta: Mapping, weights: str | Path) -> dict[str, Any]:
    """The part of the config in a checkpoint that draws; no code in it runs."""
    text = meta.get('cfg')
    if not isinstance(text, str):
        raise ValueError(
            f'{str(weights)!r} has no config inside. Pass the one that it was trained with, as '
            'model=...'
        )
    settings = parse_config(text, weights)
    settings['model'] = check_parts(
        settings['model'], weights, settings.get('default_scope'), settings.get('custom_imports')
    )
    return settings
