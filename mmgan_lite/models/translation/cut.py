"""CUT and FastCUT: unpaired translation with one generator.

Park et al. 2020, Contrastive Learning for Unpaired Image-to-Image Translation, arXiv:2007.15651.
Differs: the generator steps first, on the discriminator of the iteration before.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mmgan_lite.models.data_preprocessor import TrainingBatch
from mmgan_lite.models.losses.contrastive import PatchNCELoss, PatchProjector
from mmgan_lite.models.modes import evaluating
from mmgan_lite.models.translation.base import TranslationModel
from mmgan_lite.registry import MODELS, build_part
from mmgan_lite.utils.interfaces import HasFeatures, unwrap_model
from mmgan_lite.utils.validation import check_positive, check_weight


@MODELS.register_module()
class CUT(TranslationModel):
    """A patch of the image must be more alike to the source's at that place than to others.

    The features are those of the generator's own layers, through a projection that is trained with
    it.

    Args:
        generator: ``forward(source)`` gives images of the target's size, and
            ``features(images, layers)`` a list of ``(N, C, H, W)``.
        discriminator: Of the images of the target.
        layers: Of the generator, whose features are compared.
        num_patches: Places of an image that are compared in each layer, at least 1.
        projection_dim: Numbers in a projected feature, at least 1.
        temperature: Of the contrastive loss, over 0.
        nce_weight: Factor of the contrastive loss, 0 or more. FastCUT has 10.
        identity: Whether the images of the target, which the generator should leave as they are,
            are compared too. FastCUT has False.
        flip_equivariance: Whether half of the batches are mirrored before the generator, and its
            features mirrored back. FastCUT has True.
        settings: Other arguments of :class:`TranslationModel`: ``loss``, ``regularizers``,
            ``augmentation``, ``ema``, ``channels_last``, ``test_statistics``,
            ``data_preprocessor``, ``init_cfg``, ``frozen``.

    Raises:
        ValueError: If an argument is out of its range, or the generator has no ``features``.
    """

    others = ('projector',)

    def __init__(
        self,
        generator: Mapping | nn.Module,
        discriminator: Mapping | nn.Module,
        layers: Sequence[int] = (0, 4, 8, 12, 16),
        num_patches: int = 256,
        projection_dim: int = 256,
        temperature: float = 0.07,
        nce_weight: float = 1.0,
        identity: bool = True,
        flip_equivariance: bool = False,
        **settings: Any,
    ) -> None:
        generator = build_part(MODELS, generator, 'generator')
        projector = PatchProjector(_feature_channels(generator, layers), projection_dim)
        super().__init__(**settings)
        self.add_networks(generator=generator, discriminator=discriminator, projector=projector)
        self.layers = tuple(layers)
        self.num_patches = check_positive('num_patches', num_patches)
        self.nce_weight = check_weight('nce_weight', nce_weight)
        self.identity, self.flip_equivariance = identity, flip_equivariance
        self.contrast = PatchNCELoss(temperature)

    def generator_losses(self, batch: TrainingBatch) -> dict[str, Tensor]:
        """``loss_gen`` and ``loss_nce``, and ``loss_nce_identity`` where it is asked for."""
        source, target = batch.source, batch.target
        flipped = self.flip_equivariance and bool(torch.rand(()) < 0.5)
        given = torch.cat([source, target]) if self.identity else source
        made = self.generator(given.flip(3) if flipped else given)
        fakes = batch.outputs['fakes'] = made[: len(source)]
        losses = dict(loss_gen=self.adversarial_loss('discriminator', fakes, target))
        if not self.nce_weight:
            return losses
        share = 0.5 if self.identity else 1.0
        losses['loss_nce'] = share * self.nce_weight * self._compare(source, fakes, flipped)
        if self.identity:
            same = self._compare(target, made[len(source) :], flipped)
            losses['loss_nce_identity'] = share * self.nce_weight * same
        return losses

    def judged(self, discriminator: str, batch: TrainingBatch) -> tuple[Tensor, Tensor]:
        """The target and the fakes."""
        return batch.target, batch.outputs['fakes'].detach()

    def _compare(self, images: Tensor, translated: Tensor, flipped: bool) -> Tensor:
        """Mean contrastive loss over the layers, at random places of each."""
        network = unwrap_model(self.generator)
        with torch.no_grad():
            keys = network.features(images, self.layers)
        queries = network.features(translated, self.layers)
        if flipped:
            queries = [query.flip(3) for query in queries]
        places = [
            torch.randperm(key[0, 0].numel(), device=key.device)[: self.num_patches] for key in keys
        ]
        with torch.no_grad():
            keys = self.projector(keys, places)
        pairs = zip(self.projector(queries, places), keys, strict=True)
        return torch.stack([self.contrast(query, key) for query, key in pairs]).mean()


def _feature_channels(generator: Any, layers: Sequence[int]) -> list[int]:
    """Channels of the features of each layer, from a pass of the smallest image."""
    if not isinstance(generator, HasFeatures):
        raise ValueError(
            'generator of CUT must have in_channels, min_side and features(images, layers), but '
            f"{type(generator).__name__} has not. Take dict(type='ResNetTranslator')."
        )
    network: Any = generator
    weight, side = next(network.parameters()), network.min_side
    with torch.no_grad(), evaluating(network):
        image = weight.new_zeros(1, network.in_channels, side, side)
        return [feature.shape[1] for feature in network.features(image, layers)]
