"""Files of other projects as these write them, and networks that were run by someone else."""

import json
import pickle
import sys
import types

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from mmgan_lite.checkpoints.foreign import Ledger, read_pickle
from mmgan_lite.checkpoints.foreign.transfer import Transfer
from mmgan_lite.registry import MODELS, build_part

PERSISTENCE = 'torch_utils.persistence'


class Tree:
    """A module of a pickle: its class, attributes, tensors and children."""

    def __init__(self, class_name='Module', **attributes):
        self.class_name, self.attributes = class_name, attributes
        self.tensors, self.children = {}, {}

    def at(self, path):
        node = self
        for name in path.split('.') if path else ():
            node = node.children.setdefault(name, Tree())
        return node

    @classmethod
    def of(cls, tensors, classes=None, **attributes):
        """From tensors by name; classes and attributes of modules by their paths."""
        tree = cls()
        for name, tensor in tensors.items():
            path, _, last = name.rpartition('.')
            tree.at(path).tensors[last] = tensor
        for path, name in (classes or {}).items():
            tree.at(path).class_name = name
        for path, found in attributes.items():
            tree.at(path).attributes |= found
        return tree

    def state(self, make):
        return dict(
            self.attributes,
            training=False,
            _parameters={k: torch.nn.Parameter(t) for k, t in self.tensors.items() if t.ndim},
            _buffers={k: t for k, t in self.tensors.items() if not t.ndim},
            _modules={k: make(child) for k, child in self.children.items()},
            _non_persistent_buffers_set=set(),
        )


@pytest.fixture
def tree():
    return Tree


@pytest.fixture
def fake_modules(monkeypatch):
    """Modules of other projects that pickles name, for writing them."""

    def add(module, name, thing):
        parts = module.split('.')
        for path in ('.'.join(parts[:end]) for end in range(1, len(parts) + 1)):
            if path not in sys.modules:
                monkeypatch.setitem(sys.modules, path, types.ModuleType(path))
        monkeypatch.setattr(sys.modules[module], name, thing, raising=False)
        thing.__module__, thing.__qualname__ = module, name
        return thing

    return add


@pytest.fixture
def persistent(fake_modules):
    """What makes of a Tree an object that pickles as one of NVIDIA's persistent classes."""

    def _reconstruct_persistent_obj(meta):
        raise AssertionError('ran code of a pickle')

    reconstruct = fake_modules(
        PERSISTENCE, '_reconstruct_persistent_obj', _reconstruct_persistent_obj
    )
    easy_dict = fake_modules('dnnlib.util', 'EasyDict', type('EasyDict', (dict,), {}))

    class Persistent:
        def __init__(self, tree):
            self.tree = tree

        def __reduce__(self):
            meta = dict(type='class', version=6, module_src='raise SystemExit')
            state = self.tree.state(Persistent)
            return reconstruct, (easy_dict(meta, class_name=self.tree.class_name, state=state),)

    return Persistent


@pytest.fixture
def plain(fake_modules):
    """What makes of a Tree an object that pickles as a module of R3GAN."""

    def make(tree):
        name = tree.class_name
        module = 'training.networks' if name in ('Generator', 'Discriminator') else 'R3GAN.Networks'
        cls = getattr(sys.modules.get(module), name, None)
        cls = cls or fake_modules(module, name, type(name, (), {}))
        thing = cls()
        vars(thing).update(tree.state(make))
        return thing

    return make


@pytest.fixture
def write_pickle(tmp_path):
    def write(content, name='snapshot.pkl', protocol=4):
        path = tmp_path / name
        path.write_bytes(pickle.dumps(content, protocol))
        return path

    return write


@pytest.fixture
def golden(repo):
    """State, inputs and outputs, and the constructor's arguments of a network of others."""

    def load(name, shared=False):
        """Of ``shared`` those in the files of ``shared_file``, whose names others have too."""
        folders = [repo / 'tests' / 'goldens', repo.parent / 'shared' / 'reference' / 'goldens']
        for folder in folders[shared:]:
            path = folder / f'{name}.safetensors'
            if path.is_file():
                with safe_open(path, 'pt') as file:
                    arguments = json.loads(file.metadata()['constructor'])
                tensors = load_file(path)
                state = {k[6:]: t for k, t in tensors.items() if k.startswith('state.')}
                return state, {k[3:]: t for k, t in tensors.items() if k[:3] == 'io.'}, arguments
        pytest.skip(f'{name} is neither in tests/goldens nor in ../shared/reference/goldens')

    return load


@pytest.fixture
def shared_file(repo):
    """A checkpoint in the container of its own project."""

    def find(name):
        path = repo.parent / 'shared' / 'reference' / 'goldens' / 'checkpoints' / name
        if not path.is_file():
            pytest.skip(f'{name} is not in ../shared/reference/goldens/checkpoints')
        return path

    return find


@pytest.fixture
def ada_tree():
    """A generator or discriminator of StyleGAN2-ADA."""

    def make(state, arguments):
        settings = (
            arguments | arguments.get('synthesis_kwargs', {}) | arguments.get('block_kwargs', {})
        )
        common = dict(conv_clamp=settings.get('conv_clamp'), activation='lrelu')
        attributes, is_judge = {}, 'b4.out.weight' in state
        sides = [int(n.split('b')[1].split('.')[0]) for n in state if n.endswith('conv1.weight')]
        place = '' if is_judge else 'synthesis.'
        for rank, side in enumerate(sorted(sides, reverse=True)):
            fp16 = rank < settings.get('num_fp16_res', 0)
            kind = settings.get('architecture', 'resnet' if is_judge else 'skip')
            attributes[f'{place}b{side}'] = dict(use_fp16=fp16, architecture=kind)
            attributes[f'{place}b{side}.conv1'] = common
        if is_judge:
            group = arguments['epilogue_kwargs'].get('mbstd_group_size', 4)
            attributes['b4'] = dict(architecture=settings.get('architecture', 'resnet'))
            attributes['b4.mbstd'] = dict(group_size=group, num_channels=1)
        if 'mapping.fc0.weight' in state:
            attributes['mapping.fc0'] = dict(bias_gain=0.01, activation='lrelu')
        return Tree.of(state, **attributes)

    return make


@pytest.fixture
def read_module(plain, write_pickle):
    """A module of a pickle, from tensors by name."""

    def read(tensors):
        return read_pickle(write_pickle(plain(Tree.of(tensors))))

    return read


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
