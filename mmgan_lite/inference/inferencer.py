"""Draw images from a trained GAN, and interpolate between them."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.infer import BaseInferencer
from mmengine.structures import BaseDataElement
from torch import Tensor

from mmgan_lite.catalog import list_configs
from mmgan_lite.inference.interpolation import INTERPOLATIONS, lerp, path_frames
from mmgan_lite.inference.loading import Device, LoadedModel, find_device
from mmgan_lite.inference.model import load_model
from mmgan_lite.inference.publishing import publish_loaded
from mmgan_lite.inference.sampling import (
    Labels,
    draw_inputs,
    draw_styles,
    label_indices,
    render,
    render_styles,
)
from mmgan_lite.models import GAN
from mmgan_lite.models.styles import mix_styles
from mmgan_lite.registry import INFERENCERS
from mmgan_lite.utils.interfaces import HasStyles
from mmgan_lite.utils.migration import either_name
from mmgan_lite.visualization import make_picture


class Inputs(NamedTuple):
    """Inputs of the generator for one call.

    Attributes:
        latents: Float32 ``(N, latent_dim)``, on the CPU.
        labels: N classes; None for an unconditional model.
        columns: Images in a row of the picture; None for a square.
        blend: Other classes that the labels are blended with, int64 ``(N,)``, and their shares,
            float ``(N,)``; None for the labels alone.
        styles: Float32 ``(N, num_ws, W)``, truncated already, that are drawn in place of the
            latents; None for these.
    """

    latents: Tensor
    labels: list[int] | Tensor | None
    columns: int | None = None
    blend: tuple[Tensor, Tensor] | None = None
    styles: Tensor | None = None


@INFERENCERS.register_module()
class GANInferencer(BaseInferencer):
    """Draws images from a checkpoint, a published generator, or a config.

    A checkpoint is enough, as its config is inside; so is a file of ``publish-model``. Neither can
    run code: the config is read as text, and its parts must be registered already. A config that is
    passed as ``model`` is Python code and runs.

    Each call returns a dict:

    - ``predictions``: ``images``, uint8, or uint16 of a model that was trained on 16 bits
      (``bit_depth=16`` of its data preprocessor); ``labels``, int64, or None without classes;
      ``latents``, float32 (before truncation), or ``styles`` in their place where these are
      interpolated. All on the CPU.
    - ``visualization``: one picture of all images, uint8 ``(H', W', 3)``.
    - ``frames``, for images in a sequence: pictures of an animation.

    :func:`~mmgan_lite.visualization.save_png` and :func:`~mmgan_lite.visualization.save_gif` write
    these to files.

    Differs from MMEngine's: the input is the number of images and not a list of inputs; there is no
    pipeline, no progress bar, no visualizer of the config, and no download of weights by name.

    Args:
        model: Name or path of a config, a config, or a built GAN; None for the config inside
            ``weights``.
        weights: A checkpoint of a training, a ``.safetensors`` file of ``publish-model``, or,
            without ``model``, a checkpoint of another project, which is converted in memory.
        device: Such as 'cpu' or 'cuda'; None for a GPU if there is one, else the CPU.
        allow_mmengine_types: Whether MMEngine may have written ``weights`` without
            ``SafeCheckpointHook``; no code in it runs either way.
        old_checkpoint: Former name of ``allow_mmengine_types``.
        channel_order: 'rgb' or 'bgr', of the images that the networks of another project see; for
            projects where it is not always the same.

    Attributes:
        model: The GAN, in eval mode. That of a published file has no discriminator.
        cfg: The config that it was built from, with ``model``; None for a built GAN.
        classes: Names of the classes in the order of the labels, None if unknown.
        info: Origin of the weights: ``iteration``, ``weights`` of a published file, ...

    Raises:
        ValueError: If there is nothing to draw from; a file is missing, damaged, of another model,
            or has parts that are not registered; or the device does not exist.

    Example:
        >>> import warnings
        >>> warnings.simplefilter('ignore')  # it is not trained
        >>> inferencer = GANInferencer('gan_mlp_digits-28x28_conditional', device='cpu')
        >>> result = inferencer(num=4, labels=[3, 7])
        >>> result['predictions']['images'].shape, result['predictions']['labels']
        (torch.Size([4, 1, 28, 28]), tensor([3, 7, 3, 7]))
    """

    # Not MMEngine's __init__: it runs the config of a checkpoint, loads weights that fit only in
    # part, and builds a visualizer.
    def __init__(
        self,
        model: str | Path | Mapping | GAN | None = None,
        weights: str | Path | None = None,
        device: Device = None,
        allow_mmengine_types: bool = False,
        old_checkpoint: bool = False,
        channel_order: str | None = None,
    ) -> None:
        allow_types = either_name('allow_mmengine_types', allow_mmengine_types, old_checkpoint)
        loaded = load_model(model, weights, allow_types, GAN, channel_order)
        gan, self.cfg, self.info, self.classes = loaded
        self.model = gan.to(find_device(device)).eval()
        if weights is None and not isinstance(model, GAN):
            warnings.warn('images are those of an untrained model: pass weights=...', stacklevel=2)

    def __call__(
        self,
        num: int = 16,
        labels: Labels | None = None,
        seed: int = 0,
        truncation: float = 1.0,
        use_ema: bool = True,
        return_datasamples: bool = False,
        truncation_cutoff: int | None = None,
    ) -> dict[str, Any]:
        """Draw images; image i of a seed is the same whatever ``num`` is.

        Args:
            num: Number of images, at least 1.
            labels: A class, or several that are cycled through, by number or name; None draws them
                at random if the model is conditional.
            seed: Seed of the latents and of random labels.
            truncation: Factor in [0, 1] of the distance to the mean, in W where the generator has
                ``truncate``, else in the latents: less gives images that are more typical and less
                varied.
            use_ema: Whether to draw from the average of the weights, if there is one.
            return_datasamples: Whether ``predictions`` is a list of ``num`` data elements with
                ``fake_image``, ``(C, H, W)``, and ``gt_label``.
            truncation_cutoff: The first so many layers are truncated; None for all. Only for a
                generator with ``truncate``.

        Returns:
            ``predictions``, with images ``(num, C, H, W)``, and ``visualization``.

        Raises:
            ValueError: If an argument is out of its range, or the images are not finite.
        """
        inputs = self.preprocess(num, labels, seed)
        images = self.forward(inputs, truncation, use_ema, truncation_cutoff)
        picture = self.visualize(inputs, images)
        return self.postprocess(inputs, images, picture, return_datasamples)

    def preprocess(self, num: int, labels: Labels | None = None, seed: int = 0) -> Inputs:
        """Draw the latents, and choose or draw the labels."""
        chosen = label_indices(self.model, labels, self.classes)
        latents, drawn = draw_inputs(self.model, num, seed, chosen)
        # A column for each class, if there are several.
        columns = len(chosen) if chosen is not None and len(chosen) > 1 else None
        return Inputs(latents, None if drawn is None else drawn.tolist(), columns)

    def forward(
        self,
        inputs: Inputs,
        truncation: float = 1.0,
        use_ema: bool = True,
        truncation_cutoff: int | None = None,
    ) -> Tensor:
        """Images, ``(N, C, H, W)``."""
        if not use_ema and self.info.get('weights') == 'ema':
            raise ValueError('use_ema must be True: the published file has the average alone.')
        if inputs.styles is not None:
            return render_styles(self.model, inputs.styles, use_ema)
        labels = None if inputs.labels is None else torch.as_tensor(inputs.labels)
        return render(
            self.model,
            inputs.latents,
            labels,
            use_ema,
            truncation,
            inputs.blend,
            truncation_cutoff,
        )

    def visualize(self, inputs: Inputs, preds: Tensor) -> np.ndarray:
        """One picture of the images, a column per class or square; uint8 ``(H', W', 3)``."""
        return make_picture(preds, inputs.columns)

    def postprocess(
        self,
        inputs: Inputs,
        preds: Tensor,
        visualization: np.ndarray,
        return_datasamples: bool = False,
    ) -> dict[str, Any]:
        """Pack the result of a call."""
        labels = None if inputs.labels is None else torch.as_tensor(inputs.labels)
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
        method: str | None = None,
        labels: Labels | None = None,
        seed: int = 0,
        loop: bool = False,
        truncation: float = 1.0,
        use_ema: bool = True,
        truncation_cutoff: int | None = None,
    ) -> dict[str, Any]:
        """Interpolate from image to image, through their styles or their latents.

        Args:
            points: Images by their index in a call with this ``seed``; at least two.
            steps: Frames from one point to the next, at least 1.
            method: 'w', straight in the generator's space W; in the latents 'slerp', along a great
                circle, or 'lerp', straight; None for 'w' where the generator has it, else 'slerp'.
            labels: One row of images for each class, with the same latents; None lets a conditional
                model go from the class of an image to that of the next, as :meth:`morph` does.
            seed: As in a call.
            loop: Whether to return to the first point.
            truncation: As in a call.
            use_ema: As in a call.
            truncation_cutoff: As in a call.

        Returns:
            ``predictions``, with images ``(T, R, C, H, W)``: T frames from the first point to the
            last, R rows; ``visualization``, a line of images per row from each point to the next;
            ``frames``, T pictures of R images.

        Raises:
            ValueError: If an argument is out of its range, or the images are not finite.
        """
        if method is None:
            has_styles = isinstance(self.model.sampled_generator(use_ema), HasStyles)
            method = 'w' if has_styles else 'slerp'
        if method not in (*INTERPOLATIONS, 'w'):
            raise ValueError(f"method must be 'slerp', 'lerp' or 'w', got {method!r}.")
        starts, ends, fractions = path_frames('points', points, steps, loop)
        latents, drawn = draw_inputs(self.model, int(max(points)) + 1, seed)
        rows = label_indices(self.model, labels, self.classes)
        if method == 'w':
            truncated = (use_ema, truncation, truncation_cutoff)
            ws = self._styles_of_points(latents, drawn if rows is None else rows, truncated)
            path = lerp(ws[starts[:, 0]], ws[ends[:, 0]], fractions[..., None, None])
            if rows is None and drawn is not None:
                inputs = Inputs(path, drawn[starts], blend=(drawn[ends], fractions), styles=path)
            else:
                inputs = Inputs(path, rows, styles=path)
            return self._sequence(inputs, steps, truncation, use_ema)
        path = INTERPOLATIONS[method](latents[starts], latents[ends], fractions.unsqueeze(-1))
        if rows is None and drawn is not None:
            inputs = Inputs(path, drawn[starts], blend=(drawn[ends], fractions))
        else:
            inputs = Inputs(path.expand(-1, len(rows or [0]), -1), rows)
        return self._sequence(inputs, steps, truncation, use_ema, truncation_cutoff)

    def morph(
        self,
        classes: Labels,
        num: int = 4,
        steps: int = 8,
        seed: int = 0,
        loop: bool = False,
        truncation: float = 1.0,
        use_ema: bool = True,
        truncation_cutoff: int | None = None,
    ) -> dict[str, Any]:
        """Interpolate from class to class, with the same latents.

        Args:
            classes: At least two, by number or name.
            num: Number of rows, one for each of the first latents of a call with this ``seed``.
            steps: Frames from one class to the next, at least 1.
            seed: As in a call.
            loop: Whether to return to the first class.
            truncation: As in a call.
            use_ema: As in a call.
            truncation_cutoff: As in a call.

        Returns:
            As :meth:`interpolate`; ``labels`` are the nearer class of each frame.

        Raises:
            ValueError: If an argument is out of its range, the model has no classes, its generator
                does not embed them by ``nn.Embedding``, or the images are not finite.
        """
        indices = label_indices(self.model, classes, self.classes)
        starts, ends, fractions = path_frames('classes', indices, steps, loop)
        latents, _ = draw_inputs(self.model, num, seed)
        inputs = Inputs(latents.expand(len(starts), -1, -1), starts, blend=(ends, fractions))
        return self._sequence(inputs, steps, truncation, use_ema, truncation_cutoff)

    def sweep_truncation(
        self,
        truncations: Sequence[float] = (0.0, 0.25, 0.5, 0.75, 1.0),
        num: int = 8,
        labels: Labels | None = None,
        seed: int = 0,
        use_ema: bool = True,
        truncation_cutoff: int | None = None,
    ) -> dict[str, Any]:
        """Draw the same latents with several truncations.

        Args:
            truncations: As ``truncation`` in a call, each in [0, 1].
            num: Number of rows, one for each of the first latents of a call with this ``seed``.
            labels: As in a call.
            seed: As in a call.
            use_ema: As in a call.
            truncation_cutoff: As in a call.

        Returns:
            As :meth:`interpolate`, with a frame, and a column of ``visualization``, per truncation.

        Raises:
            ValueError: If an argument is out of its range, or the images are not finite.
        """
        if len(truncations) == 0:
            raise ValueError('truncations must hold at least one, got none. Pass (0.5, 1.0).')
        chosen = label_indices(self.model, labels, self.classes)
        latents, drawn = draw_inputs(self.model, num, seed, chosen)
        images = [
            self.forward(Inputs(latents, drawn), factor, use_ema, truncation_cutoff)
            for factor in truncations
        ]
        path = latents.expand(len(truncations), -1, -1)
        return _pack(torch.stack(images), drawn, path, max(1, len(truncations) - 1))

    def mix_styles(
        self,
        rows: Sequence[int] = (0, 1, 2, 3),
        columns: Sequence[int] = (4, 5, 6, 7),
        layer: int = 4,
        label: int | str | None = None,
        seed: int = 0,
        truncation: float = 1.0,
        use_ema: bool = True,
        truncation_cutoff: int | None = None,
    ) -> dict[str, Any]:
        """Draw each image of some with the fine styles of each of others.

        Only for a generator with ``mapping`` and ``synthesis``: Karras et al. 2019 (StyleGAN),
        arXiv:1812.04948, section 3.1.

        Args:
            rows: Images by their index in a call with this ``seed``, whose styles the first layers
                have.
            columns: Others, whose styles ``layer`` and those after it have.
            layer: From 1 to ``num_ws - 1``.
            label: A class for all, by number or name; None for those of a call.
            seed: As in a call.
            truncation: As in a call.
            use_ema: As in a call.
            truncation_cutoff: As in a call.

        Returns:
            ``predictions`` with ``images``, ``(R, C, ...)`` for R rows and C columns, and
            their ``styles``; ``visualization``, a picture of them.

        Raises:
            ValueError: If an argument is out of its range, or the generator has no styles.
        """
        points = [*rows, *columns]
        chosen = label_indices(self.model, label, self.classes)
        latents, drawn = draw_inputs(self.model, max(points, default=0) + 1, seed, chosen)
        labels = None if drawn is None else torch.as_tensor(drawn)[points]
        truncated = (use_ema, truncation, truncation_cutoff)
        ws = draw_styles(self.model, latents[points], labels, *truncated)
        ws = mix_styles(ws[: len(rows), None], ws[None, len(rows) :], layer)
        images = render_styles(self.model, ws, use_ema)
        picture = make_picture(images.flatten(0, 1), columns=len(columns))
        return dict(predictions=dict(images=images, styles=ws), visualization=picture)

    def publish(self, out_dir: str | Path, name: str | None = None, use_ema: bool = True) -> Path:
        """Write only the generator, for sharing.

        Args:
            out_dir: Folder of the file; it is made.
            name: Beginning of the file name; None for the name of the run.
            use_ema: Whether to take the average of the weights, if there is one.

        Returns:
            The file, ``<name>_iter-<iteration>-<hash>.safetensors``.

        Raises:
            ValueError: If there are no trained weights, they cannot be published, or ``name`` is
                no valid file name.
        """
        loaded = LoadedModel(self.model, self.cfg, self.info, self.classes)
        return publish_loaded(loaded, out_dir, name, use_ema)

    @staticmethod
    def list_models(patterns: str = '*') -> list[str]:
        """Names of configs that ``model`` takes; ``patterns`` is shell-style."""
        return list_configs(patterns)

    def _styles_of_points(
        self, latents: Tensor, labels: Tensor | list[int] | None, truncated: tuple
    ) -> Tensor:
        """Float ``(P, R, num_ws, W)``: each point of its own label, or in each of R classes."""
        num_rows = 1
        if isinstance(labels, list):
            num_rows, labels = len(labels), torch.tensor(labels)
        elif labels is not None:
            labels = labels[:, None]
        return draw_styles(
            self.model, latents[:, None].expand(-1, num_rows, -1), labels, *truncated
        )

    def _sequence(
        self,
        inputs: Inputs,
        steps: int,
        truncation: float,
        use_ema: bool,
        truncation_cutoff: int | None = None,
    ) -> dict:
        """Draw the frames of latents ``(T, R, Z)``; their labels are the nearer class."""
        images = self.forward(inputs, truncation, use_ema, truncation_cutoff)
        labels = None if inputs.labels is None else torch.as_tensor(inputs.labels)
        if labels is not None and inputs.blend is not None:
            others, shares = inputs.blend
            labels = torch.where(shares < 0.5, labels, others)
        name = 'latents' if inputs.styles is None else 'styles'
        return _pack(images, labels, inputs.latents, steps, name)

    def _init_pipeline(self, cfg: Any) -> Any:
        """MMEngine's interface: there is no input to load."""
        return lambda inputs: inputs


def _pack(
    images: Tensor, labels: Tensor | None, latents: Tensor, steps: int, name: str = 'latents'
) -> dict[str, Any]:
    """Pack the result of an interpolation.

    Args:
        images: uint8 or uint16 ``(T, R, C, H, W)``.
        labels: int64, broadcastable to ``(T, R)``; None without classes.
        latents: Float ``(T, R, Z)``, or styles ``(T, R, num_ws, W)``.
        steps: Frames from one point to the next.
        name: What they are, in ``predictions``.
    """
    num_frames, num_rows = images.shape[:2]
    lines = [
        images[start : start + steps + 1, row]
        for start in range(0, max(1, num_frames - 1), steps)
        for row in range(num_rows)
    ]
    if labels is not None:
        labels = labels.expand(num_frames, num_rows).contiguous()
    predictions = {'images': images, 'labels': labels, name: latents.contiguous()}
    picture = make_picture(torch.cat(lines), columns=len(lines[0]))
    frames = [make_picture(frame) for frame in images]
    return dict(predictions=predictions, visualization=picture, frames=frames)
