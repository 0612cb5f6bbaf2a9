"""The GAN: two networks, an objective, and the only training step in the package.

Goodfellow et al. 2014, Generative Adversarial Networks, arXiv:1406.2661.
"""

import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from mmengine.model import BaseModel, is_model_wrapper
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.structures import BaseDataElement
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmgan_lite.models.cuda_graph import GraphedStep
from mmgan_lite.models.layers import MinibatchStddev
from mmgan_lite.models.modes import evaluating, frozen, frozen_statistics, unchanged_buffers
from mmgan_lite.registry import MODELS, build_part
from mmgan_lite.utils.validation import check_positive


@MODELS.register_module()
class GAN(BaseModel):
    """A generator and a discriminator that train against each other.

    One iteration takes one batch: a step of the discriminator on it, and after every
    ``discriminator_steps`` of them ``generator_steps`` steps of the generator. Each part but the
    average is a config or a built object; an unprefixed ``type`` is one of ours under any default
    scope. Conditional networks train the fakes on the labels of the batch.

    Args:
        generator: ``forward(latents, labels=None)`` gives images in [-1, 1]; tells ``latent_dim``,
            ``image_shape`` and ``num_classes`` (None without labels).
        discriminator: ``forward(images, labels=None)`` gives ``(N,)`` logits. Where it tells
            ``image_shape`` or ``num_classes``, they must be the generator's. One that tells
            ``one_pass=True`` gets real images and fakes together in its step, which is the same
            where it judges each image by itself, and faster for linear layers.
        loss: An :class:`~mmgan_lite.models.AdversarialLoss`.
        auxiliary_loss: An :class:`~mmgan_lite.models.AuxiliaryClassifierLoss`, for a discriminator
            that also tells classes (``has_classifier``); None for any other.
        regularizers: Of the discriminator, each a :class:`~mmgan_lite.models.Regularizer`. One with
            an ``interval`` of k is computed in every k-th step, and then counts k times.
        augmentation: ``forward(images)`` gives what the discriminator sees, of real images and of
            fakes, in both players' steps; differentiable. None for the images as they are.
        latents: Distribution of what the generator starts from; None for
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
        init_cfg: MMEngine's initialisation of weights; None leaves it to the networks.

    Raises:
        ValueError: If a part does not tell what it must, or two parts do not fit together.

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
        auxiliary_loss: Mapping | nn.Module | None = None,
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
    ) -> None:
        data_preprocessor = data_preprocessor or dict(type='ImageBatchPreprocessor')
        super().__init__(build_part(MODELS, data_preprocessor, 'data_preprocessor'), init_cfg)
        if not hasattr(self.data_preprocessor, 'to_uint8'):
            raise ValueError(
                'data_preprocessor must turn images back by to_uint8, but '
                f'{type(self.data_preprocessor).__name__} cannot. Use, or derive it from, '
                'ImageBatchPreprocessor.'
            )
        if ema is not None and not isinstance(ema, Mapping):
            raise ValueError(
                f'ema must be a config or None, got {type(ema).__name__}. '
                "Pass ema=dict(type='ExponentialMovingAverage', momentum=1e-3)."
            )
        self.discriminator_steps = check_positive('discriminator_steps', discriminator_steps)
        self.generator_steps = check_positive('generator_steps', generator_steps)
        self.generator = build_part(MODELS, generator, 'generator')
        self.discriminator = build_part(MODELS, discriminator, 'discriminator')
        self.loss = build_part(MODELS, loss, 'loss')
        self.auxiliary_loss: Any = _build_optional(auxiliary_loss, 'auxiliary_loss')
        self.latents = build_part(MODELS, latents or dict(type='NormalLatents'), 'latents')
        self.augmentation: Any = _build_optional(augmentation, 'augmentation')
        self.regularizers = nn.ModuleList(
            build_part(MODELS, regularizer, f'regularizers[{position}]')
            for position, regularizer in enumerate(regularizers)
        )
        _check_names(self.regularizers)
        # Kept here because a wrapper for several processes hides what a network tells.
        self.latent_dim, self.image_shape, self.num_classes = _told_by(self.generator)
        _check_match(self.generator, self.discriminator)
        _check_classifier(self.discriminator, self.auxiliary_loss)
        self._together = _check_one_pass(self.discriminator)
        self.generator_ema = (
            None if ema is None else build_part(MODELS, {**ema, 'model': self.generator}, 'ema')
        )
        self.cuda_graph = cuda_graph
        self._graphed_step: GraphedStep | None = None
        self._memory_format = torch.channels_last if channels_last else torch.contiguous_format
        self.to(memory_format=self._memory_format)

    def init_weights(self) -> None:
        """Initialise the networks by ``init_cfg``; the average starts where the generator does."""
        super().init_weights()
        if self.generator_ema is not None:
            self.generator_ema.module.load_state_dict(_bare(self.generator).state_dict())

    def train(self, mode: bool = True) -> 'GAN':
        """Put all parts into training mode, or with ``mode=False`` into eval mode."""
        # MMEngine's loops ask for it in each iteration. To look whether anything is to be done
        # takes a tenth of the time that setting the mode of each module takes.
        if any(module.training != mode for module in self.modules()):
            super().train(mode)
        return self

    def train_step(self, data: Any, optim_wrapper: OptimWrapperDict) -> dict[str, Tensor]:
        """One iteration: the discriminator's step, and the generator's when it is due.

        Args:
            data: A batch of the data loader.
            optim_wrapper: One optim wrapper each under 'discriminator' and 'generator'.

        Returns:
            Detached scalars for the log: ``loss_disc``, mean ``real_logits`` and ``fake_logits``,
            ``loss_<regularizer>`` of those that were due, ``loss_gen`` when the generator trained,
            ``loss_class_disc`` and ``loss_class_gen`` with an auxiliary loss, and
            ``grad_norm_<network>`` when clipping.

        Raises:
            ValueError: If the batch or the optim wrapper does not fit the model.
        """
        self.check_optim_wrapper(optim_wrapper)
        real_images, labels = self.prepare_batch(data)
        # The wrapper counts the discriminator's steps, one an iteration, and MMEngine sets its
        # count on resume: the turn of the generator goes on where it was.
        steps = optim_wrapper['discriminator'].inner_count
        turn = (steps + 1) % self.discriminator_steps == 0
        due = tuple(
            index for index, part in enumerate(self.regularizers) if steps % part.interval == 0
        )
        step = functools.partial(self._iteration, optim_wrapper, turn, due)
        if not self.cuda_graph:
            return step(real_images, labels)
        if self._graphed_step is None:
            self._graphed_step = self._build_graphed_step(optim_wrapper)
        return self._graphed_step((turn, due), step, real_images, labels)

    def check_optim_wrapper(self, optim_wrapper: OptimWrapper) -> None:
        """Raise ``ValueError`` unless there is one optim wrapper for each of the two networks."""
        if isinstance(optim_wrapper, OptimWrapperDict):
            found = ', '.join(map(repr, optim_wrapper.keys()))
            if 'generator' in optim_wrapper and 'discriminator' in optim_wrapper:
                return
        else:
            found = f'a single {type(optim_wrapper).__name__}'
        raise ValueError(
            'optim_wrapper must hold one wrapper each for the generator and the discriminator, '
            f"got {found}. Set optim_wrapper=dict(constructor='MultiOptimWrapperConstructor', "
            'generator=dict(...), discriminator=dict(...)).'
        )

    def check_average(self, optim_wrapper: OptimWrapperDict, batch_size: int) -> None:
        """Raise ``ValueError`` if the average was told another number of images an update."""
        told = getattr(self.generator_ema, 'images_per_update', None)
        images = batch_size * self.discriminator_steps / self.generator_steps
        images *= optim_wrapper['generator']._accumulative_counts
        # It is an int, which the images of one of several steps in a turn need not be.
        if told is not None and abs(told - images) >= 1:
            raise ValueError(
                'images_per_update must be the real images from one step of the generator to '
                f'the next, {images:g} with batch_size={batch_size}, got {told}. '
                f'Set images_per_update={max(1, round(images))}.'
            )

    def step_counts(self, iterations: int) -> dict[str, int]:
        """How many steps each network has made after so many iterations of training."""
        turns = iterations // self.discriminator_steps
        return dict(discriminator=iterations, generator=turns * self.generator_steps)

    def forward(
        self, inputs: Tensor, labels: Tensor | None = None, mode: str = 'tensor'
    ) -> Tensor | list[BaseDataElement] | dict[str, Tensor]:
        """What MMEngine's loops ask of a model, with one fake drawn for each real image.

        Args:
            inputs: Real images, float ``(N, C, H, W)`` in [-1, 1].
            labels: int64 ``(N,)``; the fakes of a conditional model are drawn with them.
            mode: 'tensor' gives fakes, float ``(N, C, H, W)`` in [-1, 1]; 'predict' gives a list of
                N data elements with ``fake_image``, uint8 ``(C, H, W)``, ``gt_label`` where
                conditional, and ``from_ema``; 'loss' gives ``loss_disc`` and ``loss_gen`` on this
                batch.

        Raises:
            ValueError: If ``mode`` is none of these, or an image of 'predict' is not finite.
        """
        labels = self._check_batch(inputs, labels)
        if mode == 'loss':
            return self._losses(inputs, labels)
        if mode not in ('tensor', 'predict'):
            raise ValueError(
                f"mode must be 'tensor', 'predict' or 'loss', got {mode!r}. "
                "Pass mode='tensor' for images in [-1, 1]."
            )
        fakes = self.sample(len(inputs), labels=labels)
        if mode == 'tensor':
            return fakes
        if not bool(fakes.isfinite().all()):
            # As bytes they are ordinary images, and no metric can tell.
            raise ValueError(
                'The generator must give finite images, got NaN or infinity. The training has '
                'diverged: take an earlier checkpoint, or train with a lower rate.'
            )
        images = self.data_preprocessor.to_uint8(fakes)
        told = dict(from_ema=self.generator_ema is not None)
        if labels is None:
            return [BaseDataElement(metainfo=told, fake_image=image) for image in images]
        return [
            BaseDataElement(metainfo=told, fake_image=image, gt_label=label)
            for image, label in zip(images, labels, strict=True)
        ]

    @torch.no_grad()
    def sample(
        self,
        num: int,
        labels: Tensor | Sequence[int] | None = None,
        latents: Tensor | None = None,
        generator: torch.Generator | None = None,
        use_ema: bool = True,
        truncation: float = 1.0,
    ) -> Tensor:
        """Draw images from the generator in eval mode; its mode is put back afterwards.

        Args:
            num: How many, at least 1; all in one pass of the network.
            labels: ``num`` ints in [0, ``num_classes``); None draws them evenly at random. Only for
                a conditional model.
            latents: Float ``(num, latent_dim)``; None draws them.
            generator: Random numbers for what is drawn here; None for torch's global ones.
            use_ema: Whether to draw from the average of the weights, where there is one.
            truncation: Factor of the latents, in [0, 1]: less moves them towards their mean, for
                images that are more typical and more alike.

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
        labels = self._sample_labels(num, labels, generator)
        network = _bare(self.generator)
        if use_ema and self.generator_ema is not None:
            network = self.generator_ema
        with evaluating(network):
            return network(truncation * latents.to(self.device), labels)

    def sample_latents(self, num: int, generator: torch.Generator | None = None) -> Tensor:
        """Latents of the model's distribution, float32 ``(num, latent_dim)``, on its device.

        With a ``generator`` they are drawn on its device, so that one on the CPU gives the same
        latents to a model on any device.
        """
        return self.latents(num, self.latent_dim, generator=generator, device=self.device)

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.data_preprocessor.device

    def prepare_batch(self, data: Any) -> tuple[Tensor, Tensor | None]:
        """A batch of the data loader as images and labels that fit the networks.

        Returns:
            Images, float ``(N, C, H, W)`` in [-1, 1], and labels, int64 ``(N,)``, or None for an
            unconditional model.

        Raises:
            ValueError: If the images are of another shape, or labels are missing.
        """
        batch = self.data_preprocessor(data, True)
        images = batch['inputs'].contiguous(memory_format=self._memory_format)
        return images, self._check_batch(images, batch.get('labels'))

    def probe(self, real_images: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
        """How the two players stand on a batch, as a step of training finds them.

        In the modes of training, augmented, and in float32. Nothing stays of it: weights,
        gradients, batch norm's statistics and all other buffers are as they were. Only torch's
        random numbers go on. It talks to no other process.

        Args:
            real_images: Float ``(N, C, H, W)`` in [-1, 1], some or all of a prepared batch.
            labels: int64 ``(N,)``, which the fakes are drawn with; None for an unconditional model.

        Returns:
            All detached: ``fake_images`` ``(N, C, H, W)``; ``real_logits`` and ``fake_logits``
            ``(N,)``; ``grad_norm_discriminator`` and ``grad_norm_generator``, 2-norms of the
            gradients of the objective and the auxiliary loss, on these images and without
            regularisers.
        """
        generator, discriminator = _bare(self.generator), _bare(self.discriminator)
        with torch.enable_grad(), unchanged_buffers(self):
            fake_images = generator(self.sample_latents(len(real_images)), labels)
            real_logits, real_classes = self._judge(discriminator, real_images, labels)
            fake_logits, fake_classes = self._judge(discriminator, fake_images, labels)
            loss_disc = self.loss.discriminator(real_logits, fake_logits)
            compared = (real_logits.detach(),) if self.loss.needs_real_logits else ()
            loss_gen = self.loss.generator(fake_logits, *compared)
            if self.auxiliary_loss is not None:
                loss_disc = loss_disc + self.auxiliary_loss.discriminator(
                    real_classes, fake_classes, labels
                )
                loss_gen = loss_gen + self.auxiliary_loss.generator(fake_classes, labels)
            grad_norms = dict(
                grad_norm_discriminator=_norm_of_gradient(loss_disc, discriminator),
                grad_norm_generator=_norm_of_gradient(loss_gen, generator),
            )
        return dict(
            fake_images=fake_images.detach(),
            real_logits=real_logits.detach(),
            fake_logits=fake_logits.detach(),
            **grad_norms,
        )

    def _build_graphed_step(self, optim_wrapper: OptimWrapperDict) -> GraphedStep:
        if is_model_wrapper(self.generator):
            raise ValueError(
                'cuda_graph=True needs training in one process, got several. Set cuda_graph=False.'
            )
        return GraphedStep([optim_wrapper['discriminator'], optim_wrapper['generator']])

    def _iteration(
        self,
        optim_wrapper: OptimWrapperDict,
        generator_turn: bool,
        regularizers_due: Sequence[int],
        real_images: Tensor,
        labels: Tensor | None,
    ) -> dict[str, Tensor]:
        regularizers = [self.regularizers[index] for index in regularizers_due]
        log = self._train_discriminator(
            real_images, labels, optim_wrapper['discriminator'], regularizers
        )
        if generator_turn:
            for _ in range(self.generator_steps):
                log |= self._train_generator(real_images, labels, optim_wrapper['generator'])
        return log

    def _train_discriminator(
        self,
        real_images: Tensor,
        labels: Tensor | None,
        optim_wrapper: OptimWrapper,
        regularizers: Sequence[Any],
    ) -> dict[str, Tensor]:
        with optim_wrapper.optim_context(self.discriminator):
            generator = _bare(self.generator)
            with torch.no_grad(), frozen_statistics(generator):
                fake_images = generator(self.sample_latents(len(real_images)), labels)
            (real_logits, real_classes), (fake_logits, fake_classes) = self._judge_both(
                real_images, fake_images, labels
            )
            losses = dict(loss_disc=self.loss.discriminator(real_logits, fake_logits))
            if self.auxiliary_loss is not None:
                losses['loss_class_disc'] = self.auxiliary_loss.discriminator(
                    real_classes, fake_classes, labels
                )
            loss = sum(losses.values())
            for regularizer in regularizers:
                penalty = regularizer(
                    self._critic, real_images, fake_images, labels, real_logits, fake_logits
                )
                losses[f'loss_{regularizer.name}'] = penalty
                # Lazy: what is computed every k-th time counts k times.
                loss = loss + regularizer.interval * penalty
        optim_wrapper.update_params(loss)
        if hasattr(self.augmentation, 'observe') and not _skipped(optim_wrapper):
            self.augmentation.observe(real_logits.detach())
        return dict(
            {name: value.detach() for name, value in losses.items()},
            real_logits=real_logits.detach().mean(),
            fake_logits=fake_logits.detach().mean(),
            **_grad_norm('discriminator', optim_wrapper),
        )

    def _train_generator(
        self, real_images: Tensor, labels: Tensor | None, optim_wrapper: OptimWrapper
    ) -> dict[str, Tensor]:
        with frozen(_bare(self.discriminator)):
            with optim_wrapper.optim_context(self.generator):
                fake_images = self.generator(self.sample_latents(len(real_images)), labels)
                losses = self._generator_losses(real_images, fake_images, labels)
            optim_wrapper.update_params(sum(losses.values()))
        # Between two updates of accumulated gradients there is nothing new to average, and after a
        # step that was left out neither.
        updated = optim_wrapper.should_update() and not _skipped(optim_wrapper)
        if self.generator_ema is not None and updated:
            self.generator_ema.update_parameters(_bare(self.generator))
        return dict(
            {name: value.detach() for name, value in losses.items()},
            **_grad_norm('generator', optim_wrapper),
        )

    def _generator_losses(
        self, real_images: Tensor, fake_images: Tensor, labels: Tensor | None
    ) -> dict[str, Tensor]:
        discriminator = _bare(self.discriminator)
        fake_logits, fake_classes = self._judge(discriminator, fake_images, labels)
        if self.loss.needs_real_logits:
            with torch.no_grad():
                real_logits, _ = self._judge(discriminator, real_images, labels)
            losses = dict(loss_gen=self.loss.generator(fake_logits, real_logits))
        else:
            losses = dict(loss_gen=self.loss.generator(fake_logits))
        if self.auxiliary_loss is not None:
            losses['loss_class_gen'] = self.auxiliary_loss.generator(fake_classes, labels)
        return losses

    def _judge_both(
        self, real_images: Tensor, fake_images: Tensor, labels: Tensor | None
    ) -> tuple[tuple[Tensor, Tensor | None], tuple[Tensor, Tensor | None]]:
        """What ``_judge`` gives of real images and of fakes with the same labels."""
        if not self._together:
            real = self._judge(self.discriminator, real_images, labels)
            return real, self._judge(self.discriminator, fake_images, labels)
        images = torch.cat([real_images, fake_images])
        twice = None if labels is None else torch.cat([labels, labels])
        logits, classes = self._judge(self.discriminator, images, twice)
        real_logits, fake_logits = logits.chunk(2)
        real_classes, fake_classes = (None, None) if classes is None else classes.chunk(2)
        return (real_logits, real_classes), (fake_logits, fake_classes)

    def _judge(
        self, discriminator: nn.Module, images: Tensor, labels: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """Logits, and those of the classes where there is a classifier, of augmented images.

        In float32, whatever autocast computed them in.
        """
        if self.augmentation is not None:
            images = self.augmentation(images)
        classes = None
        if self.auxiliary_loss is None:
            logits = discriminator(images, labels)
        else:
            logits, classes = discriminator(images, labels, return_classes=True)
        if logits.shape != (len(images),):
            # (N, 1) would broadcast to (N, N) in an objective that subtracts logits.
            raise ValueError(
                f'discriminator must return logits of shape (N,) = ({len(images)},), got '
                f'{tuple(logits.shape)} from {type(_bare(discriminator)).__name__}. '
                'End its forward with .squeeze(1).'
            )
        return logits.float(), classes

    def _critic(self, images: Tensor, labels: Tensor | None) -> Tensor:
        """The discriminator as its regularisers see it: a function of the unaugmented images."""
        return self._judge(self.discriminator, images, labels)[0]

    @torch.no_grad()
    def _losses(self, real_images: Tensor, labels: Tensor | None) -> dict[str, Tensor]:
        generator, discriminator = _bare(self.generator), _bare(self.discriminator)
        with frozen_statistics(generator), frozen_statistics(discriminator):
            fake_images = generator(self.sample_latents(len(real_images)), labels)
            real_logits, _ = self._judge(discriminator, real_images, labels)
            fake_logits, _ = self._judge(discriminator, fake_images, labels)
            return dict(
                loss_disc=self.loss.discriminator(real_logits, fake_logits),
                loss_gen=self._generator_losses(real_images, fake_images, labels)['loss_gen'],
            )

    def _check_batch(self, images: Tensor, labels: Tensor | None) -> Tensor | None:
        if tuple(images.shape[1:]) != self.image_shape:
            raise ValueError(
                f'image_shape of the networks must be that of the data, got {self.image_shape} for '
                f'images of {tuple(images.shape[1:])}. Build the networks with '
                f'image_shape={tuple(images.shape[1:])}, or resize the images in the dataset.'
            )
        if self.num_classes is None:
            return None
        if labels is None:
            raise ValueError(
                f'num_classes={self.num_classes} needs data with labels, got a batch without. '
                'Train on a dataset that has labels, or build the networks with num_classes=None.'
            )
        if len(labels) != len(images):
            raise ValueError(
                f'labels must be one an image, got {len(labels)} for {len(images)} images. '
                'Mend the dataset, or its collate_fn.'
            )
        return labels

    def _sample_labels(
        self,
        num: int,
        labels: Tensor | Sequence[int] | None,
        generator: torch.Generator | None,
    ) -> Tensor | None:
        if self.num_classes is None:
            if labels is not None:
                raise ValueError(
                    'labels must be None for a model without classes (num_classes=None), '
                    f'got {str(labels):.60}. Train a conditional model to choose classes.'
                )
            return None
        if labels is None:
            device = self.device if generator is None else generator.device
            drawn = torch.randint(self.num_classes, (num,), generator=generator, device=device)
            return drawn.to(self.device)
        labels = torch.as_tensor(labels)
        if labels.is_floating_point():
            raise ValueError(f'labels must be ints, got {labels.dtype}. Pass class indices.')
        if tuple(labels.shape) != (num,):
            raise ValueError(
                f'labels must be one for each of num={num} images, got shape '
                f'{tuple(labels.shape)}. Pass {num} ints.'
            )
        if bool(((labels < 0) | (labels >= self.num_classes)).any()):
            raise ValueError(
                f'labels must lie in [0, {self.num_classes}), got {labels.min().item()} to '
                f'{labels.max().item()}. The model was built with num_classes={self.num_classes}.'
            )
        return labels.to(self.device)


def _bare(network: nn.Module) -> Any:
    """The network itself: the wrapper of several processes belongs to the step that trains it."""
    return network.module if is_model_wrapper(network) else network


def _build_optional(part: Mapping | nn.Module | None, name: str) -> nn.Module | None:
    return None if part is None else build_part(MODELS, part, name)


def _grad_norm(network: str, optim_wrapper: OptimWrapper) -> dict[str, Tensor]:
    """What a wrapper of ours clipped last; one of MMEngine's has logged it by itself."""
    norm = getattr(optim_wrapper, 'grad_norm', None)
    return {} if norm is None else {f'grad_norm_{network}': norm.detach()}


def _skipped(optim_wrapper: OptimWrapper) -> bool:
    """Whether a guard kept the network from its last step; MMEngine's wrappers have none."""
    return getattr(optim_wrapper, 'skipped', False)


def _norm_of_gradient(loss: Tensor, network: nn.Module) -> Tensor:
    """2-norm over all weights of a network; their ``grad`` and the graph of the loss stay."""
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    gradients = torch.autograd.grad(loss, trained, retain_graph=True, allow_unused=True)
    norms = [torch.linalg.vector_norm(g) for g in gradients if g is not None]
    return torch.linalg.vector_norm(torch.stack(norms)) if norms else loss.new_zeros(())


def _told_by(generator: Any) -> tuple[int, tuple[int, ...], int | None]:
    """``latent_dim``, ``image_shape`` and ``num_classes`` of the generator."""
    for name in ('latent_dim', 'image_shape', 'num_classes'):
        if not hasattr(generator, name):
            raise ValueError(
                f'generator must tell its {name}, but {type(generator).__name__} has no such '
                f'attribute. Set self.{name} in its __init__.'
            )
    return generator.latent_dim, tuple(generator.image_shape), generator.num_classes


def _check_match(generator: nn.Module, discriminator: nn.Module) -> None:
    """Raise if the discriminator tells that it was built for other images or labels."""
    for name in ('image_shape', 'num_classes'):
        if not hasattr(discriminator, name):
            continue
        ours, theirs = (
            tuple(value) if isinstance(value, Sequence) else value
            for value in (getattr(generator, name), getattr(discriminator, name))
        )
        if ours != theirs:
            raise ValueError(
                f'{name} of generator and discriminator must be the same, got '
                f'{name}={ours!r} of {type(generator).__name__} and {name}={theirs!r} of '
                f'{type(discriminator).__name__}. Set both to {name}={ours!r}.'
            )


def _check_names(regularizers: Iterable[Any]) -> None:
    names = [regularizer.name for regularizer in regularizers]
    for name in names:
        if name in ('disc', 'gen', 'class_disc', 'class_gen'):
            raise ValueError(
                f"the name of a regulariser must not be {name!r}: 'loss_{name}' in the log is of "
                'the objective. Give it another name.'
            )
        if names.count(name) > 1:
            raise ValueError(
                f'regularizers must each be of another kind, got {names.count(name)} of {name!r}, '
                'which would be logged as one. Add their weights.'
            )


def _check_one_pass(discriminator: nn.Module) -> bool:
    """Whether it takes real images and fakes together; raise if that is not the same."""
    if not getattr(discriminator, 'one_pass', False):
        return False
    for name, module in discriminator.named_modules():
        if isinstance(module, (_BatchNorm, MinibatchStddev)):
            raise ValueError(
                'one_pass must be False for a discriminator whose logit of an image depends on '
                f'the others of the batch, got True of {type(discriminator).__name__}, which has '
                f'{type(module).__name__} in {name!r}. Set self.one_pass = False.'
            )
    return True


def _check_classifier(discriminator: Any, auxiliary_loss: nn.Module | None) -> None:
    """Raise unless a classifier and its loss come together."""
    network = type(discriminator).__name__
    has_classifier = getattr(discriminator, 'has_classifier', False)
    if auxiliary_loss is not None and not has_classifier:
        raise ValueError(
            f'auxiliary_loss needs a discriminator that tells classes, but {network} has no '
            "classifier. Build it with conditioning='classifier', or set auxiliary_loss=None."
        )
    if auxiliary_loss is None and has_classifier:
        raise ValueError(
            f'auxiliary_loss must be given where the discriminator has a classifier, as {network} '
            "has. Add auxiliary_loss=dict(type='AuxiliaryClassifierLoss')."
        )
