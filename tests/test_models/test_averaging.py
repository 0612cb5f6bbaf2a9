"""The moving averages of weights: against MMEngine's own, and recurrences by hand."""

import mmengine.model
import pytest
import torch
from torch import nn

from mmgan_lite.models import ExponentialMovingAverage, HalfLifeMovingAverage, averaging
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


def weights_over(ema, source, values):
    """The average after each update, with the network's only weight at each of ``values``."""
    averages = []
    for value in values:
        source.weight.data.fill_(value)
        ema.update_parameters(source)
        averages.append(ema.module.weight.item())
    return averages


def test_warm_up():
    """Decays of (1 + t) / (10 + t), which is 9/18 for t = 8, and from there on of 1 - momentum."""
    source = nn.Linear(1, 1, bias=False)
    ema = ExponentialMovingAverage(source, momentum=0.5, warm_up=True)
    average, expected = 3.0, [3.0]
    for decay in (2 / 11, 3 / 12, 4 / 13, 5 / 14, 6 / 15, 7 / 16, 8 / 17, 0.5, 0.5, 0.5):
        average = decay * average + (1 - decay) * 7.0
        expected.append(average)
    assert weights_over(ema, source, [3.0] + 10 * [7.0]) == pytest.approx(expected)


def test_start_copies_until_then():
    source = nn.Linear(1, 1, bias=False)
    ema = ExponentialMovingAverage(source, momentum=0.5, start=3)
    averages = weights_over(ema, source, [0.1, 0.7, 4.0, 8.0, 2.0])
    assert averages == [pytest.approx(0.1), pytest.approx(0.7), 4.0, 6.0, 4.0]


def test_copy_before_the_start_is_exact():
    source = network()
    ema = ExponentialMovingAverage(source, start=5)
    for _ in range(5):
        for parameter in source.parameters():
            parameter.data.normal_()
        ema.update_parameters(source)
        for average, parameter in zip(ema.module.parameters(), source.parameters(), strict=True):
            assert torch.equal(average, parameter)


def test_warm_up_begins_after_the_last_copy():
    source = nn.Linear(1, 1, bias=False)
    ema = ExponentialMovingAverage(source, momentum=1e-3, warm_up=True, start=2)
    expected = [1.0, 3.0, 2 / 11 * 3 + 9 / 11 * 7]
    assert weights_over(ema, source, [1.0, 3.0, 7.0]) == pytest.approx(expected)


def test_half_life_in_images():
    """Updates of 50 images and a half-life of 100: two updates forget half."""
    source = nn.Linear(1, 1, bias=False)
    ema = MODELS.build(
        dict(
            type='HalfLifeMovingAverage',
            model=source,
            half_life=100,
            images_per_update=50,
            ramp_up=None,
        )
    )
    averages = weights_over(ema, source, [16.0, 0.0, 0.0, 0.0, 0.0])
    assert averages == pytest.approx([16.0, 16 * 0.5**0.5, 8.0, 8 * 0.5**0.5, 4.0])


def test_ramp_up_bounds_the_half_life():
    """Half-lives of half the images seen, 10 and 20, and then of 25; 20 images an update."""
    source = nn.Linear(1, 1, bias=False)
    ema = HalfLifeMovingAverage(source, half_life=25, images_per_update=20, ramp_up=0.5)
    averages = weights_over(ema, source, [8.0, 0.0, 0.0, 0.0])
    assert averages == pytest.approx([8.0, 2.0, 1.0, 0.5 ** (20 / 25)])


def test_images_of_all_processes_count(monkeypatch):
    monkeypatch.setattr(averaging, 'get_world_size', lambda: 4)
    source = nn.Linear(1, 1, bias=False)
    ema = HalfLifeMovingAverage(source, half_life=40, images_per_update=10, ramp_up=None)
    assert weights_over(ema, source, [4.0, 0.0, 0.0]) == pytest.approx([4.0, 2.0, 1.0])


def test_long_half_life_is_not_rounded():
    """A float32 decay of 1 - 6.9e-8 would be 1 - 6.0e-8."""
    source = nn.Linear(1, 1, bias=False)
    ema = HalfLifeMovingAverage(source, half_life=1e8, images_per_update=10, ramp_up=None)
    averages = weights_over(ema, source, [0.0, 1.0])
    assert averages == pytest.approx([0.0, 1 - 0.5**1e-7], rel=1e-6)


def test_half_life_of_zero_copies():
    source = nn.Linear(1, 1, bias=False)
    ema = HalfLifeMovingAverage(source, half_life=0, images_per_update=10, ramp_up=None)
    assert weights_over(ema, source, [1.0, 5.0, 3.0]) == [1.0, 5.0, 3.0]


def test_schedule_writes_the_half_life():
    source = nn.Linear(1, 1, bias=False)
    ema = HalfLifeMovingAverage(source, half_life=0, images_per_update=10, ramp_up=None)
    weights_over(ema, source, [8.0])
    ema.half_life.fill_(10.0)
    assert weights_over(ema, source, [0.0]) == [4.0]
    ema.half_life.fill_(5.0)
    assert weights_over(ema, source, [0.0]) == [1.0]


@pytest.mark.parametrize(
    'cfg',
    [
        dict(type='ExponentialMovingAverage', momentum=0.2, warm_up=True, start=2),
        dict(type='HalfLifeMovingAverage', half_life=30.0, images_per_update=8, ramp_up=0.5),
    ],
)
def test_interrupted_average_goes_on_exactly(cfg):
    source = network()
    whole, first = (MODELS.build({**cfg, 'model': source}) for _ in range(2))
    for update in range(8):
        source(torch.randn(6, 3))
        for parameter in source.parameters():
            parameter.data.normal_()
        if update == 4:
            second = MODELS.build({**cfg, 'model': network()})
            second.load_state_dict(first.state_dict())
            first = second
        whole.update_parameters(source)
        first.update_parameters(source)
    assert first.state_dict().keys() == {'steps'} | {f'module.{key}' for key in source.state_dict()}
    for name, value in whole.state_dict().items():
        assert torch.equal(first.state_dict()[name], value), name


def test_integer_buffers_are_copied():
    source = network()
    ema = HalfLifeMovingAverage(source, half_life=100, images_per_update=1)
    for _ in range(3):
        source(torch.randn(6, 3))
        ema.update_parameters(source)
    count = ema.module[1].num_batches_tracked
    assert (count.item(), count.dtype) == (3, torch.int64)


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


def test_momentum_that_is_a_decay():
    with pytest.warns(UserWarning, match=r'momentum=0.999 hardly averages.* Pass momentum=0.001 '):
        ExponentialMovingAverage(nn.Linear(1, 1), momentum=0.999)


def test_start_out_of_range():
    with pytest.raises(ValueError, match='start must be an int of at least 1, got 0'):
        ExponentialMovingAverage(nn.Linear(1, 1), start=0)


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(half_life=-1), 'half_life must be a finite number of at least 0, got -1'),
        (dict(half_life=float('inf')), 'half_life must be a finite number of at least 0, got inf'),
        (dict(images_per_update=0), 'images_per_update must be an int of at least 1, got 0'),
        (dict(ramp_up=0), 'ramp_up must be a finite number over 0, got 0.* None for no ramp-up'),
    ],
)
def test_half_life_out_of_range(settings, message):
    with pytest.raises(ValueError, match=message):
        HalfLifeMovingAverage(
            nn.Linear(1, 1), **{**dict(half_life=10, images_per_update=1), **settings}
        )


@pytest.mark.gpu
@pytest.mark.parametrize(
    'cfg',
    [
        dict(type='ExponentialMovingAverage', warm_up=True, start=2),
        dict(type='HalfLifeMovingAverage', half_life=30.0, images_per_update=8),
    ],
)
def test_update_never_waits_for_the_gpu(cfg):
    source = network().cuda()
    ema = MODELS.build({**cfg, 'model': source}).cuda()
    torch.cuda.set_sync_debug_mode('error')
    try:
        for _ in range(3):
            ema.update_parameters(source)
    finally:
        torch.cuda.set_sync_debug_mode('default')
