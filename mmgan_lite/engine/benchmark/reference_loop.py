"""The loop that one would write by hand for a GAN: what the overhead is measured against."""

import copy
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import Tensor, nn

from mmgan_lite.engine.mmengine_compat import accumulative_counts
from mmgan_lite.models import GAN, ExponentialMovingAverage, ImageBatchPreprocessor

Batch = tuple[Tensor, Tensor | None]

# What the hand-written loop can do of a GAN; the rest of a config it would leave out in silence.
_KNOWN_OF_GAN = {
    'type',
    'generator',
    'discriminator',
    'loss',
    'ema',
    'discriminator_steps',
    'generator_steps',
    'channels_last',
    'cuda_graph',
    'data_preprocessor',
    'init_cfg',
}


class HandLoop:
    """The training of a GAN in plain PyTorch, as one would write it for one experiment.

    No Runner, hooks, optim wrappers or data preprocessor, and no log; the learning rate stays. It
    is what the overhead of a framework is measured against. Each call is one iteration.

    Args:
        gan: A model of its own, on its device, whose networks, loss and settings are taken.
        optim_wrapper: Its optimisers, which step here without their wrappers.
        batches: Real images, float ``(N, C, H, W)`` in [-1, 1], with labels ``(N,)`` or None.

    Example:
        >>> from mmgan_lite.inference import get_model
        >>> from mmgan_lite.engine.optimizers import MultiOptimWrapperConstructor
        >>> gan = get_model('gan_mlp_digits-28x28').train()
        >>> adam = dict(optimizer=dict(type='Adam', lr=2e-4))
        >>> build = MultiOptimWrapperConstructor(dict(generator=adam, discriminator=adam))
        >>> step = HandLoop(gan, build(gan), iter([(torch.zeros(4, 1, 28, 28), None)]))
        >>> step()
        >>> step.iteration
        1
    """

    def __init__(self, gan: GAN, optim_wrapper: OptimWrapperDict, batches: Iterator[Batch]) -> None:
        self.batches = batches
        self.generator, self.discriminator, self.loss = gan.generator, gan.discriminator, gan.loss
        self.latent_dim, self.device = gan.latent_dim, gan.device
        self.discriminator_steps = gan.discriminator_steps
        self.generator_steps = gan.generator_steps
        self.opt_g = optim_wrapper['generator'].optimizer
        self.opt_d = optim_wrapper['discriminator'].optimizer
        self.cast_g = _autocast(optim_wrapper['generator'], self.device)
        self.cast_d = _autocast(optim_wrapper['discriminator'], self.device)
        self.trained_d = [p for p in self.discriminator.parameters() if p.requires_grad]
        self.ema: nn.Module | None = None
        if gan.generator_ema is not None:
            self.ema, self.momentum = copy.deepcopy(self.generator), gan.generator_ema.momentum
            self.ema_pairs = [*self.ema.parameters()], [*self.generator.parameters()]
            self.ema_buffers = [*zip(self.ema.buffers(), self.generator.buffers(), strict=True)]
        self.iteration = 0

    def __call__(self) -> None:
        """One step of the discriminator, and the generator's when they are due."""
        images, labels = next(self.batches)
        self.step_discriminator(images, labels)
        self.iteration += 1
        if self.iteration % self.discriminator_steps == 0:
            for _ in range(self.generator_steps):
                self.step_generator(images, labels)

    def step_discriminator(self, images: Tensor, labels: Tensor | None) -> None:
        """Real against fake, without gradient to the generator."""
        with self.cast_d():
            with torch.no_grad():
                fakes = self.generator(self.latents(len(images)), labels)
            real_logits = self.discriminator(images, labels).float()
            loss = self.loss.discriminator(real_logits, self.discriminator(fakes, labels).float())
        loss.backward()
        self.opt_d.step()
        self.opt_d.zero_grad()

    def step_generator(self, images: Tensor, labels: Tensor | None) -> None:
        """Through the discriminator, which needs no gradients of its own, and into the average."""
        for parameter in self.trained_d:
            parameter.requires_grad_(False)
        with self.cast_g():
            fake_logits = self.discriminator(
                self.generator(self.latents(len(images)), labels), labels
            ).float()
            if self.loss.needs_real_logits:
                with torch.no_grad():
                    real_logits = self.discriminator(images, labels).float()
                loss = self.loss.generator(fake_logits, real_logits)
            else:
                loss = self.loss.generator(fake_logits)
        loss.backward()
        self.opt_g.step()
        self.opt_g.zero_grad()
        for parameter in self.trained_d:
            parameter.requires_grad_(True)
        if self.ema is not None:
            self.update_average()

    @torch.no_grad()
    def update_average(self) -> None:
        """``average += momentum * (weights - average)``; buffers are copied."""
        torch._foreach_lerp_(*self.ema_pairs, self.momentum)
        for average, buffer in self.ema_buffers:
            average.copy_(buffer)

    def latents(self, num: int) -> Tensor:
        """Standard normal, ``(num, latent_dim)``."""
        return torch.randn(num, self.latent_dim, device=self.device)


def unknown_to_hand_loop(
    model_cfg: Mapping, model: nn.Module, optim_wrapper: OptimWrapper
) -> str | None:
    """What of a config :class:`HandLoop` does not do, in words; None if it does all.

    Args:
        model_cfg: The config of the model.
        model: The model that was built from it.
        optim_wrapper: Its optimisers.
    """
    if type(model) is not GAN:
        return f'a {type(model).__name__}'
    extra = [key for key in model_cfg if key not in _KNOWN_OF_GAN and model_cfg[key]]
    if extra:
        return f'{", ".join(extra)} of the model'
    if type(model.data_preprocessor) is not ImageBatchPreprocessor:
        return f'a {type(model.data_preprocessor).__name__}'
    average, settings = model.generator_ema, set(model_cfg.get('ema') or ())
    if average is not None and type(average) is not ExponentialMovingAverage:
        return f'a {type(average).__name__}'
    if not settings <= {'type', 'momentum'}:
        return f'{", ".join(sorted(settings - {"type", "momentum"}))} of ema'
    for name, wrapper in optim_wrapper.items():
        if type(wrapper) is not OptimWrapper and not hasattr(wrapper, 'dtype'):
            return f'a {type(wrapper).__name__}'
        for argument, used in (
            ('accumulative_counts', accumulative_counts(wrapper) != 1),
            ('clip_grad', bool(wrapper.clip_grad_kwargs)),
            ('float16', getattr(wrapper, 'dtype', None) is torch.float16),
        ):
            if used:
                return f'{argument} of the {name}'
    return None


def batches_of_tensor(
    dataset: Any, gan: GAN, batch_size: int, channels_last: bool
) -> Iterator[Batch] | None:
    """Batches of the tensor that a dataset holds its images in.

    Args:
        dataset: One with ``images``, uint8 ``(M, C, H, W)``, and ``labels`` where it has some.
        gan: The model that they are for.
        batch_size: Images of a batch.
        channels_last: Whether images lie in memory pixel by pixel.

    Returns:
        What :func:`shuffled_batches` gives, on the device of ``gan``; None if the dataset has no
        such tensor, has a pipeline that changes the images, or is smaller than a batch.
    """
    images = getattr(dataset, 'images', None)
    if (
        not isinstance(images, Tensor)
        or (images.dtype, images.ndim) != (torch.uint8, 4)
        or len(images) < batch_size
        or getattr(getattr(dataset, 'pipeline', None), 'transforms', None)
    ):
        return None
    labels = None if gan.num_classes is None else dataset.labels.to(gan.device)
    memory_format = torch.channels_last if channels_last else torch.contiguous_format
    return shuffled_batches(images.to(gan.device), labels, batch_size, memory_format)


def shuffled_batches(
    images: Tensor, labels: Tensor | None, batch_size: int, memory_format: torch.memory_format
) -> Iterator[Batch]:
    """Shuffled batches of images in one tensor, without end; the rest of a pass is dropped.

    Args:
        images: uint8 ``(M, C, H, W)``, where they will be needed; M >= ``batch_size``.
        labels: int64 ``(M,)``, in the same place, or None.
        batch_size: Images of a batch.
        memory_format: How a batch lies in memory.

    Yields:
        Images, float32 ``(batch_size, C, H, W)`` in [-1, 1], and their labels or None.
    """
    whole = len(images) - len(images) % batch_size
    while True:
        for index in torch.randperm(len(images), device=images.device)[:whole].split(batch_size):
            batch = images[index].float().sub_(127.5).div_(127.5)
            batch = batch.contiguous(memory_format=memory_format)
            yield batch, None if labels is None else labels[index]


def _autocast(wrapper: OptimWrapper, device: torch.device) -> Callable[[], torch.autocast]:
    dtype = getattr(wrapper, 'dtype', None)
    return functools.partial(torch.autocast, device.type, dtype, enabled=dtype is not None)
