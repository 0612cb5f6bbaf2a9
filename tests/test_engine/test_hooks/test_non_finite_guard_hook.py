"""NaN in a training: named, skipped, rolled back from, never saved.

Two processes run this file too.
"""

import copy
import math
import os
import pickle
import sys
from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn

import mmgan_lite
from mmgan_lite.checkpoints import read_checkpoint
from mmgan_lite.datasets import InMemoryImageDataset
from mmgan_lite.engine.hooks import NonFiniteGuardHook
from mmgan_lite.models import AdversarialModel, NonSaturatingGANLoss, Player
from mmgan_lite.registry import HOOKS


class FailingLoss(NonSaturatingGANLoss):
    """NaN, or any other factor, at chosen calls (from 1) of each side."""

    def __init__(self, disc=(), gen=(), factor=math.nan):
        super().__init__()
        self.failing = {'disc': set(disc), 'gen': set(gen)}
        self.calls = {'disc': 0, 'gen': 0}
        self.value = factor

    def factor(self, side):
        self.calls[side] += 1
        return self.value if self.calls[side] in self.failing[side] else 1.0

    def discriminator(self, real_logits, fake_logits):
        return super().discriminator(real_logits, fake_logits) * self.factor('disc')

    def generator(self, fake_logits, real_logits=None):
        return super().generator(fake_logits, real_logits) * self.factor('gen')


class FailingPenalty(nn.Module):
    """A regularizer; its value is finite where ``only_gradient``, but its gradient is not."""

    name, interval = 'r1', 1

    def __init__(self, at, only_gradient=False):
        super().__init__()
        self.at, self.only_gradient, self.calls = at, only_gradient, 0
        self.weight = torch.tensor(1.0)

    def forward(self, discriminator, real_images, fake_images, labels, real_logits, fake_logits):
        self.calls += 1
        total = real_logits.sum()
        if self.calls != self.at:
            return 0 * total
        if self.only_gradient:
            return (total - total.detach()).abs().sqrt()  # 0, with a slope of infinity times 0
        return total * math.inf


class FailingPathLength(nn.Module):
    """A regularizer of the generator, infinite in its third step."""

    name, interval, player = 'path_length', 1, 'generator'
    calls = 0

    def forward(self, generator, real_images, fake_images, labels, fake_logits, latents):
        self.calls += 1
        return fake_images.mean() * (math.inf if self.calls == 3 else 0.0)


class Spoil(Hook):
    """Puts NaN into a weight before an iteration (from 1), or after it."""

    priority = 'HIGHEST'

    def __init__(self, name, before=None, after=None):
        self.name, self.before, self.after = name, before, after

    def spoil(self, runner):
        dict(runner.model.named_parameters())[self.name].data.view(-1)[0] = math.nan

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter + 1 == self.before:
            self.spoil(runner)

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter + 1 == self.after:
            self.spoil(runner)


EMA = dict(type='ExponentialMovingAverage', momentum=0.5)


@pytest.fixture
def build(make_runner, make_gan, tmp_path):
    def build(hook, max_iters=6, hooks=(), interval=1000, gan=None, **settings):
        adam = dict(type='Adam', lr=0.01, fused=True)
        optim_wrapper = dict(
            constructor='MultiOptimWrapperConstructor',
            generator=dict(optimizer=adam),
            discriminator=dict(optimizer=adam),
        )
        checkpoint = dict(type='CheckpointHook', by_epoch=False, interval=interval)
        default_hooks = dict(
            checkpoint=checkpoint,
            safe=dict(type='SafeCheckpointHook'),
            runtime_info=dict(type='DeferredLogHook'),
        )
        data = torch.randint(0, 256, (12, 1, 4, 4), dtype=torch.uint8)
        return make_runner(
            gan or make_gan(ema=EMA),
            [hook, *hooks],
            max_iters=max_iters,
            dataset=InMemoryImageDataset(data),
            **{'optim_wrapper': optim_wrapper, 'default_hooks': default_hooks, **settings},
        )

    return build


def checkpoints(folder):
    return sorted(path.name for path in Path(folder).glob('*.pth'))


def is_finite(runner):
    state = runner.model.state_dict()
    return all(bool(value.isfinite().all()) for value in state.values())


@pytest.mark.parametrize(
    ('parts', 'told'),
    [
        (
            lambda: dict(loss=FailingLoss(disc=[3])),
            'loss_disc is nan, and so is loss_gen (discriminator)',
        ),
        (lambda: dict(loss=FailingLoss(gen=[3])), 'loss_gen is nan (generator)'),
        (
            lambda: dict(loss=FailingLoss(disc=[3], factor=math.inf)),
            'loss_disc is inf, and so is loss_gen (discriminator)',
        ),
        (lambda: dict(regularizers=[FailingPenalty(3)]), 'loss_r1 is '),
        (lambda: dict(regularizers=[FailingPathLength()]), 'loss_path_length is '),
    ],
)
def test_the_term_and_its_network_end_the_training(build, make_gan, tmp_path, parts, told):
    runner = build(NonFiniteGuardHook(), gan=make_gan(**parts()))
    with pytest.raises(FloatingPointError) as raised:
        runner.train()
    message = str(raised.value)
    assert message.startswith(f'The training is no longer finite. Iteration 3: {told}')
    of_generator = told.startswith(('loss_gen', 'loss_path_length'))
    assert ('(generator)' if of_generator else '(discriminator)') in message
    assert 'clip_grad=dict(max_norm=1.0)' in message
    assert checkpoints(tmp_path) == []


def test_a_gradient_of_the_discriminator_is_told_from_a_loss_of_the_generator(build, make_gan):
    penalty = FailingPenalty(2, only_gradient=True)
    runner = build(NonFiniteGuardHook(), gan=make_gan(regularizers=[penalty]))
    with pytest.raises(FloatingPointError) as raised:
        runner.train()
    assert 'Iteration 2: loss_gen is nan; all terms of the discriminator' in str(raised.value)
    assert '(discriminator)' in str(raised.value)


@pytest.mark.parametrize('network', ['generator', 'discriminator'])
def test_spoilt_weights_are_traced_to_their_network(build, network):
    runner = build(NonFiniteGuardHook())
    name = next(n for n, _ in runner.model.named_parameters() if n.startswith(f'{network}.'))
    runner.register_hook(Spoil(name, before=4))
    with pytest.raises(FloatingPointError) as raised:
        runner.train()
    assert 'Iteration 4: loss_disc is nan' in str(raised.value)
    assert f'({network})' in str(raised.value)
    assert f'of the {network} (first {name})' in str(raised.value)


class Pair(AdversarialModel):
    """Two players of other names than a GAN's; a loss is NaN in the third iteration."""

    def __init__(self, failing):
        super().__init__({name: Player((f'net_{name}',), f'wrapper_{name}') for name in 'ab'})
        self.net_a, self.net_b = nn.Linear(16, 1), nn.Linear(16, 1)
        self.failing, self.calls = failing, dict(a=0, b=0)

    def losses(self, player, batch):
        self.calls[player] += 1
        fails = player == self.failing and self.calls[player] == 3
        images = batch.images.flatten(1).float() / 255
        both = self.net_a(images) - self.net_b(images)
        return {f'loss_{player}': both.square().mean() * (math.nan if fails else 1.0)}


@pytest.mark.parametrize('player', ['a', 'b'])
@pytest.mark.parametrize('max_skips', [0, 1])
def test_players_of_any_model(build, tmp_path, player, max_skips):
    adam = dict(optimizer=dict(type='Adam', lr=0.01))
    optim_wrapper = dict(constructor='MultiOptimWrapperConstructor', wrapper_b=adam, wrapper_a=adam)
    runner = build(NonFiniteGuardHook(max_skips), gan=Pair(player), optim_wrapper=optim_wrapper)
    if max_skips:
        runner.train()
        log = next(tmp_path.rglob('*.log')).read_text()
        assert f'Iteration 3: the step of the wrapper_{player} was left out (1 of 1)' in log
        return
    with pytest.raises(FloatingPointError) as raised:
        runner.train()
    also = ', and so is loss_b' * (player == 'a')
    assert f'Iteration 3: loss_{player} is nan{also} ({player}).' in str(raised.value)
    assert f'2 of the {player} (first net_{player}.weight)' in str(raised.value)


def test_weights_are_looked_at_before_a_checkpoint_though_all_terms_are_finite(build, tmp_path):
    runner = build(NonFiniteGuardHook(), interval=2)
    name = next(name for name, _ in runner.model.generator.named_parameters())
    runner.register_hook(Spoil(f'generator_ema.module.{name}', after=4))
    message = r'Iteration 4: generator_ema\.module\..* is not finite'
    with pytest.raises(FloatingPointError, match=message):
        runner.train()
    assert checkpoints(tmp_path) == ['iter_2.pth']
    state = read_checkpoint(tmp_path / 'iter_2.pth')['state_dict']
    assert all(bool(v.isfinite().all()) for v in state.values())


@pytest.mark.parametrize('part', ['state_dict', 'optimizer'])
def test_nothing_that_is_not_finite_is_written(build, tmp_path, part):
    runner = build(NonFiniteGuardHook(), max_iters=1)
    runner.train()
    written = checkpoints(tmp_path)
    if part == 'state_dict':
        next(runner.model.discriminator.parameters()).data.fill_(math.inf)
    else:
        optimizer = runner.optim_wrapper['discriminator'].optimizer
        next(iter(optimizer.state.values()))['exp_avg'].fill_(math.nan)
    with pytest.raises(
        FloatingPointError, match=rf"1 tensors, the first of them '{part}\..*discriminator"
    ):
        runner.save_checkpoint(str(tmp_path), 'bad.pth')
    assert checkpoints(tmp_path) == written


def test_skips_leave_no_trace_and_are_counted_in_the_checkpoint(build, make_gan, tmp_path):
    """Two of six batches fail in the discriminator: what it made is what four batches make."""
    loss = FailingLoss(disc=[2, 5], gen=[3])
    runner = build(NonFiniteGuardHook(max_skips=3), gan=make_gan(loss=loss, ema=EMA))
    runner.train()
    assert is_finite(runner)
    steps = {
        name: {int(state['step']) for state in wrapper.optimizer.state.values()}
        for name, wrapper in runner.optim_wrapper.items()
    }
    assert steps == {'generator': {5}, 'discriminator': {4}}
    assert int(runner.model.generator_ema.steps) == 5  # not those left out
    log = next(tmp_path.rglob('*.log')).read_text()
    assert (
        'Iteration 2: the step of the discriminator was left out (1 of 3), because the loss' in log
    )
    assert 'Iteration 3: the step of the generator was left out (2 of 3)' in log
    info = read_checkpoint(tmp_path / 'iter_6.pth')['message_hub']['runtime_info']
    assert info['non_finite_guard'] == {'skips': 3, 'rollbacks': 0}


def test_one_skip_too_many_ends_the_training(build, make_gan):
    runner = build(
        NonFiniteGuardHook(max_skips=2), gan=make_gan(loss=FailingLoss(disc=[2, 3, 4, 5]))
    )
    with pytest.raises(
        FloatingPointError, match=r'Iteration 4: the loss is not finite, after 2 iter'
    ):
        runner.train()
    assert is_finite(runner)  # the last good weights are still there


def test_a_bad_gradient_is_skipped_and_named(build, make_gan, tmp_path):
    gan = make_gan(regularizers=[FailingPenalty(2, only_gradient=True)])
    runner = build(NonFiniteGuardHook(max_skips=1), gan=gan)
    runner.train()
    assert is_finite(runner)
    log = next(tmp_path.rglob('*.log')).read_text()
    assert 'because the gradient of ' in log
    assert 'of the discriminator is not finite' in log


def test_rollback_takes_the_newest_checkpoint_and_lowers_the_rates(build, make_gan, tmp_path):
    class Probe(Hook):
        priority = 'LOWEST'
        seen = None

        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
            if runner.iter + 1 == 5:
                wrappers = runner.optim_wrapper
                self.seen = {
                    'model': copy.deepcopy(runner.model.state_dict()),
                    'optimizer': copy.deepcopy(wrappers.state_dict()),
                    'rate': wrappers.get_lr()['generator.lr'],
                }

    probe = Probe()
    gan = make_gan(loss=FailingLoss(disc=[5]), ema=EMA)
    schedule = dict(type='MultiStepLR', milestones=[4], gamma=0.1, by_epoch=False)
    runner = build(
        NonFiniteGuardHook(max_rollbacks=1),
        hooks=[probe],
        gan=gan,
        max_iters=7,
        param_scheduler=schedule,
        default_hooks=dict(
            checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=3),
            safe=dict(type='SafeCheckpointHook'),
            param_scheduler=dict(type='ParamSchedulerHook'),
        ),
    )
    runner.train()
    assert runner.iter == 7  # the count goes on
    saved = read_checkpoint(tmp_path / 'iter_3.pth')
    for key, value in saved['state_dict'].items():
        assert torch.equal(value, probe.seen['model'][key]), key
    for network, state in saved['optimizer'].items():
        for index, moments in state['state'].items():
            for key, value in moments.items():
                assert torch.equal(value, probe.seen['optimizer'][network]['state'][index][key])
    assert probe.seen['rate'] == [pytest.approx(0.01 * 0.1 * 0.5)]  # of the schedule, times factor
    end = read_checkpoint(tmp_path / 'iter_7.pth')
    assert end['message_hub']['runtime_info']['non_finite_guard'] == {'skips': 0, 'rollbacks': 1}
    log = next(tmp_path.rglob('*.log')).read_text()
    assert (
        f'Rolled back to {tmp_path / "iter_3.pth"} (1 of 1); learning rates are now times 0.5'
        in log
    )


def test_rollbacks_run_out(build, make_gan):
    gan = make_gan(loss=FailingLoss(disc=[3, 4, 5]))
    runner = build(NonFiniteGuardHook(max_rollbacks=2), gan=gan, interval=1)
    with pytest.raises(FloatingPointError, match=r'Iteration 5: .* All 2 rollbacks are used'):
        runner.train()
    assert runner.optim_wrapper['generator'].lr_factor == 0.25


def test_nothing_to_roll_back_to(build, make_gan):
    gan = make_gan(loss=FailingLoss(disc=[2]))
    runner = build(NonFiniteGuardHook(max_rollbacks=1), gan=gan)
    with pytest.raises(
        FloatingPointError, match='no checkpoint yet to go back to. Iteration 2: loss_disc'
    ):
        runner.train()


def test_skips_then_a_rollback_then_skips_again(build, make_gan, tmp_path):
    gan = make_gan(loss=FailingLoss(disc=[3, 4, 5]))
    runner = build(NonFiniteGuardHook(max_skips=1, max_rollbacks=1), gan=gan, interval=2)
    runner.train()
    log = next(tmp_path.rglob('*.log')).read_text()
    assert 'Iteration 3: the step of the discriminator was left out (1 of 1)' in log
    assert 'Iteration 4: the loss is not finite, after 1 iterations left out (max_skips)' in log
    assert 'iter_2.pth (1 of 1)' in log
    assert 'Iteration 5: the step of the discriminator was left out (1 of 1)' in log
    assert is_finite(runner)


def test_counts_are_resumed(build, make_gan, tmp_path):
    gan = make_gan(loss=FailingLoss(disc=[3]))
    build(
        NonFiniteGuardHook(max_rollbacks=2, max_skips=0), gan=gan, interval=2, max_iters=4
    ).train()
    resumed = build(
        NonFiniteGuardHook(max_rollbacks=2),
        gan=make_gan(loss=FailingLoss(disc=[2, 3])),
        resume=True,
        load_from=str(tmp_path / 'iter_4.pth'),
        max_iters=8,
    )
    with pytest.raises(FloatingPointError, match=r'Iteration 7: .* All 2 rollbacks are used'):
        resumed.train()
    assert resumed.optim_wrapper['generator'].lr_factor == 0.25


@pytest.mark.parametrize('cut', [5, 7])
def test_a_rollback_and_a_cut_end_in_the_bytes_of_the_rollback_alone(
    build, make_gan, tmp_path, cut
):
    """Cut right after the rollback, which is then made again, and after a checkpoint after it."""

    class Cut(Hook):
        priority = 'LOWEST'

        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
            if runner.iter + 1 == cut:
                raise KeyboardInterrupt

    def train(name, *hooks, resume=False):
        torch.manual_seed(0)
        checkpoint = dict(type='GANCheckpointHook', by_epoch=False, interval=3)
        runner = build(
            NonFiniteGuardHook(max_rollbacks=2),
            # As what diverges does, both do it again when they are trained again.
            hooks=[
                Spoil('generator.layers.0.weight', before=5),
                Spoil('discriminator.layers.0.weight', after=8),
                *hooks,
            ],
            gan=make_gan(ema=EMA, discriminator_steps=2),
            max_iters=10,
            work_dir=tmp_path / name,
            resume=resume,
            param_scheduler=dict(type='MultiStepLR', milestones=[4], gamma=0.1, by_epoch=False),
            default_hooks=dict(
                checkpoint=checkpoint,
                safe=dict(type='SafeCheckpointHook'),
                param_scheduler=dict(type='ParamSchedulerHook'),
            ),
        )
        runner.train()
        return read_checkpoint(tmp_path / name / 'iter_10.pth')

    whole = train('whole')
    with pytest.raises(KeyboardInterrupt):
        train('cut', Cut())
    resumed = train('cut', resume=True)
    for end in (whole, resumed):
        info = end['message_hub']['runtime_info']
        assert info['non_finite_guard'] == {'skips': 0, 'rollbacks': 2}
    for key in ('state_dict', 'optimizer', 'param_schedulers', 'training_state'):
        assert pickle.dumps(_as_bytes(whole[key])) == pickle.dumps(_as_bytes(resumed[key])), key
    # The counts are told to what steps, too.
    log = max((tmp_path / 'cut').rglob('*.log'), key=lambda path: path.stat().st_mtime).read_text()
    assert 'iter_6.pth (2 of 2); learning rates are now times 0.25' in log


def _as_bytes(tree):
    """The same with bytes in the place of tensors."""
    if isinstance(tree, torch.Tensor):
        return str(tree.dtype), tuple(tree.shape), tree.numpy().tobytes()
    if isinstance(tree, dict):
        return [(key, _as_bytes(value)) for key, value in sorted(tree.items(), key=repr)]
    return [_as_bytes(item) for item in tree] if isinstance(tree, (list, tuple)) else repr(tree)


def test_going_back_to_a_checkpoint_without_optimisers_makes_recordings_void(
    build, make_gan, tmp_path
):
    """``cuda_graph=True`` listens to loading: what was recorded holds the old rate and state."""
    runner = build(
        NonFiniteGuardHook(max_rollbacks=1),
        gan=make_gan(loss=FailingLoss(disc=[4])),
        default_hooks=dict(
            checkpoint=dict(
                type='CheckpointHook', by_epoch=False, interval=3, save_optimizer=False
            ),
            safe=dict(type='SafeCheckpointHook'),
        ),
    )
    loads = []

    class Listen(Hook):
        def before_train(self, runner):
            for name, wrapper in runner.optim_wrapper.items():
                wrapper.optimizer.register_load_state_dict_post_hook(
                    lambda optimizer, name=name: loads.append((name, len(optimizer.state)))
                )

    runner.register_hook(Listen())
    runner.train()
    assert sorted(loads) == [('discriminator', 0), ('generator', 0)]
    for wrapper in runner.optim_wrapper.values():  # iterations 5 and 6
        states = wrapper.optimizer.state_dict()['state'].values()
        assert {int(state['step']) for state in states} == {2}


def test_on_a_device_all_is_read_at_an_interval(build, make_gan, monkeypatch):
    """As on a GPU: the iteration is the right one though it is told later."""
    hook = NonFiniteGuardHook(interval=4)
    runner = build(hook, gan=make_gan(loss=FailingLoss(gen=[2])), max_iters=20)
    looks = []
    look = hook._read_pending

    def counted(runner, at_weights):
        looks.append(runner.iter + 1)
        return look(runner, at_weights)

    class Slow(Hook):  # registered later: before_train of the guard has decided by then
        priority = 'LOWEST'

        def before_train(self, runner):
            hook._every = hook.interval

    runner.register_hook(Slow())
    monkeypatch.setattr(hook, '_read_pending', counted)
    with pytest.raises(FloatingPointError, match=r'Iteration 2: loss_gen is nan'):
        runner.train()
    assert looks == [4]


def test_a_clipped_norm_of_a_scaled_loss_is_no_failure(build):
    clipped = dict(
        optimizer=dict(type='SGD', lr=0.1), dtype='float16', clip_grad=dict(max_norm=1.0)
    )
    optim_wrapper = dict(
        constructor='MultiOptimWrapperConstructor', generator=clipped, discriminator=clipped
    )
    hook = NonFiniteGuardHook()
    runner = build(hook, optim_wrapper=optim_wrapper, max_iters=1)
    runner.train()
    hook._pending = [(1, {'grad_norm_generator': torch.tensor(math.inf)})]
    assert hook._read_pending(runner, False) is None
    hook._pending = [(1, {'grad_norm_other': torch.tensor(math.inf)})]
    assert hook._read_pending(runner, False) is not None


def test_another_projects_model_is_watched_too(make_runner, fake_gan):
    model = fake_gan(step=math.inf)
    runner = make_runner(model, [NonFiniteGuardHook()])
    with pytest.raises(FloatingPointError, match=r'Iteration \d: loss is -?(inf|nan) \(model\)'):
        runner.train()


@pytest.mark.parametrize('argument', ['max_skips', 'max_rollbacks'])
@pytest.mark.parametrize('value', [-1, 1.5, True])
def test_bad_counts(argument, value):
    with pytest.raises(ValueError, match=f'{argument} must be an int of at least 0, got {value}'):
        NonFiniteGuardHook(**{argument: value})


@pytest.mark.parametrize('factor', [0.0, 1.0, 2.0, -0.5, 1, math.nan])
def test_bad_factor(factor):
    with pytest.raises(ValueError, match=r'lr_factor must lie in \(0, 1\), got'):
        NonFiniteGuardHook(lr_factor=factor)


def test_bad_interval():
    with pytest.raises(ValueError, match='interval must be an int of at least 1, got 0'):
        NonFiniteGuardHook(interval=0)


def test_an_unknown_argument_is_answered():
    with pytest.raises(TypeError, match="no argument 'max_skip'.*Did you mean 'max_skips'"):
        HOOKS.build(dict(type='NonFiniteGuardHook', max_skip=3))


def test_wrappers_of_mmengine_cannot_skip(make_runner, fake_gan):
    with pytest.raises(ValueError, match="got OptimWrapper for 'model'"):
        make_runner(fake_gan(), [NonFiniteGuardHook(max_skips=1)]).train()


def test_a_recorded_step_cannot_be_skipped(build, make_gan):
    runner = build(NonFiniteGuardHook(max_skips=1), gan=make_gan(cuda_graph=True))
    with pytest.raises(ValueError, match='max_skips must be 0 with cuda_graph=True, got 1'):
        runner.train()


def train_in_one_of_two(folder, name, loss, **arguments):
    """Train the digits with a loss of this process's own; how it ended."""
    cfg = mmgan_lite.get_config('gan_mlp_digits-28x28_conditional')
    guard = dict(type='NonFiniteGuardHook', interval=2, **arguments)
    settings = {
        'work_dir': str(folder / name),
        'experiment_name': name,
        'launcher': 'pytorch',
        'default_hooks': dict(checkpoint=dict(interval=2), non_finite_guard=guard),
        'train_cfg.max_iters': 6,
        'train_dataloader.batch_size': 4,
        'model.generator.hidden_dims': (8,),
        'model.discriminator.hidden_dims': (8,),
    }
    cfg.merge_from_dict(settings)
    runner = Runner.from_cfg(cfg)
    runner.model.module.loss = loss
    try:
        runner.train()
        error = ''
    except FloatingPointError as caught:
        error = str(caught)
    return dict(error=error, weights=runner.model.module.state_dict(), iterations=runner.iter)


def main(folder):
    torch.distributed.init_process_group('gloo')
    rank = torch.distributed.get_rank()
    # The two differ: only the second one has a loss that fails.
    stopped = train_in_one_of_two(folder, 'stopped', FailingLoss(gen=[3] if rank else []))
    skipped = train_in_one_of_two(
        folder, 'skipped', FailingLoss(disc=[3] if rank else []), max_skips=1
    )
    back = train_in_one_of_two(
        folder, 'back', FailingLoss(disc=[4] if rank else []), max_rollbacks=1
    )
    torch.save(dict(stopped=stopped, skipped=skipped, back=back), folder / f'{rank}.pth')


@pytest.mark.slow
def test_two_processes_decide_alike(torchrun, tmp_path):
    torchrun(__file__, tmp_path)
    first, second = (torch.load(tmp_path / f'{rank}.pth') for rank in (0, 1))
    assert first['stopped']['error'] == second['stopped']['error']
    assert 'Iteration 3: loss_gen is nan' in first['stopped']['error']
    for run in ('skipped', 'back'):
        assert first[run]['error'] == second[run]['error'] == ''
        assert first[run]['iterations'] == second[run]['iterations'] == 6
        for key, value in first[run]['weights'].items():
            assert bool(value.isfinite().all())
            if 'running_' not in key:
                assert torch.equal(value, second[run]['weights'][key]), key
    log = next((tmp_path / 'back').rglob('*.log')).read_text()
    assert 'iter_2.pth (1 of 1)' in log


if __name__ == '__main__':
    main(Path(sys.argv[1]))
    torch.distributed.barrier()  # gloo aborts a process whose peer has left already
    os._exit(0)  # and one whose threads are there when Python ends
