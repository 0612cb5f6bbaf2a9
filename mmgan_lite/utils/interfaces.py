"""The attributes of a model, a network or an optim wrapper that other parts rely on.

An object has an interface if it has all of its attributes: ``isinstance(model, SamplesImages)``.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from mmengine.model import is_model_wrapper

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
        truncation_cutoff: int | None = None,
        style_mixing: int | None = None,
    ) -> 'Tensor':
        """Float ``(N, C, H, W)`` in [-1, 1]."""

    def sample_latents(self, num: int, generator: 'torch.Generator | None' = None) -> 'Tensor':
        """Float32 ``(N, latent_dim)``."""


@runtime_checkable
class SharesGenerator(SamplesImages, Protocol):
    """One that gives the network itself, too."""

    def sampled_generator(self, use_ema: bool = True) -> Any:
        """The generator that images are drawn from: the average of the weights, or the last."""


@runtime_checkable
class Translates(Protocol):
    """Makes images of another domain, such as :class:`~mmgan_lite.models.Pix2Pix`.

    Attributes:
        domains: Names of the directions.
    """

    domains: tuple[str, ...]

    def translate(
        self, images: 'Tensor', domain: str | None = None, use_ema: bool = True
    ) -> 'Tensor':
        """Float ``(N, C, H, W)`` in [-1, 1] of such images."""


@runtime_checkable
class HasPlayers(Protocol):
    """Trains networks against each other: :class:`~mmgan_lite.models.AdversarialModel`.

    Attributes:
        players: In order of play; each names its modules and its optim wrapper.
        term_players: The player whose step computed each logged term.
        cuda_graph: Whether the training step is recorded on the GPU and replayed.
    """

    players: Mapping[str, Any]
    term_players: Mapping[str, str]
    cuda_graph: bool

    def check_optim_wrapper(self, optim_wrapper: Any) -> None:
        """Raise ``ValueError`` unless there is an optim wrapper for each player."""

    def check_average(self, optim_wrapper: Any, batch_size: int) -> None:
        """Raise ``ValueError`` if an average counts another number of images an update."""

    def step_counts(self, iterations: int) -> dict[str, int]:
        """Steps that each optim wrapper has made after so many iterations."""

    def compile(self, **settings: Any) -> None:
        """Compile the networks by ``torch.compile``."""


@runtime_checkable
class HasLazyRegularizers(Protocol):
    """Computes some regularizers in every k-th step only."""

    def lazy_intervals(self) -> Mapping[str, set[int]]:
        """The intervals over 1, by the name of the optim wrapper."""


@runtime_checkable
class PreparesBatches(Protocol):
    """Takes batches of a data loader, as every ``AdversarialModel`` does."""

    def prepare_batch(self, data: Any) -> Any:
        """A batch of the data loader, preprocessed and checked."""


@runtime_checkable
class HasProbe(PreparesBatches, Protocol):
    """Measures the discriminator and the generator on a batch without changing them."""

    def probe(self, real_images: 'Tensor', labels: 'Tensor | None' = None) -> 'dict[str, Tensor]':
        """Detached fakes, logits and norms of gradients."""


@runtime_checkable
class BelongsToPlayer(Protocol):
    """A regularizer that names its player; any other is the discriminator's.

    Attributes:
        player: Name of the player whose objective it is added to.
    """

    player: str


@runtime_checkable
class CountsSteps(Protocol):
    """An optim wrapper with public counts: ``GANOptimWrapper``.

    Attributes:
        accumulative_counts: Backward passes to a step.
        inner_count: Backward passes so far.
        scaler: Scales the loss with float16; otherwise None.
    """

    accumulative_counts: int
    inner_count: int
    scaler: Any


@runtime_checkable
class ObservesLogits(Protocol):
    """An augmentation that adapts to the discriminator: ``AdaptiveAugment``."""

    def observe(self, real_logits: 'Tensor') -> None:
        """Adapt to logits ``(N, ...)`` of real images."""


@runtime_checkable
class CountsImages(Protocol):
    """An average of weights whose length is in images: ``HalfLifeMovingAverage``.

    Attributes:
        images_per_update: Real images that one process takes from one update to the next.
    """

    images_per_update: int


@runtime_checkable
class GivesImagesBack(Protocol):
    """A data preprocessor that turns the images of a model into bytes."""

    def to_uint8(self, images: 'Tensor') -> 'Tensor':
        """Float images in [-1, 1] as uint8 of 0 to 255."""


@runtime_checkable
class HasBitDepth(GivesImagesBack, Protocol):
    """One that knows the depth of the images that its model trains on.

    Attributes:
        bit_depth: 8 or 16.
    """

    bit_depth: int

    def to_uint16(self, images: 'Tensor') -> 'Tensor':
        """Float images in [-1, 1] as uint16 of 0 to 65,535."""


@runtime_checkable
class TakesOnePass(Protocol):
    """A discriminator that can take real images and fakes in one pass.

    Attributes:
        one_pass: Whether it is given them together.
    """

    one_pass: bool


@runtime_checkable
class HasClassifier(Protocol):
    """A discriminator with a second output, for the classes.

    Attributes:
        has_classifier: Whether this one was built with it.
    """

    has_classifier: bool


@runtime_checkable
class HasStyles(Protocol):
    """A generator with an intermediate latent space, such as ``StyleGAN2Generator``."""

    def mapping(self, latents: 'Tensor', labels: 'Tensor | None' = None) -> 'Tensor':
        """Styles ``(N, num_ws, W)``, one for each layer."""

    def synthesis(self, ws: 'Tensor') -> 'Tensor':
        """Images ``(N, C, H, W)``."""


@runtime_checkable
class TruncatesStyles(HasStyles, Protocol):
    """One that knows the mean style."""

    def truncate(self, ws: 'Tensor', psi: float, cutoff: int | None = None) -> 'Tensor':
        """Styles moved towards their mean, those of the first ``cutoff`` layers or of all."""


@runtime_checkable
class Reconstructs(Protocol):
    """A discriminator with decoders, such as ``FastGANDiscriminator``."""

    def reconstruct(self, images: 'Tensor') -> 'list[tuple[Tensor, Tensor]]':
        """Pairs of a reconstruction and its target, ``(N, C, H, W)`` each."""


@runtime_checkable
class Grows(Protocol):
    """A network with several sizes of images, such as ``PGGANGenerator``.

    Attributes:
        last_stage: The stages are 0 to this.
        stage: The last one in use, a tensor without dimensions.
        fade: Its share in the image, a tensor without dimensions.
    """

    last_stage: int
    stage: 'Tensor'
    fade: 'Tensor'

    def grow_to(self, stage: int, fade: float = 1.0) -> None:
        """Use the stages up to one, of which that share is in the image."""


@runtime_checkable
class HasFeatures(Protocol):
    """A network from images to images with features that can be compared: ``ResNetTranslator``.

    Attributes:
        in_channels: Of the images that it takes.
        min_side: Pixels that each side of an image must have.
    """

    in_channels: int
    min_side: int

    def features(self, images: 'Tensor', layers: Sequence[int]) -> 'list[Tensor]':
        """Float ``(N, C, H, W)`` of each layer."""


@runtime_checkable
class FitsSizes(Protocol):
    """A network from images to images that says which ones it takes: ``ImageTranslator``.

    Attributes:
        in_channels: Of the images that it takes.
        out_channels: Of the images that it gives, which have the size of those that it takes.
        size_multiple: Pixels that both sides of an image must be a multiple of.
        min_side: Pixels that each side must have, at least; such a multiple.
    """

    in_channels: int
    out_channels: int
    size_multiple: int
    min_side: int


@runtime_checkable
class ChecksImages(Protocol):
    """One that also says why: ``ImageTranslator``.

    Attributes:
        out_channels: Of the images that it gives.
    """

    out_channels: int

    def check_images(self, images: 'Tensor') -> None:
        """Raise ``ValueError`` if images ``(N, C, H, W)`` do not fit."""


@runtime_checkable
class NeedsLength(Protocol):
    """A model that needs a training of some length."""

    def check_length(self, images: int) -> None:
        """Raise ``ValueError`` if a training on so many images more is too short."""


@runtime_checkable
class HasImageShape(Protocol):
    """A dataset whose images have one shape, known before they are loaded.

    Attributes:
        image_shape: Channels, height and width; None if it depends on the files.
    """

    image_shape: tuple[int, int, int] | None


@runtime_checkable
class HasPairShapes(Protocol):
    """A dataset of sources and targets, such as ``PairedImageDataset``.

    Attributes:
        pair_shapes: Channels, height and width of both; None if they depend on the files.
    """

    pair_shapes: tuple[tuple[int, int, int], ...] | None


@runtime_checkable
class NamesScores(Protocol):
    """An evaluator that knows its scores before it has any.

    Attributes:
        score_names: In their order; None if they are not known.
    """

    score_names: Sequence[str] | None


def unwrap_model(model: Any) -> Any:
    """The model or network itself, without MMEngine's wrapper for several processes."""
    return model.module if is_model_wrapper(model) else model


@runtime_checkable
class HasMetainfo(Protocol):
    """A data set with a description, such as every ``BaseDataset`` of MMEngine."""

    metainfo: Mapping[str, Any]


def metainfo_of(dataset: object) -> Mapping[str, Any]:
    """The description of a data set; empty if it has none."""
    return dataset.metainfo if isinstance(dataset, HasMetainfo) else {}
