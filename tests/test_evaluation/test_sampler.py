"""As many images as fakes are wanted, over one process or several."""

import pytest

from mmgan_lite.evaluation import sampler
from mmgan_lite.evaluation.sampler import RepeatingSampler
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
        monkeypatch.setattr(sampler, 'get_dist_info', lambda rank=rank: (rank, 3))
        parts.append(list(RepeatingSampler(range(4), num_samples=7)))
    assert parts == [[0, 3, 2], [1, 0, 3], [2, 1, 0]]  # 0 1 2 | 3 0 1 | 2 and two more


@pytest.mark.parametrize('num_samples', [0, -1, 2.0])
def test_bad_number(num_samples):
    with pytest.raises(ValueError, match='num_samples must be an int of at least 1'):
        RepeatingSampler(range(4), num_samples)


def test_no_images():
    with pytest.raises(ValueError, match='dataset must hold images, got 0'):
        RepeatingSampler([], 5)
