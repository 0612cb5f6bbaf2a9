"""The GAN: a generator and a discriminator, from latents to images.

Goodfellow et al. 2014, Generative Adversarial Networks, arXiv:1406.2661.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.optim import OptimWrapperDict
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from mmgan_lite.models.adversarial_model import AdversarialModel, Player
from mmgan_lite.models.compatibility import (
    check_batch,
    check_parts,
    check_regularizers,
    has_classifier,
    takes_one_pass,
)
from mmgan_lite.models.data_preprocessor import TrainingBatch
from mmgan_lite.models.losses import AuxiliaryLoss, Regularizer
from mmgan_lite.models.modes import freeze, frozen_statistics, unchanged_buffers
from mmgan_lite.models.styles import generate, map_latents, mix_styles, synthesize
from mmgan_lite.registry import MODELS, build_part
from mmgan_lite.utils.interfaces import CountsImages, CountsSteps, ObservesLogits, unwrap_model
from mmgan_lite.utils.validation import check_positive


@MODELS.register_module()
class GAN(AdversarialModel):
    """A generator and a discriminator that train against each other.

    One iteration takes one batch: a step of the discriminator on it, and after every
    ``discriminator_steps`` of them ``generator_steps`` steps of the generator. Each part but the
    average is a config or a built object; an unprefixed ``type`` is one of mmgan_lite under any
    default scope. Conditional networks train the fakes on the labels of the batch.

    Args:
        generator: ``forward(latents, labels=None)`` gives images in [-1, 1]; has ``latent_dim``,
            ``image_shape``, which may change while it trains, and ``num_classes`` (None without
            labels).
        discriminator: ``forward(images, labels=None)`` gives logits ``(N, ...)``: one an image, or
            a map. Where it has ``image_shape`` or ``num_classes``, they must be the generator's.
            With ``one_pass=True`` it gets real images and fakes together in its step, which is the
            same where each logit depends on its image alone, and faster for linear layers.
        loss: An :class:`~mmgan_lite.models.AdversarialLoss`.
        auxiliary_loss: One :class:`~mmgan_lite.models.AuxiliaryLoss` or a list of them, such as
            :class:`~mmgan_lite.models.AuxiliaryClassifierLoss` for a discriminator that also
            classifies (``has_classifier``).
        regularizers: Each a :class:`~mmgan_lite.models.Regularizer` of the discriminator or of the
            generator. One with an ``interval`` of k is computed in every k-th step, and then counts
            k times.
        augmentation: ``forward(images)`` gives what the discriminator sees, of real images and of
            fakes, in both players' steps; differentiable. None for the images themselves.
        latents: Distribution of the generator's inputs; None for
            :class:`~mmgan_lite.models.NormalLatents`.
        ema: Config of an average of the generator's weights, which samples are drawn from; None
            for no average. Built with ``model=generator``.
        discriminator_steps: Steps of the discriminator before the generator's turn, at least 1.
        generator_steps: Steps of the generator in its turn, at least 1, on new latents each.
        channels_last: Whether images and weights of convolutions lie in memory pixel by pixel,
            which convolutions in bfloat16 and float16 prefer.
        cuda_graph: Whether the iteration is recorded on the GPU and replayed, which helps where
            networks are small. Needs one process and batches of one size, and parts that leave all
            values on the device.
        data_preprocessor: From the data loader's batch to ``inputs`` in [-1, 1] and ``labels``, and
            by ``to_uint8`` back; None for :class:`~mmgan_lite.models.ImageBatchPreprocessor`.
        init_cfg: MMEngine's initialization of weights; None leaves it to the networks.
        frozen: Modules and weights that are not trained, by name, such as the first layers of a
            discriminator that is fine-tuned on few images: ``('discriminator.layers.0',)``.

    Raises:
        ValueError: If a part lacks an attribute, or two parts do not fit together.

    Example:
        >>> gan = GAN(
        ...     generator=dict(type='MLPGenerator', latent_dim=8, image_shape=(1, 4, 4)),
        ...     discriminator=dict(type='MLPDiscriminator', image_shape=(1, 4, 4)),
        ...     loss=dict(type='NonSaturatingGANLoss'))
        >>> gan.sample(3).shape
        torch.Size([3, 1, 4, 4])
    """

    def __init__(
        self,
        generator: Mapping | nn.Module,
        discriminator: Mapping | nn.Module,
        loss: Mapping | nn.Module,
        auxiliary_loss: Mapping | nn.Module | Sequence[Mapping | nn.Module] | None = None,
        regularizers: Sequence[Mapping | nn.Module] = (),
        augmentation: Mapping | nn.Module | None = None,
        latents: Mapping | nn.Module | None = None,
        ema: Mapping | None = None,
        discriminator_steps: int = 1,
        generator_steps: int = 1,
        channels_last: bool = False,
        cuda_graph: bool = False,
        data_preprocessor: Mapping | nn.Module | None = None,
        init_cfg: Mapping | Sequence[Mapping] | None = None,
        frozen: Sequence[str] = (),
    ) -> None:
        check_positive('discriminator_steps', discriminator_steps)
        check_positive('generator_steps', generator_steps)
        super().__init__(
            players=dict(
                # Its step takes fakes without gradient: nothing is left to freeze.
                discriminator=Player(('discriminator',), 'discriminator', frozen=()),
                generator=Player(
                    ('generator',), 'generator', steps=generator_steps, every=discriminator_steps
                ),
            ),
            data_preprocessor=data_preprocessor or dict(type='ImageBatchPreprocessor'),
            regularizers=regularizers,
            cuda_graph=cuda_graph,
            init_cfg=init_cfg,
        )
        self.discriminator_steps, self.generator_steps = discriminator_steps, generator_steps
        self.generator = build_part(MODELS, generator, 'generator')
        self.discriminator = build_part(MODELS, discriminator, 'discriminator')
        self.loss = build_part(MODELS, loss, 'loss')
        self.auxiliary_losses = _build_auxiliary_losses(auxiliary_loss)
        self.latents = build_part(MODELS, latents or dict(type='NormalLatents'), 'latents')
        self.augmentation: Any = (
            None if augmentation is None else build_part(MODELS, augmentation, 'augmentation')
        )
        self._adapts = isinstance(self.augmentation, ObservesLogits)
        parts = (self.generator, self.discriminator, self.loss, self.auxiliary_losses)
        check_parts(*parts, self.data_preprocessor, ema)
        check_regularizers(self.regularizers, self)
        # Kept, because a wrapper for several processes hides the attributes of a network.
        self.latent_dim, self.num_classes = self.generator.latent_dim, self.generator.num_classes
        self._one_pass = takes_one_pass(self.discriminator)
        self._classifies = has_classifier(self.discriminator)
        self.generator_ema = (
            None if ema is None else build_part(MODELS, {**ema, 'model': self.generator}, 'ema')
        )
        freeze(self, frozen)
        self._memory_format = torch.channels_last if channels_last else torch.contiguous_format
        self.to(memory_format=self._memory_format)

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Channels, height and width of the images that the generator gives at present."""
        return tuple(unwrap_model(self.generator).image_shape)

    def init_weights(self) -> None:
        """Initialize the networks by ``init_cfg``; the average starts where the generator does."""
        super().init_weights()
        if self.generator_ema is not None:
            self.generator_ema.module.load_state_dict(unwrap_model(self.generator).state_dict())

    def check_average(self, optim_wrapper: OptimWrapperDict, batch_size: int) -> None:
        """Raise ``ValueError`` if the average has another number of images an update."""
        wrapper = optim_wrapper['generator']
        if not (isinstance(self.generator_ema, CountsImages) and isinstance(wrapper, CountsSteps)):
            return
        given = self.generator_ema.images_per_update
        images = batch_size * self.discriminator_steps / self.generator_steps
        images *= wrapper.accumulative_counts
        # It is an int, which the images of one of several steps in a turn need not be.
        if abs(given - images) >= 1:
            raise ValueError(
                'images_per_update must be the real images from one step of the generator to '
                f'the next, {images:g} with batch_size={batch_size}, got {given}. '
                f'Set images_per_update={max(1, round(images))}.'
            )

    def forward(
        self, inputs: Tensor, labels: Tensor | None = None, mode: str = 'tensor'
    ) -> Tensor | list[BaseDataElement] | dict[str, Tensor]:
        """What MMEngine's loops call, with one fake for each real image.

        Args:
            inputs: Real images, float ``(N, C, H, W)`` in [-1, 1].
            labels: int64 ``(N,)``; the fakes of a conditional model are generated with them.
            mode: 'tensor' gives fakes, float ``(N, C, H, W)`` in [-1, 1]; 'predict' gives a list of
                N data elements with ``fake_image``, uint8 ``(C, H, W)``, ``gt_label`` where
                conditional, and ``from_ema``; 'loss' gives ``loss_disc`` and ``loss_gen`` on this
                batch.

        Raises:
            ValueError: If ``mode`` is none of these, or an image of 'predict' is not finite.
        """
        labels = check_batch(inputs, labels, self.image_shape, self.num_classes)
        if mode == 'loss':
            with torch.no_grad(), frozen_statistics(self):
                batch = self._judged(TrainingBatch(self.scaled(inputs), labels))
                keys = dict(discriminator='loss_disc', generator='loss_gen')
                return {key: self._objective(player, batch)[key] for player, key in keys.items()}
        if mode not in ('tensor', 'predict'):
            raise ValueError(
                f"mode must be 'tensor', 'predict' or 'loss', got {mode!r}. "
                "Pass mode='tensor' for images in [-1, 1]."
            )
        fakes = self.sample(len(inputs), labels=labels)
        if mode == 'tensor':
            return fakes
        if not bool(fakes.isfinite().all()):
            # As bytes they are ordinary images, which no metric can detect.
            raise ValueError(
                'The generator must give finite images, got NaN or infinity: the training has '
                'diverged. Take an earlier checkpoint, or train with a lower rate.'
            )
        images = self.data_preprocessor.to_uint8(fakes)
        metainfo = dict(from_ema=self.generator_ema is not None)
        elements = [BaseDataElement(metainfo=metainfo, fake_image=image) for image in images]
        if labels is not None:
            for element, label in zip(elements, labels, strict=True):
                element.gt_label = label
        return elements

    @torch.no_grad()
    def sample(
        self,
        num: int,
        labels: Tensor | Sequence[int] | None = None,
        latents: Tensor | None = None,
        generator: torch.Generator | None = None,
        use_ema: bool = True,
        truncation: float = 1.0,
        truncation_cutoff: int | None = None,
        style_mixing: int | None = None,
    ) -> Tensor:
        """Draw images from the generator in eval mode; its mode is put back afterwards.

        Args:
            num: How many, at least 1; all in one pass of the network.
            labels: ``num`` ints in [0, ``num_classes``); None draws them evenly at random. Only for
                a conditional model.
            latents: Float ``(num, latent_dim)``; None draws them.
            generator: Random numbers for what is drawn here; None for torch's global ones.
            use_ema: Whether to draw from the average of the weights, where there is one.
            truncation: Factor in [0, 1] of the distance to the mean, in the generator's space W
                where it has ``truncate``, else in the latents: less gives images that are more
                typical and more alike.
            truncation_cutoff: The first so many layers are truncated; None for all. Only for a
                generator with ``truncate``.
            style_mixing: From this layer on, each image has the style of other latents, which are
                drawn; None for none. Only for a generator with ``mapping`` and ``synthesis``.

        Returns:
            Float ``(num, C, H, W)`` in [-1, 1], on the model's device.

        Raises:
            ValueError: If an argument is out of its range, or does not fit the others.
        """
        check_positive('num', num)
        if not 0 <= truncation <= 1:
            raise ValueError(f'truncation must lie in [0, 1], got {truncation}. Pass 1.0 for none.')
        if latents is None:
            latents = self.sample_latents(num, generator)
        elif tuple(latents.shape) != (num, self.latent_dim):
            raise ValueError(
                f'latents must be of shape (num, latent_dim) = {(num, self.latent_dim)}, '
                f'got {tuple(latents.shape)}. Draw them with sample_latents(num).'
            )
        labels = _labels_of_samples(self, num, labels, generator)
        network = self.sampled_generator(use_ema)
        truncated = (labels, truncation, truncation_cutoff)
        if style_mixing is None:
            return generate(network, latents.to(self.device), *truncated)
        others = self.sample_latents(num, generator)
        ws = map_latents(network, latents.to(self.device), *truncated)
        ws = mix_styles(ws, map_latents(network, others, *truncated), style_mixing)
        return synthesize(network, ws)

    def sampled_generator(self, use_ema: bool = True) -> Any:
        """The generator that images are drawn from: the average of the weights, or the last."""
        if use_ema and self.generator_ema is not None:
            return self.generator_ema.module
        return unwrap_model(self.generator)

    def sample_latents(self, num: int, generator: torch.Generator | None = None) -> Tensor:
        """Latents of the model's distribution, float32 ``(num, latent_dim)``, on its device.

        With a ``generator`` they are drawn on its device, so that one on the CPU gives the same
        latents to a model on any device.
        """
        return self.latents(num, self.latent_dim, generator=generator, device=self.device)

    def prepare_batch(self, data: Any) -> TrainingBatch:
        """A batch of the data loader as images and labels that fit the networks.

        Returns:
            ``images``, float ``(N, C, H, W)`` in [-1, 1], and ``labels``, int64 ``(N,)``, or None
            for an unconditional model.

        Raises:
            ValueError: If the images are of another shape, or labels are missing.
        """
        batch = super().prepare_batch(data)
        batch.labels = check_batch(batch.images, batch.labels, self.image_shape, self.num_classes)
        batch.images = self.scaled(batch.images).contiguous(memory_format=self._memory_format)
        return batch

    def scaled(self, images: Tensor) -> Tensor:
        """Real images at the size that the networks train on: as they are, but in subclasses."""
        return images

    def losses(self, player: str, batch: TrainingBatch) -> dict[str, Tensor]:
        """``loss_disc``, ``real_logits`` and ``fake_logits`` (means), or ``loss_gen``.

        With those of the auxiliary losses: ``loss_class_disc`` and ``loss_class_gen`` of a
        classifier.
        """
        latents = self.sample_latents(len(batch.images))
        if player == 'discriminator':
            generator = unwrap_model(self.generator)
            with torch.no_grad(), frozen_statistics(generator):
                fakes = generator(latents, batch.labels)
            batch.outputs = self._judge_both(self.discriminator, batch, fakes, self._one_pass)
        else:
            fakes = self.generator(latents, batch.labels)
            batch.outputs = self._judge_fakes(batch, fakes)
        batch.outputs |= dict(latents=latents, fake_images=fakes)
        losses = self._objective(player, batch)
        if player == 'discriminator':
            for name in ('real_logits', 'fake_logits'):
                losses[name] = batch.outputs[name].detach().mean()
        return losses

    def penalty(self, regularizer: Any, player: str, batch: TrainingBatch) -> Tensor:
        """A regularizer on the player's network and what it gave in this step."""
        outputs = batch.outputs
        images = (batch.images, outputs['fake_images'], batch.labels)
        if player == 'discriminator':
            if isinstance(regularizer, Regularizer) and regularizer.takes_network:
                images = (self._augmented(batch.images), *images[1:])
                return regularizer(unwrap_model(self.discriminator), *images)
            return regularizer(
                self._critic, *images, outputs['real_logits'], outputs['fake_logits']
            )
        known = dict(fake_logits=outputs['fake_logits'], latents=outputs['latents'])
        return regularizer(unwrap_model(self.generator), *images, **known)

    def after_update(self, player: str, batch: TrainingBatch, stepped: bool) -> None:
        """The augmentation adapts to the discriminator; the average takes in the generator."""
        if player == 'discriminator':
            if self._adapts:
                self.augmentation.observe(batch.outputs['real_logits'].detach())
        elif self.generator_ema is not None and stepped:
            self.generator_ema.update_parameters(unwrap_model(self.generator))

    def probe(self, real_images: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
        """State of the two players on a batch, as a step of training finds them.

        In the modes of training, augmented, and in float32. Nothing is left behind: weights,
        gradients, batch norm's statistics and all other buffers are unchanged; only torch's random
        numbers advance. Exchanges nothing with other processes.

        Args:
            real_images: Float ``(N, C, H, W)`` in [-1, 1], some or all of a prepared batch.
            labels: int64 ``(N,)`` for the fakes; None for an unconditional model.

        Returns:
            All detached: ``fake_images`` ``(N, C, H, W)``; ``real_logits`` and ``fake_logits``
            ``(N, ...)``; ``grad_norm_discriminator`` and ``grad_norm_generator``, 2-norms of the
            gradients of the objective and the auxiliary losses, on these images and without
            regularizers.
        """
        norms = {}
        with torch.enable_grad(), unchanged_buffers(self), self.uncompiled():
            batch = self._judged(TrainingBatch(real_images, labels))
            for name in ('discriminator', 'generator'):
                loss = sum(self._objective(name, batch).values())
                network = unwrap_model(self.get_submodule(name))
                norms[f'grad_norm_{name}'] = _norm_of_gradient(loss, network)
        names = ('fake_images', 'real_logits', 'fake_logits')
        return {name: batch.outputs[name].detach() for name in names} | norms

    def _judged(self, batch: TrainingBatch) -> TrainingBatch:
        """The batch with fakes and all logits, past the wrappers of several processes."""
        latents = self.sample_latents(len(batch.images))
        fakes = unwrap_model(self.generator)(latents, batch.labels)
        batch.outputs = self._judge_both(unwrap_model(self.discriminator), batch, fakes)
        batch.outputs |= dict(latents=latents, fake_images=fakes)
        return batch

    def _objective(self, player: str, batch: TrainingBatch) -> dict[str, Any]:
        """The adversarial and the auxiliary losses, from the outputs of the networks."""
        outputs = batch.outputs
        if player == 'discriminator':
            real_logits, fake_logits = outputs['real_logits'], outputs['fake_logits']
            losses = dict(loss_disc=self.loss.discriminator(real_logits, fake_logits))
        else:
            compared = (outputs['real_logits'].detach(),) if self.loss.needs_real_logits else ()
            losses = dict(loss_gen=self.loss.generator(outputs['fake_logits'], *compared))
        for auxiliary_loss in self.auxiliary_losses:
            losses |= auxiliary_loss.losses(player, batch, outputs)  # type: ignore[operator]
        return losses

    def _judge_fakes(self, batch: TrainingBatch, fakes: Tensor) -> dict[str, Any]:
        """Outputs of the discriminator in a step of the generator."""
        discriminator = unwrap_model(self.discriminator)
        outputs = self._judge('fake', discriminator, fakes, batch.labels)
        if self.loss.needs_real_logits:
            with torch.no_grad():
                outputs |= self._judge('real', discriminator, batch.images, batch.labels)
        return outputs

    def _judge_both(
        self, discriminator: Any, batch: TrainingBatch, fakes: Tensor, one_pass: bool = False
    ) -> dict[str, Any]:
        """Outputs of the discriminator for real images, and for fakes with the same labels."""
        images, labels = batch
        if not one_pass:
            real = self._judge('real', discriminator, images, labels)
            return real | self._judge('fake', discriminator, fakes, labels)
        twice = None if labels is None else torch.cat([labels, labels])
        both = self._judge('both', discriminator, torch.cat([images, fakes]), twice)
        real, fake = both['both_logits'].chunk(2)
        outputs: dict[str, Any] = dict(real_logits=real, fake_logits=fake)
        outputs |= dict(real_classes=None, fake_classes=None)
        if self._classifies:
            outputs['real_classes'], outputs['fake_classes'] = both['both_classes'].chunk(2)
        return outputs

    def _judge(
        self, kind: str, discriminator: Any, images: Tensor, labels: Tensor | None
    ) -> dict[str, Any]:
        """``<kind>_logits`` of augmented images, and ``<kind>_classes`` or None.

        In float32, whatever autocast computed them in.
        """
        images = self._augmented(images)
        if self._classifies:
            logits, classes = discriminator(images, labels, return_classes=True)
        else:
            logits, classes = discriminator(images, labels), None
        if logits.ndim == 0 or len(logits) != len(images):
            raise ValueError(
                f'discriminator must return logits of shape (N, ...), with N = {len(images)} '
                f'images first, got {tuple(logits.shape)} from '
                f'{type(unwrap_model(discriminator)).__name__}. Average over all but the images.'
            )
        return {f'{kind}_logits': logits.float(), f'{kind}_classes': classes}

    def _augmented(self, images: Tensor) -> Tensor:
        """What the discriminator sees of images."""
        return images if self.augmentation is None else self.augmentation(images)

    def _critic(self, images: Tensor, labels: Tensor | None) -> Tensor:
        """The discriminator as its regularizers see it: a function of the unaugmented images."""
        return self._judge('real', self.discriminator, images, labels)['real_logits']


def _build_auxiliary_losses(losses: Any) -> nn.ModuleList:
    """From one loss, several or None."""
    if not isinstance(losses, list | tuple):
        losses = [] if losses is None else [losses]
    built = nn.ModuleList(build_part(MODELS, loss, 'auxiliary_loss') for loss in losses)
    for loss in built:
        if not isinstance(loss, AuxiliaryLoss):
            raise ValueError(
                f'auxiliary_loss must be an AuxiliaryLoss, got {type(loss).__name__}. Derive it '
                'from that and define losses(), or from AuxiliaryClassifierLoss and define '
                'discriminator() and generator().'
            )
    return built


def _labels_of_samples(gan: GAN, num: int, labels: Any, generator: Any) -> Tensor | None:
    """The labels that were given, checked, or random ones; None for an unconditional model."""
    if gan.num_classes is None:
        if labels is not None:
            raise ValueError(
                f'labels must be None for a model without classes, got {str(labels):.60}. '
                'Train a conditional model to choose classes.'
            )
        return None
    if labels is None:
        device = gan.device if generator is None else generator.device
        drawn = torch.randint(gan.num_classes, (num,), generator=generator, device=device)
        return drawn.to(gan.device)
    labels = torch.as_tensor(labels)
    if labels.is_floating_point():
        raise ValueError(f'labels must be ints, got {labels.dtype}. Pass class indices.')
    if tuple(labels.shape) != (num,):
        raise ValueError(
            f'labels must be {num} ints, one for each image, got shape {tuple(labels.shape)}.'
        )
    if bool(((labels < 0) | (labels >= gan.num_classes)).any()):
        raise ValueError(
            f'labels must lie in [0, {gan.num_classes}), got {labels.min().item()} to '
            f'{labels.max().item()}. The model was built with num_classes={gan.num_classes}.'
        )
    return labels.to(gan.device)


def _norm_of_gradient(loss: Any, network: nn.Module) -> Tensor:
    """2-norm over all weights of a network; their ``grad`` and the graph of the loss stay."""
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    gradients = torch.autograd.grad(loss, trained, retain_graph=True, allow_unused=True)
    norms = [torch.linalg.vector_norm(g) for g in gradients if g is not None]
    return torch.linalg.vector_norm(torch.stack(norms)) if norms else loss.new_zeros(())
