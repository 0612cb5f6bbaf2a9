"""What a module of another project gets, and what it gives."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor

from mmgan_lite.checkpoints.foreign.ledger import Ledger


@dataclass(frozen=True)
class ForeignFile:
    """A file of another project that was read.

    Attributes:
        path: Where it is.
        content: What was in it: of a pickle with
            :class:`~mmgan_lite.checkpoints.foreign.PickledModule`\\ s.
        channel_order: 'rgb' or 'bgr', of the images that its networks see; None where nothing was
            said.
    """

    path: Path
    content: Any
    channel_order: str | None = None

    def tensors(self) -> dict[str, Tensor]:
        """The content, if it is a bare ``state_dict``; else an empty dict."""
        found = self.content
        if not isinstance(found, Mapping) or not all(isinstance(t, Tensor) for t in found.values()):
            return {}
        return {str(name): tensor for name, tensor in found.items()}

    def refuse(self, problem: str, remedy: str) -> ValueError:
        """An error that names the file."""
        return ValueError(f'{str(self.path)!r} {problem}. {remedy}')


@dataclass
class Conversion:
    """One of our models, with what is in a file of another project.

    Attributes:
        model: Config of the model, ``dict(type='GAN', ...)``; all literals.
        state: Tensors by their names in the model.
        ledger: All tensors of the file, each taken, derived from, or dropped.
        fresh: Names of networks in the model that the file has nothing of, such as
            'discriminator'; they start from random weights.
        optim_wrapper: Of a training that goes on, as in our configs.
        classes: Names of the classes, if the file has them.
        iteration: Steps of the generator so far, if the file says.
        notes: Sentences for the user: what is not as in the original.
    """

    model: dict[str, Any]
    state: dict[str, Tensor]
    ledger: Ledger
    optim_wrapper: dict[str, Any]
    fresh: tuple[str, ...] = ()
    classes: tuple[str, ...] | None = None
    iteration: int | None = None
    notes: list[str] = field(default_factory=list)


class Source(Protocol):
    """A module of another project."""

    @staticmethod
    def recognizes(file: ForeignFile) -> bool:
        """Whether the file is one of this project, by what is in it."""

    @staticmethod
    def convert(file: ForeignFile) -> Conversion:
        """Our model of the file; ``ValueError`` if it has another architecture, or not all."""
