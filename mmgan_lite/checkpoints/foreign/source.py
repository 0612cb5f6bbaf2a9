"""What a module of another project gets, and what it gives."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor

from mmgan_lite.checkpoints.foreign.ledger import Ledger
from mmgan_lite.checkpoints.foreign.pickles import PickledModule


@dataclass(frozen=True)
class ForeignFile:
    r"""A file of another project that was read.

    Attributes:
        path: Where it is.
        content: What was in it: of a pickle with
            :class:`~mmgan_lite.checkpoints.foreign.PickledModule`\ s.
        channel_order: 'rgb' or 'bgr', of the images that its networks see; None where nothing was
            said.
    """

    path: Path
    content: Any
    channel_order: str | None = None

    def ledger(self) -> Ledger:
        """All tensors in the content, by their paths: 'state_dict.generator.conv.weight'."""
        found: dict[str, Tensor] = {}
        content = self.content if isinstance(self.content, Mapping) else {'': self.content}
        for name, value in content.items():  # one network may have two names
            _collect(value, str(name), found, set())
        return Ledger(found, str(self.path))

    def tensors(self) -> dict[str, Tensor]:
        """The content, if it is a bare ``state_dict``; else an empty dict."""
        found = self.content
        if not isinstance(found, Mapping) or not all(isinstance(t, Tensor) for t in found.values()):
            return {}
        return {str(name): tensor for name, tensor in found.items()}

    def refuse(self, problem: str, remedy: str) -> ValueError:
        """An error that names the file."""
        return ValueError(f'{str(self.path)!r} {problem}. {remedy}.')


def _collect(value: Any, path: str, found: dict[str, Tensor], seen: set[int]) -> None:
    """Add the tensors of containers in containers, each container once."""
    if isinstance(value, Tensor):
        found[path] = value
        return
    if id(value) in seen:
        return
    seen.add(id(value))
    items: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, PickledModule):
        items = value.tensors().items()
    elif isinstance(value, Mapping):
        items = value.items()
    elif isinstance(value, list | tuple):
        items = enumerate(value)
    for key, item in items:
        _collect(item, f'{path}.{key}' if path else str(key), found, seen)


@dataclass
class Conversion:
    """One of our models, with what is in a file of another project.

    Attributes:
        model: Config of the model, ``dict(type='GAN', ...)``; all literals.
        state: Tensors by their names in the model.
        ledger: All tensors of the file, each taken, derived from, or dropped.
        fresh: Names of networks in the model that the file has nothing of, such as
            'discriminator'; they start from random weights.
        optim_wrapper: Of a training that goes on, a dict for each player.
        batch_size: Of a training that goes on.
        classes: Names of the classes, if the file has them.
        iteration: Steps of the generator so far, if the file says.
        notes: Sentences for the user: what is not as in the original.
    """

    model: dict[str, Any]
    state: dict[str, Tensor]
    ledger: Ledger
    optim_wrapper: dict[str, Any]
    batch_size: int = 64
    fresh: tuple[str, ...] = ()
    classes: tuple[str, ...] | None = None
    iteration: int | None = None
    notes: list[str] = field(default_factory=list)


class Source(Protocol):
    """A module of another project."""

    def recognizes(self, file: ForeignFile) -> bool:
        """Whether the file is one of this project, by what is in it."""

    def convert(self, file: ForeignFile) -> Conversion:
        """Our model of the file; ``ValueError`` if it has another architecture, or not all."""
