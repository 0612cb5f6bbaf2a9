"""Networks of MMagic, run by someone else, to compare ours with."""

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

# Names of spectral norm there, and in torch's parametrization.
SPECTRAL = dict(
    weight_orig='parametrizations.weight.original',
    weight_u='parametrizations.weight.0._u',
    weight_v='parametrizations.weight.0._v',
)


class Golden:
    """Weights, inputs and outputs. ``take`` renames weights, ``load_into`` wants all of them."""

    def __init__(self, path):
        tensors = load_file(path)
        self.theirs = {k[6:]: t for k, t in tensors.items() if k.startswith('state.')}
        self.io = {k[3:]: t for k, t in tensors.items() if k.startswith('io.')}
        self.ours = {}

    def take(self, ours, theirs):
        """What is left of a module there becomes one of ours."""
        names = [name for name in self.theirs if name.startswith(f'{theirs}.')]
        found = {name.removeprefix(f'{theirs}.'): self.theirs.pop(name) for name in names}
        if 'u0' in found:
            # BigGAN's authors let the power iteration run in eval mode too, with u0 kept.
            matrix = found['weight'].flatten(1)
            v = F.normalize(found.pop('u0') @ matrix)
            u = F.normalize(v @ matrix.T)
            found |= dict(weight_orig=found.pop('weight'), weight_u=u[0], weight_v=v[0])
            del found['sv0']
        self.ours |= {f'{ours}.{SPECTRAL.get(name, name)}': t for name, t in found.items()}

    def load_into(self, network):
        assert self.theirs == {}
        network.load_state_dict(self.ours)
        return network.eval()

    def check(self, found, name):
        """To 1e-4 of the standard deviation: float32 in another order of summation."""
        expected = self.io[name].reshape(found.shape)
        atol = 1e-4 * expected.std().item()
        torch.testing.assert_close(found, expected, rtol=0, atol=atol)


@pytest.fixture
def golden_of(repo):
    def load(name):
        folders = [repo / 'tests', repo.parent / 'shared' / 'reference']
        for folder in folders:
            path = folder / 'goldens' / f'{name}.safetensors'
            if path.is_file():
                return Golden(path)
        pytest.skip(f'{path.name} is not in ../shared/reference/goldens')

    return load
