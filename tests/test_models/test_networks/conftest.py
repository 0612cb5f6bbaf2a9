"""Networks of other projects, run by someone else, to compare ours with."""

import pytest
import torch
from safetensors.torch import load_file

from mmgan_lite.checkpoints.foreign import Ledger
from mmgan_lite.checkpoints.foreign.transfer import Transfer
from mmgan_lite.registry import MODELS, build_part


class Golden:
    """Weights, inputs and outputs."""

    def __init__(self, path):
        tensors = load_file(path)
        self.theirs = {k[6:]: t for k, t in tensors.items() if k.startswith('state.')}
        self.io = {k[3:]: t for k, t in tensors.items() if k.startswith('io.')}

    def converted(self, function, *args):
        """The network that a source of foreign checkpoints makes of all tensors."""
        ledger = Ledger(self.theirs, 'golden')
        transfer = Transfer(ledger, reverse=False)
        network = build_part(MODELS, function(transfer, {}, *args), 'network')
        ledger.close()
        missing, unexpected = network.load_state_dict(transfer.state, strict=False)
        assert (set(missing) <= {'stage', 'fade'}, unexpected) == (True, [])
        return network.eval()

    def made_by(self, function):
        """The same, of a source that gives config and tensors together."""
        ledger = Ledger(self.theirs, 'golden')
        config, state = function(ledger)
        ledger.close()
        network = build_part(MODELS, config, 'network')
        network.load_state_dict(state)
        return network.eval()

    def check(self, found, name):
        """To 1e-4 of the standard deviation: float32 in another order of summation."""
        expected = self.io[name].reshape(found.shape)
        atol = 1e-4 * expected.std().item()
        torch.testing.assert_close(found, expected, rtol=0, atol=atol)


@pytest.fixture
def golden_of(repo):
    def load(name):
        folders = repo / 'tests' / 'goldens', repo.parent / 'shared' / 'reference' / 'goldens'
        for folder in folders:
            path = folder / f'{name}.safetensors'
            if path.is_file():
                return Golden(path)
        pytest.skip(f'{name} is neither in tests/goldens nor in ../shared/reference/goldens')

    return load
