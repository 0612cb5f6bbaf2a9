"""Bare state dicts, and those of other networks beside them."""

import pytest
import torch

from mmgan_lite.checkpoints.foreign import ForeignFile, Ledger
from mmgan_lite.checkpoints.foreign.state_files import (
    drop_instance_statistics,
    take_batch_norm,
    tensors_of,
    with_siblings,
)


@pytest.mark.parametrize(
    ('content', 'names'),
    [
        ({'a.weight': torch.ones(1)}, ['a.weight']),
        ({'module.a.weight': torch.ones(1)}, ['a.weight']),
        ({'module.a': torch.ones(1), 'b': torch.ones(1)}, ['module.a', 'b']),
        ({'a.weight': torch.ones(1), 'epoch': 3}, []),
        ({}, []),
        ([torch.ones(1)], []),
    ],
)
def test_only_bare_state_dicts(tmp_path, content, names):
    assert list(tensors_of(ForeignFile(tmp_path, content))) == names


def test_siblings_that_are_there(tmp_path):
    given = ForeignFile(tmp_path / 'G.pth', {'a': torch.ones(1)})
    names = dict(G='G.pth', D='D.pth', E='E.pth')
    ledger, starts = with_siblings(given, names)
    assert (ledger.names(), starts) == (['a'], {'': ''})
    for path in (given.path, tmp_path / 'D.pth'):
        torch.save({'module.b': torch.ones(1)}, path)
    ledger, starts = with_siblings(given, names)
    assert starts == {'': 'G.pth: ', 'D': 'D.pth: '}
    assert ledger.names() == ['G.pth: a', 'D.pth: b']


def test_batch_norm_of_old_files_has_no_count():
    state = torch.nn.BatchNorm2d(2).state_dict(prefix='bn.')
    for left_out in ((), ('bn.num_batches_tracked',)):
        found = {name: tensor for name, tensor in state.items() if name not in left_out}
        ours = take_batch_norm(Ledger(found, 'a.pth'), 'bn', 'norm')
        torch.nn.BatchNorm2d(2).load_state_dict(
            {k.removeprefix('norm.'): v for k, v in ours.items()}
        )


def test_statistics_of_instance_norm_alone_are_dropped():
    state = torch.nn.BatchNorm2d(2).state_dict(prefix='batch.')
    state |= torch.nn.InstanceNorm2d(2, track_running_stats=True).state_dict(prefix='instance.')
    ledger = Ledger(state, 'a.pth')
    drop_instance_statistics(ledger)
    assert all(name.startswith('batch.') for name in ledger.names())
    assert '3 dropped (3 statistics of instance norm' in ledger.summary()
