"""Each state is provoked by a real training; the file is also what two processes run."""

import json
import logging
import math
import os
import random
import re
import sys
import uuid
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from mmgan_lite.engine.hooks import GANHealthHook
from mmgan_lite.models import (
    GAN,
    CycleGAN,
    MLPDiscriminator,
    MLPGenerator,
    NonSaturatingGANLoss,
    Pix2Pix,
)

SHAPE = (1, 4, 4)


class Images(torch.utils.data.Dataset):
    """64 random images of three classes in turn."""

    def __init__(self):
        stream = np.random.default_rng(0)
        self.images = torch.from_numpy(stream.integers(0, 256, (64, *SHAPE), dtype=np.uint8))

    def __len__(self):
        return 64

    def __getitem__(self, index):
        return dict(inputs=self.images[index], labels=index % 3)


class BlindGenerator(MLPGenerator):
    """Ignores its latents."""

    def forward(self, latents, labels=None):
        return super().forward(torch.zeros_like(latents), labels)


class NoisyDiscriminator(MLPDiscriminator):
    """Draws random numbers, and writes down a vector in each pass."""

    def __init__(self, **settings):
        super().__init__(**settings)
        self.layers[0] = spectral_norm(self.layers[0])
        self.layers.insert(1, nn.Dropout())


def make_gan(generator=MLPGenerator, discriminator=MLPDiscriminator, num_classes=None, **parts):
    return GAN(
        generator(latent_dim=6, image_shape=SHAPE, hidden_dims=(16, 16), num_classes=num_classes),
        discriminator(image_shape=SHAPE, hidden_dims=(16,), num_classes=num_classes),
        **{'loss': NonSaturatingGANLoss(), **parts},
    )


def make_runner(
    model,
    work_dir,
    hooks=(),
    iterations=200,
    rates=(1e-3, 1e-3),
    optimizer='Adam',
    launcher='none',
    loader=None,
):
    wrappers = {
        name: dict(optimizer=dict(type=optimizer, lr=rate))
        for name, rate in zip(('generator', 'discriminator'), rates, strict=True)
    }
    return Runner(
        model=model,
        work_dir=str(work_dir),
        train_dataloader=loader
        or dict(
            dataset=Images(),
            sampler=dict(type='InfiniteSampler', shuffle=True),
            batch_size=32,
            num_workers=0,
        ),
        train_cfg=dict(by_epoch=False, max_iters=iterations),
        optim_wrapper=dict(constructor='MultiOptimWrapperConstructor', **wrappers),
        cfg=dict(model_wrapper_cfg=dict(type='mmgan_lite.GANDistributedDataParallel')),
        default_hooks=dict(
            runtime_info=dict(type='DeferredLogHook'),
            checkpoint=dict(
                type='CheckpointHook', by_epoch=False, interval=10_000, save_last=False
            ),
            logger=dict(type='LoggerHook', interval=10),
        ),
        custom_hooks=list(hooks),
        default_scope='mmgan_lite',
        randomness=dict(seed=0),
        experiment_name=uuid.uuid4().hex,
        launcher=launcher,
    )


@pytest.fixture
def train(tmp_path):
    """Train with the hook, and return its warnings and the Runner."""

    def run(model, interval=10, others=(), hook=None, **settings):
        hook = hook or dict(type='GANHealthHook', interval=interval)
        runner = make_runner(model, tmp_path, [*others, hook], **settings)
        records = []
        handler = logging.Handler()
        handler.emit = records.append
        runner.logger.addHandler(handler)
        runner.train()
        runner.logger.removeHandler(handler)
        found = [r for r in records if 'Health at' in r.getMessage() or 'stops' in r.getMessage()]
        return [(r.levelname, r.getMessage()) for r in found], runner

    return run


def scalars(runner):
    lines = (Path(runner.log_dir) / 'vis_data' / 'scalars.json').read_text().splitlines()
    return [json.loads(line) for line in lines]


def figure(runner, name):
    return runner.message_hub.get_scalar(f'train/health/{name}').current()


def test_collapsed_generator_is_named_within_200_iterations(train):
    """With the hook as it is by default; named once, with the figure and a remedy."""
    hook = dict(type='GANHealthHook')
    messages, runner = train(make_gan(BlindGenerator), hook=hook, iterations=200)
    ((level, message),) = messages
    assert level == 'WARNING'
    assert message.startswith(
        'Health at iteration 200: mode_collapse: mode collapse: the generator'
    )
    assert 'The sign: diversity is 0, below 0.1.' in message
    assert "What to try: Lower the generator's learning rate" in message
    assert figure(runner, 'alarms') == 1


def test_generator_that_runs_after_its_discriminator_collapses_and_is_named(train):
    """A recipe that collapses: the generator is far faster, and its latents are lost on the way."""
    messages, _ = train(make_gan(), rates=(3e-2, 1e-5), iterations=200)
    assert any('mode_collapse' in message for _, message in messages)


def test_healthy_training_raises_no_alarm_and_logs_its_figures(train):
    messages, runner = train(make_gan(), iterations=300)
    assert messages == []
    last = scalars(runner)[-1]
    assert {key for key in last if key.startswith('health/')} == {
        f'health/{name}'
        for name in (
            'real_accuracy',
            'fake_accuracy',
            'separation',
            'logit_gap',
            'doubt',
            'gradient_norm_generator',
            'gradient_norm_discriminator',
            'diversity',
            'mean_shift',
            'nonfinite',
            'alarms',
        )
    }
    assert last['step'] == 300
    assert 0.3 < last['health/diversity'] < 1.5
    # Those that match would be logged as means over earlier probes.
    mean_of_many = runner.log_processor.mean_pattern
    assert not [key for key in last if key.startswith('health/') and mean_of_many.search(key)]


def test_discriminator_that_won_is_named(train):
    messages, runner = train(make_gan(), rates=(1e-9, 2e-2), iterations=400)
    assert [m.split(': ')[1] for _, m in messages] == ['discriminator_won']
    assert "Lower the discriminator's learning rate" in messages[0][1]
    assert figure(runner, 'separation') >= 0.99
    assert figure(runner, 'doubt') < 0.02


def test_discriminator_that_lost_is_named(train):
    messages, runner = train(make_gan(), rates=(1e-2, 1e-9), iterations=200)
    (message,) = [m for _, m in messages if 'discriminator_lost' in m]
    assert "Raise the discriminator's learning rate" in message
    assert figure(runner, 'separation') < 0.25


def test_dead_generator_is_named(train):
    """The same sure discriminator kills the saturating generator, and not the other one."""

    def sure(loss):
        model = make_gan(loss=dict(type=loss))
        with torch.no_grad():
            model.discriminator.layers[-1].bias.fill_(-40.0)
        return model

    messages, _ = train(sure('SaturatingGANLoss'), rates=(1e-9, 1e-9), iterations=40)
    (message,) = [m for _, m in messages if 'dead_generator' in m]
    assert 'Health at iteration 20: dead_generator: the generator is dead' in message
    assert 'Take NonSaturatingGANLoss in the place of SaturatingGANLoss' in message
    messages, _ = train(sure('NonSaturatingGANLoss'), rates=(1e-9, 1e-9), iterations=40)
    assert not any('dead_generator' in m for _, m in messages)


def test_diverged_training_is_named_at_the_next_probe(train):
    messages, _ = train(make_gan(), optimizer='SGD', rates=(1e6, 1e6), iterations=50)
    assert [m.split(': ')[:2] for _, m in messages] == [['Health at iteration 10', 'diverged']]
    assert 'lower the learning rates' in messages[0][1]


class Spoil(Hook):
    """Puts a NaN into something after one iteration."""

    priority = 'HIGH'

    def __init__(self, iteration, spoil):
        self.iteration, self.spoil = iteration, spoil

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter + 1 == self.iteration:
            self.spoil(runner.model, outputs)


def spoil_weight(model, outputs):
    model.discriminator.layers[2].bias.data[0] = math.inf


def spoil_loss(model, outputs):
    outputs['loss_gen'] = torch.tensor(math.nan)


@pytest.mark.parametrize(
    ('spoil', 'name'),
    [(spoil_weight, 'discriminator.layers.2.bias'), (spoil_loss, 'loss_gen')],
)
def test_first_value_that_is_not_finite_is_named(train, spoil, name):
    messages, _ = train(make_gan(), others=[Spoil(10, spoil)], iterations=10)
    ((_, message),) = messages
    assert f', over 0, first {name}. What' in message


def test_end_of_a_state_is_logged(train):
    messages, _ = train(make_gan(), others=[Spoil(10, spoil_loss)], iterations=50)
    assert [(level, m.partition(' at ')[2][:29]) for level, m in messages] == [
        ('WARNING', 'iteration 10: diverged: the t'),
        ('INFO', 'iteration 30: over is diverge'),
    ]


def test_training_stops_where_it_is_asked_to(train):
    hook = dict(type='GANHealthHook', interval=10, stop_on=('mode_collapse',))
    messages, runner = train(make_gan(BlindGenerator), hook=hook)
    assert runner.iter == 20
    assert messages[-1] == (
        'ERROR',
        'Training stops at iteration 20: stop_on of GANHealthHook.',
    )


def test_training_does_not_notice_the_hook(tmp_path):
    """Weights, statistics, optimisers, modes and every random stream are the same bit for bit."""

    def trained(name, hooks):
        torch.manual_seed(0)
        parts = dict(
            augmentation=dict(type='DiffAugment'), ema=dict(type='ExponentialMovingAverage')
        )
        model = make_gan(discriminator=NoisyDiscriminator, num_classes=3, **parts)
        runner = make_runner(model, tmp_path / name, hooks, iterations=6)
        runner.train()
        assert all(m.training for m in model.generator.modules())
        optimizers = [w.optimizer.state_dict()['state'] for w in runner.optim_wrapper.values()]
        numbers = torch.rand(1).item(), np.random.rand(), random.random()
        gradients = [p.grad for p in model.parameters()]
        return model.state_dict(), optimizers, numbers, gradients

    state, optimizers, numbers, gradients = trained('without', [])
    other_state, other_optimizers, other_numbers, other_gradients = trained(
        'with', [dict(type='GANHealthHook', interval=1)]
    )
    assert numbers == other_numbers
    for other, gradient in zip(other_gradients, gradients, strict=True):
        assert (other is gradient is None) or torch.equal(other, gradient)
    torch.testing.assert_close(other_state, state, rtol=0, atol=0)
    torch.testing.assert_close(other_optimizers, optimizers, rtol=0, atol=0)


def test_device_is_asked_for_nothing_before_all_is_known(make_batch):
    """On the meta device there are no numbers: whoever asks for one fails."""
    model = make_gan(num_classes=3, augmentation=dict(type='DiffAugment', policy=['color']))
    model.to('meta')
    batch = make_batch(8, labels=[0, 1, 2, 0, 1, 2, 0, 1])
    figures, checked = GANHealthHook()._measure(model, batch, dict(loss=torch.tensor(1.0)))
    assert all(value.is_meta for value in figures.values())
    assert 'generator.layers.0.weight' in checked


def test_classes_of_the_fakes(train):
    images = torch.cat([torch.full((30, 1, 28, 28), -1.0), torch.rand(2, 1, 28, 28) * 2 - 1])
    hook = GANHealthHook(classifier=dict(type='MNISTClassifier'))
    model = GAN(
        MLPGenerator(hidden_dims=(8,)), MLPDiscriminator(hidden_dims=(8,)), NonSaturatingGANLoss()
    )
    runner = type('R', (), dict(model=model))()
    hook.before_train(runner)
    assert hook._class_entropy(model, images, images).item() == 1
    one = images[:1].expand(32, -1, -1, -1)
    assert hook._class_entropy(model, images, one).item() < 1
    # Half each of two classes, and sure of them: ln 2.
    logits = torch.tensor([[50.0, 0.0, 0.0], [0.0, 50.0, 0.0]])
    uniform = torch.zeros(2, 3)
    hook._classifier = lambda images: SimpleNamespace(logits=logits if images.any() else uniform)
    ratio = hook._class_entropy(model, -torch.ones(1, 1, 28, 28), torch.ones(1, 1, 28, 28))
    assert ratio.item() == pytest.approx(math.log(2) / math.log(3))


def test_accuracy_needs_an_objective_with_a_threshold(make_batch):
    expected = dict(
        NonSaturatingGANLoss=True,
        LeastSquaresGANLoss=True,
        HingeGANLoss=True,
        WassersteinGANLoss=False,
        RelativisticPairingGANLoss=False,
    )
    for loss, has in expected.items():
        figures, _ = GANHealthHook()._measure(make_gan(loss=dict(type=loss)), make_batch(8), {})
        assert ('real_accuracy' in figures) == has, loss


def test_unknown_state_is_refused():
    with pytest.raises(ValueError, match="got 'mode_colapse'. Did you mean 'mode_collapse'?"):
        GANHealthHook(stop_on=('mode_colapse',))


def test_one_sample_is_refused():
    with pytest.raises(ValueError, match=r'num_samples must be an int of at least 2, got 1'):
        GANHealthHook(num_samples=1)


class Pairs(torch.utils.data.Dataset):
    """Random sources, and their negatives."""

    def __len__(self):
        return 64

    def __getitem__(self, index):
        stream = torch.Generator().manual_seed(index)
        source = torch.randint(256, SHAPE, generator=stream, dtype=torch.uint8)
        return dict(source=source, target=255 - source)


class Translator(nn.Module):
    """An image, times ``weight``, plus a little."""

    def __init__(self, weight=1.0):
        super().__init__()
        self.register_buffer('weight', torch.tensor(float(weight)))
        self.shift = nn.Parameter(torch.zeros(()))

    def forward(self, images):
        return self.weight * images + self.shift


@pytest.fixture
def pairs():
    """A data loader of batches of two pairs."""
    return dict(
        dataset=Pairs(),
        sampler=dict(type='InfiniteSampler', shuffle=True),
        batch_size=2,
        num_workers=0,
        collate_fn=dict(type='default_collate'),
    )


def make_pix2pix(weight):
    return Pix2Pix(
        generator=Translator(weight),
        discriminator=nn.Conv2d(2, 1, 2),
        loss=dict(type='NonSaturatingGANLoss'),
    )


@pytest.mark.parametrize(
    ('weight', 'state', 'sign'),
    [
        (1.0, 'identity_collapse', r'change is 0\.\d+, below 0.03'),
        (0.0, 'dead_domain', r'output_diversity is 0, below 0.05'),
        (-1.0, None, ''),
    ],
)
def test_states_of_a_translation(train, pairs, weight, state, sign):
    """Batches of two: the images of a probe are those of four."""
    messages, runner = train(make_pix2pix(weight), loader=pairs, iterations=40)
    if state is None:
        assert messages == []
        assert figure(runner, 'change') == pytest.approx(1.0, abs=0.05)
        assert figure(runner, 'output_diversity') == pytest.approx(1.0, abs=0.05)
        assert 0.1 < figure(runner, 'mean_doubt') < 2
        return
    ((_, message),) = messages
    assert message.startswith(f'Health at iteration 30: {state}: ')
    assert re.search(sign, message)
    assert figure(runner, 'alarms') == 1
    assert figure(runner, 'nonfinite') == 0


def test_directions_of_a_translation_have_states_of_their_own(train, pairs):
    model = CycleGAN(
        generator=dict(
            type='ResNetTranslator', in_channels=1, out_channels=1, base_channels=2, num_blocks=1
        ),
        discriminator=dict(type='PatchDiscriminator', in_channels=1, base_channels=2, num_layers=0),
        loss=dict(type='LeastSquaresGANLoss'),
    )
    model.generator_a2b, model.generator_b2a = Translator(-1.0), Translator(0.0)
    hook = dict(type='GANHealthHook', interval=10, stop_on='dead_domain')
    messages, runner = train(model, loader=pairs, hook=hook, iterations=60)
    assert [text.partition(': a')[0] for _, text in messages] == [
        'Health at iteration 30: dead_domain of b2a',
        'Training stops at iteration 30: stop_on of GANHealthHook.',
    ]
    assert {key for key in runner.message_hub.log_scalars if 'health/' in key} == {
        f'train/health/{name}'
        for name in (
            *('change_a2b', 'change_b2a', 'output_diversity_a2b', 'output_diversity_b2a'),
            *('mean_doubt_a', 'mean_doubt_b', 'nonfinite', 'alarms'),
        )
    }


def test_training_does_not_notice_the_figures_of_a_translation(tmp_path, pairs):
    def trained(name, hooks):
        torch.manual_seed(0)
        model = Pix2Pix(
            generator=dict(
                type='UNetTranslator', in_channels=1, out_channels=1, base_channels=2, levels=2
            ),
            discriminator=nn.Conv2d(2, 1, 2),
            loss=dict(type='NonSaturatingGANLoss'),
            test_statistics='batch',
        )
        runner = make_runner(model, tmp_path / name, hooks, iterations=6, loader=pairs)
        runner.train()
        assert all(m.training for m in model.generator.modules())
        return model.state_dict(), (torch.rand(1).item(), np.random.rand(), random.random())

    state, numbers = trained('without', [])
    other_state, other_numbers = trained('with', [dict(type='GANHealthHook', interval=1)])
    assert numbers == other_numbers
    torch.testing.assert_close(other_state, state, rtol=0, atol=0)


def test_a_model_without_probe_is_not_measured(tmp_path, fake_gan, make_runner):
    runner = make_runner(fake_gan(), [GANHealthHook(interval=1, guard=dict())])
    runner.train()
    assert not [key for key in runner.message_hub.log_scalars if 'health' in key]
    log = next(tmp_path.rglob('*.log')).read_text()
    text = 'GANHealthHook does not measure a FakeGAN: it has neither probe nor translate.'
    assert log.count(text) == 1


@pytest.mark.parametrize('alone', [False, True])
def test_guard(train, alone):
    """As a part, and as a hook of its own from an older config, which takes its place."""
    others = [Spoil(10, spoil_loss)] + [dict(type='NonFiniteGuardHook', interval=3)] * alone
    hook = dict(type='GANHealthHook', guard=dict())
    with pytest.raises(FloatingPointError, match='Iteration 10: loss_gen is nan'):
        train(make_gan(), others=others, hook=hook, iterations=20)


def test_mistakes_in_the_guard():
    with pytest.raises(ValueError, match='max_skips must be an int of at least 0, got -1'):
        GANHealthHook(guard=dict(max_skips=-1))
    with pytest.raises(TypeError, match="'max_skip'"):
        GANHealthHook(guard=dict(max_skip=1))


def test_classifier_must_have_logits():
    class Features(nn.Module):
        def forward(self, images):
            return images

    runner = type('R', (), dict(model=make_gan()))()
    with pytest.raises(ValueError, match='classifier must give logits of classes, but Features'):
        GANHealthHook(classifier=Features()).before_train(runner)


def test_two_processes_stop_together(torchrun, tmp_path):
    # Not by lines: torchrun does not buffer, so that another process may write before a line ends.
    found = re.findall(r'stopped \d at \d+, logged (?:True|False)', torchrun(__file__, tmp_path))
    assert sorted(found) == ['stopped 0 at 20, logged True', 'stopped 1 at 20, logged False']


def main(work_dir):
    import mmengine.dist

    torch.distributed.init_process_group('gloo')
    hook = dict(type='GANHealthHook', interval=10, stop_on=('mode_collapse',))
    runner = make_runner(make_gan(BlindGenerator), work_dir, [hook], launcher='pytorch')
    runner.train()
    rank = mmengine.dist.get_rank()
    logged = 'train/health/diversity' in runner.message_hub.log_scalars
    print(f'stopped {rank} at {runner.iter}, logged {logged}', flush=True)


if __name__ == '__main__':
    main(Path(sys.argv[1]))
    torch.distributed.barrier()  # gloo aborts a process whose peer has left already
    os._exit(0)  # and one whose threads are there when Python ends
