"""Each tensor of a file is taken, derived from, dropped, or named in an error."""

import pytest
import torch

from mmgan_lite.checkpoints.foreign import Ledger


def make(*names):
    return Ledger({name: torch.tensor(float(n)) for n, name in enumerate(names)}, 'a.pth')


def test_counts_and_reasons():
    ledger = make('G.a', 'G.b', 'G.c', 'D.a')
    network = ledger.under('G.')
    assert network.names() == ['a', 'b', 'c']
    assert network.take('a') == 0
    assert network.derive('b', 'transposed') == 1
    network.drop(['c'], 'rebuilt')
    assert network.names() == []
    assert 'a' not in network
    assert 'a' in ledger.under('D.')
    ledger.drop('D.a', 'of the optimizer')
    ledger.close()
    expected = '1 tensors taken, 1 derived (1 transposed), '
    assert ledger.summary() == expected + '2 dropped (1 rebuilt, 1 of the optimizer)'
    assert ledger.accounts() == dict(
        taken=['G.a'],
        derived={'G.b': 'transposed'},
        dropped={'G.c': 'rebuilt', 'D.a': 'of the optimizer'},
    )


def test_renamed_by_the_first_rule_of_the_whole_name():
    ledger = make('fc0.weight', 'fc1.bias', 'xfc2.bias')
    rules = {r'fc(\d+)\.(weight|bias)': r'layers.\1.\2', r'fc1.*': 'never'}
    assert ledger.take_renamed(rules, 'mapping.') == {
        'mapping.layers.0.weight': 0,
        'mapping.layers.1.bias': 1,
    }
    assert ledger.names() == ['xfc2.bias']


def test_what_is_left_over_is_named():
    ledger = make('a', 'b')
    ledger.take('a')
    message = r"^'a.pth' has 1 tensors with no place in our networks, such as b. It is of an "
    with pytest.raises(ValueError, match=message + r'architecture .*; nothing was written\.$'):
        ledger.close()


@pytest.mark.parametrize('use', ['peek', 'take'])
def test_what_is_absent_is_named(use):
    ledger = make('G.a').under('G.')
    with pytest.raises(ValueError, match=r"'a.pth' must have the tensor 'G.b' for the network"):
        getattr(ledger, use)('b')
    if use == 'take':  # it is gone after the first time
        ledger.take('a')
        with pytest.raises(ValueError, match=r"the tensor 'G.a'"):
            ledger.take('a')
