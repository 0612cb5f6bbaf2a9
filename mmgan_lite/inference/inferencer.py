"""Draw from a trained GAN: samples, and ways between them."""

import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.config import Config
from mmengine.infer import BaseInferencer
from mmengine.structures import BaseDataElement
from torch import Tensor

from mmgan_lite.catalog import list_configs
from mmgan_lite.checkpoints import read_checkpoint
from mmgan_lite.inference.interpolation import blended_classes, lerp, slerp
from mmgan_lite.inference.model import find_device, get_model, load_weights, read_config
from mmgan_lite.inference.publishing import SUFFIX, publish_generator, read_published
from mmgan_lite.inference.sampling import CHUNK, check_labels, draw_inputs, render
from mmgan_lite.inference.saved_config import check_parts, parse_config
from mmgan_lite.models import GAN
from mmgan_lite.registry import INFERENCERS, MODELS, build_part
from mmgan_lite.utils.migration import either_name
from mmgan_lite.utils.validation import check_positive
from mmgan_lite.visualization.image_grid import make_picture

_PATHS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = dict(slerp=slerp, lerp=lerp)

# A class by its number or its name, or several of them.
Labels = int | str | Sequence[int | str] | Tensor | np.ndarray


class Inputs(NamedTuple):
    """What images are made of.

    Attributes:
        latents: Float32 ``(N, latent_dim)``, on the CPU.
        labels: N classes; None without.
        columns: Images in a row when they are shown.
    """

    latents: Tensor
    labels: list[int] | None
    columns: int | None


@INFERENCERS.register_module()
class GANInferencer(BaseInferencer):
    """Draws images from a checkpoint, a published generator, or a config.

    A checkpoint alone is enough, for its config is inside. So is a file of ``publish-model``.
    Neither can run code: the config is read as text, and a part of it that is not ours must have
    been imported before. A config that is *given* is Python, and runs.

    Each call returns a dict:

    - ``predictions``: ``images``, uint8; ``labels``, int64, or None without classes; ``latents``,
      float32 (before truncation). All on the CPU.
    - ``visualization``: one picture of them all, uint8 ``(H', W', 3)``.
    - ``frames``, where images have an order: pictures of an animation.

    :func:`~mmgan_lite.visualization.image_grid.save_png` and
    :func:`~mmgan_lite.visualization.image_grid.save_gif` write these.

    Differs from MMEngine's: what is given is how many images and not a list of inputs; there is no
    pipeline, no progress bar, no visualizer of the config, and no look-up of weights by name.

    Args:
        model: Name or path of a config, a config, or a GAN that is built; None to take the config
            inside ``weights``.
        weights: A checkpoint that training wrote, or a ``.safetensors`` file of ``publish-model``.
        device: Such as 'cpu' or 'cuda'; None for a GPU where there is one, and the CPU elsewhere.
        allow_mmengine_types: Whether MMEngine may have written ``weights`` without
            ``SafeCheckpointHook``; no code of it is run either way.
        old_checkpoint: Former name of ``allow_mmengine_types``.

    Attributes:
        model: The GAN, in eval mode. That of a published file has no discriminator.
        cfg: The config that it was built from, with ``model``; None for a model that was given.
        classes: Names of the classes in the order of the labels, where they are known.
        info: Where the weights are from: ``iteration``, ``weights`` of a published file, ...

    Raises:
        ValueError: If there is nothing to draw from, or a file is missing, damaged, of another
            model, or needs code that was not imported; or the device does not exist.

    Example:
        >>> import warnings
        >>> warnings.simplefilter('ignore')  # it is not trained
        >>> inferencer = GANInferencer('gan_mlp_digits-28x28_conditional', device='cpu')
        >>> result = inferencer(num=4, labels=[3, 7])
        >>> result['predictions']['images'].shape, result['predictions']['labels']
        (torch.Size([4, 1, 28, 28]), tensor([3, 7, 3, 7]))
    """

    preprocess_kwargs = {'labels', 'seed'}
    forward_kwargs = {'truncation', 'use_ema'}
    visualize_kwargs: set[str] = set()
    postprocess_kwargs: set[str] = set()

    # Not MMEngine's __init__: it reads the config of a checkpoint as Python, loads weights that fit
    # in part, and builds a visualizer.
    def __init__(
        self,
        model: str | Path | Mapping | GAN | None = None,
        weights: str | Path | None = None,
        device: str | torch.device | None = None,
        allow_mmengine_types: bool = False,
        old_checkpoint: bool = False,
    ) -> None:
        self._allow_mmengine_types = either_name(
            'allow_mmengine_types', allow_mmengine_types, old_checkpoint
        )
        self.scope = MODELS.scope
        self.model: GAN
        self.cfg: Any = None  # a Config is no Mapping
        self.info: dict[str, Any] = {}
        self.classes: tuple[str, ...] | None = None
        target = find_device(device)
        if model is None and weights is None:
            raise ValueError(
                "model or weights must be given, got neither. Pass weights='iter_8000.pth'."
            )
        if isinstance(model, GAN):
            self._take_model(model, weights)
        elif weights is not None and Path(weights).suffix == SUFFIX:
            self._load_published(model, weights)
        else:
            self._load_checkpoint(model, weights)
        self.model = self.model.to(target).eval()
        self.pipeline = self._init_pipeline(self.cfg)

    def __call__(
        self,
        num: int = 16,
        labels: Labels | None = None,
        seed: int = 0,
        truncation: float = 1.0,
        use_ema: bool = True,
        return_datasamples: bool = False,
    ) -> dict[str, Any]:
        """Draw images; image i of a seed is the same whatever ``num`` is.

        Args:
            num: How many, at least 1.
            labels: A class, or several that are taken in turn, by number or name; None draws them
                at random where the model is conditional.
            seed: Of the latents, and of labels that are drawn.
            truncation: Factor of the latents, in [0, 1]: less moves them towards their mean, for
                images that are more typical and more alike.
            use_ema: Whether to draw from the average of the weights, where there is one.
            return_datasamples: Whether ``predictions`` is a list of ``num`` data elements with
                ``fake_image``, uint8 ``(C, H, W)``, and ``gt_label``.

        Returns:
            ``predictions``, with images ``(num, C, H, W)``, and ``visualization``.

        Raises:
            ValueError: If an argument is out of its range, or the images are not finite.
        """
        inputs = self.preprocess(num, labels, seed)
        images = self.forward(inputs, truncation, use_ema)
        picture = self.visualize(inputs, images)
        return self.postprocess(inputs, images, picture, return_datasamples)

    def preprocess(self, num: int, labels: Labels | None = None, seed: int = 0) -> Inputs:
        """Draw the latents, and choose or draw the labels."""
        chosen = self._indices(labels)
        latents, drawn = draw_inputs(self.model, num, seed, chosen)
        # A column for each class, if there are several.
        columns = len(chosen) if chosen is not None and len(chosen) > 1 else None
        return Inputs(latents, drawn, columns)

    def forward(self, inputs: Inputs, truncation: float = 1.0, use_ema: bool = True) -> Tensor:
        """Images, uint8 ``(N, C, H, W)``."""
        return self._render(inputs.latents, inputs.labels, use_ema, truncation)

    def visualize(self, inputs: Inputs, preds: Tensor) -> np.ndarray:
        """A picture of the images, a column a class or square; uint8 ``(H', W', 3)``."""
        return make_picture(preds, inputs.columns)

    def postprocess(
        self,
        inputs: Inputs,
        preds: Tensor,
        visualization: np.ndarray,
        return_datasamples: bool = False,
    ) -> dict[str, Any]:
        """Pack what a call returns."""
        labels = None if inputs.labels is None else torch.tensor(inputs.labels)
        predictions: Any = dict(images=preds, labels=labels, latents=inputs.latents)
        if return_datasamples:
            predictions = [BaseDataElement(fake_image=image) for image in preds]
            if labels is not None:
                for element, label in zip(predictions, labels, strict=True):
                    element.gt_label = label
        return dict(predictions=predictions, visualization=visualization)

    def interpolate(
        self,
        points: Sequence[int] = (0, 1, 2, 3),
        steps: int = 8,
        method: str = 'slerp',
        labels: Labels | None = None,
        seed: int = 0,
        loop: bool = False,
        truncation: float = 1.0,
        use_ema: bool = True,
    ) -> dict[str, Any]:
        """The way from image to image, through their latents.

        Args:
            points: Images of the seed, by their numbers in a call with this ``seed``; at least two.
            steps: Frames from one point to the next, at least 1.
            method: 'slerp', along a great circle, or 'lerp', straight.
            labels: One row of images for each class, on the same way through the latents; None
                lets a conditional model go from the class of an image to that of the next, as
                :meth:`morph` does.
            seed: As in a call.
            loop: Whether the way leads back to the first point.
            truncation: As in a call.
            use_ema: As in a call.

        Returns:
            ``predictions``, with images ``(T, R, C, H, W)``: T frames from the first point to the
            last, R rows; ``visualization``, from each point to the next one line of images a row;
            ``frames``, T pictures of R images.

        Raises:
            ValueError: If an argument is out of its range, or the images are not finite.
        """
        if method not in _PATHS:
            raise ValueError(
                f"method must be 'slerp' or 'lerp', got {method!r}. Pass method='slerp'."
            )
        points = _check_points('points', points, loop)
        check_positive('steps', steps)
        if min(points) < 0:
            raise ValueError(f'points must be at least 0, got {min(points)}. They count from 0.')
        latents, drawn = draw_inputs(self.model, max(points) + 1, seed)
        rows = self._indices(labels)
        check_labels(self.model, rows)
        starts, ends, fractions = _legs(points, steps)
        path = _PATHS[method](latents[starts], latents[ends], fractions.unsqueeze(1)).unsqueeze(1)
        if rows is None and drawn is not None:
            classes = torch.tensor(drawn)
            images, labels = self._blend(
                path, classes[starts], classes[ends], fractions, use_ema, truncation
            )
            return _sequence(images, labels, path, steps)
        path = path.expand(-1, len(rows or [0]), -1)
        labels = None if rows is None else torch.tensor(rows).repeat(len(path))
        chosen = None if labels is None else labels.tolist()
        images = self._render(path.flatten(0, 1), chosen, use_ema, truncation)
        return _sequence(images, labels, path, steps)

    def morph(
        self,
        classes: Labels,
        num: int = 4,
        steps: int = 8,
        seed: int = 0,
        loop: bool = False,
        truncation: float = 1.0,
        use_ema: bool = True,
    ) -> dict[str, Any]:
        """The way from class to class, the latents being the same all along.

        Args:
            classes: At least two, by number or name.
            num: Rows: how many latents, those of the first images of a call with this ``seed``.
            steps: Frames from one class to the next, at least 1.
            seed: As in a call.
            loop: Whether the way leads back to the first class.
            truncation: As in a call.
            use_ema: As in a call.

        Returns:
            As :meth:`interpolate`; ``labels`` are those of the class that a frame is nearer to.

        Raises:
            ValueError: If an argument is out of its range, the model has no classes, its generator
                holds them in another way than ``nn.Embedding``, or the images are not finite.
        """
        indices = self._indices(classes)
        check_labels(self.model, indices)
        indices = _check_points('classes', indices, loop)
        check_positive('steps', steps)
        latents, _ = draw_inputs(self.model, num, seed)
        starts, ends, fractions = _legs(indices, steps)
        path = latents.unsqueeze(0).expand(len(starts), -1, -1)
        images, labels = self._blend(path, starts, ends, fractions, use_ema, truncation)
        return _sequence(images, labels, path, steps)

    def sweep_truncation(
        self,
        truncations: Sequence[float] = (0.0, 0.25, 0.5, 0.75, 1.0),
        num: int = 8,
        labels: Labels | None = None,
        seed: int = 0,
        use_ema: bool = True,
    ) -> dict[str, Any]:
        """The same latents under one truncation after another.

        Args:
            truncations: Factors of the latents, each in [0, 1].
            num: Rows: how many latents, those of a call with this ``seed``.
            labels: As in a call.
            seed: As in a call.
            use_ema: As in a call.

        Returns:
            As :meth:`interpolate`, a frame a truncation; ``visualization`` has a column for each.

        Raises:
            ValueError: If an argument is out of its range, or the images are not finite.
        """
        if len(truncations) == 0:
            raise ValueError('truncations must hold at least one, got none. Pass (0.5, 1.0).')
        latents, drawn = draw_inputs(self.model, num, seed, self._indices(labels))
        images = torch.cat([self._render(latents, drawn, use_ema, t) for t in truncations])
        labels_drawn = None if drawn is None else torch.tensor(drawn).repeat(len(truncations))
        path = latents.unsqueeze(0).expand(len(truncations), -1, -1)
        return _sequence(images, labels_drawn, path, max(1, len(truncations) - 1))

    def publish(self, out_dir: str | Path, name: str | None = None, use_ema: bool = True) -> Path:
        """Write the generator alone, for others to draw from.

        Args:
            out_dir: Where the file goes; the folder is made.
            name: How the name of the file begins; None for that of the run.
            use_ema: Whether to take the average of the weights, where there is one.

        Returns:
            The file, ``<name>_iter-<iteration>-<hash>.safetensors``.

        Raises:
            ValueError: If there are no trained weights, they cannot be published, or ``name`` does
                not do for a file.
        """
        if name is not None and re.fullmatch(r'[\w.-]+', name) is None:
            raise ValueError(
                f'name must be made of letters, digits, ".", "_" and "-", got {name!r}. '
                "Pass name='digits'."
            )
        if self.cfg is None or 'iteration' not in self.info:
            raise ValueError(
                'weights of a training must be given to be published, got a model without. '
                "Build the inferencer with weights='iter_8000.pth'."
            )
        if 'versions' in self.info:
            raise ValueError('weights must be a checkpoint, got a generator that is published.')
        parts = check_parts(self.cfg['model'], 'config', self.cfg.get('default_scope'))
        classes = None if self.classes is None else list(self.classes)
        name = self.info['name'] if name is None else name
        return publish_generator(
            self.model, parts, out_dir, name, self.info['iteration'], classes, use_ema
        )

    @staticmethod
    def list_models(patterns: str = '*') -> list[str]:
        """Names of configs that ``model`` takes; ``patterns`` is shell-style."""
        return list_configs(patterns)

    def _blend(
        self,
        path: Tensor,
        starts: Tensor,
        ends: Tensor,
        fractions: Tensor,
        use_ema: bool,
        truncation: float,
    ) -> tuple[Tensor, Tensor]:
        """Images of latents ``(T, R, Z)`` between two classes a frame, and the nearer class.

        Returns:
            uint8 ``(T * R, C, H, W)`` and int64 ``(T * R,)``.
        """
        latents = path.flatten(0, 1)
        starts, ends, fractions = (
            values.repeat_interleave(path.shape[1]) for values in (starts, ends, fractions)
        )
        chunks = []
        for begin in range(0, len(latents), CHUNK):
            part = slice(begin, begin + CHUNK)
            labels = starts[part].tolist()
            with blended_classes(self.model, ends[part], fractions[part]):
                chunks.append(self._render(latents[part], labels, use_ema, truncation))
        return torch.cat(chunks), torch.where(fractions < 0.5, starts, ends)

    def _init_pipeline(self, cfg: Any) -> Callable[[Any], Any]:
        """MMEngine's interface: there is no input to load, so what comes in goes out."""
        return lambda inputs: inputs

    def _take_model(self, model: GAN, weights: str | Path | None) -> None:
        if weights is not None:
            load_weights(model, self._read(weights)['state_dict'], weights)
        self.model = model

    def _read(self, weights: str | Path) -> dict[str, Any]:
        return read_checkpoint(weights, self._allow_mmengine_types)

    def _render(
        self, latents: Tensor, labels: Sequence[int] | None, use_ema: bool, truncation: float
    ) -> Tensor:
        if not use_ema and self.info.get('weights') == 'ema':
            raise ValueError(
                'use_ema must be True for a published file of the average, which holds no other '
                'weights, got False. Draw from the checkpoint that it was made of.'
            )
        return render(self.model, latents, labels, use_ema, truncation)

    def _load_published(self, model: Any, weights: str | Path) -> None:
        if model is not None:
            raise ValueError(
                f'model must be None for {str(weights)!r}, which has its config inside, got '
                f'{type(model).__name__}. Leave it out.'
            )
        published = read_published(weights, 'cpu')
        self.model = published.model
        self.info = {key: value for key, value in published.info.items() if key != 'model'}
        self.cfg = Config(dict(model=published.info['model']))
        self._set_classes(self.info.get('classes'))

    def _load_checkpoint(self, model: Any, weights: str | Path | None) -> None:
        if isinstance(model, (str, Path)):
            if Path(model).suffix in ('.pth', '.pt', SUFFIX):
                raise ValueError(
                    f'model must be a config, got {str(model)!r}. Pass it as weights={str(model)!r}'
                    '; its config is inside.'
                )
            self.cfg = read_config(str(model))
        elif isinstance(model, (Mapping, Config)):
            self.cfg = model
        elif model is not None:
            raise ValueError(
                f'model must be a config or the name of one, got {type(model).__name__}. '
                "Pass model='gan_mlp_digits-28x28'."
            )
        if weights is None:
            warnings.warn(
                'No weights were given: images are those of an untrained model. '
                'Pass weights=... to draw from a trained one.',
                stacklevel=3,
            )
            self.model = get_model(self.cfg)
            return
        checkpoint = self._read(weights)
        meta = checkpoint.get('meta') or {}
        if self.cfg is None:
            self.cfg = _saved_config(meta, weights)
        self.model = build_part(MODELS, self.cfg['model'], 'model')
        load_weights(self.model, checkpoint['state_dict'], weights)
        run = str(meta.get('experiment_name') or Path(weights).parent.name or 'generator')
        # MMEngine adds the time of the start.
        name = re.sub(r'_\d{8}_\d{6}$', '', run)
        self.info = dict(iteration=meta.get('iter'), name=name)
        self._set_classes((meta.get('dataset_meta') or {}).get('classes'))

    def _set_classes(self, names: Any) -> None:
        """Names count where there is one for each class."""
        if isinstance(names, (list, tuple)) and len(names) == self.model.num_classes:
            self.classes = tuple(str(name) for name in names)

    def _indices(self, labels: Labels | None) -> list[int] | None:
        """Labels as a list of numbers."""
        if labels is None:
            return None
        if isinstance(labels, (int, str, np.integer)):
            labels = [labels]
        if isinstance(labels, (Tensor, np.ndarray)):
            labels = labels.reshape(-1).tolist()
        return [self._index(label) for label in labels]

    def _index(self, label: Any) -> Any:
        if not isinstance(label, str):
            return label
        if self.classes is None or label not in self.classes:
            known = ', '.join(self.classes or ()) or 'none; pass numbers'
            raise ValueError(
                f'labels must be numbers or names of classes, got {label!r}. '
                f'The names are: {known}.'
            )
        return self.classes.index(label)


def _saved_config(meta: Mapping, weights: str | Path) -> dict[str, Any]:
    """The config in a checkpoint, as far as it draws; nothing of it is run."""
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


def _check_points(name: str, values: Sequence[int] | None, loop: bool) -> list[int]:
    """The points of a way, back to the first one with ``loop``."""
    points = list(values or ())
    if len(points) < 2 or not all(isinstance(point, (int, np.integer)) for point in points):
        raise ValueError(
            f'{name} must be at least two ints, got {points}. Pass {name}=(0, 1) for a way from '
            '0 to 1.'
        )
    return [*points, points[0]] if loop else points


def _legs(points: Sequence[int], steps: int) -> tuple[Tensor, Tensor, Tensor]:
    """Of each frame the point before it, the point after it, and how far it is between them."""
    starts = torch.tensor(points[:-1]).repeat_interleave(steps)
    ends = torch.tensor(points[1:]).repeat_interleave(steps)
    fractions = (torch.arange(steps) / steps).repeat(len(points) - 1)
    # The last point, which no leg starts from.
    last = torch.ones(1)
    return (
        torch.cat([starts, starts[-1:]]),
        torch.cat([ends, ends[-1:]]),
        torch.cat([fractions, last]),
    )


def _sequence(images: Tensor, labels: Tensor | None, latents: Tensor, steps: int) -> dict[str, Any]:
    """What a way returns.

    Args:
        images: uint8 ``(T * R, C, H, W)``, all rows of a frame after one another.
        labels: int64 ``(T * R,)``; None without classes.
        latents: Float ``(T, R, Z)``.
        steps: Frames from one point to the next.
    """
    shape = tuple(latents.shape[:2])
    images = images.unflatten(0, shape)
    lines = [
        images[start : start + steps + 1, row]
        for start in range(0, max(1, shape[0] - 1), steps)
        for row in range(shape[1])
    ]
    return dict(
        predictions=dict(
            images=images,
            labels=None if labels is None else labels.reshape(shape),
            latents=latents.contiguous(),
        ),
        visualization=make_picture(torch.cat(lines), columns=len(lines[0])),
        frames=[make_picture(frame) for frame in images],
    )
