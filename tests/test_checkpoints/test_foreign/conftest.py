"""Checkpoints of other projects, and networks of theirs, that were run by someone else."""

import pytest
import torch
from safetensors.torch import load_file

from mmgan_lite.checkpoints.foreign import Ledger
from mmgan_lite.checkpoints.foreign.transfer import Transfer
from mmgan_lite.registry import MODELS, build_part


@pytest.fixture
def goldens(repo):
    """The folder of the networks and checkpoints of other projects."""
    folder = repo.parent / 'shared' / 'reference' / 'goldens'
    if not folder.is_dir():
        pytest.skip('the networks of other projects are not in ../shared/reference/goldens')
    return folder


@pytest.fixture
def io_of(goldens):
    """Inputs and outputs of a network."""

    def load(name):
        tensors = load_file(goldens / f'{name}.safetensors')
        return {key[3:]: tensor for key, tensor in tensors.items() if key.startswith('io.')}

    return load


@pytest.fixture
def state_of(goldens):
    """The tensors of a network, by their names in its project."""

    def load(name):
        tensors = load_file(goldens / f'{name}.safetensors')
        return {key[6:]: tensor for key, tensor in tensors.items() if key.startswith('state.')}

    return load


@pytest.fixture
def assert_like():
    """To 1e-4 of the standard deviation: float32 in another order of summation."""

    def compare(found, expected):
        expected = expected.reshape(found.shape)
        atol = 1e-4 * expected.std().item()
        torch.testing.assert_close(found, expected, rtol=0, atol=atol)

    return compare


@pytest.fixture
def write_mm(state_of, tmp_path):
    """A file of MMGeneration or MMagic of networks of the goldens, by their places in it."""

    def write(networks, meta=None, others=()):
        state = {
            f'{place}.{key}': tensor
            for place, network in networks.items()
            for key, tensor in (state_of(network) if isinstance(network, str) else network).items()
        }
        path = tmp_path / 'theirs.pth'
        content = dict(meta=meta or {}, state_dict=state | dict(others), optimizer={})
        torch.save(content, path)
        return path

    return write


@pytest.fixture
def made_by():
    """Settings, and the network of ours that a function makes of all tensors of theirs."""

    def make(function, state, *args, given=None):
        ledger = Ledger(state, 'a.pth')
        transfer = Transfer(ledger, reverse=False)
        settings = function(transfer, given or {}, *args)
        ledger.close()
        network = build_part(MODELS, settings, 'network')
        missing, unexpected = network.load_state_dict(transfer.state, strict=False)
        assert not unexpected
        assert set(missing) <= {'stage', 'fade'}
        return settings, network.eval()

    return make


@pytest.fixture
def zeros():
    """Tensors by name and shape."""
    return lambda **shapes: {name.replace('__', '.'): torch.zeros(s) for name, s in shapes.items()}
