"""Two processes on the CPU train what one does; the file is also what the two run."""

import os
import random
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.dist import get_dist_info, is_distributed
from mmengine.model import MMDistributedDataParallel, is_model_wrapper
from mmengine.runner import Runner
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook

import mmgan_lite
from mmgan_lite.models import MLPDiscriminator

ITERATIONS = 5
NETWORKS = ('generator', 'discriminator')


def make_runner(work_dir, **settings):
    """A conditional GAN on the digits, 16 images an iteration in all processes together."""
    cfg = mmgan_lite.get_config('gan_mlp_digits-28x28_conditional')
    cfg.merge_from_dict(
        dict(
            work_dir=str(work_dir),
            experiment_name=work_dir.name,
            launcher='pytorch' if is_distributed() else 'none',
            default_hooks=dict(checkpoint=dict(interval=ITERATIONS)),
            train_cfg=dict(max_iters=ITERATIONS),
            train_dataloader=dict(batch_size=16 // get_dist_info()[1]),
            model=dict(generator=dict(hidden_dims=(16, 16)), discriminator=dict(hidden_dims=(16,))),
            **settings,
        )
    )
    return Runner.from_cfg(cfg)


# Networks of the other kinds, narrow: what is different in several processes is named.
FAMILIES = dict(
    pggan_digits=dict(  # parameters without gradient, sizes that change
        generator=dict(base_channels=16, max_channels=8),
        discriminator=dict(base_channels=16, max_channels=8),
        growth=dict(fade_images=24, stable_images=16),
    ),
    biggan_digits=dict(  # spectral norm in both, a regularizer of the generator
        generator=dict(channels=8),
        discriminator=dict(channels=(8, 8)),
        regularizers=[dict(type='OrthogonalRegularizer')],
    ),
    fastgan_digits=dict(  # decoders, which train outside of the wrapper's pass
        generator=dict(base_channels=2),
        discriminator=dict(base_channels=2),
    ),
    stylegan2_mnist=dict(  # mean style, path length and its mean, adaptive augmentation
        generator=dict(style_dim=8, channel_max=8),
        discriminator=dict(channel_max=8),
        regularizers=[dict(type='R1Regularizer', interval=2), dict(type='PathLengthRegularizer')],
        augmentation=dict(type='AdaptiveAugment', interval=1),
    ),
)


def make_family(work_dir, name):
    sizes = dict(stylegan2_mnist='32x32_cpu')
    cfg = mmgan_lite.get_config(f'{name}-{sizes.get(name, "28x28")}')
    cfg.merge_from_dict(
        dict(
            work_dir=str(work_dir),
            experiment_name=work_dir.name,
            launcher='pytorch',
            train_cfg=dict(max_iters=ITERATIONS),
            train_dataloader=dict(batch_size=8, dataset=dict(_delete_=True, type='DigitsDataset')),
            model=FAMILIES[name],
        )
    )
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.train_dataloader.dataset.image_size = cfg.model.generator.image_shape[1]
    return Runner.from_cfg(cfg)


def make_comparable_runner(work_dir, **optim_wrapper):
    """No batch norm, which sees only its process's images, and latents that are shared out."""
    sgd = dict(_delete_=True, type='SGD', lr=0.1)
    runner = make_runner(
        work_dir,
        optim_wrapper={name: dict(optimizer=dict(sgd), **optim_wrapper) for name in NETWORKS},
        **{
            'model.generator.hidden_dims': (16,),
            'model.regularizers': [dict(type='R1Regularizer', weight=1.0, interval=2)],
        },
    )
    gan, stream = bare(runner.model), torch.Generator().manual_seed(0)
    rank, processes = get_dist_info()

    def sample_latents(num, generator=None):
        if generator is not None:  # of the grids, which the first process draws
            return type(gan).sample_latents(gan, num, generator)
        # The sampler deals out images in turn too: each latent meets the same label.
        return torch.randn(num * processes, gan.latent_dim, generator=stream)[rank::processes]

    gan.sample_latents = sample_latents
    return runner


def bare(model):
    return model.module if is_model_wrapper(model) else model


def train(runner):
    """Train; what the process ends with."""
    gan = bare(runner.model)
    exchanges = dict.fromkeys(NETWORKS, 0)

    def count(name, bucket):
        exchanges[name] += 1
        return allreduce_hook(None, bucket)

    if is_distributed():
        for name in NETWORKS:
            getattr(gan, name).register_comm_hook(name, count)
    runner.train()
    numbers = torch.rand(3).tolist(), np.random.rand(3).tolist(), random.random()
    optimizers = {name: state['state'] for name, state in runner.optim_wrapper.state_dict().items()}
    weights = {name: value.clone() for name, value in gan.state_dict().items()}
    return dict(weights=weights, optimizers=optimizers, numbers=numbers, exchanges=exchanges)


def penalised_gradients(network):
    """Gradients of two passes and R1, the squared slope on real images (arXiv:1801.04406)."""
    rank, processes = get_dist_info()
    images = torch.rand(2, 8, 1, 4, 4, generator=torch.Generator().manual_seed(1))
    real, fake = images[:, rank::processes]
    real.requires_grad_()
    real_logits, fake_logits = network(real), network(fake)
    (slope,) = torch.autograd.grad(real_logits.sum(), real, create_graph=True)
    penalty = slope.square().flatten(1).sum(1).mean()
    (F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean() + penalty).backward()
    return [parameter.grad for parameter in network.parameters()]


def make_discriminator():
    torch.manual_seed(0)
    return MLPDiscriminator(image_shape=(1, 4, 4), hidden_dims=(8, 8))


def gradients_without_exchange(gan):
    """In ``no_sync`` of the wrapper around all networks, each on latents of its process."""
    with gan.no_sync():
        labels = torch.arange(4)
        fakes = gan.module.generator(torch.randn(4, gan.module.latent_dim), labels)
        gan.module.discriminator(fakes, labels).mean().backward()
    return {name: next(getattr(gan.module, name).parameters()).grad.clone() for name in NETWORKS}


def reloaded_weights(gan, checkpoint):
    """Weights from a file, by torch's own strict way and not by the Runner's."""
    gan.load_state_dict(torch.load(checkpoint)['state_dict'])
    return gan.state_dict()


def main(folder, checkpoint_of_one):
    """What each of the two processes does."""
    torch.distributed.init_process_group('gloo')
    runs, runners = {}, {}
    for name, make, settings in (
        ('comparable', make_comparable_runner, {}),
        ('accumulated', make_comparable_runner, dict(accumulative_counts=2)),
        ('usual', make_runner, {}),
        ('again', make_runner, {}),
        ('other_seed', make_runner, dict(randomness=dict(seed=1))),
        ('own_seeds', make_runner, dict(randomness=dict(diff_rank_seed=True))),
        ('resumed', make_runner, dict(load_from=checkpoint_of_one, resume=True)),
    ):
        runners[name] = make(folder / name, **settings)
        runs[name] = train(runners[name])
    runs |= {name: train(make_family(folder / name, name)) for name in FAMILIES}
    runs['reloaded'] = reloaded_weights(runners['usual'].model.module, checkpoint_of_one)
    runs['no_sync'] = gradients_without_exchange(runners['again'].model)
    runs['penalized'] = penalised_gradients(MMDistributedDataParallel(make_discriminator()))
    torch.save(runs, folder / f'{get_dist_info()[0]}.pth')


@pytest.fixture(scope='module')
def one(tmp_path_factory):
    """The runs in a single process, and their folder."""
    folder = tmp_path_factory.mktemp('one')
    runs = dict(
        comparable=train(make_comparable_runner(folder / 'comparable')),
        accumulated=train(make_comparable_runner(folder / 'accumulated', accumulative_counts=2)),
        usual=train(make_runner(folder / 'usual')),
    )
    return folder, runs


@pytest.fixture(scope='module')
def two(tmp_path_factory, torchrun, one):
    """The runs of each of two processes, and their folder."""
    folder = tmp_path_factory.mktemp('two')
    torchrun(__file__, folder, one[0] / 'usual' / f'iter_{ITERATIONS}.pth')
    return folder, [torch.load(folder / f'{rank}.pth') for rank in (0, 1)]


def assert_same(first, second, **tolerances):
    torch.testing.assert_close(first, second, **(tolerances or dict(rtol=0, atol=0)))


@pytest.mark.parametrize(
    'run', ['comparable', 'accumulated', 'usual', 'own_seeds', 'resumed', *FAMILIES]
)
def test_both_processes_end_with_the_same_weights(two, run):
    first, second = (
        {
            name: value
            for name, value in runs[run]['weights'].items()
            # Means over what each process saw: batch norm's, and of styles.
            if 'running_' not in name and 'w_avg' not in name
        }
        for runs in two[1]
    )
    assert any(name.startswith('generator_ema.') for name in first)
    assert_same(first, second)
    assert_same(two[1][0][run]['optimizers'], two[1][1][run]['optimizers'])


@pytest.mark.parametrize('run', ['comparable', 'accumulated'])
def test_two_at_half_the_batch_are_one_at_the_whole(one, two, run):
    whole, half = one[1][run]['weights'], two[1][0][run]['weights']
    assert_same(half, whole, rtol=0, atol=1e-6)
    start = bare(make_comparable_runner(one[0] / f'start of {run}').model).state_dict()
    for name in NETWORKS:  # both have trained
        weight = f'{name}.layers.0.weight'
        assert (whole[weight] - start[weight]).abs().max() > 1e-3


def test_accumulated_gradients_are_exchanged_once_a_step(two):
    for runs in two[1]:
        assert runs['comparable']['exchanges'] == dict(generator=5, discriminator=5)
        # After iterations 2 and 4, and after the last.
        assert runs['accumulated']['exchanges'] == dict(generator=3, discriminator=3)


def test_no_sync_of_the_whole_wrapper(two):
    first, second = (runs['no_sync'] for runs in two[1])
    for name in NETWORKS:
        assert not torch.equal(first[name], second[name])


def test_r1_penalty_through_the_wrapper(two):
    expected = penalised_gradients(make_discriminator())
    for runs in two[1]:
        assert_same(runs['penalized'], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize('run', ['usual', 'own_seeds', 'resumed'])
def test_processes_draw_different_random_numbers(two, run):
    first, second = (runs[run]['numbers'] for runs in two[1])
    for numbers, others in zip(first, second, strict=True):
        assert numbers != others


def test_a_seed_gives_the_same_run_again(two):
    for runs in two[1]:
        assert_same(runs['usual'], runs['again'])


def test_neighboring_seeds_share_no_noise(two):
    assert two[1][1]['usual']['numbers'] != two[1][0]['other_seed']['numbers']


def test_checkpoint_of_one_loads_into_two(one, two):
    for runs in two[1]:
        assert_same(runs['resumed']['weights'], one[1]['usual']['weights'])
        assert_same(runs['resumed']['optimizers'], one[1]['usual']['optimizers'])
        assert_same(runs['reloaded'], one[1]['usual']['weights'])


def test_checkpoint_of_two_loads_into_one(two, tmp_path):
    folder, (first, _) = two
    checkpoint = str(folder / 'usual' / f'iter_{ITERATIONS}.pth')
    resumed = train(make_runner(tmp_path / 'resumed', load_from=checkpoint, resume=True))
    assert_same(resumed['weights'], first['usual']['weights'])
    assert_same(resumed['optimizers'], first['usual']['optimizers'])


if __name__ == '__main__':
    main(Path(sys.argv[1]), sys.argv[2])
    torch.distributed.barrier()  # gloo aborts a process whose peer has left already
    os._exit(0)  # and one whose threads are there when Python ends
