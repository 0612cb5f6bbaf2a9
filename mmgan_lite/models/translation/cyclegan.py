"""CycleGAN: translation that is learned from two sets of images without pairs.

Zhu et al. 2017, Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks,
arXiv:1703.10593.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from mmgan_lite.models.data_preprocessor import TrainingBatch
from mmgan_lite.models.translation.base import TranslationModel
from mmgan_lite.models.translation.image_pool import ImagePool
from mmgan_lite.registry import MODELS
from mmgan_lite.utils.validation import check_weight


@MODELS.register_module()
class CycleGAN(TranslationModel):
    """Two generators whose cycle ends where it began, and a discriminator of each domain.

    Its directions are 'a2b', from source to target, and 'b2a'.

    Args:
        generator: Config of both generators; each maps images to images of the same size.
        discriminator: Config of both discriminators.
        cycle_weight: Factor of the mean absolute differences between images and what the cycle
            makes of them, 0 or more. The paper has 10 beside twice our least squares loss: 5 is
            the same.
        identity_weight: Factor of the mean absolute differences between images and what the
            generator of their own domain makes of them, as a part of ``cycle_weight``; 0 or more.
        pool_size: Earlier fakes of each generator that its discriminator may see again, 0 or more.
        settings: Other arguments of :class:`TranslationModel`: ``loss``, ``regularizers``,
            ``augmentation``, ``ema``, ``channels_last``, ``test_statistics``,
            ``data_preprocessor``, ``init_cfg``, ``frozen``.

    Raises:
        ValueError: If an argument is out of its range, or a network is no config.
    """

    domains = ('a2b', 'b2a')
    generators = ('generator_a2b', 'generator_b2a')
    discriminators = ('discriminator_a', 'discriminator_b')

    def __init__(
        self,
        generator: Mapping,
        discriminator: Mapping,
        cycle_weight: float = 5.0,
        identity_weight: float = 0.5,
        pool_size: int = 50,
        **settings: Any,
    ) -> None:
        for name, cfg in (('generator', generator), ('discriminator', discriminator)):
            if not isinstance(cfg, Mapping):
                raise ValueError(
                    f'{name} of CycleGAN must be a config, of which two networks are built, got a '
                    f"{type(cfg).__name__}. Pass dict(type='{type(cfg).__name__}', ...)."
                )
        super().__init__(**settings)
        self.add_networks(
            generator_a2b=generator,
            generator_b2a=generator,
            discriminator_a=discriminator,
            discriminator_b=discriminator,
        )
        self.cycle_weight = check_weight('cycle_weight', cycle_weight)
        self.identity_weight = check_weight('identity_weight', identity_weight)
        names = ('a', 'b') if pool_size else ()
        self.pools = nn.ModuleDict({name: ImagePool(pool_size) for name in names})

    def generator_losses(self, batch: TrainingBatch) -> dict[str, Tensor]:
        """``loss_gen_a2b``, ``loss_gen_b2a``, ``loss_cycle`` and ``loss_identity``."""
        a, b, to_a, to_b = batch.source, batch.target, self.generator_b2a, self.generator_a2b
        fake_a, fake_b = batch.outputs['a'], batch.outputs['b'] = to_a(b), to_b(a)
        cycle = _distance(to_a(fake_b), a) + _distance(to_b(fake_a), b)
        losses = dict(
            loss_gen_a2b=self.adversarial_loss('discriminator_b', fake_b, b),
            loss_gen_b2a=self.adversarial_loss('discriminator_a', fake_a, a),
            loss_cycle=self.cycle_weight * cycle,
        )
        if self.identity_weight:
            identity = _distance(to_a(a), a) + _distance(to_b(b), b)
            losses['loss_identity'] = self.cycle_weight * self.identity_weight * identity
        return losses

    def sample_rows(self, batch: TrainingBatch) -> list[Tensor]:
        """Source, its translation and what comes back; the same of the target."""
        rows = []
        for images, *cycle in ((batch.source, 'a2b', 'b2a'), (batch.target, 'b2a', 'a2b')):
            rows.append(images)
            for domain in cycle:
                rows.append(self.translate(rows[-1], domain))
        return rows

    def judged(self, discriminator: str, batch: TrainingBatch) -> tuple[Tensor, Tensor]:
        """Images of a domain, and fakes, of which half are those of earlier iterations."""
        domain = discriminator[-1]
        fakes = batch.outputs[domain].detach()
        if domain in self.pools:
            fakes = self.pools[domain].query(fakes.float())  # type: ignore[operator]
        return batch.source if domain == 'a' else batch.target, fakes


def _distance(images: Tensor, others: Tensor) -> Tensor:
    return (images.float() - others).abs().mean()
