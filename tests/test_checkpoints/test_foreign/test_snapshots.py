"""Players of pickles of NVIDIA's training code."""

from pathlib import Path

import pytest
import torch

from mmgan_lite.checkpoints.foreign import ForeignFile, Ledger
from mmgan_lite.checkpoints.foreign.snapshots import (
    Network,
    convert_players,
    drop_filters,
    transposed,
)


def network(module, ledger, file, notes):
    weight = ledger.take('a.weight')
    return Network(dict(width=len(weight)), dict(w=weight))


def convert(**contents):
    file, notes = ForeignFile(Path('a.pkl'), contents), []
    ledger = file.ledger()
    players = convert_players(file, ledger, network, network, lambda config: dict(config), notes)
    ledger.close()
    return players, notes


def test_all_players(read_module):
    made = {n: read_module({'a.weight': torch.full((2,), float(v))}) for v, n in enumerate('GD')}
    players, notes = convert(**made, G_ema=read_module({'a.weight': torch.full((2,), 5.0)}))
    assert {name: tensor[0].item() for name, tensor in players.state.items()} == {
        'generator_ema.module.w': 5,
        'generator.w': 0,
        'discriminator.w': 1,
    }
    assert (players.fresh, notes) == ((), [])


def test_the_average_alone(read_module):
    players, notes = convert(G_ema=read_module({'a.weight': torch.ones(2)}), G=None, D=None)
    assert players.state.keys() == {'generator_ema.module.w', 'generator.w'}
    assert players.fresh == ('discriminator',)
    assert notes == ['The file has no G: the generator starts as its average.']


def test_two_sizes_are_refused(read_module):
    made = {n: read_module({'a.weight': torch.ones(v)}) for v, n in enumerate(('G_ema', 'G'), 1)}
    with pytest.raises(ValueError, match=r"'a.pkl' has a G and a G_ema of other sizes"):
        convert(**made)


def test_filters_of_ours_alone_are_dropped():
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
    other = torch.tensor([1.0, 1.0, 1.0, 1.0]) / 4
    state = {
        'a.filter': taps.outer(taps),
        'b.filter': other.outer(other),
        'filter': taps.outer(taps),
    }
    ledger = Ledger(state | {'xfilter': taps.outer(taps)}, 'a.pkl')
    drop_filters(ledger, 'filter')
    assert ledger.names() == ['b.filter', 'xfilter']


def test_embeddings_are_linear_layers_there():
    ledger = Ledger({'embed.weight': torch.arange(6.0).view(2, 3)}, 'a.pkl')
    assert transposed(ledger, 'embed.weight').tolist() == [[0, 3], [1, 4], [2, 5]]
    assert '1 derived (1 transposed)' in ledger.summary()
