"""The reference loop trains as the GAN does, and names what it does not support."""

import pytest
import torch
from mmengine.optim import AmpOptimWrapper, OptimWrapperDict

from mmgan_lite.datasets import InMemoryImageDataset
from mmgan_lite.engine.benchmark.reference_loop import (
    ReferenceLoop,
    batches_of_tensor,
    shuffled_batches,
    unsupported_part,
)
from mmgan_lite.models import GAN


@pytest.mark.parametrize('num_classes', [None, 3])
def test_reference_loop_is_the_same_training(make_gan, make_batch, make_optim_wrapper, num_classes):
    """From the same weights and random numbers, to the weights of ``GAN.train_step``."""
    steps = dict(num_classes=num_classes, discriminator_steps=2, generator_steps=2)
    gan, other = make_gan(**steps), make_gan(**steps)
    other.load_state_dict(gan.state_dict())
    labels = None if num_classes is None else [0, 1, 2, 1]
    batches = [make_batch(labels=labels) for _ in range(4)]
    loop = ReferenceLoop(
        other, make_optim_wrapper(other), iter([other.prepare_batch(batch) for batch in batches])
    )
    torch.manual_seed(3)
    for _ in batches:
        loop()
    torch.manual_seed(3)
    optim_wrapper = make_optim_wrapper(gan)
    for batch in batches:
        gan.train_step(batch, optim_wrapper)
    for expected, found in zip(gan.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(found, expected)


def test_reference_loop_gives_the_generator_real_logits_where_the_loss_wants_them(
    make_gan, make_batch, make_optim_wrapper
):
    class Relativistic(torch.nn.Module):
        needs_real_logits = True

        def discriminator(self, real_logits, fake_logits):
            return (fake_logits - real_logits).mean()

        def generator(self, fake_logits, real_logits=None):
            assert not real_logits.requires_grad
            return (real_logits - fake_logits).mean()

    gan = make_gan(loss=Relativistic())
    loop = ReferenceLoop(gan, make_optim_wrapper(gan), iter([gan.prepare_batch(make_batch())]))
    loop()
    assert loop.iteration == 1


def test_reference_loop_computes_in_the_precision_of_the_config(
    make_gan, make_batch, make_optim_wrapper
):
    gan = make_gan()
    optim_wrapper = make_optim_wrapper(gan)
    optim_wrapper['generator'].dtype = torch.bfloat16
    optim_wrapper['discriminator'].dtype = None
    seen = []
    gan.generator.register_forward_hook(lambda *call: seen.append(torch.is_autocast_enabled('cpu')))
    ReferenceLoop(gan, optim_wrapper, iter([gan.prepare_batch(make_batch())]))()
    assert seen == [False, True]  # in the step of the discriminator, in that of the generator


@pytest.mark.parametrize(
    ('parts', 'answer'),
    [
        (dict(regularizers=[dict(type='R1Regularizer')]), 'regularizers of the model'),
        (dict(regularizers=[]), None),
        (dict(augmentation=dict(type='DiffAugment')), 'augmentation of the model'),
        (dict(latents=dict(type='NormalLatents')), None),
        (dict(latents=dict(type='UniformLatents')), 'a UniformLatents'),
        (dict(ema=dict(type='ExponentialMovingAverage', momentum=0.1)), None),
        (dict(ema=dict(type='ExponentialMovingAverage', warm_up=True)), 'warm_up or start of ema'),
        (dict(ema=dict(type='ExponentialMovingAverage', start=9)), 'warm_up or start of ema'),
    ],
)
def test_unsupported_parts_of_the_model(make_gan, make_optim_wrapper, parts, answer):
    gan = make_gan(**parts)
    assert unsupported_part(gan, make_optim_wrapper(gan)) == answer


def test_a_part_that_the_loop_has_never_heard_of(make_gan, make_optim_wrapper):
    gan = make_gan()
    optim_wrapper = make_optim_wrapper(gan)
    gan.style_mixing = torch.nn.Linear(2, 2)
    assert unsupported_part(gan, optim_wrapper) == 'style_mixing of the model'

    class OtherGAN(GAN):
        pass

    assert unsupported_part(OtherGAN.__new__(OtherGAN), None) == 'a OtherGAN'


def test_unsupported_optim_wrappers(make_gan, make_optim_wrapper):
    def answer(**generator):
        gan = make_gan()
        settings = dict(optimizer=dict(type='SGD', lr=0.1), **generator)
        return unsupported_part(gan, make_optim_wrapper(gan, generator=settings))

    assert answer() is None
    assert answer(type='OptimWrapper') is None
    assert answer(accumulative_counts=2) == 'accumulative_counts of the generator'
    assert answer(clip_grad=dict(max_norm=1)) == 'clip_grad of the generator'
    assert answer(type='OptimWrapper', clip_grad=dict(max_norm=1)) == 'clip_grad of the generator'
    assert answer(dtype='bfloat16') is None
    assert answer(dtype='float16') == 'float16 of the generator'
    amp = AmpOptimWrapper.__new__(AmpOptimWrapper)  # to build one takes a GPU
    wrappers = OptimWrapperDict.__new__(OptimWrapperDict)
    wrappers.optim_wrappers = dict(generator=amp)
    assert unsupported_part(make_gan(), wrappers) == 'a AmpOptimWrapper'


def test_shuffled_batches_see_each_image_once_a_pass():
    images = torch.arange(0, 7, dtype=torch.uint8).reshape(7, 1, 1, 1)
    labels = torch.arange(7)
    batches = shuffled_batches(images, labels, 3, torch.contiguous_format)
    for _ in range(2):
        both = [next(batches) for _ in range(2)]  # the seventh image is left out
        seen = torch.cat([label for _, label in both])
        assert len(set(seen.tolist())) == 6
        pixels = torch.cat([batch for batch, _ in both]).reshape(-1)
        torch.testing.assert_close(pixels, (seen.float() - 127.5) / 127.5)
    batch, none = next(shuffled_batches(images, None, 3, torch.contiguous_format))
    assert (batch.shape, none) == ((3, 1, 1, 1), None)


def test_batches_of_a_dataset(make_gan):
    images = torch.arange(5 * 3 * 16, dtype=torch.uint8).reshape(5, 3, 4, 4)
    dataset = InMemoryImageDataset(images, labels=[0, 1, 2, 1, 0])
    batch, labels = next(batches_of_tensor(dataset, make_gan(num_classes=3), 2, channels_last=True))
    assert batch.is_contiguous(memory_format=torch.channels_last)
    assert labels.shape == (2,)
    assert next(batches_of_tensor(dataset, make_gan(), 2, channels_last=False))[1] is None
    assert batches_of_tensor(dataset, make_gan(), 6, channels_last=False) is None  # of 5 images
    assert batches_of_tensor([1, 2], make_gan(), 2, channels_last=False) is None
    dataset.pipeline.transforms.append(lambda item: item)
    assert batches_of_tensor(dataset, make_gan(), 2, channels_last=False) is None
