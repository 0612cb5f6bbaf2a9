"""Find a trained model: in a checkpoint, a published file, or a config."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmgan_lite.catalog import read_config
from mmgan_lite.checkpoints import read_checkpoint
from mmgan_lite.checkpoints.foreign import read_any
from mmgan_lite.inference.loading import (
    LoadedModel,
    check_kind,
    find_device,
    load_weights,
)
from mmgan_lite.inference.publishing import SUFFIX, read_published
from mmgan_lite.inference.saved_config import check_parts, parse_config
from mmgan_lite.models import GAN, AdversarialModel
from mmgan_lite.registry import MODELS, build_part
from mmgan_lite.utils.migration import either_name


def get_model(
    config: str | Path | Mapping,
    weights: str | Path | None = None,
    device: str = 'cpu',
    allow_mmengine_types: bool = False,
    old_checkpoint: bool = False,
) -> AdversarialModel:
    """Build the model of a config, and load its weights if given; no dataset is needed.

    Args:
        config: The complete config, with ``model``; or the path of a config file, or the name of a
            config of the package.
        weights: A checkpoint of a training, read without running code in it; None for the initial
            weights.
        device: Device of the model, such as 'cpu' or 'cuda'.
        allow_mmengine_types: Whether MMEngine may have written ``weights`` without
            ``SafeCheckpointHook``; its log history is then read too, and still no code runs.
        old_checkpoint: Former name of ``allow_mmengine_types``.

    Returns:
        The model, in eval mode.

    Raises:
        ValueError: If there is no such config or device, or the checkpoint is missing, damaged,
            holds code, or is of another model.

    Example:
        >>> get_model('gan_mlp_digits-28x28').sample(2).shape
        torch.Size([2, 1, 28, 28])
    """
    allow = either_name('allow_mmengine_types', allow_mmengine_types, old_checkpoint)
    return load_model(config, weights, allow).model.to(find_device(device)).eval()


def load_model(
    model: str | Path | Mapping | AdversarialModel | None,
    weights: str | Path | None,
    allow_mmengine_types: bool,
    kind: type[AdversarialModel] | None = None,
    channel_order: str | None = None,
) -> LoadedModel:
    """Load a model from the arguments of an inferencer; it is on the CPU if it is built here.

    Args:
        model: As in ``GANInferencer``, or any other model.
        weights: As in ``GANInferencer``.
        allow_mmengine_types: As in ``GANInferencer``.
        kind: What the model must be; None for any.
        channel_order: As in ``GANInferencer``.

    Raises:
        ValueError: As ``GANInferencer``.
    """
    if model is None and weights is None:
        raise ValueError("model or weights must be given, got neither. Pass weights='x.pth'.")
    if weights is not None and Path(weights).suffix == SUFFIX:
        if model is not None:
            raise ValueError(f'model must be None for {str(weights)!r}: its config is inside.')
        published, info = read_published(weights, 'cpu')
        check_kind(published, kind)
        cfg = Config(dict(model=info.pop('model')))
        return LoadedModel(published, cfg, info, _class_names(info.get('classes'), published))
    built: Any = model if isinstance(model, AdversarialModel) else None
    cfg = _given_config(model) if built is None else None
    checkpoint: dict[str, Any] = {}
    if weights is not None and model is None:
        checkpoint = read_any(weights, allow_mmengine_types, channel_order)
    elif weights is not None:
        checkpoint = read_checkpoint(weights, allow_mmengine_types)
    meta = checkpoint.get('meta') or {}
    if built is None:
        if cfg is None:
            cfg = _saved_config(meta.get('cfg'), str(weights))
        else:
            cfg = _with_preprocessor(cfg)
        built = build_part(MODELS, cfg['model'], 'model')
    check_kind(built, kind)
    if weights is None:
        return LoadedModel(built, cfg, {}, None)
    load_weights(built, checkpoint['state_dict'], weights)
    run = str(meta.get('experiment_name') or Path(weights).parent.name or 'generator')
    # MMEngine appends the time of the start.
    info = dict(iteration=meta.get('iter'), name=re.sub(r'_\d{8}_\d{6}$', '', run))
    if converted := meta.get('converted'):
        info['origin'] = {key: converted[key] for key in ('source', 'file', 'sha256', 'license')}
    names = (meta.get('dataset_meta') or {}).get('classes')
    return LoadedModel(built, cfg, info, _class_names(names, built))


def _given_config(model: Any) -> Any:
    """The config of a name, a path or a mapping; None for None."""
    if model is None or isinstance(model, (Mapping, Config)):
        return model
    if not isinstance(model, (str, Path)) or Path(model).suffix in ('.pth', '.pt', SUFFIX):
        text = f'model must be a config or the name of one, got {str(model)[:100]!r}.'
        raise ValueError(f'{text} Pass a checkpoint as weights=...; its config is inside.')
    return read_config(str(model))


def _with_preprocessor(cfg: Any) -> Any:
    """The config, with its top-level ``data_preprocessor`` in a model without one, as in Runner."""
    preprocessor = cfg.get('data_preprocessor')
    if preprocessor is None:
        return cfg
    return {**dict(cfg.items()), 'model': {'data_preprocessor': preprocessor, **cfg['model']}}


def _class_names(names: Any, model: Any) -> tuple[str, ...] | None:
    """Names of classes, if there is one for each class of the model."""
    num_classes = model.num_classes if isinstance(model, GAN) else None
    if not isinstance(names, (list, tuple)) or len(names) != num_classes:
        return None
    return tuple(map(str, names))


def _saved_config(text: Any, source: str) -> dict[str, Any]:
    """The part of the config in a checkpoint that draws; no code in it runs."""
    if not isinstance(text, str):
        raise ValueError(f'{source!r} has no config inside. Pass the one of its training as model.')
    settings = _with_preprocessor(parse_config(text, source))
    scope, imports = settings.get('default_scope'), settings.get('custom_imports')
    return {**settings, 'model': check_parts(settings['model'], source, scope, imports)}
