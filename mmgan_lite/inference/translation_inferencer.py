"""Translate images by a trained model."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.infer import BaseInferencer
from mmengine.structures import BaseDataElement

from mmgan_lite.catalog import list_configs
from mmgan_lite.inference.loading import Device, LoadedModel, find_device
from mmgan_lite.inference.model import load_model
from mmgan_lite.inference.pictures import Picture, PictureInput, open_pictures
from mmgan_lite.inference.publishing import publish_loaded
from mmgan_lite.inference.translation import Translated, Translation
from mmgan_lite.models import TranslationModel
from mmgan_lite.registry import INFERENCERS
from mmgan_lite.visualization import make_picture


@INFERENCERS.register_module()
class TranslationInferencer(BaseInferencer):
    """Translates pictures by a checkpoint, a published file, or a config.

    A checkpoint is enough, as its config is inside, and no dataset is needed; so is a file of
    ``publish-model``. Neither can run code: as for :class:`GANInferencer`, the config in it is read
    as text, and its parts must be registered already.

    Pictures of any size, depth and kind get the channels that the network takes, as a dataset gives
    them: upright, on white where they are transparent. The results have the size of the picture.

    Each call returns a dict:

    - ``predictions``: ``images``, a list of ``(C, H, W)``, uint8, or uint16 of a model that was
      trained on 16 bits, on the CPU; ``names`` of the pictures; ``unreadable``, the pictures that
      cannot be read and the reasons, by name.
    - ``visualization``: for each image a picture of it beside its source, uint8 ``(H, W', 3)``.

    Differs from MMEngine's as :class:`GANInferencer` does: no pipeline, no progress bar, no
    visualizer of the config, and no download of weights by name.

    Args:
        model: Name or path of a config, a config, or a built model; None for the config inside
            ``weights``.
        weights: A checkpoint of a training, a ``.safetensors`` file of ``publish-model``, or,
            without ``model``, a checkpoint of another project, which is converted in memory.
        device: Such as 'cpu' or 'cuda'; None for a GPU if there is one, else the CPU.
        allow_mmengine_types: Whether MMEngine may have written ``weights`` without
            ``SafeCheckpointHook``; no code in it runs either way.
        channel_order: As in :class:`GANInferencer`.

    Attributes:
        model: The model, in eval mode. That of a published file has no discriminator.
        cfg: The config that it was built from, with ``model``; None for a built model.
        info: Origin of the weights: ``iteration``, ``weights`` of a published file, ...

    Raises:
        ValueError: If there is nothing to translate by; a file is missing, damaged, of another
            model, of a GAN, or has parts that are not registered; or the device does not exist.

    Example:
        >>> import warnings
        >>> warnings.simplefilter('ignore')  # it is not trained
        >>> network = dict(type='ResNetTranslator', base_channels=2, num_blocks=1)
        >>> discriminator = dict(type='PatchDiscriminator', base_channels=2, num_layers=1)
        >>> loss = dict(type='LeastSquaresGANLoss')
        >>> parts = dict(generator=network, discriminator=discriminator, loss=loss)
        >>> config = dict(model=dict(type='CycleGAN', **parts))
        >>> inferencer = TranslationInferencer(config, device='cpu')
        >>> result = inferencer(np.zeros((45, 30, 3), np.uint8), domain='b2a')
        >>> result['predictions']['images'][0].shape
        torch.Size([3, 45, 30])
    """

    # Not MMEngine's __init__, as in GANInferencer.
    def __init__(
        self,
        model: str | Path | Mapping | TranslationModel | None = None,
        weights: str | Path | None = None,
        device: Device = None,
        allow_mmengine_types: bool = False,
        channel_order: str | None = None,
    ) -> None:
        kind = TranslationModel
        loaded = load_model(model, weights, allow_mmengine_types, kind, channel_order)
        self.cfg, self.info = loaded.cfg, loaded.info
        self.model: TranslationModel = loaded.model.to(find_device(device)).eval()
        if weights is None and not isinstance(model, TranslationModel):
            warnings.warn('images are those of an untrained model: pass weights=...', stacklevel=2)

    def __call__(
        self,
        inputs: PictureInput | Sequence[PictureInput],
        domain: str | None = None,
        use_ema: bool = True,
        return_datasamples: bool = False,
        **settings: Any,
    ) -> dict[str, Any]:
        """Translate pictures, all of which are in memory at the end.

        Args:
            inputs: As :func:`open_pictures` takes them: paths of images, folders and zips, arrays,
                tensors, images of Pillow, or a list of these.
            domain: The direction, one of ``model.domains``, such as 'b2a'; None for the first.
            use_ema: Whether to take the average of the weights, if there is one.
            return_datasamples: Whether ``predictions`` is a list of data elements with
                ``fake_image``, ``(C, H, W)``, and ``name``.
            settings: Other arguments of :class:`Translation`: ``batch_size``, ``tile``,
                ``overlap``, ``size``, ``alpha``.

        Returns:
            ``predictions`` and ``visualization``, in the order of the inputs.

        Raises:
            FileNotFoundError: If there is nothing at a path.
            ValueError: If an argument is out of its range, no picture can be read, or an image is
                not finite.
        """
        translation = self.translation(domain, use_ema, **settings)
        pictures = self.preprocess(inputs, translation)
        done = self.forward(pictures, translation)
        return self.postprocess(pictures, done, self.visualize(pictures, done), return_datasamples)

    def translation(
        self, domain: str | None = None, use_ema: bool = True, **settings: Any
    ) -> Translation:
        """What translates, for pictures that are to be read one after the other.

        Args:
            domain: As in a call.
            use_ema: As in a call.
            settings: As in a call.

        Raises:
            ValueError: If an argument is out of its range.
        """
        if not use_ema and self.info.get('weights') == 'ema':
            raise ValueError('use_ema must be True: the published file has the average alone.')
        return Translation(self.model, domain, use_ema, **settings)

    def preprocess(
        self, inputs: PictureInput | Sequence[PictureInput], translation: Translation
    ) -> list[Picture]:
        """Find the pictures; they are read later."""
        return open_pictures(inputs, translation.network.in_channels)

    def forward(self, inputs: Sequence[Picture], translation: Translation) -> list[Translated]:
        """Translate the pictures; in their order."""
        done = sorted(translation.run(inputs), key=lambda one: one.position)
        if all(one.image is None for one in done):
            reasons = '; '.join(f'{inputs[one.position].name} ({one.error})' for one in done[:3])
            raise ValueError(f'inputs must hold a picture that can be read, got none: {reasons}.')
        return done

    def visualize(self, inputs: Sequence[Picture], preds: Sequence[Translated]) -> list[np.ndarray]:
        """Each image beside its source, uint8 ``(H, W', 3)``."""
        rows = []
        for one in preds:
            if one.source is not None and one.image is not None:
                source = torch.from_numpy(one.source.transpose(2, 0, 1))
                sides = [make_picture(image[None]) for image in (source, one.image)]
                rows.append(np.concatenate(sides, axis=1))
        return rows

    def postprocess(
        self,
        inputs: Sequence[Picture],
        preds: Sequence[Translated],
        visualization: list[np.ndarray],
        return_datasamples: bool = False,
    ) -> dict[str, Any]:
        """Pack the result of a call."""
        images = [one.image for one in preds if one.image is not None]
        names = [inputs[one.position].name for one in preds if one.image is not None]
        unreadable = {inputs[one.position].name: one.error for one in preds if one.image is None}
        predictions: Any = dict(images=images, names=names, unreadable=unreadable)
        if return_datasamples:
            predictions = [
                BaseDataElement(fake_image=image, metainfo=dict(name=name))
                for image, name in zip(images, names, strict=True)
            ]
        return dict(predictions=predictions, visualization=visualization)

    def publish(self, out_dir: str | Path, name: str | None = None, use_ema: bool = True) -> Path:
        """Write only the generators of all directions, for sharing.

        Args:
            out_dir: Folder of the file; it is made.
            name: Beginning of the file name; None for the name of the run.
            use_ema: Whether to take the average of the weights, if there is one.

        Returns:
            The file, ``<name>_iter-<iteration>-<hash>.safetensors``.

        Raises:
            ValueError: As :meth:`GANInferencer.publish`.
        """
        loaded = LoadedModel(self.model, self.cfg, self.info, None)
        return publish_loaded(loaded, out_dir, name, use_ema)

    @staticmethod
    def list_models(patterns: str = '*') -> list[str]:
        """Names of configs that ``model`` takes; ``patterns`` is shell-style."""
        return list_configs(patterns)

    def _init_pipeline(self, cfg: Any) -> Any:
        """MMEngine's interface: pictures are decoded when they are translated."""
        return lambda inputs: inputs
