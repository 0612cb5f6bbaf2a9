"""As many images as fakes are wanted, over one process or several."""

import pytest
from mmengine.dataset import sampler as mmengine_sampler

from mmgan_lite.evaluation.sampler import RepeatingSampler, SpreadSampler, spread
from mmgan_lite.registry import DATA_SAMPLERS


def test_from_the_first_again():
    built = DATA_SAMPLERS.build(dict(type='RepeatingSampler', dataset=range(4), num_samples=6))
    assert list(built) == [0, 1, 2, 3, 0, 1]
    assert len(built) == 6


def test_the_whole_data_set_at_least():
    assert list(RepeatingSampler(range(4), num_samples=2)) == [0, 1, 2, 3]


def test_several_processes_take_turns_and_as_many(monkeypatch):
    parts = []
    for rank in range(3):
        monkeypatch.setattr(mmengine_sampler, 'get_dist_info', lambda rank=rank: (rank, 3))
        parts.append(list(RepeatingSampler(range(4), num_samples=7)))
    assert parts == [[0, 3, 2], [1, 0, 0], [2, 1, 1]]  # 0 1 2 | 3 0 1 | 2 and the first two again


@pytest.mark.parametrize('num_samples', [0, -1, 2.0])
def test_bad_number(num_samples):
    with pytest.raises(ValueError, match='num_samples must be an int of at least 1'):
        RepeatingSampler(range(4), num_samples)


def test_no_images():
    with pytest.raises(ValueError, match='dataset must hold images, got 0'):
        RepeatingSampler([], 5)


def test_spread_over_the_data_set():
    built = DATA_SAMPLERS.build(dict(type='SpreadSampler', dataset=range(100), num_samples=4))
    assert list(built) == [0, 33, 66, 99]
    assert len(built) == 4
    assert list(SpreadSampler(range(3), num_samples=3)) == [0, 1, 2]
    assert list(SpreadSampler(range(3), num_samples=1)) == [0]


def test_spread_is_even():
    positions = spread(2000, 10_000)
    steps = {after - before for before, after in zip(positions, positions[1:], strict=False)}
    assert steps == {5, 6}
    assert (positions[0], positions[-1]) == (0, 9999)


def test_spread_over_several_processes(monkeypatch):
    parts = []
    for rank in range(2):
        monkeypatch.setattr(mmengine_sampler, 'get_dist_info', lambda rank=rank: (rank, 2))
        parts.append(list(SpreadSampler(range(9), num_samples=3)))
    assert parts == [[0, 8], [4, 0]]  # 0 4 | 8 and the first again


@pytest.mark.parametrize('num_samples', [0, -1, 2.0])
def test_bad_number_to_spread(num_samples):
    with pytest.raises(ValueError, match='num_samples must be an int of at least 1'):
        SpreadSampler(range(4), num_samples)


def test_more_than_there_are_to_spread():
    with pytest.raises(ValueError, match=r"at most the 4 images .* got 5. Set type='RepeatingS"):
        SpreadSampler(range(4), 5)
