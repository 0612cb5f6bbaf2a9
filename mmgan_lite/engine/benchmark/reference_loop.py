"""Reference loop: the training of a GAN in plain PyTorch, which MMEngine is compared with."""

import copy
import functools
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import torch
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import Tensor, nn
from torch.utils.data import DataLoader

from mmgan_lite import models
from mmgan_lite.datasets import InMemoryImageDataset
from mmgan_lite.engine.mmengine_compat import accumulative_counts
from mmgan_lite.engine.optimizers import GANOptimWrapper
from mmgan_lite.models import GAN

Batch = tuple[Tensor, Tensor | None]

# Parts of a GAN that the loop calls, and those that it has code of its own for.
_CALLED = ('generator', 'discriminator', 'loss')
_REPLACED: dict[str, type] = dict(
    data_preprocessor=models.ImageBatchPreprocessor,
    latents=models.NormalLatents,
    generator_ema=models.ExponentialMovingAverage,
)
# Batches that are prepared if the dataset has no tensor of images.
_PREPARED_BATCHES = 8


class ReferenceLoop:
    """The training of a GAN in plain PyTorch, as one would write it for one experiment.

    No Runner, hooks, optim wrappers or data preprocessor, no log, a constant learning rate: the
    overhead of MMEngine is what training takes longer. Each call is one iteration.

    Args:
        gan: Model whose networks, loss and settings are used; it is trained in place.
        optim_wrapper: Its optim wrappers, of which only the optimizers are used.
        batches: Real images, float ``(N, C, H, W)`` in [-1, 1], with labels ``(N,)`` or None.

    Example:
        >>> from mmgan_lite.inference import get_model
        >>> from mmgan_lite.engine.optimizers import MultiOptimWrapperConstructor
        >>> gan = get_model('gan_mlp_digits-28x28').train()
        >>> adam = dict(optimizer=dict(type='Adam', lr=2e-4))
        >>> build = MultiOptimWrapperConstructor(dict(generator=adam, discriminator=adam))
        >>> step = ReferenceLoop(gan, build(gan), iter([(torch.zeros(4, 1, 28, 28), None)]))
        >>> step()
        >>> step.iteration
        1
    """

    def __init__(self, gan: GAN, optim_wrapper: OptimWrapperDict, batches: Iterator[Batch]) -> None:
        self.gan, self.batches, self.iteration = gan, batches, 0
        self.opt_g = optim_wrapper['generator'].optimizer
        self.opt_d = optim_wrapper['discriminator'].optimizer
        self.cast_g = _autocast(optim_wrapper['generator'], gan.device)
        self.cast_d = _autocast(optim_wrapper['discriminator'], gan.device)
        self.trained_d = [p for p in gan.discriminator.parameters() if p.requires_grad]
        self.ema: nn.Module | None = None
        if gan.generator_ema is not None:
            self.ema, self.momentum = copy.deepcopy(gan.generator), gan.generator_ema.momentum
            self.ema_pairs = [*self.ema.parameters()], [*gan.generator.parameters()]
            self.ema_buffers = [*zip(self.ema.buffers(), gan.generator.buffers(), strict=True)]

    def __call__(self) -> None:
        """A step of the discriminator, and the steps of the generator when they are due."""
        images, labels = next(self.batches)
        self.step_discriminator(images, labels)
        self.iteration += 1
        if self.iteration % self.gan.discriminator_steps == 0:
            for _ in range(self.gan.generator_steps):
                self.step_generator(images, labels)

    def step_discriminator(self, images: Tensor, labels: Tensor | None) -> None:
        """Real and fake images, without gradient to the generator."""
        discriminator = self.gan.discriminator
        with self.cast_d():
            with torch.no_grad():
                fakes = self.gan.generator(self.latents(len(images)), labels)
            real_logits = discriminator(images, labels).float()
            fake_logits = discriminator(fakes, labels).float()
            loss = self.gan.loss.discriminator(real_logits, fake_logits)
        self.opt_d.zero_grad()
        loss.backward()
        self.opt_d.step()

    def step_generator(self, images: Tensor, labels: Tensor | None) -> None:
        """Step through the frozen discriminator, and update the average."""
        discriminator = self.gan.discriminator
        for parameter in self.trained_d:
            parameter.requires_grad_(False)
        with self.cast_g():
            fakes = self.gan.generator(self.latents(len(images)), labels)
            logits = [discriminator(fakes, labels).float()]
            if self.gan.loss.needs_real_logits:
                with torch.no_grad():
                    logits.append(discriminator(images, labels).float())
            loss = self.gan.loss.generator(*logits)
        self.opt_g.zero_grad()
        loss.backward()
        self.opt_g.step()
        for parameter in self.trained_d:
            parameter.requires_grad_(True)
        if self.ema is not None:
            with torch.no_grad():  # average += momentum * (weights - average)
                torch._foreach_lerp_(*self.ema_pairs, self.momentum)
                for average, buffer in self.ema_buffers:
                    average.copy_(buffer)

    def latents(self, num: int) -> Tensor:
        """Standard normal, ``(num, latent_dim)``."""
        return torch.randn(num, self.gan.latent_dim, device=self.gan.device)


def unsupported_part(model: nn.Module, optim_wrapper: OptimWrapper) -> str | None:
    """Name a part of a training that :class:`ReferenceLoop` does not have; None if there is none.

    Args:
        model: The model.
        optim_wrapper: Its optim wrappers.
    """
    if type(model) is not GAN:
        return f'a {type(model).__name__}'
    for name, part in model.named_children():
        if type(part) is not _REPLACED.get(name, type(part)):
            return f'a {type(part).__name__}'
        is_empty = isinstance(part, nn.ModuleList) and len(part) == 0
        if name not in (*_CALLED, *_REPLACED) and not is_empty:
            return f'{name} of the model'
    average = model.generator_ema
    if average is not None and (average.warm_up or average.start > 1):
        return 'warm_up or start of ema'
    for name, wrapper in optim_wrapper.items():
        if type(wrapper) not in (OptimWrapper, GANOptimWrapper):
            return f'a {type(wrapper).__name__}'
        if accumulative_counts(wrapper) != 1:
            return f'accumulative_counts of the {name}'
        if wrapper.clip_grad_kwargs:
            return f'clip_grad of the {name}'
        if autocast_dtype(wrapper) is torch.float16:
            return f'float16 of the {name}'
    return None


def autocast_dtype(wrapper: OptimWrapper) -> torch.dtype | None:
    """The dtype of mixed precision; None for float32."""
    return wrapper.dtype if isinstance(wrapper, GANOptimWrapper) else None


def make_reference_loop(
    gan: Any,
    optim_wrapper: Any,
    loader: DataLoader,
    batches: Iterator[Any],
    channels_last: bool,
    notes: list[str],
) -> ReferenceLoop | None:
    """A reference loop for a model, which it trains, or None if it does not have all parts.

    Args:
        gan: The model.
        optim_wrapper: Its optim wrappers.
        loader: The data loader. If its dataset has all images in one tensor, batches are made of
            that.
        batches: Of the loader; otherwise a few of them are prepared, and repeated.
        channels_last: Whether the channels of an image come last in memory.
        notes: Gets notes about what differs from the training of the config.
    """
    if unsupported := unsupported_part(gan, optim_wrapper):
        notes.append(f'reference loop left out: it has no {unsupported}')
        return None
    loop_batches = batches_of_tensor(loader.dataset, gan, batch_size_of(loader), channels_last)
    if loop_batches is None:
        notes.append('reference loop: batches are prepared, as the data is no tensor of images')
        prepared = [gan.prepare_batch(next(batches)) for _ in range(_PREPARED_BATCHES)]
        loop_batches = itertools.cycle(prepared)
    if gan.cuda_graph:
        notes.append('reference loop: launches each kernel, while the config has cuda_graph=True')
    return ReferenceLoop(gan, optim_wrapper, loop_batches)


def batches_of_tensor(
    dataset: Any, gan: GAN, batch_size: int, channels_last: bool
) -> Iterator[Batch] | None:
    """Batches of a dataset that has all images in one tensor.

    Args:
        dataset: Any dataset.
        gan: The model that they are for.
        batch_size: Images of a batch.
        channels_last: Whether the channels of an image come last in memory.

    Returns:
        :func:`shuffled_batches` on the device of ``gan``; None if the dataset is no
        :class:`~mmgan_lite.datasets.InMemoryImageDataset` with a tensor of images, has a pipeline,
        or is smaller than a batch.
    """
    if not isinstance(dataset, InMemoryImageDataset) or dataset.pipeline.transforms:
        return None
    images, labels = dataset.images, dataset.labels if gan.num_classes else None
    if not isinstance(images, Tensor) or len(images) < batch_size:
        return None
    memory_format = torch.channels_last if channels_last else torch.contiguous_format
    labels = None if labels is None else labels.to(gan.device)
    return shuffled_batches(images.to(gan.device), labels, batch_size, memory_format)


def shuffled_batches(
    images: Tensor, labels: Tensor | None, batch_size: int, memory_format: torch.memory_format
) -> Iterator[Batch]:
    """Endless shuffled batches of images in one tensor; the last partial batch is dropped.

    Args:
        images: uint8 ``(M, C, H, W)``, on the device of the model; M >= ``batch_size``.
        labels: int64 ``(M,)``, on the same device, or None.
        batch_size: Images of a batch.
        memory_format: Memory format of a batch.

    Yields:
        Images, float32 ``(batch_size, C, H, W)`` in [-1, 1], and their labels or None.
    """
    num_used = len(images) - len(images) % batch_size
    while True:
        for index in torch.randperm(len(images), device=images.device)[:num_used].split(batch_size):
            batch = images[index].float().sub_(127.5).div_(127.5)
            batch = batch.contiguous(memory_format=memory_format)
            yield batch, None if labels is None else labels[index]


def batch_size_of(loader: DataLoader) -> int:
    """Images of a batch in this process."""
    return loader.batch_size or loader.batch_sampler.batch_size  # type: ignore[union-attr]


def _autocast(wrapper: OptimWrapper, device: torch.device) -> Callable[[], torch.autocast]:
    dtype = autocast_dtype(wrapper)
    return functools.partial(torch.autocast, device.type, dtype, enabled=dtype is not None)
