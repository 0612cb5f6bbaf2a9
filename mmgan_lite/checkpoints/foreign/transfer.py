"""Layers of a network of MMGeneration or MMagic, one after the other, as layers of ours."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from mmgan_lite.checkpoints.foreign.ledger import Ledger

# Names of spectral norm in older torch, and in its parametrization.
_SPECTRAL = dict(
    weight_orig='parametrizations.weight.original',
    weight_u='parametrizations.weight.0._u',
    weight_v='parametrizations.weight.0._v',
)
_REVERSED = 'blue, green, red to red, green, blue'


class Transfer:
    """What becomes of a network's tensors, layer by layer.

    Args:
        ledger: Of the network's tensors.
        reverse: Whether its images are blue, green, red.

    Attributes:
        state: The tensors so far, by their names in our network.
        notes: Sentences for the user, of what the file does not say.

    Example:
        >>> ledger = Ledger({'g.out.conv.weight': torch.arange(3.0)[:, None]}, 'a.pth')
        >>> transfer = Transfer(ledger.under('g.'), reverse=True)
        >>> transfer.move('last', 'out.conv', 'out', images=[3])
        >>> transfer.state['last.weight'].T, ledger.summary()[:26]
        (tensor([[2., 1., 0.]]), '0 tensors taken, 1 derived')
    """

    def __init__(self, ledger: Ledger, reverse: bool) -> None:
        self.ledger, self.reverse = ledger, reverse
        self.state: dict[str, Tensor] = {}
        self.notes: list[str] = []

    def move(
        self,
        ours: str,
        theirs: str,
        colors: str = '',
        images: Sequence[int] = (),
        how: str = '',
    ) -> None:
        """All that is left of a layer there becomes one of ours.

        Equalized weights, and those with either kind of spectral norm, get their names here.

        Args:
            ours: Name of our layer.
            theirs: Name of theirs; without tensors it has no parameters.
            colors: 'in' for a layer that takes images; for one that gives them 'out', or 'up' if it
                is a transposed convolution.
            images: Channels of each image that the layer takes or gives, side by side.
            how: What the caller does to the tensors; '' if they stay as they are.
        """
        view = self.ledger.under(f'{theirs}.')
        names = view.names()
        if 'u0' in names:
            self._move_authors_norm(ours, view, _axes(colors), images)
            return
        spectral = 'weight_u' in names
        axes = _axes(colors)
        for name in names:
            new = _SPECTRAL.get(name, name) if spectral else name.removesuffix('_orig')
            self.state[f'{ours}.{new}'] = self._taken(view, name, axes.get(name), images, how)
        if 'running_mean' in names:
            # Files of torch before 0.4.1 have no count.
            self.state.setdefault(f'{ours}.num_batches_tracked', torch.tensor(0))

    def color(self, ours: str, theirs: str, axis: int, images: Sequence[int]) -> Tensor:
        """A tensor becomes one of ours, with the colors along an axis."""
        self.state[ours] = self._taken(self.ledger, theirs, axis, images)
        return self.state[ours]

    def _taken(
        self, ledger: Ledger, name: str, axis: int | None, images: Sequence[int], how: str = ''
    ) -> Tensor:
        if axis is None or not self.reverse or 3 not in images:
            return ledger.derive(name, how) if how else ledger.take(name)
        tensor = ledger.derive(name, _REVERSED)
        if name == 'weight_v':
            # Of the flat weight of one filter.
            tensor = tensor.unflatten(0, (sum(images), -1))
        pieces = tensor.split(list(images), axis)
        reversed_ = [p.flip(axis) if p.shape[axis] == 3 else p for p in pieces]
        joined = torch.cat(reversed_, axis)
        return joined.flatten() if name == 'weight_v' else joined

    def _move_authors_norm(
        self, ours: str, view: Ledger, axes: dict[str, int], images: Sequence[int]
    ) -> None:
        """Spectral norm of BigGAN's authors: an iteration in each pass, from the vector ``u0``."""
        view.drop('sv0', 'singular values, which are computed')
        weight = self._taken(view, 'weight', axes.get('weight'), images)
        u0 = view.derive('u0', 'the vectors of spectral norm after one more iteration')
        if 'weight_u' in axes and self.reverse and len(weight) == 3:
            u0 = u0.flip(1)
        v = F.normalize(u0 @ weight.flatten(1))
        u = F.normalize(v @ weight.flatten(1).T)
        found = dict(weight_orig=weight, weight_u=u[0], weight_v=v[0])
        self.state |= {f'{ours}.{_SPECTRAL[name]}': tensor for name, tensor in found.items()}
        if 'bias' in view:
            self.state[f'{ours}.bias'] = self._taken(view, 'bias', axes.get('bias'), images)


def _axes(colors: str) -> dict[str, int]:
    """The axis of the colors in each tensor of a layer."""
    weights = ('weight', 'weight_orig')
    if colors == 'in':
        return {**dict.fromkeys(weights, 1), 'weight_v': 0}
    axis = dict(out=0, up=1).get(colors)
    return {} if axis is None else {**dict.fromkeys(weights, axis), 'bias': 0, 'weight_u': 0}


def numbers(names: Sequence[str]) -> list[int]:
    """The numbers that names begin with, each once, in order.

    Example:
        >>> numbers(['10.conv.weight', '2.bn.bias', '2.bn.weight'])
        [2, 10]
    """
    return sorted({int(first) for name in names if (first := name.partition('.')[0]).isdigit()})
