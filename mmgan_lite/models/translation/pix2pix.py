"""pix2pix: translation that is learned from pairs.

Isola et al. 2017, Image-to-Image Translation with Conditional Adversarial Networks,
arXiv:1611.07004. Differs: the generator steps first, on the discriminator of the iteration before;
there is no dropout but that of the network.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from mmgan_lite.models.data_preprocessor import TrainingBatch
from mmgan_lite.models.translation.base import TranslationModel
from mmgan_lite.registry import MODELS
from mmgan_lite.utils.validation import check_weight


@MODELS.register_module()
class Pix2Pix(TranslationModel):
    """A generator, and a discriminator that sees source and image together.

    Args:
        generator: ``forward(source)`` gives images of the target's size.
        discriminator: Takes the channels of source and target, in this order.
        l1_weight: Factor of the mean absolute difference to the target, in [-1, 1]; 0 or more.
        settings: Other arguments of :class:`TranslationModel`: ``loss``, ``regularizers``,
            ``augmentation``, ``ema``, ``channels_last``, ``test_statistics``,
            ``data_preprocessor``, ``init_cfg``, ``frozen``.

    Raises:
        ValueError: If an argument is out of its range.
    """

    def __init__(
        self,
        generator: Mapping | nn.Module,
        discriminator: Mapping | nn.Module,
        l1_weight: float = 100.0,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        self.add_networks(generator=generator, discriminator=discriminator)
        self.l1_weight = check_weight('l1_weight', l1_weight)

    def generator_losses(self, batch: TrainingBatch) -> dict[str, Tensor]:
        """``loss_gen`` and ``loss_l1``."""
        fakes = batch.outputs['fakes'] = self.generator(batch.source)
        pairs = (torch.cat([batch.source, images], 1) for images in (fakes, batch.target))
        return dict(
            loss_gen=self.adversarial_loss('discriminator', *pairs),
            loss_l1=self.l1_weight * (fakes.float() - batch.target).abs().mean(),
        )

    def judged(self, discriminator: str, batch: TrainingBatch) -> tuple[Tensor, Tensor]:
        """Source and target, and source and fake, as channels of one image."""
        fakes = batch.outputs['fakes'].detach()
        return torch.cat([batch.source, batch.target], 1), torch.cat([batch.source, fakes], 1)
