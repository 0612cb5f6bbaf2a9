"""Weights of a checkpoint for a model that is not quite the same."""

import torch

from mmgan_lite.engine.resume.weight_transfer import transfer


def test_each_kind():
    model = {
        'same': torch.zeros(2),
        'more_rows': torch.zeros(3, 2),
        'fewer_channels': torch.zeros(1, 2, 2, 2),
        'both': torch.zeros(2, 3),
        'another_rank': torch.zeros(2, 2),
        'count': torch.tensor(0),
        'absent': torch.zeros(1),
    }
    checkpoint = {
        'same': torch.ones(2),
        'more_rows': torch.ones(2, 2),
        'fewer_channels': torch.ones(3, 2, 2, 2),
        'both': torch.ones(3, 2, dtype=torch.float64),
        'another_rank': torch.ones(4),
        'count': torch.tensor(7),
        'other.weight': torch.ones(1),
    }
    result = transfer(model, checkpoint)
    assert result.state.keys() == model.keys()
    assert result.state['same'].tolist() == [1, 1]
    assert result.state['more_rows'].tolist() == [[1, 1], [1, 1], [0, 0]]
    assert result.state['fewer_channels'].tolist() == [[[[1, 1], [1, 1]]] * 2]
    assert result.state['both'].tolist() == [[1, 1, 0], [1, 1, 0]]
    assert result.state['both'].dtype == torch.float32
    assert result.state['another_rank'].sum() == 0
    assert result.taken == ['same', 'count']
    assert result.new == ['another_rank', 'absent']
    assert result.unused == ['other.weight']
    assert model['more_rows'].sum() == 0  # is not changed
    assert 'partly: more_rows 3x2 from 2x2' in result.table()


def test_many_modules_are_cut():
    names = [f'g.{n}.{kind}' for n in range(20) for kind in ('weight', 'bias')]
    table = transfer({name: torch.zeros(1) for name in names}, {}).table().split('\n')
    assert table[:2] == ['  new: g.0 (2)', '  new: g.1 (2)']
    assert table[-1] == '  new: 8 more'
    assert len(table) == 13
