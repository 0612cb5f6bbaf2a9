"""Pickles are read without running anything in them, or refused by name."""

import collections
import os
import pickle
import struct
import sys

import numpy as np
import pytest
import torch

from mmgan_lite.checkpoints.foreign import PickledModule, read_pickle
from mmgan_lite.checkpoints.foreign.pickles import is_pickle


class Calls:
    """Pickles as a call."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize('protocol', range(6))
@pytest.mark.parametrize(
    ('function', 'arguments', 'name'),
    [
        (os.system, ('touch pwned',), 'posix.system'),
        (eval, ('open("pwned", "w")',), 'eval'),
        (getattr, (os, 'system'), 'getattr'),
        (torch.load, ('pwned',), 'torch.serialization.load'),
        (collections.Counter, (), 'collections.Counter'),
    ],
)
def test_other_names_are_refused(write_pickle, tmp_path, function, arguments, name, protocol):
    os.chdir(tmp_path)
    if arguments[:1] == (os,):
        arguments = (dict, 'get')
    path = write_pickle(dict(G=1, bad=Calls(function, *arguments)), protocol=protocol)
    message = rf"^'.*snapshot.pkl' names \S*{name}, which could run code .* Nothing of it was run"
    with pytest.raises(ValueError, match=message):
        read_pickle(path)
    assert not (tmp_path / 'pwned').exists()


def test_malicious_file_is_refused(shared_file, tmp_path, monkeypatch):
    monkeypatch.setenv('MMGAN_PWN', str(tmp_path / 'pwned'))
    with pytest.raises(ValueError, match=r'names posix.system, which could run code'):
        read_pickle(shared_file('malicious_stylegan2_ada.pkl'))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('protocol', [3, 4, 5])
def test_modules_of_both_projects(write_pickle, persistent, plain, tree, protocol):
    weight = torch.arange(6.0).view(2, 3).T
    made = tree.of({'a.weight': weight, 'a.count': torch.tensor(3)}, a={'up': 2})
    made.class_name = 'Generator'
    for make in (persistent, plain):
        content = dict(G=make(made), images=np.float64(2.5), names=collections.OrderedDict(x=1))
        found = read_pickle(write_pickle(content, protocol=protocol))
        assert (found['images'], found['names']) == (2.5, {'x': 1})
        module = found['G']
        assert isinstance(module, PickledModule)
        assert (module.class_name, [*module.modules()]) == ('Generator', ['', 'a'])
        assert module.modules()['a'].get('up') == 2
        assert module.modules()['a'].get('down') is None
        tensors = module.tensors()
        assert torch.equal(tensors['a.weight'], weight)
        assert tensors['a.count'] == 3


def test_a_module_in_itself_ends(write_pickle, plain, tree):
    thing = plain(tree.of({'a.weight': torch.ones(1)}))
    thing._modules['b'] = thing
    assert [*read_pickle(write_pickle(thing)).modules()] == ['', 'a']


def test_a_tensor_stays_in_its_storage(write_pickle):
    """torch makes a storage larger where a file asks for more than there is."""
    storage = torch.ones(4).storage()
    bad = Calls(torch._utils._rebuild_tensor_v2, storage, 0, (1000,), (1,), False, {})
    with pytest.raises(ValueError, match=r'is damaged or no pickle of a checkpoint \(RuntimeError'):
        read_pickle(write_pickle(bad))


def test_objects_are_no_numbers_of_numpy(write_pickle):
    bad = Calls(np.dtype, 'O', False, True)
    with pytest.raises(ValueError, match=r'numbers of numpy have no dtype O'):
        read_pickle(write_pickle(bad))


def test_a_file_cannot_change_what_the_next_one_is_read_by(write_pickle):
    """The opcode BUILD sets attributes of whatever is on the stack, functions too."""
    stack = b'\x80\x04' + b'ctorch._utils\n_rebuild_parameter\n' + b'N}'
    stack += b'\x8c\x0c__defaults__' + b'K\x01\x85' + b's\x86b.'
    path = write_pickle(None)
    path.write_bytes(stack)
    first = read_pickle(path)
    assert first.__defaults__ == (1,)
    path.write_bytes(b'\x80\x04ctorch._utils\n_rebuild_parameter\n.')
    assert read_pickle(path).__defaults__ is None


def test_cut_off(write_pickle, persistent, tree):
    path = write_pickle(dict(G=persistent(tree.of({'a.weight': torch.ones(64)}))))
    data = path.read_bytes()
    for end in (1, 30, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:end])
        with pytest.raises(ValueError, match=r'is damaged or no pickle .* Download it again'):
            read_pickle(path)


def test_references_to_the_outside_are_refused(write_pickle):
    path = write_pickle(None)
    path.write_bytes(b'\x80\x04X\x01\x00\x00\x00aQ.')
    with pytest.raises(ValueError, match=r'it refers to something outside of it'):
        read_pickle(path)


def test_the_version_for_tensorflow_is_named(write_pickle, fake_modules):
    network = fake_modules('dnnlib.tflib.network', 'Network', type('Network', (), {}))
    with pytest.raises(
        ValueError, match=r'names dnnlib.tflib.network.Network, which is of .* Tens'
    ):
        read_pickle(write_pickle(network()))


@pytest.mark.parametrize('zipped', [True, False])
def test_files_of_torch_are_no_bare_pickles(tmp_path, zipped):
    path = tmp_path / 'a.pth'
    torch.save({}, path, _use_new_zipfile_serialization=zipped)
    assert not is_pickle(path)
    path.write_bytes(pickle.dumps({}))
    assert is_pickle(path)
    path.write_bytes(struct.pack('<Q', 3))
    assert not is_pickle(path)
    assert 'torch_utils' not in sys.modules
