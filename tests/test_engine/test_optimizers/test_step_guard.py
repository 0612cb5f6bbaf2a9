"""Steps on what is not finite are left out, whole."""

import copy
import math

import pytest
import torch
from torch import nn

from mmgan_lite.engine.optimizers import GANOptimWrapper, StepGuard


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))


def train(model, wrapper, batches):
    """What model and optimizer are after these batches, each with the factor of its loss."""
    for images, factor in batches:
        with wrapper.optim_context(model):
            loss = factor * model(images).square().mean()
        wrapper.update_params(loss)
    return {**model.state_dict(), **flat(wrapper.optimizer.state_dict()['state'])}


def flat(state):
    return {f'{i}.{k}': v for i, values in state.items() for k, v in values.items()}


GOOD, ALSO_GOOD = (
    (torch.randn(5, 3, generator=torch.Generator().manual_seed(s)), 1.0) for s in (1, 2)
)
WITH_NAN = (torch.full((5, 3), math.nan), 1.0)
OF_NAN = (GOOD[0], math.nan)
LARGE = (GOOD[0], 1e38)  # the loss is finite, the squares of its gradients are not


@pytest.mark.parametrize('bad', [WITH_NAN, OF_NAN, LARGE])
@pytest.mark.parametrize('fused', [False, True])
@pytest.mark.parametrize('clip_grad', [None, {'max_norm': 1.0}])
def test_a_bad_batch_leaves_no_trace(bad, fused, clip_grad):
    ends = []
    for batches in ([GOOD, ALSO_GOOD], [GOOD, bad, ALSO_GOOD]):
        model = network()
        optimizer = torch.optim.Adam(model.parameters(), lr=0.1, fused=fused)
        wrapper = GANOptimWrapper(optimizer, clip_grad=clip_grad)
        guard = wrapper.guard_steps(model)
        ends.append(train(model, wrapper, batches))
    assert guard.num_skipped == 1
    assert not wrapper.skipped  # the last one was good
    assert ends[0].keys() == ends[1].keys()
    for key, value in ends[0].items():
        assert torch.equal(value, ends[1][key]), key


def test_without_a_guard_the_same_batch_spoils_everything():
    model = network()
    wrapper = GANOptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1))
    end = train(model, wrapper, [GOOD, OF_NAN])
    assert end['0.weight'].isnan().all()


def test_accumulated_gradients_are_left_out_together():
    model = network()
    wrapper = GANOptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1), accumulative_counts=2)
    guard = wrapper.guard_steps(model)
    before = copy.deepcopy(model.state_dict())
    after = train(model, wrapper, [OF_NAN, GOOD])
    assert guard.num_skipped == 1
    assert all(torch.equal(before[key], after[key]) for key in before)  # statistics of both too
    train(model, wrapper, [GOOD, ALSO_GOOD])
    assert guard.num_skipped == 1
    assert not torch.equal(before['0.weight'], model[0].weight)


def test_the_first_bad_gradient_is_named():
    model = network()
    guard = StepGuard(model)
    model(GOOD[0]).sum().backward()
    assert not guard.refuses()
    model[2].weight.grad[0, 1] = math.inf
    assert guard.refuses()
    assert guard.reason == 'the gradient of 2.weight (1 of 6)'
    model.zero_grad()
    guard.note(torch.tensor(math.inf))
    assert guard.refuses()
    assert (guard.reason, guard.num_skipped) == ('the loss', 2)
    assert not guard.refuses()  # each step anew


def test_gradients_of_a_scaled_loss_are_left_to_the_scaler():
    model = network()
    guard = StepGuard(model)
    model(GOOD[0]).sum().backward()
    model[0].weight.grad.fill_(math.inf)
    assert not guard.refuses(look_at_gradients=False)
    assert guard.refuses()
