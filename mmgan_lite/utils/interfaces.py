"""What hooks, evaluators and tools may ask of a model, whatever its class.

A model has an interface if it has all of its attributes: ``isinstance(model, SamplesImages)``.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@runtime_checkable
class SamplesImages(Protocol):
    """Draws images from latents, such as :class:`~mmgan_lite.models.GAN`.

    Attributes:
        image_shape: Channels, height and width; may change while the model trains.
        num_classes: None for a model without labels.
        latent_dim: Of one latent.
    """

    image_shape: tuple[int, ...]
    num_classes: int | None
    latent_dim: int

    def sample(
        self,
        num: int,
        labels: Any = None,
        latents: 'Tensor | None' = None,
        generator: 'torch.Generator | None' = None,
        use_ema: bool = True,
        truncation: float = 1.0,
    ) -> 'Tensor':
        """Float ``(N, C, H, W)`` in [-1, 1]."""

    def sample_latents(self, num: int, generator: 'torch.Generator | None' = None) -> 'Tensor':
        """Float32 ``(N, latent_dim)``."""


@runtime_checkable
class HasPlayers(Protocol):
    """Trains networks against each other: :class:`~mmgan_lite.models.AdversarialModel`.

    Attributes:
        players: In order of play; each names its modules and its optim wrapper.
        cuda_graph: Whether the training step is recorded on the GPU and replayed.
    """

    players: Mapping[str, Any]
    cuda_graph: bool

    def check_optim_wrapper(self, optim_wrapper: Any) -> None:
        """Raise ``ValueError`` unless there is an optim wrapper for each player."""

    def check_average(self, optim_wrapper: Any, batch_size: int) -> None:
        """Raise ``ValueError`` if an average counts another number of images an update."""

    def step_counts(self, iterations: int) -> dict[str, int]:
        """Steps that each optim wrapper has made after so many iterations."""


@runtime_checkable
class HasProbe(Protocol):
    """Reports on a batch how the discriminator and the generator stand, leaving no trace."""

    def prepare_batch(self, data: Any) -> Any:
        """A batch of the data loader, preprocessed and checked."""

    def probe(self, real_images: 'Tensor', labels: 'Tensor | None' = None) -> 'dict[str, Tensor]':
        """Detached fakes, logits and norms of gradients."""


def unwrap_model(model: Any) -> Any:
    """The model or network itself, without MMEngine's wrapper for several processes."""
    from mmengine.model import is_model_wrapper

    return model.module if is_model_wrapper(model) else model
