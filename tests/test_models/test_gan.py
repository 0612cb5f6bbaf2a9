"""The training step, sampling, and what MMEngine's loops ask of the model."""

import contextlib
import copy
import math

import pytest
import torch
import torch.nn.functional as F
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import nn

from mmgan_lite.models import GAN, AdversarialLoss, AuxiliaryLoss, Regularizer
from mmgan_lite.registry import MODELS


class LinearGenerator(nn.Module):
    """G(z) = w * z, on images of one pixel: small enough to do by hand."""

    latent_dim, image_shape, num_classes = 1, (1, 1, 1), None

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(0.5))

    def forward(self, latents, labels=None):
        return (self.weight * latents).reshape(-1, 1, 1, 1)


class LinearDiscriminator(nn.Module):
    """D(x) = v * x."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(2.0))

    def forward(self, images, labels=None):
        return self.weight * images.flatten()


class WassersteinLoss(AdversarialLoss):
    """D(G(z)) - D(x), and -D(G(z)): the gradients are means of pixels."""

    def discriminator(self, real_logits, fake_logits):
        return fake_logits.mean() - real_logits.mean()

    def generator(self, fake_logits, real_logits=None):
        return -fake_logits.mean()


class RelativisticLoss(AdversarialLoss):
    """Compares with the real images in the generator's step too."""

    needs_real_logits = True

    def discriminator(self, real_logits, fake_logits):
        return F.softplus(fake_logits - real_logits).mean()

    def generator(self, fake_logits, real_logits=None):
        return F.softplus(real_logits - fake_logits).mean()


def linear_gan(**kwargs):
    return GAN(LinearGenerator(), LinearDiscriminator(), WassersteinLoss(), **kwargs)


def fix_latents(gan, *values):
    """Let the GAN draw these latents, one number for the whole batch, in turn."""
    draws = iter(values)
    gan.sample_latents = lambda num, generator=None: torch.full((num, 1), next(draws))


def changed(before, after):
    return {name.split('.')[0] for name in before if not torch.equal(before[name], after[name])}


def state(gan):
    return copy.deepcopy(gan.state_dict())


def test_one_iteration_by_hand(make_optim_wrapper):
    gan = linear_gan()
    fix_latents(gan, 1.0, 3.0)
    # One real pixel of 1 (255). D: fake 0.5 * 1 = 0.5; loss 2 * 0.5 - 2 * 1 = -1; gradient -0.5,
    # so v = 2 + 0.1 * 0.5 = 2.05. G: fake 0.5 * 3; loss -2.05 * 1.5; gradient -2.05 * 3, so
    # w = 0.5 + 0.1 * 6.15 = 1.115.
    data = dict(inputs=torch.full((1, 1, 1, 1), 255, dtype=torch.uint8))
    log = gan.train_step(data, make_optim_wrapper(gan, lr=0.1))
    torch.testing.assert_close(gan.discriminator.weight.item(), 2.05)
    torch.testing.assert_close(gan.generator.weight.item(), 1.115)
    expected = dict(loss_disc=-1.0, real_logits=2.0, fake_logits=1.0, loss_gen=-3.075)
    assert log.keys() == expected.keys()
    for name, value in expected.items():
        assert not log[name].requires_grad
        torch.testing.assert_close(log[name].item(), value)


def test_gradients_of_one_step_do_not_leak_into_the_other(make_gan, make_batch, make_optim_wrapper):
    gan = make_gan()
    optim_wrapper = make_optim_wrapper(gan)
    own = []
    optim_wrapper['discriminator'].optimizer.register_step_post_hook(
        lambda *_: own.extend(p.grad.clone() for p in gan.discriminator.parameters())
    )
    gan.train_step(make_batch(), optim_wrapper)  # the generator steps last
    assert all(gradient.any() for gradient in own)
    for parameter, gradient in zip(gan.discriminator.parameters(), own, strict=True):
        assert torch.equal(parameter.grad, gradient)
    assert all(parameter.requires_grad for parameter in gan.parameters())


def test_discriminator_step_leaves_the_generator_and_its_statistics_alone(
    make_gan, make_batch, make_optim_wrapper
):
    gan = make_gan(discriminator_steps=2)
    before = state(gan)
    log = gan.train_step(make_batch(), make_optim_wrapper(gan))
    assert changed(before, state(gan)) == {'discriminator'}
    assert 'loss_gen' not in log


def test_cadence_of_the_two_networks(make_gan, make_batch, make_optim_wrapper):
    gan = make_gan(discriminator_steps=3, generator_steps=2)
    optim_wrapper = make_optim_wrapper(gan)
    trained = ['loss_gen' in gan.train_step(make_batch(), optim_wrapper) for _ in range(7)]
    assert trained == [False, False, True, False, False, True, False]
    assert optim_wrapper['discriminator'].inner_count == 7
    assert optim_wrapper['generator'].inner_count == 4
    assert gan.step_counts(7) == dict(discriminator=7, generator=4)
    # Batch norm saw one batch in each step of the generator and none besides.
    norm = next(m for m in gan.generator.modules() if isinstance(m, nn.BatchNorm1d))
    assert norm.num_batches_tracked == 4


def test_cadence_goes_on_after_resume(make_gan, make_batch, make_optim_wrapper):
    gan = make_gan(discriminator_steps=3)
    optim_wrapper = make_optim_wrapper(gan)
    optim_wrapper.initialize_count_status(gan, cur_iter=4, max_iters=9)
    trained = ['loss_gen' in gan.train_step(make_batch(), optim_wrapper) for _ in range(3)]
    assert trained == [False, True, False]


def test_ema_follows_the_generator_only(make_gan, make_batch, make_optim_wrapper):
    gan = make_gan(ema=dict(type='ExponentialMovingAverage', momentum=0.5), discriminator_steps=2)
    optim_wrapper = make_optim_wrapper(gan)
    for _ in range(4):
        gan.train_step(make_batch(), optim_wrapper)
    assert gan.generator_ema.steps == 2
    prefixes = {name.split('.')[0] for name in gan.state_dict()}
    assert prefixes == {'generator', 'discriminator', 'generator_ema'}


def test_ema_waits_for_accumulated_gradients(make_gan, make_batch, make_optim_wrapper):
    gan = make_gan(ema=dict(type='ExponentialMovingAverage'))
    optim_wrapper = make_optim_wrapper(
        gan, generator=dict(optimizer=dict(type='SGD', lr=0.1), accumulative_counts=3)
    )
    for _ in range(7):
        gan.train_step(make_batch(), optim_wrapper)
    assert gan.generator_ema.steps == 2


def test_conditional_training_uses_the_labels_of_the_batch(
    make_gan, make_batch, make_optim_wrapper
):
    gan = make_gan(num_classes=3)
    before = state(gan)
    gan.train_step(make_batch(4, labels=[0, 2, 2, 0]), make_optim_wrapper(gan))
    moved = (
        gan.generator.label_embedding.weight != before['generator.label_embedding.weight']
    ).any(1)
    assert moved.tolist() == [True, False, True]


def test_relativistic_generator_gets_real_logits(make_optim_wrapper):
    gan = GAN(LinearGenerator(), LinearDiscriminator(), RelativisticLoss())
    fix_latents(gan, 0.0, 2.0)
    data = dict(inputs=torch.full((1, 1, 1, 1), 255, dtype=torch.uint8))
    log = gan.train_step(data, make_optim_wrapper(gan, lr=0.1))
    # D: v = 2, real 2, fake 0; loss softplus(-2), whose gradient is -sigmoid(-2) * 1.
    v = 2 + 0.1 / (1 + math.exp(2))
    # G: fake 0.5 * 2 = 1, so both logits are v: softplus(0).
    torch.testing.assert_close(gan.discriminator.weight.item(), v)
    torch.testing.assert_close(log['loss_gen'].item(), math.log(2))
    # Gradient in w: -sigmoid(0) * v * 2 = -v.
    torch.testing.assert_close(gan.generator.weight.item(), 0.5 + 0.1 * v)


def test_fakes_are_judged_with_the_labels_they_were_drawn_with(
    make_gan, make_batch, make_optim_wrapper
):
    gan = make_gan(num_classes=3)
    drawn, judged = [], []
    gan.generator.register_forward_pre_hook(lambda module, inputs: drawn.append(inputs[1].tolist()))
    gan.discriminator.register_forward_pre_hook(
        lambda module, inputs: judged.append(inputs[1].tolist())
    )
    gan.train_step(make_batch(4, labels=[0, 2, 1, 0]), make_optim_wrapper(gan))
    assert drawn == [[0, 2, 1, 0]] * 2
    # Reals and fakes together in D's step, fakes in G's.
    assert judged == [[0, 2, 1, 0] * 2, [0, 2, 1, 0]]


@pytest.mark.parametrize(
    'parts',
    [
        dict(discriminator=dict(type='MLPDiscriminator', num_classes=3)),
        dict(
            discriminator=dict(
                type='DCGANDiscriminator', base_channels=4, num_classes=3, norm=False,
                conditioning='classifier',
            ),
            auxiliary_loss=dict(type='AuxiliaryClassifierLoss'),
            regularizers=[dict(type='R1Regularizer')],
        ),
        dict(
            discriminator=dict(
                type='R3GANDiscriminator', channels=8, cardinality=4, num_classes=3
            ),
            loss=dict(type='RelativisticPairingGANLoss'),
        ),
    ],
    ids=['mlp', 'classifier', 'relativistic'],
)  # fmt: skip
def test_real_images_and_fakes_together_are_the_same_step(parts, make_batch, make_optim_wrapper):
    torch.manual_seed(0)
    generator = dict(type='MLPGenerator', latent_dim=4, num_classes=3, hidden_dims=[8])
    together = GAN(**{'generator': generator, 'loss': dict(type='NonSaturatingGANLoss'), **parts})
    apart = copy.deepcopy(together)
    # Only the first discriminator has one_pass, but each could.
    together._one_pass, apart._one_pass = True, False
    batch = dict(
        inputs=torch.randint(0, 256, (6, 1, 28, 28), dtype=torch.uint8),
        labels=torch.tensor([0, 2, 1, 0, 1, 1]),
    )
    passes, logs = [], []
    for gan in (together, apart):
        images = []
        gan.discriminator.register_forward_pre_hook(
            lambda module, inputs, images=images: images.append(len(inputs[0]))
        )
        torch.manual_seed(1)
        logs.append(gan.train_step(batch, make_optim_wrapper(gan, lr=0.1)))
        passes.append(images)
    # Whatever regularizers and relativistic losses add comes after.
    assert (passes[0][0], passes[1][:2]) == (12, [6, 6])
    assert passes[0][1:] == passes[1][2:]
    torch.testing.assert_close(logs[0], logs[1])
    torch.testing.assert_close(dict(together.named_parameters()), dict(apart.named_parameters()))


def test_real_images_and_fakes_are_apart_without_one_pass(make_batch, make_optim_wrapper):
    generator = dict(type='DCGANGenerator', latent_dim=4, base_channels=4)
    discriminator = dict(type='DCGANDiscriminator', base_channels=4)
    gan = GAN(generator, discriminator, dict(type='NonSaturatingGANLoss'))
    seen = []
    gan.discriminator.register_forward_pre_hook(lambda module, inputs: seen.append(len(inputs[0])))
    data = dict(inputs=torch.zeros(4, 1, 28, 28, dtype=torch.uint8))
    gan.train_step(data, make_optim_wrapper(gan))
    assert seen == [4, 4, 4]


def test_discriminator_that_is_wrong_about_itself():
    class Normalized(LinearDiscriminator):
        one_pass = True

        def __init__(self):
            super().__init__()
            self.norm = nn.BatchNorm2d(1)

    with pytest.raises(ValueError, match=r"of Normalized, which has BatchNorm2d in 'norm'. Set"):
        GAN(LinearGenerator(), Normalized(), WassersteinLoss())


class AutocastOptimWrapper(OptimWrapper):
    """bfloat16 inside the context, as a wrapper for mixed precision does."""

    @contextlib.contextmanager
    def optim_context(self, model):
        with super().optim_context(model), torch.autocast('cpu', torch.bfloat16):
            yield


def test_networks_run_in_the_context_of_their_wrapper_and_losses_in_float32(make_gan, make_batch):
    gan = make_gan()
    dtypes = dict(generator=[], discriminator=[])
    for name, seen in dtypes.items():
        getattr(gan, name).layers[0].register_forward_hook(
            lambda module, inputs, output, seen=seen: seen.append(output.dtype)
        )
    wrappers = OptimWrapperDict(
        **{
            name: AutocastOptimWrapper(torch.optim.SGD(getattr(gan, name).parameters(), lr=0.1))
            for name in dtypes
        }
    )
    log = gan.train_step(make_batch(), wrappers)
    assert dtypes == dict(generator=[torch.bfloat16] * 2, discriminator=[torch.bfloat16] * 2)
    assert {value.dtype for value in log.values()} == {torch.float32}


def test_training_step_asks_the_device_for_no_number(make_gan, make_batch, make_optim_wrapper):
    """On the meta device there are no numbers: whoever asks for one fails."""
    gan = make_gan(num_classes=3, ema=dict(type='ExponentialMovingAverage')).to('meta')
    log = gan.train_step(make_batch(4, labels=[0, 1, 2, 0]), make_optim_wrapper(gan))
    assert all(value.is_meta for value in log.values())


def test_loop_lowers_the_loss_of_a_toy_problem(make_optim_wrapper):
    """Pixels of 0.8 are learned from noise of any sign: the mean of the fakes moves there."""
    torch.manual_seed(0)
    gan = GAN(
        generator=dict(
            type='MLPGenerator', latent_dim=4, image_shape=(1, 1, 1), hidden_dims=(16, 16)
        ),
        discriminator=dict(type='MLPDiscriminator', image_shape=(1, 1, 1), hidden_dims=(16,)),
        loss=dict(type='NonSaturatingGANLoss'),
    )
    adam = dict(optimizer=dict(type='Adam', lr=3e-3, betas=(0.5, 0.99)))
    optim_wrapper = make_optim_wrapper(gan, generator=adam, discriminator=adam)
    pixels = torch.randint(220, 240, (32, 1, 1, 1), dtype=torch.uint8)  # 0.73 to 0.87
    assert gan.sample(256).mean().abs() < 0.5
    for _ in range(300):
        gan.train_step(dict(inputs=pixels), optim_wrapper)
    assert 0.5 < gan.sample(256).mean() < 1.0


def test_average_counts_the_images_of_its_updates(make_gan, make_optim_wrapper):
    gan = make_gan(
        ema=dict(type='HalfLifeMovingAverage', half_life=9, images_per_update=48),
        discriminator_steps=3,
        generator_steps=2,
    )
    optimizer = dict(type='SGD', lr=0.1)
    optim_wrapper = make_optim_wrapper(
        gan, generator=dict(optimizer=optimizer, accumulative_counts=4)
    )
    gan.check_average(optim_wrapper, 8)  # 8 * 3 / 2 * 4
    with pytest.raises(ValueError, match=r'54 with batch_size=9, got 48. Set images_per_update=54'):
        gan.check_average(optim_wrapper, 9)
    make_gan().check_average(optim_wrapper, 8)


def test_no_whole_number_of_images_an_update(make_gan, make_optim_wrapper):
    gan = make_gan(
        ema=dict(type='HalfLifeMovingAverage', half_life=9, images_per_update=5), generator_steps=3
    )
    gan.check_average(make_optim_wrapper(gan), 16)  # 5.33
    with pytest.raises(ValueError, match=r'6.66667 with .* Set images_per_update=7\.'):
        gan.check_average(make_optim_wrapper(gan), 20)


class TestSample:
    def test_shape_range_and_mode(self, make_gan):
        gan = make_gan()
        gan.generator.layers[3].eval()
        images = gan.sample(5)
        assert images.shape == (5, 1, 4, 4)
        assert images.abs().max() <= 1
        assert not images.requires_grad
        assert gan.generator.training
        assert not gan.generator.layers[3].training

    def test_seeded_generator_gives_the_same_images_and_spares_the_global_stream(self, make_gan):
        gan = make_gan(num_classes=3)
        stream = torch.get_rng_state()
        first = gan.sample(5, generator=torch.Generator().manual_seed(3))
        second = gan.sample(5, generator=torch.Generator().manual_seed(3))
        assert torch.equal(first, second)
        assert torch.equal(stream, torch.get_rng_state())
        assert not torch.equal(first, gan.sample(5, generator=torch.Generator().manual_seed(4)))

    def test_draws_from_the_average_unless_told_otherwise(self, make_gan):
        gan = make_gan(ema=dict(type='ExponentialMovingAverage'))
        gan.generator.layers[-2].bias.data.fill_(50.0)  # tanh is 1 everywhere
        latents = gan.sample_latents(4)
        assert gan.sample(4, latents=latents).max() < 1
        assert gan.sample(4, latents=latents, use_ema=False).min() == 1

    def test_labels_choose_the_class(self, make_gan):
        gan = make_gan(num_classes=3)
        latents = gan.sample_latents(1).expand(3, -1)
        images = gan.sample(3, labels=[0, 1, 1], latents=latents)
        assert not torch.equal(images[0], images[1])
        assert torch.equal(images[1], images[2])

    def test_random_labels_cover_all_classes(self, make_gan):
        gan = make_gan(num_classes=3)
        seen = []
        gan.generator.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[1]))
        gan.sample(200)
        assert seen[0].unique().tolist() == [0, 1, 2]

    def test_bad_arguments(self, make_gan):
        gan, conditional = make_gan(), make_gan(num_classes=3)
        with pytest.raises(ValueError, match=r'num must be an int of at least 1, got 0'):
            gan.sample(0)
        with pytest.raises(ValueError, match=r'labels must be None for a model without classes'):
            gan.sample(2, labels=[0, 1])
        with pytest.raises(ValueError, match=r'labels must lie in \[0, 3\), got 0 to 3'):
            conditional.sample(2, labels=[0, 3])
        with pytest.raises(ValueError, match=r'labels must lie in \[0, 3\), got -1 to 0'):
            conditional.sample(2, labels=torch.tensor([0, -1]))
        with pytest.raises(
            ValueError, match=r'labels must be 3 ints, one for each image, got shape \(2,\)'
        ):
            conditional.sample(3, labels=[0, 1])
        with pytest.raises(
            ValueError, match=r'latents must be of shape .* = \(2, 6\), got \(2, 5\)'
        ):
            gan.sample(2, latents=torch.zeros(2, 5))


class TestForward:
    def test_tensor_and_predict(self, make_gan, make_batch):
        gan = make_gan(num_classes=3)
        data = make_batch(2, labels=[2, 0])
        for step in (gan.val_step, gan.test_step):
            samples = step(data)
            assert [sample.gt_label.item() for sample in samples] == [2, 0]
            assert samples[0].fake_image.shape == (1, 4, 4)
            assert samples[0].fake_image.dtype == torch.uint8
        images = gan(**gan.data_preprocessor(data), mode='tensor')
        assert images.shape == (2, 1, 4, 4)

    def test_predict_without_labels(self, make_gan, make_batch):
        samples = make_gan().val_step(make_batch(3))
        assert len(samples) == 3
        assert 'gt_label' not in samples[0]

    def test_loss_mode_matches_the_objective_and_trains_nothing(self):
        gan = linear_gan()
        fix_latents(gan, 1.0)
        losses = gan(torch.ones(2, 1, 1, 1), mode='loss')
        assert {name: value.item() for name, value in losses.items()} == dict(
            loss_disc=2 * 0.5 - 2 * 1.0, loss_gen=-2 * 0.5
        )

    def test_loss_mode_moves_no_statistics(self, make_gan):
        gan = make_gan()
        before = state(gan)
        gan(torch.zeros(4, 1, 4, 4), mode='loss')
        assert changed(before, state(gan)) == set()

    def test_unknown_mode(self, make_gan):
        with pytest.raises(
            ValueError, match=r"mode must be 'tensor', 'predict' or 'loss', got 'x'"
        ):
            make_gan()(torch.zeros(1, 1, 4, 4), mode='x')


class TestErrors:
    def test_shapes_of_the_networks(self, make_gan):
        other = dict(type='MLPDiscriminator', image_shape=(3, 4, 4))
        message = (
            r'image_shape of generator and discriminator must be the same, got '
            r'image_shape=\(1, 4, 4\) of MLPGenerator and image_shape=\(3, 4, 4\) of MLPDisc'
        )
        with pytest.raises(ValueError, match=message):
            make_gan(discriminator=other)

    def test_classes_of_the_networks(self, make_gan):
        other = dict(type='MLPDiscriminator', image_shape=(1, 4, 4), num_classes=3)
        with pytest.raises(
            ValueError, match=r'num_classes .* must be the same, got num_classes=None'
        ):
            make_gan(discriminator=other)

    def test_generator_without_its_attributes(self, make_gan):
        with pytest.raises(ValueError, match=r'generator must have latent_dim, but Linear has no'):
            make_gan(generator=nn.Linear(1, 1))

    def test_loss_without_its_attributes(self, make_gan):
        class Incomplete(nn.Module):
            def discriminator(self, real_logits, fake_logits):
                return fake_logits.mean() - real_logits.mean()

            def generator(self, fake_logits, real_logits=None):
                return -fake_logits.mean()

        message = 'loss must have needs_real_logits, but Incomplete has no such attribute. Derive'
        with pytest.raises(ValueError, match=message):
            make_gan(loss=Incomplete())
        with pytest.raises(ValueError, match='loss must have discriminator, but BCEWithLogitsLoss'):
            make_gan(loss=nn.BCEWithLogitsLoss())

    @pytest.mark.parametrize('argument', ['discriminator_steps', 'generator_steps'])
    def test_steps(self, make_gan, argument):
        with pytest.raises(ValueError, match=rf'{argument} must be an int of at least 1, got 0'):
            make_gan(**{argument: 0})

    def test_shape_of_the_data(self, make_gan, make_batch, make_optim_wrapper):
        gan = make_gan()
        with pytest.raises(ValueError, match=r'got \(1, 4, 4\) for images of \(3, 5, 5\)'):
            gan.train_step(make_batch(shape=(3, 5, 5)), make_optim_wrapper(gan))

    def test_labels_that_are_no_ints_or_not_as_many_as_images(self, make_gan, make_batch):
        gan = make_gan(num_classes=3)
        with pytest.raises(ValueError, match=r'labels must be ints, got torch.float32'):
            gan.prepare_batch(make_batch(2, labels=[0.9, 1.9]))
        with pytest.raises(ValueError, match=r'labels must be one an image, got 1 for 2 images'):
            gan.prepare_batch(make_batch(2, labels=[0]))
        with pytest.raises(ValueError, match=r'labels must be ints, got torch.float32'):
            gan.sample(2, labels=[0.9, 1.9])

    def test_parts_of_a_wrong_kind(self, make_gan):
        with pytest.raises(ValueError, match=r'loss must be a config or an object, got None'):
            make_gan(loss=None)
        with pytest.raises(ValueError, match=r'ema must be a config or None, got Identity'):
            make_gan(ema=nn.Identity())
        with pytest.raises(
            ValueError, match=r'data_preprocessor must turn images back by to_uint8'
        ):
            make_gan(data_preprocessor=dict(type='mmengine.ImgDataPreprocessor'))

    def test_missing_labels(self, make_gan, make_batch, make_optim_wrapper):
        gan = make_gan(num_classes=3)
        with pytest.raises(ValueError, match=r'num_classes=3 needs data with labels'):
            gan.train_step(make_batch(), make_optim_wrapper(gan))

    def test_labels_that_nobody_uses_are_left_out(self, make_gan, make_batch, make_optim_wrapper):
        gan = make_gan()
        assert gan.train_step(make_batch(2, labels=[0, 1]), make_optim_wrapper(gan))

    def test_logits_of_another_shape(self, make_gan, make_batch, make_optim_wrapper):
        class OneForAll(LinearDiscriminator):
            def forward(self, images, labels=None):
                return images.mean(0, keepdim=True) * self.weight

        gan = make_gan(discriminator=OneForAll())
        with pytest.raises(
            ValueError,
            match=r'shape \(N, ...\), with N = 4 images first, got \(1, 1, 4, 4\) from OneForAll',
        ):
            gan.train_step(make_batch(), make_optim_wrapper(gan))

    def test_single_optim_wrapper(self, make_gan, make_batch):
        gan = make_gan()
        single = OptimWrapper(torch.optim.SGD(gan.parameters(), lr=0.1))
        with pytest.raises(
            ValueError, match=r'got a single OptimWrapper.*MultiOptimWrapperConstructor'
        ):
            gan.train_step(make_batch(), single)


def test_state_survives_save_and_load(make_gan, make_batch, make_optim_wrapper, tmp_path):
    parts = dict(num_classes=3, ema=dict(type='ExponentialMovingAverage'))
    gan = make_gan(**parts)
    gan.train_step(make_batch(2, labels=[0, 1]), make_optim_wrapper(gan))
    torch.save(gan.state_dict(), tmp_path / 'gan.pth')
    restored = make_gan(**parts)
    restored.load_state_dict(torch.load(tmp_path / 'gan.pth'))
    latents = gan.sample_latents(3)
    arguments = dict(num=3, labels=[0, 1, 2], latents=latents)
    assert torch.equal(restored.sample(**arguments), gan.sample(**arguments))


def test_init_cfg_initialises_both_networks(make_gan):
    gan = make_gan(init_cfg=dict(type='Constant', layer='Linear', val=0.5, bias=0.25))
    gan.init_weights()
    assert gan.generator.layers[0].weight.unique().tolist() == [0.5]
    assert gan.discriminator.layers[0].bias.unique().tolist() == [0.25]


def test_average_starts_where_the_generator_does(make_gan):
    gan = make_gan(
        init_cfg=dict(type='Constant', layer='Linear', val=0.5),
        ema=dict(type='ExponentialMovingAverage'),
    )
    gan.init_weights()
    assert gan.generator_ema.module.layers[0].weight.unique().tolist() == [0.5]


def test_builds_from_config_by_name():
    gan = MODELS.build(
        dict(
            type='GAN',
            generator=dict(type='MLPGenerator'),
            discriminator=dict(type='MLPDiscriminator'),
            loss=dict(type='NonSaturatingGANLoss'),
        )
    )
    assert gan.sample(2).shape == (2, 1, 28, 28)


class SumOfLogits(nn.Module):
    """A regularizer that any hand can compute: the mean logit of the real images."""

    name, interval = 'sum', 1

    def __init__(self, interval=1):
        super().__init__()
        self.interval = interval
        self.calls = 0

    def forward(self, discriminator, real_images, fake_images, labels, real_logits, fake_logits):
        self.calls += 1
        torch.testing.assert_close(discriminator(real_images, labels), real_logits)
        return discriminator(real_images, labels).mean()


class Doubling(nn.Module):
    """An augmentation, D sees twice the pixel; counts what it is shown."""

    def __init__(self):
        super().__init__()
        self.seen = []
        self.observed = []

    def forward(self, images):
        self.seen.append(images.requires_grad)
        return 2 * images

    def observe(self, real_logits):
        self.observed.append(real_logits)


def test_regularizer_by_hand(make_optim_wrapper):
    """v moves along x - G(z) for the objective, along -x for the regularizer."""
    gan = linear_gan(regularizers=[SumOfLogits()])
    fix_latents(gan, 1.0, 1.0)
    data = dict(inputs=torch.full((2, 1, 1, 1), 255, dtype=torch.uint8))  # x = 1
    log = gan.train_step(data, make_optim_wrapper(gan))
    # D(x) = 2, D(G(z)) = 1; dv = -(0.5 - 1) - 1 = -0.5 at lr 0.1
    assert log['loss_disc'] == -1.0
    assert log['loss_sum'] == 2.0
    torch.testing.assert_close(gan.discriminator.weight.detach(), torch.tensor(1.95))


def test_lazy_regularizer_counts_for_the_steps_left_out(make_optim_wrapper):
    regularizer = SumOfLogits(interval=3)
    gan = linear_gan(regularizers=[regularizer])
    gan.generator.weight.requires_grad_(False)
    gan.generator.weight.fill_(0.0)
    data = dict(inputs=torch.full((2, 1, 1, 1), 255, dtype=torch.uint8))
    gan.generator.weight.requires_grad_(True)
    wrapper = make_optim_wrapper(gan, generator=dict(optimizer=dict(type='SGD', lr=0.0)))
    due = ['loss_sum' in gan.train_step(data, wrapper) for _ in range(7)]
    assert due == [True, False, False, True, False, False, True]
    # 7 steps of +0.1 for the objective, 3 of -0.3 for the regularizer
    torch.testing.assert_close(gan.discriminator.weight.detach(), torch.tensor(2.0 + 0.7 - 0.9))


def test_regularizer_turn_goes_on_after_resume(make_optim_wrapper):
    gan = linear_gan(regularizers=[SumOfLogits(interval=3)])
    wrappers = make_optim_wrapper(gan)
    wrappers.initialize_count_status(gan, 2, 10)
    data = dict(inputs=torch.full((2, 1, 1, 1), 255, dtype=torch.uint8))
    assert ['loss_sum' in gan.train_step(data, wrappers) for _ in range(3)] == [False, True, False]


def test_augmentation_stands_before_the_discriminator(make_optim_wrapper):
    augmentation = Doubling()
    gan = linear_gan(augmentation=augmentation, regularizers=[SumOfLogits()])
    fix_latents(gan, 1.0, 1.0)
    data = dict(inputs=torch.full((2, 1, 1, 1), 255, dtype=torch.uint8))
    log = gan.train_step(data, make_optim_wrapper(gan))
    assert (log['real_logits'], log['fake_logits']) == (4.0, 2.0)
    # Real and fake, twice the regularizer's, and the generator's, through which gradient passes.
    assert augmentation.seen == [False, False, False, False, True]
    assert [logits.tolist() for logits in augmentation.observed] == [[4.0, 4.0]]
    # w moves along dD(A(G(z)))/dw = 2 v with v after its step: 2 + 0.1 (2 - 1 - 2) = 1.9
    torch.testing.assert_close(gan.generator.weight.detach(), torch.tensor(0.5 + 0.1 * 2 * 1.9))


class Classifying(LinearDiscriminator):
    """Two classes by the pixel."""

    has_classifier = True

    def forward(self, images, labels=None, return_classes=False):
        logits = super().forward(images)
        return (logits, torch.stack([logits, -logits], 1)) if return_classes else logits


def classifying_gan(**kwargs):
    generator = LinearGenerator()
    generator.num_classes = 2
    forward = generator.forward
    generator.forward = lambda latents, labels: forward(latents)
    return GAN(generator, Classifying(), WassersteinLoss(), **kwargs)


def test_auxiliary_classifier_trains_both(make_optim_wrapper):
    gan = classifying_gan(auxiliary_loss=dict(type='AuxiliaryClassifierLoss'))
    fix_latents(gan, 1.0, 1.0)
    data = dict(
        inputs=torch.full((2, 1, 1, 1), 255, dtype=torch.uint8), labels=torch.tensor([0, 0])
    )
    log = gan.train_step(data, make_optim_wrapper(gan))
    # Cross-entropy of (D, -D) for class 0 is softplus(-2 D): D(x) = 2 and D(G(z)) = 1.
    expected = math.log1p(math.exp(-4)) + math.log1p(math.exp(-2))
    assert math.isclose(log['loss_class_disc'], expected, rel_tol=1e-5)
    assert log['loss_class_gen'] > 0
    assert log['loss_disc'] == -1.0


def test_classifier_and_its_loss_come_together():
    with pytest.raises(ValueError, match='auxiliary_loss must be given where the discriminator'):
        classifying_gan()
    with pytest.raises(ValueError, match='auxiliary_loss needs a discriminator that classifies'):
        linear_gan(auxiliary_loss=dict(type='AuxiliaryClassifierLoss'))


def test_a_regularizer_must_not_hide_the_objective_in_the_log():
    regularizer = SumOfLogits()
    regularizer.name = 'disc'
    with pytest.raises(ValueError, match="must not be 'disc': 'loss_disc' in the log"):
        linear_gan(regularizers=[regularizer])


def test_two_regularizers_of_one_kind():
    with pytest.raises(ValueError, match="must each be of another kind, got 2 of 'sum'"):
        linear_gan(regularizers=[SumOfLogits(), SumOfLogits()])


def test_channels_last_changes_the_layout_alone(make_optim_wrapper):
    results = []
    for channels_last in (False, True):
        torch.manual_seed(0)
        gan = GAN(
            generator=dict(type='DCGANGenerator', latent_dim=4, image_shape=(3, 8, 8)),
            discriminator=dict(type='DCGANDiscriminator', image_shape=(3, 8, 8)),
            loss=dict(type='NonSaturatingGANLoss'),
            channels_last=channels_last,
        )
        images = gan.prepare_batch(dict(inputs=torch.zeros(4, 3, 8, 8, dtype=torch.uint8))).images
        assert images.is_contiguous(memory_format=torch.channels_last) == channels_last
        batch = dict(inputs=torch.randint(0, 256, (4, 3, 8, 8), dtype=torch.uint8))
        results.append(gan.train_step(batch, make_optim_wrapper(gan)))
    torch.testing.assert_close(results[0], results[1], rtol=1e-4, atol=1e-5)


def test_latents_are_a_part():
    gan = linear_gan(latents=dict(type='UniformLatents'))
    latents = gan.sample_latents(2000)
    assert latents.abs().max() <= 1
    torch.testing.assert_close(latents.std(), torch.tensor(3**-0.5), rtol=0.05, atol=0)


def test_truncation_moves_latents_to_their_mean():
    gan = linear_gan()
    latents = torch.tensor([[2.0], [-4.0]])
    # G(z) = 0.5 z
    assert gan.sample(2, latents=latents, truncation=0.5).flatten().tolist() == [0.5, -1.0]
    assert gan.sample(2, latents=latents).flatten().tolist() == [1.0, -2.0]
    with pytest.raises(ValueError, match=r'truncation must lie in \[0, 1\], got 1.5'):
        gan.sample(2, truncation=1.5)


def test_prediction_tells_its_weights_and_is_finite(make_gan):
    images = torch.zeros(2, 1, 4, 4)
    for ema in (None, dict(type='ExponentialMovingAverage', momentum=0.1)):
        gan = make_gan(ema=ema)
        assert [s.from_ema for s in gan(images, mode='predict')] == [ema is not None] * 2
    with torch.no_grad():
        next(gan.generator_ema.parameters()).fill_(float('nan'))
    with pytest.raises(ValueError, match='generator must give finite images'):
        gan(images, mode='predict')


def test_train_reaches_every_part_and_only_once(make_gan, monkeypatch):
    gan = make_gan().eval()
    assert not any(module.training for module in gan.modules())
    gan.train()
    gan.generator.layers[0].eval()  # one deep below
    gan.train()
    assert all(module.training for module in gan.modules())
    monkeypatch.setattr(torch.nn.Module, 'train', lambda *_: pytest.fail('set anew'))
    assert gan.train() is gan


@pytest.mark.parametrize('loss', ['NonSaturatingGANLoss', 'RelativisticPairingGANLoss'])
def test_probe_tells_logits_and_gradients_and_leaves_no_trace(make_gan, make_batch, loss):
    """The gradients' norms are those that backward() leaves, network by network."""
    gan = make_gan(num_classes=3, loss=dict(type=loss))
    images, labels = gan.prepare_batch(make_batch(6, labels=[0, 1, 2, 0, 1, 2]))
    before = state(gan)
    torch.manual_seed(3)
    probe = gan.probe(images, labels)
    assert changed(before, state(gan)) == set()
    assert all(parameter.grad is None for parameter in gan.parameters())
    assert not any(value.requires_grad for value in probe.values())

    torch.manual_seed(3)
    fakes = gan.generator(gan.sample_latents(6), labels)
    torch.testing.assert_close(probe['fake_images'], fakes)
    real_logits, fake_logits = gan.discriminator(images, labels), gan.discriminator(fakes, labels)
    torch.testing.assert_close(probe['real_logits'], real_logits)
    torch.testing.assert_close(probe['fake_logits'], fake_logits)
    losses = dict(
        discriminator=gan.loss.discriminator(real_logits, fake_logits),
        generator=gan.loss.generator(fake_logits, real_logits.detach()),
    )
    for name, value in losses.items():
        gan.zero_grad()
        value.backward(retain_graph=True)
        squares = sum(p.grad.square().sum() for p in getattr(gan, name).parameters())
        torch.testing.assert_close(probe[f'grad_norm_{name}'], squares.sqrt())


class Map(LinearDiscriminator):
    """D(x) = v * x at each pixel: a map of logits."""

    def forward(self, images, labels=None):
        return self.weight * images


def test_a_map_of_logits_counts_by_its_mean(make_optim_wrapper):
    class Wide(LinearGenerator):
        image_shape = (1, 1, 2)

        def forward(self, latents, labels=None):
            return super().forward(latents).expand(-1, 1, 1, 2)

    gan = GAN(Wide(), Map(), WassersteinLoss())
    fix_latents(gan, 1.0, 1.0)
    data = dict(inputs=torch.tensor([[[[255, 0]]]], dtype=torch.uint8))  # 1 and -1
    log = gan.train_step(data, make_optim_wrapper(gan, lr=0.1))
    # D(G(z)) = 2 * 0.5 at both pixels, D(x) = 2 and -2; v = 2 - 0.1 * 0.5, then -D(G(z)) = -v / 2.
    expected = dict(loss_disc=1.0, real_logits=0.0, fake_logits=1.0, loss_gen=-0.975)
    assert {name: round(value.item(), 6) for name, value in log.items()} == expected


class Brightness(AuxiliaryLoss):
    """The mean of the fakes, for the generator alone."""

    def losses(self, player, batch, outputs):
        return dict(loss_brightness=outputs['fake_images'].mean()) if player == 'generator' else {}


class Contrast(AuxiliaryLoss):
    def losses(self, player, batch, outputs):
        if player == 'discriminator':
            return {}
        return dict(loss_contrast=10 * outputs['fake_images'].mean())


def test_auxiliary_losses_are_added_to_the_objective(make_optim_wrapper):
    gan = linear_gan(auxiliary_loss=[Brightness(), Contrast()])
    fix_latents(gan, 1.0, 1.0)
    data = dict(inputs=torch.full((1, 1, 1, 1), 255, dtype=torch.uint8))
    log = gan.train_step(data, make_optim_wrapper(gan, lr=0.1))
    assert (log['loss_brightness'], log['loss_contrast']) == (0.5, 5.0)
    # v = 2.05 after its step; -D(G(z)) + 11 G(z) has the gradient -2.05 + 11 with z = 1
    torch.testing.assert_close(gan.generator.weight.item(), 0.5 - 0.1 * 8.95)


def test_auxiliary_loss_of_another_kind_is_refused():
    with pytest.raises(ValueError, match='auxiliary_loss must be an AuxiliaryLoss, got Identity'):
        linear_gan(auxiliary_loss=nn.Identity())


class SquaredWeight(Regularizer):
    """Of the generator G(z) = w z: w^2, seen through its output for the latent 1."""

    name, player = 'squared_weight', 'generator'

    def penalty(self, network, batch):
        assert batch.latents.shape == (len(batch.fake_images), 1)
        return network(torch.ones(1, 1), batch.labels).square().sum()


def test_regularizer_of_the_generator(make_optim_wrapper):
    gan = linear_gan(regularizers=[SquaredWeight(weight=3.0, interval=2)], generator_steps=2)
    gan.discriminator.weight.data.zero_()
    wrapper = make_optim_wrapper(gan, discriminator=dict(optimizer=dict(type='SGD', lr=0.0)))
    data = dict(inputs=torch.full((1, 1, 1, 1), 255, dtype=torch.uint8))
    turns = gan._turns(wrapper)
    assert turns == (('discriminator', ()), ('generator', (0,)), ('generator', ()))
    log = gan.train_step(data, wrapper)
    assert log['loss_squared_weight'] == 0.75  # 3 * 0.5^2, of the first of two steps
    # D is 0; w = 0.5 - 0.1 * 2 * (3 * 2 * 0.5) in the first step, and stays in the second
    torch.testing.assert_close(gan.generator.weight.item(), 0.5 - 0.1 * 2 * 3)


def test_regularizer_of_nobody():
    regularizer = SquaredWeight(weight=1.0)
    regularizer.player = 'generater'
    with pytest.raises(ValueError, match="'discriminator', 'generator', got 'generater' of Squar"):
        linear_gan(regularizers=[regularizer])


def test_image_shape_is_that_of_the_generator_at_present(make_gan, make_batch):
    gan = make_gan()
    gan.generator.image_shape = (3, 5, 5)
    assert gan.image_shape == (3, 5, 5)
    assert gan.prepare_batch(make_batch(shape=(3, 5, 5))).images.shape[1:] == (3, 5, 5)


def test_frozen_weights_stay_and_the_others_train(make_optim_wrapper):
    gan = GAN(
        generator=dict(type='MLPGenerator', latent_dim=4, image_shape=(1, 4, 4), hidden_dims=(8,)),
        discriminator=dict(type='MLPDiscriminator', image_shape=(1, 4, 4), hidden_dims=(8,)),
        loss=dict(type='NonSaturatingGANLoss'),
        regularizers=[dict(type='R1Regularizer', weight=1.0)],
        ema=dict(type='ExponentialMovingAverage', momentum=0.5),
        frozen=['generator.layers.0', 'discriminator.layers.0'],
    )
    before = {name: weight.clone() for name, weight in gan.state_dict().items()}
    data = dict(inputs=torch.randint(0, 256, (2, 1, 4, 4), dtype=torch.uint8))
    for _ in range(2):
        gan.train_step(data, make_optim_wrapper(gan))
    changed = {name for name, weight in gan.named_parameters() if not weight.equal(before[name])}
    frozen = {name for name, weight in gan.named_parameters() if not weight.requires_grad}
    assert not changed & {n for n in frozen if not n.startswith('generator_ema')}
    assert 'generator.layers.2.weight' in changed
    assert [name for name in changed if name.startswith('discriminator.')]
