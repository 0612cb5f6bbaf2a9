"""What models that translate images have in common."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from mmgan_lite.models.adversarial_model import AdversarialModel, Player
from mmgan_lite.models.data_preprocessor import TrainingBatch
from mmgan_lite.models.modes import evaluating, freeze, frozen_statistics
from mmgan_lite.registry import MODELS, build_part
from mmgan_lite.utils.interfaces import ChecksImages, ObservesLogits, unwrap_model
from mmgan_lite.utils.validation import check_choice

_STATISTICS = ('running', 'batch')


class TranslationModel(AdversarialModel):
    """Base class: one generator for each direction, and discriminators of their images.

    In each iteration the generators step first; then the discriminators step on the same fakes.

    A subclass sets the class attributes, gives its networks to :meth:`add_networks` when it is
    built, and defines :meth:`generator_losses` and :meth:`judged`.

    Args:
        loss: An :class:`~mmgan_lite.models.AdversarialLoss`.
        regularizers: Of the discriminators, each on all of them.
        augmentation: What the discriminators see of real images and of fakes; None for the images.
        ema: Config of an average of each generator's weights; None for no average.
        channels_last: Whether images and weights of convolutions lie in memory pixel by pixel.
        test_statistics: When translating, batch norm normalizes by its 'running' statistics; or by
            those of the 'batch', with dropout, as in the testing of pix2pix (arXiv:1611.07004).
        data_preprocessor: From the data loader's batch to ``source`` and ``target`` in [-1, 1];
            None for :class:`~mmgan_lite.models.ImageBatchPreprocessor`.
        init_cfg: MMEngine's initialization of weights; None leaves it to the networks.
        frozen: Modules and weights that are not trained, by name.

    Attributes:
        domains: Names of the directions, such as ``('a2b', 'b2a')``.
        generators: Names of the children that translate, in the order of :attr:`domains`.
        discriminators: Names of the children that judge.
        others: Names of more children that the generators' optimizer trains.

    Raises:
        ValueError: If an argument is out of its range.
    """

    domains: tuple[str, ...] = ('a2b',)
    generators: tuple[str, ...] = ('generator',)
    discriminators: tuple[str, ...] = ('discriminator',)
    others: tuple[str, ...] = ()

    def __init__(
        self,
        loss: Mapping | nn.Module,
        regularizers: Sequence[Mapping | nn.Module] = (),
        augmentation: Mapping | nn.Module | None = None,
        ema: Mapping | None = None,
        channels_last: bool = False,
        test_statistics: str = 'running',
        data_preprocessor: Mapping | nn.Module | None = None,
        init_cfg: Mapping | Sequence[Mapping] | None = None,
        frozen: Sequence[str] = (),
    ) -> None:
        super().__init__(
            players=dict(
                generator=Player((*self.generators, *self.others), 'generator'),
                # Its step takes fakes without gradient: nothing is left to freeze.
                discriminator=Player(self.discriminators, 'discriminator', frozen=()),
            ),
            data_preprocessor=data_preprocessor or dict(type='ImageBatchPreprocessor'),
            regularizers=regularizers,
            init_cfg=init_cfg,
        )
        for owner in self._regularized:
            if owner != 'discriminator':
                raise ValueError(
                    f'regularizers of {type(self).__name__} must be of the discriminator, got one '
                    f'of the {owner}. Remove it.'
                )
        self.test_statistics = check_choice('test_statistics', test_statistics, _STATISTICS)
        self.loss: Any = build_part(MODELS, loss, 'loss')
        self.augmentation: Any = (
            None if augmentation is None else build_part(MODELS, augmentation, 'augmentation')
        )
        self._ema: Any = ema
        self._frozen = frozen
        self._memory_format = torch.channels_last if channels_last else torch.contiguous_format

    def add_networks(self, **networks: Mapping | nn.Module) -> None:
        """Build the networks, and the averages of those that translate.

        Args:
            networks: A config or an object of each generator, discriminator and other, by name.
        """
        for name, cfg in networks.items():
            setattr(self, name, build_part(MODELS, cfg, name))
        self._averages = {}
        for name in self.generators if self._ema is not None else ():
            average = build_part(MODELS, {**self._ema, 'model': self.get_submodule(name)}, 'ema')
            setattr(self, f'{name}_ema', average)
            self._averages[name] = average
        freeze(self, self._frozen)
        self.to(memory_format=self._memory_format)

    @abstractmethod
    def generator_losses(self, batch: TrainingBatch) -> dict[str, Tensor]:
        """Weighted scalars of a step of the generators; what :meth:`judged` needs is kept."""

    @abstractmethod
    def judged(self, discriminator: str, batch: TrainingBatch) -> tuple[Tensor, Tensor]:
        """Real images and fakes, without gradient, for a discriminator's step after that."""

    def translator(self, domain: str | None = None, use_ema: bool = True) -> Any:
        """The generator of a direction, past the wrapper of several processes.

        Args:
            domain: One of :attr:`domains`; None for the first.
            use_ema: Whether to take the average of its weights, where there is one.

        Raises:
            ValueError: If there is no such direction.
        """
        domain = check_choice('domain', domain or self.domains[0], self.domains)
        name = self.generators[self.domains.index(domain)]
        if use_ema and name in self._averages:
            return self._averages[name].module
        return unwrap_model(self.get_submodule(name))

    @torch.no_grad()
    def translate(self, images: Tensor, domain: str | None = None, use_ema: bool = True) -> Tensor:
        """Images of the other domain; the modes of the networks are put back afterwards.

        Args:
            images: Float ``(N, C, H, W)`` in [-1, 1].
            domain: One of :attr:`domains`; None for the first.
            use_ema: Whether to take the average of the weights, where there is one.

        Returns:
            Float ``(N, C', H', W')`` in [-1, 1], on the model's device.

        Raises:
            ValueError: If there is no such direction, or the size does not fit the network.
        """
        network = self.translator(domain, use_ema)
        images = images.to(self.device).contiguous(memory_format=self._memory_format)
        by_batch = self.test_statistics == 'batch'
        with evaluating(network), frozen_statistics(network.train()) if by_batch else nullcontext():
            return network(images)

    def sample_rows(self, batch: TrainingBatch) -> list[Tensor]:
        """What a grid shows of each pair: source, output and target.

        Args:
            batch: From :meth:`prepare_batch`.

        Returns:
            A column of the grid each, float ``(N, C, H, W)`` in [-1, 1].
        """
        return [batch.source, self.translate(batch.source), batch.target]

    def forward(
        self, source: Tensor, target: Tensor | None = None, mode: str = 'tensor'
    ) -> Tensor | list[BaseDataElement]:
        """What MMEngine's loops call: the first direction, on images of a data loader.

        Args:
            source: Float ``(N, C, H, W)`` in [-1, 1].
            target: Float ``(N, C, H, W)`` in [-1, 1], or None.
            mode: 'tensor' gives what :meth:`translate` does; 'predict' a list of N data elements
                with ``source``, ``fake_image`` and, where given, ``target``: uint8 ``(C, H, W)``;
                ``domain`` and ``from_ema`` say what the fakes are.

        Raises:
            ValueError: If ``mode`` is none of these.
        """
        fakes = self.translate(source)
        if check_choice('mode', mode, ('tensor', 'predict')) == 'tensor':
            return fakes
        images = dict(source=source, target=target, fake_image=fakes)
        as_bytes = {
            name: self.data_preprocessor.to_uint8(value)
            for name, value in images.items()
            if value is not None
        }
        metainfo = dict(from_ema=bool(self._averages), domain=self.domains[0])
        return [
            BaseDataElement(metainfo=metainfo, **dict(zip(as_bytes, row, strict=True)))
            for row in zip(*as_bytes.values(), strict=True)
        ]

    def prepare_batch(self, data: Any) -> TrainingBatch:
        """A batch of the data loader as images of both domains.

        Returns:
            ``source`` and ``target``, float ``(N, C, H, W)`` in [-1, 1].

        Raises:
            ValueError: If one is missing, there is not one target for each source, or they do not
                fit the networks.
        """
        batch = super().prepare_batch(data)
        if batch.source is None or batch.target is None:
            raise ValueError(
                f"{type(self).__name__} needs batches with 'source' and 'target', got others. "
                "Train on dict(type='PairedImageDataset') or dict(type='UnpairedImageDataset')."
            )
        if len(batch.source) != len(batch.target):
            raise ValueError(
                'source and target of a batch must be of one number, got '
                f'{len(batch.source)} and {len(batch.target)}. Correct the dataset.'
            )
        ends = (('source', batch.source), ('target', batch.target))
        for name, order in zip(self.generators, (ends, ends[::-1]), strict=False):
            _check_images(name, unwrap_model(self.get_submodule(name)), *order)
        batch.source = batch.source.contiguous(memory_format=self._memory_format)
        batch.target = batch.target.contiguous(memory_format=self._memory_format)
        return batch

    def losses(self, player: str, batch: TrainingBatch) -> dict[str, Tensor]:
        """:meth:`generator_losses`; or ``loss_disc``, ``real_logits``, ``fake_logits`` (means).

        Where there are several discriminators, the names end in that of the discriminator.
        """
        if player == 'generator':
            return self.generator_losses(batch)
        losses = {}
        for name in self.discriminators:
            real, fake = self.judged(name, batch)
            real_logits, fake_logits = (self._judge(name, images) for images in (real, fake))
            batch.outputs[name] = (real, fake, real_logits, fake_logits)
            end = name.removeprefix('discriminator')
            losses[f'loss_disc{end}'] = self.loss.discriminator(real_logits, fake_logits)
            losses[f'real_logits{end}'] = real_logits.detach().mean()
            losses[f'fake_logits{end}'] = fake_logits.detach().mean()
        return losses

    def penalty(self, regularizer: Any, player: str, batch: TrainingBatch) -> Tensor:
        """The sum of a regularizer over the discriminators."""
        total: Any = 0
        for name in self.discriminators:
            real, fake, real_logits, fake_logits = batch.outputs[name]

            def critic(images: Tensor, labels: Tensor | None, name: str = name) -> Tensor:
                return self._judge(name, images)

            total = total + regularizer(critic, real, fake, None, real_logits, fake_logits)
        return total

    def after_update(self, player: str, batch: TrainingBatch, stepped: bool) -> None:
        """The averages take in the generators; the augmentation adapts to the discriminators."""
        if player == 'generator' and stepped:
            for name, average in self._averages.items():
                average.update_parameters(unwrap_model(self.get_submodule(name)))
        if player == 'discriminator' and isinstance(self.augmentation, ObservesLogits):
            for name in self.discriminators:
                self.augmentation.observe(batch.outputs[name][2].detach())

    def adversarial_loss(self, discriminator: str, fake: Tensor, real: Tensor) -> Tensor:
        """The generator's, of what a discriminator sees of its fakes.

        Args:
            discriminator: Name of the attribute.
            fake: Float ``(N, C, H, W)``, with the generator's gradient.
            real: Float ``(N, C, H, W)``; only relativistic losses look at it.
        """
        fake_logits = self._judge(discriminator, fake, wrapped=False)
        if not self.loss.needs_real_logits:
            return self.loss.generator(fake_logits)
        with torch.no_grad():
            real_logits = self._judge(discriminator, real, wrapped=False)
        return self.loss.generator(fake_logits, real_logits)

    def _judge(self, name: str, images: Tensor, wrapped: bool = True) -> Tensor:
        """Logits of augmented images in float32, whatever autocast computed them in."""
        network = self.get_submodule(name)
        if self.augmentation is not None:
            images = self.augmentation(images)
        return (network if wrapped else unwrap_model(network))(images).float()


def _check_images(
    name: str, network: nn.Module, given: tuple[str, Tensor], wanted: tuple[str, Tensor]
) -> None:
    """Raise ``ValueError`` unless a generator makes images like the second of the first."""
    if not isinstance(network, ChecksImages):
        return
    try:
        network.check_images(given[1])
    except ValueError as error:
        raise ValueError(f'{name} does not take the {given[0]}: {error}') from error
    if network.out_channels != (channels := wanted[1].shape[1]):
        raise ValueError(
            f'out_channels of {name} must be the channels of the {wanted[0]}, got '
            f'{network.out_channels} for {channels}. Build it with out_channels={channels}, or '
            'change the channels of the dataset.'
        )
