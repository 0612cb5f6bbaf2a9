"""Mixed precision on every device."""

import warnings

import pytest
import torch
from torch import nn

from mmgan_lite.engine.optimizers import GANOptimWrapper, gan_optim_wrapper


def network():
    torch.manual_seed(0)
    return nn.Linear(4, 2, bias=False)


def wrapper(model, **settings):
    return GANOptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1, fused=True), **settings)


def adam(model, **settings):
    return GANOptimWrapper(torch.optim.Adam(model.parameters(), fused=True), **settings)


@pytest.mark.parametrize(('name', 'dtype'), [(None, torch.float32), ('bfloat16', torch.bfloat16)])
def test_autocast(name, dtype):
    model = network()
    optim_wrapper = wrapper(model, dtype=name)
    with optim_wrapper.optim_context(model):
        assert model(torch.ones(3, 4)).dtype is dtype
    assert model(torch.ones(3, 4)).dtype is torch.float32
    assert model.weight.dtype is torch.float32


def test_bfloat16_step_by_hand():
    model = network()
    before = model.weight.detach().clone()
    optim_wrapper = wrapper(model, dtype='bfloat16')
    inputs = torch.tensor([[1.0, 2.0, -0.5, 4.0]])  # exact in bfloat16
    with optim_wrapper.optim_context(model):
        loss = model(inputs).float().sum()
    optim_wrapper.update_params(loss)
    torch.testing.assert_close(model.weight.detach(), before - 0.1 * inputs.expand(2, 4))
    assert model.weight.grad.dtype is torch.float32


def test_float16_scales_and_unscales():
    model = network()
    before = model.weight.detach().clone()
    optim_wrapper = wrapper(model, dtype='float16', clip_grad=dict(max_norm=1e6))
    inputs = torch.tensor([[1.0, 2.0, -0.5, 4.0]])
    with optim_wrapper.optim_context(model):
        loss = model(inputs).float().sum() / 2**20  # lost in float16 without a scale
    optim_wrapper.update_params(loss)
    torch.testing.assert_close(model.weight.detach(), before - 0.1 * inputs / 2**20)
    torch.testing.assert_close(optim_wrapper.grad_norm, inputs.norm() * 2**0.5 / 2**20)


def test_float16_leaves_out_an_infinite_step_and_lowers_the_scale():
    model = network()
    before = model.weight.detach().clone()
    optim_wrapper = wrapper(model, dtype='float16')
    scale = optim_wrapper.scaler.get_scale()
    optim_wrapper.update_params(model.weight.sum() * float('inf'))
    assert torch.equal(model.weight, before)
    assert optim_wrapper.scaler.get_scale() == scale / 2


def test_state_goes_on(tmp_path):
    model = network()
    optim_wrapper = adam(model, dtype='float16')
    optim_wrapper.update_params(model.weight.sum() * float('inf'))
    optim_wrapper.update_params(model.weight.sum())
    torch.save(optim_wrapper.state_dict(), tmp_path / 'state.pth')
    state = torch.load(tmp_path / 'state.pth')
    resumed = adam(network(), dtype='float16')
    resumed.load_state_dict(state)
    assert resumed.scaler.get_scale() == 2**15
    mean = next(iter(resumed.optimizer.state.values()))['exp_avg']
    torch.testing.assert_close(mean, torch.full((2, 4), 0.1))  # beta1 = 0.9, gradient 1
    # The run may go on in another precision.
    plain = adam(network())
    plain.load_state_dict(state)
    resumed.load_state_dict(plain.state_dict())


def test_accumulation_averages():
    model = network()
    before = model.weight.detach().clone()
    optim_wrapper = wrapper(model, dtype='bfloat16', accumulative_counts=2)
    for factor in (1.0, 3.0):
        with optim_wrapper.optim_context(model):
            loss = factor * model(torch.ones(1, 4)).float().sum()
        optim_wrapper.update_params(loss)
    torch.testing.assert_close(model.weight.detach(), before - 0.1 * 2.0)


def test_gradients_are_kept_until_the_next_step():
    """Freed after the step, their memory went back to the system: 8 % of a step of pix2pix."""
    model, inputs = network(), torch.ones(1, 4)
    optim_wrapper = wrapper(model)
    for _ in range(2):  # d(sum of outputs) / d(weight) is the input, not a multiple of it
        optim_wrapper.update_params(model(inputs).sum())
        torch.testing.assert_close(model.weight.grad, torch.ones(2, 4))


def test_unknown_dtype():
    with pytest.raises(
        ValueError, match="dtype must be 'bfloat16', 'float16' or None .* got 'fp8'"
    ):
        wrapper(network(), dtype='fp8')


def test_emulated_bfloat16_is_told(monkeypatch):
    monkeypatch.setattr(gan_optim_wrapper, 'has_bfloat16', lambda device: False)
    with pytest.warns(UserWarning, match='emulated on this CPU'):
        wrapper(network(), dtype='bfloat16')
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        wrapper(network())


def test_gan_learns_in_bfloat16(make_gan, make_batch, make_optim_wrapper):
    """The same steps as in float32, but for rounding."""
    weights = {}
    for dtype in (None, 'bfloat16'):
        torch.manual_seed(0)
        gan = make_gan()
        entry = dict(dtype=dtype, optimizer=dict(type='SGD', lr=0.1))
        wrappers = make_optim_wrapper(gan, generator=entry, discriminator=entry)
        batch = make_batch()
        for _ in range(3):
            log = gan.train_step(batch, wrappers)
        assert log['loss_disc'].dtype is torch.float32
        weights[dtype] = torch.cat([p.detach().flatten() for p in gan.parameters()])
    difference = (weights[None] - weights['bfloat16']).abs().max()
    assert 0 < difference < 0.02


@pytest.mark.parametrize('fused', [False, True])
def test_lr_factor_lowers_the_steps_and_leaves_the_schedule_alone(fused):
    model = network()
    before = model.weight.detach().clone()
    optim_wrapper = GANOptimWrapper(torch.optim.SGD(model.parameters(), lr=0.5, fused=fused))
    optim_wrapper.lr_factor = 0.25
    optim_wrapper.update_params(model.weight.sum())
    torch.testing.assert_close(model.weight.detach(), before - 0.5 * 0.25)
    assert optim_wrapper.optimizer.param_groups[0]['lr'] == 0.5
    assert optim_wrapper.get_lr() == {'lr': [0.125]}  # what is logged is what was taken


def test_a_step_that_fails_gives_the_rate_back():
    model = network()
    optim_wrapper = wrapper(model)
    optim_wrapper.lr_factor = 0.25
    model.weight.sum().backward()

    def closure():
        raise RuntimeError('no')

    with pytest.raises(RuntimeError, match='no'):
        optim_wrapper.step(closure=closure)
    assert optim_wrapper.optimizer.param_groups[0]['lr'] == 0.1
