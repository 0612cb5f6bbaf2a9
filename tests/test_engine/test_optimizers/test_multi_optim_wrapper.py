"""One optimizer a network."""

import pytest
import torch
from mmengine.logging import MessageHub, MMLogger
from mmengine.optim import build_optim_wrapper
from mmengine.runner import Runner
from torch import nn

from mmgan_lite.engine.optimizers import GANOptimWrapperDict

SGD = dict(optimizer=dict(type='SGD', lr=0.1))


def build(model, **networks):
    return build_optim_wrapper(
        model, dict(constructor='mmgan_lite.MultiOptimWrapperConstructor', **networks)
    )


def test_each_network_has_its_optimizer(make_gan):
    gan = make_gan()
    adam = dict(optimizer=dict(type='Adam', lr=2e-4, betas=(0.5, 0.9), fused=True))
    wrappers = build(gan, generator=adam, discriminator=SGD)
    assert isinstance(wrappers, GANOptimWrapperDict)
    assert isinstance(wrappers['generator'].optimizer, torch.optim.Adam)
    assert wrappers['generator'].optimizer.param_groups[0]['betas'] == (0.5, 0.9)
    assert wrappers['discriminator'].get_lr() == {'lr': [0.1]}
    owned = {id(p) for p in wrappers['generator'].optimizer.param_groups[0]['params']}
    assert owned == {id(p) for p in gan.generator.parameters()}


def test_paramwise_cfg_of_one_network(make_gan):
    cfg = dict(**SGD, paramwise_cfg=dict(bias_lr_mult=2.0))
    wrappers = build(make_gan(), generator=cfg, discriminator=SGD)
    assert {group['lr'] for group in wrappers['generator'].param_groups} == {0.1, 0.2}


def test_clipping_is_logged_by_network(make_gan, make_batch):
    clipped = dict(**SGD, clip_grad=dict(max_norm=1e-3))
    gan = make_gan()
    wrappers = build(gan, generator=clipped, discriminator=clipped)
    before = [p.detach().clone() for p in gan.discriminator.parameters()]
    log = gan.train_step(make_batch(), wrappers)
    assert log['grad_norm_generator'] > 1e-3
    assert log['grad_norm_discriminator'] > 1e-3
    moved = sum(
        (p - q).square().sum() for p, q in zip(gan.discriminator.parameters(), before, strict=True)
    )
    # One step of SGD at lr 0.1 along a gradient of norm 1e-3.
    torch.testing.assert_close(moved.sqrt().item(), 1e-4, rtol=1e-3, atol=0)


def test_clipping_by_a_wrapper_of_mmengine_is_logged_by_network(make_gan, make_batch):
    hub = MessageHub.get_instance('test_clipping')
    clipped = dict(**SGD, type='OptimWrapper', clip_grad=dict(max_norm=1e-3))
    gan = make_gan()
    gan.train_step(make_batch(), build(gan, generator=clipped, discriminator=clipped))
    assert {'train/grad_norm_generator', 'train/grad_norm_discriminator'} <= set(hub.log_scalars)


@pytest.mark.parametrize(('iterations', 'steps'), [(40, 14), (39, 13), (41, 14)])
def test_accumulation_loses_no_remainder(make_gan, make_batch, iterations, steps):
    gan = make_gan()
    accumulating = dict(**SGD, accumulative_counts=3)
    wrappers = build(gan, generator=accumulating, discriminator=accumulating)
    wrappers.initialize_count_status(gan, 0, iterations)
    made = dict(generator=0, discriminator=0)
    for name, wrapper in wrappers.items():

        def count(optimizer, args, kwargs, name=name):
            made[name] += 1

        wrapper.optimizer.register_step_post_hook(count)
    for _ in range(iterations):
        gan.train_step(make_batch(), wrappers)
    assert made == dict(generator=steps, discriminator=steps)


def test_counts_follow_the_cadence_of_each_network(make_gan):
    gan = make_gan(discriminator_steps=5, generator_steps=2)
    wrappers = build(gan, generator=SGD, discriminator=SGD)
    wrappers.initialize_count_status(gan, 12, 40)
    assert wrappers['discriminator'].inner_count == 12
    assert wrappers['generator'].inner_count == 4  # two turns of two steps
    assert wrappers['generator']._max_counts == 16


def test_state_survives_save_and_load(make_gan, make_batch, tmp_path):
    adam = dict(optimizer=dict(type='Adam', lr=1e-3))
    gan = make_gan()
    wrappers = build(gan, generator=adam, discriminator=adam)
    gan.train_step(make_batch(), wrappers)
    torch.save(wrappers.state_dict(), tmp_path / 'optimizers.pth')
    restored = build(gan, generator=adam, discriminator=adam)
    restored.load_state_dict(torch.load(tmp_path / 'optimizers.pth'))
    for name in ('generator', 'discriminator'):
        old, new = (w[name].optimizer.state_dict()['state'] for w in (wrappers, restored))
        assert old.keys() == new.keys()
        torch.testing.assert_close(old[0]['exp_avg'], new[0]['exp_avg'], rtol=0, atol=0)


class TestErrors:
    def test_missing_network(self, make_gan):
        message = (
            r"optim_wrapper has no entry for 'discriminator' \(found: 'generator'\)\. "
            r"Add discriminator=dict\(optimizer=dict\(type='Adam', lr=2e-4\)\)\."
        )
        with pytest.raises(ValueError, match=message):
            build(make_gan(), generator=SGD)

    def test_unknown_network(self, make_gan):
        message = r"entry for 'critic', but the networks that train are 'disc.*Remove 'critic'"
        with pytest.raises(ValueError, match=message):
            build(make_gan(), generator=SGD, discriminator=SGD, critic=SGD)

    def test_average_of_the_weights_is_no_network_that_trains(self, make_gan):
        gan = make_gan(ema=dict(type='ExponentialMovingAverage'))
        assert len(build(gan, generator=SGD, discriminator=SGD)) == 2
        with pytest.raises(ValueError, match=r"entry for 'generator_ema'"):
            build(gan, generator=SGD, discriminator=SGD, generator_ema=SGD)

    def test_single_wrapper(self, make_gan):
        with pytest.raises(
            ValueError, match=r"one entry for each network, got a single wrapper with 'optimizer'"
        ):
            build(make_gan(), **SGD)

    def test_entry_without_optimizer(self, make_gan):
        with pytest.raises(
            ValueError, match=r"optim_wrapper\['generator'\] must be a dict with 'optimizer'"
        ):
            build(make_gan(), generator=dict(lr=0.1), discriminator=SGD)

    def test_paramwise_cfg_beside_the_networks(self, make_gan):
        with pytest.raises(ValueError, match=r'paramwise_cfg must stand in the entry of a network'):
            build(
                make_gan(), generator=SGD, discriminator=SGD, paramwise_cfg=dict(bias_lr_mult=2.0)
            )

    def test_parameter_in_two_optimizers(self, make_gan):
        gan = make_gan()
        gan.generator.layers[0] = gan.discriminator.layers[0]
        message = r"but '\S+layers.0.weight' is in 'generator' and 'discriminator'"
        with pytest.raises(ValueError, match=message):
            build(gan, generator=SGD, discriminator=SGD)

    def test_parameter_in_no_optimizer(self, make_gan):
        gan = make_gan()
        gan.scale = nn.Parameter(torch.ones(1))
        with pytest.raises(ValueError, match=r"exactly one optimizer, but 'scale' is in none"):
            build(gan, generator=SGD, discriminator=SGD)

    def test_optimizer_that_is_not_valid_has_its_network(self, make_gan):
        entry = dict(optimizer=dict(type='SGD', lr=-1.0))
        message = r"optim_wrapper\['generator'\]=.* is not valid: Invalid learning rate: -1.0"
        with pytest.raises(ValueError, match=message):
            build(make_gan(), generator=entry, discriminator=SGD)


STEP = dict(type='StepLR', step_size=10)


@pytest.fixture
def scheduled_runner(repo, shrunk_config):
    def build(schedulers):
        cfg = shrunk_config(repo / 'configs/gan/gan_mlp_digits-28x28.py')
        cfg.param_scheduler = schedulers
        return Runner.from_cfg(cfg)

    return build


@pytest.mark.parametrize('schedulers', [[], STEP, [STEP], dict(generator=[STEP], discriminator=[])])
def test_schedulers_that_fit(scheduled_runner, schedulers):
    scheduled_runner(schedulers).train()


def test_scheduler_lacks_a_network(scheduled_runner):
    message = r"param_scheduler has no entry for 'discriminator' \(found: 'generator'\)\. Add"
    with pytest.raises(ValueError, match=message):
        scheduled_runner(dict(generator=[STEP])).train()


def test_scheduler_of_an_unknown_network(scheduled_runner):
    schedulers = dict(generator=[STEP], discriminator=[STEP], critic=[STEP])
    message = r"entry for 'critic', but the networks that train are 'generator', 'discriminator'"
    with pytest.raises(ValueError, match=message):
        scheduled_runner(schedulers).train()


def adam(lr=2e-3, **settings):
    return dict(optimizer=dict(type='Adam', lr=lr, betas=(0.0, 0.99)), **settings)


def test_lazy_correction_of_each_player(make_gan):
    """StyleGAN2, appendix B: c = k / (k + 1), lr * c and beta^c; only where it is asked for."""
    gan = make_gan(regularizers=[dict(type='R1Regularizer', interval=16)])
    lazy = adam(paramwise_cfg=dict(bias_lr_mult=2.0), lazy_correction=True)
    wrappers = build(gan, generator=adam(), discriminator=lazy)
    (group,) = wrappers['generator'].param_groups
    assert (group['lr'], group['betas']) == (2e-3, (0.0, 0.99))
    rates = {group['lr'] for group in wrappers['discriminator'].param_groups}
    assert sorted(rates) == pytest.approx([2e-3 * 16 / 17, 4e-3 * 16 / 17])
    for group in wrappers['discriminator'].param_groups:
        assert group['betas'] == pytest.approx((0.0, 0.99 ** (16 / 17)))
    wrappers = build(gan, generator=adam(), discriminator=adam(lazy_correction=False))
    assert wrappers['discriminator'].param_groups[0]['betas'] == (0.0, 0.99)


def test_lazy_correction_is_logged(make_gan, capsys):
    gan = make_gan(regularizers=[dict(type='R1Regularizer', interval=4)])
    MMLogger.get_instance('lazy_correction', logger_name='lazy_correction')
    wrappers = build(gan, generator=adam(), discriminator=adam(lazy_correction=True))
    wrappers.initialize_count_status(gan, 0, 10)  # as the Runner when training starts
    out = capsys.readouterr()
    text = (
        'Adam of discriminator is corrected for a regularizer in every 4 steps: '
        'lr 0.002 -> 0.0016, betas (0, 0.99) -> (0, 0.991992)'  # 0.99 ** 0.8
    )
    assert text in out.out + out.err
    assert 'Adam of generator' not in out.out + out.err


def test_lazy_correction_without_anything_to_correct(make_gan):
    r1, r2 = dict(type='R1Regularizer'), dict(type='R2Regularizer', interval=8)
    lazy = dict(**SGD, lazy_correction=True)
    for regularizers, message in (
        ([], r"of 'discriminator' needs regularizers of one interval over 1, got none"),
        ([r1], r'needs regularizers of one interval over 1, got none'),
        ([{**r1, 'interval': 4}, r2], r'needs regularizers of one interval over 1, got 4, 8'),
        ([r1, r2], r"of 'discriminator' needs an optimizer with betas, such as Adam, got SGD"),
    ):
        with pytest.raises(ValueError, match=message):
            build(make_gan(regularizers=regularizers), generator=SGD, discriminator=lazy)
