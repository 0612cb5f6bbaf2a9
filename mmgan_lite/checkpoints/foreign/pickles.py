"""Read the pickles of NVIDIA's StyleGAN2-ADA and of R3GAN without running anything in them.

A pickle names functions and classes, and its reader calls them. Here each name stands for one of
the few functions below, which only make tensors, numbers and containers, or for a class without
code that keeps attributes. All are made anew for each file, so that a file cannot change them for
the next. Every other name ends the reading.
"""

import io
import pickle
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

# torch.save before 1.6 began with a pickle of the number 0x1950a86a20f9469cfc6c.
_LEGACY_TORCH = bytes.fromhex('8a0a6cfc9c46f9206aa85019')
# Modules whose classes become PickledModule, whatever their names are.
_STUBBED = ('training.networks', 'R3GAN', 'torch.nn.modules')
_DTYPES = {f'torch.{name}' for name in ('float16', 'bfloat16', 'float32', 'float64')}
_SCALARS = {f'numpy.{core}.multiarray.scalar' for core in ('core', '_core')}


class PickledModule:
    """A module in a pickle: the attributes of the object there, and nothing of its code.

    Attributes:
        class_name: Such as 'SynthesisNetwork'.
    """

    class_name = ''
    __slots__ = ('_attributes',)

    def __setstate__(self, state: Any) -> None:
        self._attributes: dict[str, Any] = dict(state)

    def get(self, name: str, default: Any = None) -> Any:
        """An attribute that the object has there."""
        return getattr(self, '_attributes', {}).get(name, default)

    def children(self) -> dict[str, 'PickledModule']:
        """Modules in this one, by name."""
        found = self.get('_modules') or {}
        return {name: m for name, m in found.items() if isinstance(m, PickledModule)}

    def modules(self) -> dict[str, 'PickledModule']:
        """This module, named '', and all in it by their paths, each once."""
        found: dict[str, PickledModule] = {}
        left = [('', self)]
        seen = {id(self)}
        while left:
            path, module = left.pop()
            found[path] = module
            for name, child in reversed(module.children().items()):
                if id(child) not in seen:
                    seen.add(id(child))
                    left.append((f'{path}.{name}' if path else name, child))
        return found

    def tensors(self) -> dict[str, Tensor]:
        """Parameters and buffers by their paths, also those that ``state_dict`` leaves out."""
        return {
            f'{path}.{name}' if path else name: tensor
            for path, module in self.modules().items()
            for group in ('_parameters', '_buffers')
            for name, tensor in (module.get(group) or {}).items()
            if isinstance(tensor, Tensor)
        }


def read_pickle(path: str | Path) -> Any:
    """Read a pickle that has only names of NVIDIA's and R3GAN's checkpoints.

    Args:
        path: The file.

    Returns:
        What was pickled; modules are a :class:`PickledModule` each, tensors are on the CPU.

    Raises:
        ValueError: If it has another name, is cut off, or is no pickle.
    """
    with open(path, 'rb') as file:
        unpickler = _Unpickler(file)
        try:
            return unpickler.load()
        except _ForbiddenName as error:
            raise ValueError(_refusal(path, error.args[0])) from None
        except Exception as error:  # damaged bytes raise nearly anything
            reason = f'{type(error).__name__}: {error}'.partition('\n')[0]
            text = f'{str(path)!r} is damaged or no pickle of a checkpoint ({reason}).'
            raise ValueError(f'{text} Nothing of it was run. Download it again.') from error


def is_pickle(path: str | Path) -> bool:
    """Whether a file begins as a bare pickle, and not as one of ``torch.save``."""
    with open(path, 'rb') as file:
        start = file.read(16)
    return start[:1] == b'\x80' and _LEGACY_TORCH not in start


class _ForbiddenName(Exception):  # noqa: N818 - its argument is the name
    """A pickle has a name that is not known."""


def _refusal(path: str | Path, name: str) -> str:
    text = f'{str(path)!r} names {name}, which'
    if name.startswith('dnnlib.tflib'):
        return (
            f"{text} is of StyleGAN2's TensorFlow version: not supported. Convert it by legacy.py "
            'of stylegan2-ada-pytorch first.'
        )
    return (
        f'{text} could run code and is no name of a checkpoint of StyleGAN2-ADA or R3GAN. Nothing '
        'of it was run. Take the file from where its authors published it.'
    )


class _Unpickler(pickle.Unpickler):
    """Knows the names of :func:`_make_names`, and classes of ``_STUBBED``."""

    def __init__(self, file: Any) -> None:
        super().__init__(file)
        self._names = _make_names()

    def find_class(self, module: str, name: str) -> Any:
        """What a name stands for."""
        full = f'{module}.{name}'
        if any(f'{module}.'.startswith(f'{known}.') for known in _STUBBED):
            return self._names.setdefault(full, _stub(name))
        if full not in self._names:
            raise _ForbiddenName(full)
        return self._names[full]

    def persistent_load(self, pid: Any) -> Any:
        """No checkpoint of these projects refers to something outside of it."""
        raise pickle.UnpicklingError('it refers to something outside of it')


def _make_names() -> dict[str, Any]:
    """New functions and classes for the names that may be in a file."""

    class EasyDict(dict[str, Any]):
        def __setstate__(self, state: Any) -> None:
            """Its items are its attributes."""

    class Dtype:
        def __init__(self, code: str, *_: Any) -> None:
            self.dtype = np.dtype(code)
            if self.dtype.kind not in 'biuf':
                raise pickle.UnpicklingError(f'numbers of numpy have no dtype {code}')

        def __setstate__(self, state: Any) -> None:
            if state[1] in '<>':
                self.dtype = self.dtype.newbyteorder(state[1])

    def scalar(dtype: Dtype, data: bytes) -> bool | int | float:
        return np.frombuffer(data, dtype.dtype)[0].item()

    def storage(data: bytes) -> Any:
        return torch.load(io.BytesIO(data), map_location='cpu', weights_only=True)

    def tensor(
        stored: Any, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any
    ) -> Tensor:
        made = torch.empty(0, dtype=stored.dtype)
        # A view of what is there: torch would make the storage larger where a file asks for it.
        made.set_(stored._untyped_storage)
        return made.as_strided(tuple(size), tuple(stride), offset)

    def parameter(data: Tensor, *_: Any) -> Tensor:
        return data

    def persistent(meta: Mapping[str, Any]) -> PickledModule:
        module = _stub(str(meta['class_name']))()
        module.__setstate__(meta['state'])
        return module

    return {
        'collections.OrderedDict': OrderedDict,
        'builtins.set': _new_set(),  # of protocols before 4
        'dnnlib.util.EasyDict': EasyDict,
        'numpy.dtype': Dtype,
        **dict.fromkeys(_SCALARS, scalar),
        'torch._utils._rebuild_parameter': parameter,
        'torch._utils._rebuild_tensor_v2': tensor,
        'torch.storage._load_from_bytes': storage,
        'torch_utils.persistence._reconstruct_persistent_obj': persistent,
        **{name: getattr(torch, name.partition('.')[2]) for name in _DTYPES},
    }


def _stub(name: str) -> type[PickledModule]:
    return type(name, (PickledModule,), dict(class_name=name, __slots__=()))


def _new_set() -> Any:
    def make(items: list = []) -> set:  # noqa: B006 - never changed
        return set(items)

    return make
