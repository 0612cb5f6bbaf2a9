"""Running a network without a trace."""

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from mmgan_lite.models.layers import TrackedStyleMapping
from mmgan_lite.models.modes import evaluating, freeze, frozen, frozen_statistics, unchanged_buffers


def network():
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout())


def test_evaluating_puts_each_mode_back():
    net = network()
    net[1].eval()  # a user's frozen norm
    with evaluating(net):
        assert [m.training for m in net.modules()] == [False] * 4
    assert [m.training for m in net.modules()] == [True, True, False, True]


def test_evaluating_puts_modes_back_after_an_error():
    net = network()
    with pytest.raises(RuntimeError), evaluating(net):
        raise RuntimeError
    assert net.training


def test_frozen_statistics_normalises_by_the_batch_and_moves_nothing():
    net = nn.Sequential(nn.BatchNorm1d(2))
    inputs = torch.tensor([[1.0, 10.0], [3.0, 30.0]])
    with frozen_statistics(net):
        out = net(inputs)
    # Mean 2 and deviation 1; mean 20 and deviation 10.
    torch.testing.assert_close(out, torch.tensor([[-1.0, -1.0], [1.0, 1.0]]), atol=1e-4, rtol=0)
    assert net[0].running_mean.tolist() == [0, 0]
    assert net[0].running_var.tolist() == [1, 1]
    assert net[0].num_batches_tracked == 0
    net(inputs)
    assert net[0].num_batches_tracked == 1


def test_frozen_lets_gradients_through_but_not_in():
    net = network()
    net[0].bias.requires_grad_(False)  # a user's frozen parameter stays frozen
    inputs = torch.randn(4, 3, requires_grad=True)
    with frozen(net):
        net(inputs).square().sum().backward()
    assert inputs.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in net.parameters())
    assert [p.requires_grad for p in net.parameters()] == [True, False, True, True]


def test_buffers_are_put_back_in_place():
    net = nn.Sequential(spectral_norm(nn.Linear(3, 4)), nn.BatchNorm1d(4))
    before = {name: (buffer, buffer.clone()) for name, buffer in net.named_buffers()}
    with unchanged_buffers(net):
        net(torch.randn(5, 3))
        assert any(not torch.equal(buffer, value) for buffer, value in before.values())
    for name, buffer in net.named_buffers():
        assert buffer is before[name][0]
        assert torch.equal(buffer, before[name][1])


def test_weights_are_left_out_by_name():
    model = nn.ModuleDict(dict(left=network(), right=network()))
    freeze(model, ['left.0', 'right.0.bias'])
    trained = [name for name, p in model.named_parameters() if p.requires_grad]
    assert trained == [
        'left.1.weight',
        'left.1.bias',
        'right.0.weight',
        *[f'right.1.{kind}' for kind in ('weight', 'bias')],
    ]


@pytest.mark.parametrize(
    ('names', 'message'),
    [
        (['left.O'], r"frozen must name modules or weights of the model, got 'left.O'\. Did you"),
        ('left.2', "got 'left.2'"),  # dropout, without weights
        (['left'], r"frozen must leave weights of 'left' to train, got \['left'\]"),
        (['left.0', 'left.1'], "must leave weights of 'left'"),
    ],
)
def test_names_of_nothing_and_of_all(names, message):
    with pytest.raises(ValueError, match=message):
        freeze(nn.ModuleDict(dict(left=network())), names)


def test_mean_style_stays_where_statistics_are_frozen():
    net = TrackedStyleMapping(3, 4, num_layers=1, num_ws=2)
    with frozen_statistics(net):
        net(torch.randn(2, 3))
    assert not net.w_avg.any()
    net(torch.randn(2, 3))
    assert net.w_avg.any()
