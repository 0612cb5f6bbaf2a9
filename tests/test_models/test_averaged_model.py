"""The moving average of weights, against MMEngine's own."""

import mmengine.model
import pytest
import torch
from torch import nn

from mmgan_lite.models import ExponentialMovingAverage
from mmgan_lite.registry import MODELS


def network():
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))


def test_first_update_copies_and_later_ones_average():
    source = nn.Linear(1, 1, bias=False)
    ema = MODELS.build(dict(type='ExponentialMovingAverage', model=source, momentum=0.25))
    for value, expected in [(8.0, 8.0), (4.0, 7.0), (7.0, 7.0), (11.0, 8.0)]:  # 8 + (4 - 8) / 4 = 7
        source.weight.data.fill_(value)
        ema.update_parameters(source)
        assert ema.module.weight.item() == expected
    assert source.weight.item() == 11.0


def test_matches_mmengine_over_a_training():
    source = network()
    ours = ExponentialMovingAverage(source, momentum=0.1)
    theirs = mmengine.model.ExponentialMovingAverage(source, momentum=0.1)
    for _ in range(5):
        source(torch.randn(6, 3))
        for parameter in source.parameters():
            parameter.data.add_(torch.randn_like(parameter))
        ours.update_parameters(source)
        theirs.update_parameters(source)
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    for name, value in theirs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], value)


def test_buffers_are_copied():
    source = network()
    ema = ExponentialMovingAverage(source)
    ema.update_parameters(source)
    source(5 + torch.randn(64, 3))
    ema.update_parameters(source)
    torch.testing.assert_close(ema.module[1].running_mean, source[1].running_mean, rtol=0, atol=0)


def test_stays_in_eval_mode_and_takes_no_gradient():
    holder = nn.Sequential(network())
    holder.append(ExponentialMovingAverage(holder[0]))
    holder.train()
    assert holder[0].training
    assert not any(module.training for module in holder[1].modules())
    assert not any(parameter.requires_grad for parameter in holder[1].parameters())


def test_state_survives_save_and_load(tmp_path):
    source = network()
    ema = ExponentialMovingAverage(source, momentum=0.5)
    ema.update_parameters(source)
    torch.save(ema.state_dict(), tmp_path / 'ema.pth')
    restored = ExponentialMovingAverage(network(), momentum=0.5)
    restored.load_state_dict(torch.load(tmp_path / 'ema.pth'))
    source[0].weight.data.zero_()
    for average in (ema, restored):
        average.update_parameters(source)
    torch.testing.assert_close(restored.module[0].weight, ema.module[0].weight, rtol=0, atol=0)
    assert restored.steps == 2


@pytest.mark.parametrize('momentum', [0, 1, -0.1, 1.5])
def test_momentum_out_of_range(momentum):
    with pytest.raises(ValueError, match=r'momentum must lie in \(0, 1\).*decay of 0.999'):
        ExponentialMovingAverage(nn.Linear(1, 1), momentum=momentum)
