"""Recording and replaying, as far as a CPU shows it; the last tests need a GPU.

A fake takes the place of the recording: it runs the Python code once without effect on any tensor,
as a capture does, and a replay computes on the same static tensors without effect on Python's
numbers.
"""

import copy

import pytest
import torch

from mmgan_lite.models import cuda_graph

# A large eps: biases before a batch norm have gradients of nothing but rounding.
ADAM = dict(optimizer=dict(type='Adam', lr=1e-2, eps=1e-2, fused=True))


@pytest.fixture
def fake_cuda(monkeypatch):
    """Lets a CPU pass for a GPU while this GAN and these wrappers train; gives the recordings."""
    recordings = []

    def install(gan, wrappers):
        def record(function):
            states = [s for w in wrappers.values() for s in w.optimizer.state.values()]
            tensors = [*gan.state_dict().values(), *(t for s in states for t in s.values())]
            before = copy.deepcopy(tensors)
            with torch.random.fork_rng():
                outputs = function()
            rates = [g['lr'] for w in wrappers.values() for g in w.param_groups]
            for tensor, value in zip(tensors, before, strict=True):
                tensor.copy_(value)
            recordings.append(function)

            def replay():
                groups = [g for w in wrappers.values() for g in w.param_groups]
                numbers = [(group, group['lr']) for group in groups]
                counts = [(w, w.inner_count) for w in wrappers.values()]
                for group, rate in zip(groups, rates, strict=True):
                    group['lr'] = rate
                for name, value in function().items():
                    outputs[name].copy_(value)
                for group, number in numbers:
                    group['lr'] = number
                for wrapper, count in counts:
                    wrapper.inner_count = count

            return replay, outputs

        monkeypatch.setattr(cuda_graph, '_record', record)
        monkeypatch.setattr(cuda_graph, '_run_aside', lambda function: function())
        monkeypatch.setattr(cuda_graph, '_check_device', lambda device: None)
        return recordings

    return install


def train(gan, wrappers, batches, rate=lambda iteration: 1e-2):
    logs = []
    for iteration, batch in enumerate(batches):
        for wrapper in wrappers.values():
            wrapper.optimizer.param_groups[0]['lr'] = rate(iteration)
        logs.append(gan.train_step(batch, wrappers))
        assert wrappers['generator'].optimizer.param_groups[0]['lr'] == rate(iteration)
    return logs


@pytest.mark.parametrize('discriminator_steps', [1, 3])
def test_same_training_as_without(
    make_gan, make_batch, make_optim_wrapper, fake_cuda, discriminator_steps
):
    """The learning rate, which changes every iteration, reaches the replays too."""
    results = []
    for graphed in (False, True):
        torch.manual_seed(0)
        gan = make_gan(
            num_classes=3,
            cuda_graph=graphed,
            discriminator_steps=discriminator_steps,
            ema=dict(type='ExponentialMovingAverage', momentum=0.1),
        )
        wrappers = make_optim_wrapper(gan, generator=ADAM, discriminator=ADAM)
        recordings = fake_cuda(gan, wrappers)
        batches = [make_batch(labels=[0, 1, 2, 1]) for _ in range(24)]
        logs = train(gan, wrappers, batches, lambda i: 1e-2 / (i + 1))
        turns = 24 // discriminator_steps
        assert {n: w.inner_count for n, w in wrappers.items()} == dict(
            generator=turns, discriminator=24
        )
        results.append((gan.state_dict(), logs))
    # One with the generator's turn, one without.
    assert len(recordings) == (1 if discriminator_steps == 1 else 2)
    (eager, eager_logs), (graphed, graphed_logs) = results
    torch.testing.assert_close(graphed, eager, rtol=0, atol=1e-5)
    for log, other in zip(graphed_logs, eager_logs, strict=True):
        torch.testing.assert_close(log, other, rtol=0, atol=1e-5)


def test_checkpoint_knows_nothing_of_it(make_gan, make_batch, make_optim_wrapper, fake_cuda):
    gan = make_gan(cuda_graph=True)
    wrappers = make_optim_wrapper(gan, generator=ADAM, discriminator=ADAM)
    fake_cuda(gan, wrappers)
    train(gan, wrappers, [make_batch() for _ in range(6)])
    group = wrappers['generator'].state_dict()['param_groups'][0]
    assert (group['lr'], group['capturable']) == (1e-2, False)


def test_loaded_optimizer_state_is_recorded_anew(
    make_gan, make_batch, make_optim_wrapper, fake_cuda
):
    gan = make_gan(cuda_graph=True)
    wrappers = make_optim_wrapper(gan, generator=ADAM, discriminator=ADAM)
    recordings = fake_cuda(gan, wrappers)
    train(gan, wrappers, [make_batch() for _ in range(5)])
    wrappers.load_state_dict(copy.deepcopy(wrappers.state_dict()))
    train(gan, wrappers, [make_batch() for _ in range(5)])
    assert len(recordings) == 2


def test_log_of_an_iteration_is_kept(make_gan, make_batch, make_optim_wrapper, fake_cuda):
    """The next replay writes to the same tensors."""
    gan = make_gan(cuda_graph=True)
    wrappers = make_optim_wrapper(gan, generator=ADAM, discriminator=ADAM)
    fake_cuda(gan, wrappers)
    logs = train(gan, wrappers, [make_batch() for _ in range(6)])
    kept = [log['loss_disc'].clone() for log in logs]
    train(gan, wrappers, [make_batch() for _ in range(2)])
    assert [log['loss_disc'] for log in logs] == kept
    assert len({float(value) for value in kept}) == 6


def test_settings_that_change_all_the_time(make_gan, make_batch, make_optim_wrapper, fake_cuda):
    gan = make_gan(cuda_graph=True)
    wrappers = make_optim_wrapper(gan, generator=ADAM, discriminator=ADAM)
    fake_cuda(gan, wrappers)

    def anneal():
        for step in range(1, 100):
            wrappers['generator'].optimizer.param_groups[0]['betas'] = (0.0, 1 - 1 / (10 + step))
            for _ in range(4):
                gan.train_step(make_batch(), wrappers)

    with pytest.raises(ValueError, match='needs settings that stay, got 64 kinds of iteration'):
        anneal()


def test_no_gpu(make_gan, make_batch, make_optim_wrapper):
    gan = make_gan(cuda_graph=True)
    with pytest.raises(ValueError, match='needs a model on a CUDA device, got one on cpu'):
        gan.train_step(make_batch(), make_optim_wrapper(gan))


@pytest.mark.parametrize(
    ('entry', 'message'),
    [
        (dict(optimizer=dict(type='SGD', lr=0.1)), 'SGD, which has no argument capturable'),
        (dict(**ADAM, accumulative_counts=2), 'needs accumulative_counts=1, got 2'),
        (dict(**ADAM, dtype='float16'), 'got float16 with a scaled loss'),
    ],
)
def test_what_cannot_be_recorded(
    make_gan, make_batch, make_optim_wrapper, fake_cuda, entry, message
):
    gan = make_gan(cuda_graph=True)
    wrappers = make_optim_wrapper(gan, generator=ADAM, discriminator=entry)
    fake_cuda(gan, wrappers)
    with pytest.raises(ValueError, match=message):
        gan.train_step(make_batch(), wrappers)


@pytest.mark.gpu
def test_graph_trains_as_eager_on_a_gpu(make_gan, make_batch, make_optim_wrapper):
    states = []
    for graphed in (False, True):
        torch.manual_seed(0)
        gan = make_gan(cuda_graph=graphed).cuda()
        gan.sample_latents = lambda num: torch.ones(num, 6, device='cuda')
        wrappers = make_optim_wrapper(gan, generator=ADAM, discriminator=ADAM)
        train(gan, wrappers, [make_batch() for _ in range(20)], lambda i: 1e-2 / (i + 1))
        states.append(gan.state_dict())
    torch.testing.assert_close(states[1], states[0], rtol=0, atol=1e-4)


@pytest.mark.gpu
def test_replays_draw_new_latents(make_gan, make_batch, make_optim_wrapper):
    gan = make_gan(cuda_graph=True).cuda()
    still = dict(optimizer=dict(type='Adam', lr=0.0, fused=True))
    wrappers = make_optim_wrapper(gan, generator=still, discriminator=still)
    batch = make_batch()
    logs = [gan.train_step(batch, wrappers)['fake_logits'].item() for _ in range(10)]
    assert len(set(logs)) == 10


@pytest.mark.gpu
@pytest.mark.parametrize('graphed', [False, True])
def test_iteration_never_waits_for_the_gpu(make_gan, make_batch, make_optim_wrapper, graphed):
    gan = make_gan(num_classes=3, cuda_graph=graphed).cuda()
    clipped = dict(**ADAM, clip_grad=dict(max_norm=1.0))
    wrappers = make_optim_wrapper(gan, generator=clipped, discriminator=clipped)
    batches = [make_batch(labels=[0, 1, 2, 1]) for _ in range(8)]
    train(gan, wrappers, batches)  # makes kernels, states and recordings
    torch.cuda.set_sync_debug_mode('error')
    try:
        train(gan, wrappers, batches)
    finally:
        torch.cuda.set_sync_debug_mode('default')
