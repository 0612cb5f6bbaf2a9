"""What networks of several families have: checked arguments, and ways for labels to come in."""

from collections.abc import Sequence

from torch import Tensor, nn

from mmgan_lite.models.layers import (
    LogitHead,
    append_label_channel,
    append_label_embedding,
    check_conditioning,
)
from mmgan_lite.utils.validation import check_image_shape, check_num_classes, check_positive


class ImageNetwork(nn.Module):
    """Base class of networks that give or judge images of one shape.

    Args:
        image_shape: Channels, height and width of an image in pixels, at least 1 each.
        num_classes: Number of labels, at least 2; None for a network without labels.

    Raises:
        ValueError: If an argument is out of its range.
    """

    def __init__(self, image_shape: Sequence[int], num_classes: int | None) -> None:
        super().__init__()
        self.image_shape = check_image_shape(image_shape)
        self.num_classes = check_num_classes(num_classes)


class LatentGenerator(ImageNetwork):
    """Base class of generators: ``layers`` on the latents and a learned vector of the label.

    Args:
        latent_dim: Numbers in a latent vector, at least 1.
        image_shape: Channels, height and width of an image in pixels, at least 1 each.
        num_classes: Number of labels, at least 2; None for a generator without labels.
        embedding_dim: Numbers in the learned vector of a label; None where no vector is appended.

    Raises:
        ValueError: If an argument is out of its range.
    """

    layers: nn.Module

    def __init__(
        self,
        latent_dim: int,
        image_shape: Sequence[int],
        num_classes: int | None,
        embedding_dim: int | None,
    ) -> None:
        super().__init__(image_shape, num_classes)
        self.latent_dim = check_positive('latent_dim', latent_dim)
        self.label_embedding = (
            nn.Embedding(num_classes, embedding_dim) if num_classes and embedding_dim else None
        )

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images from latents.

        Args:
            latents: Float ``(N, latent_dim)``, standard normal.
            labels: int64 ``(N,)`` in [0, ``num_classes``); None without labels.

        Returns:
            Float ``(N, *image_shape)`` in [-1, 1].

        Raises:
            ValueError: If labels are missing, needless or out of range.
        """
        return self.layers(append_label_embedding(latents, labels, self.label_embedding))


class ConditionalDiscriminator(ImageNetwork):
    """Base class of discriminators: a head on the features that :meth:`features` gives.

    Args:
        image_shape: Channels, height and width of an image in pixels, at least 1 each.
        num_classes: Number of labels, at least 2; None for a discriminator without labels.
        conditioning: How labels enter: 'embedding', a learned map as one more channel of the image;
            'projection', a learned vector that the features are multiplied with; or 'classifier',
            not at all: the network gives class logits beside the logit.
        choices: The ways that the network offers; the first one is taken where none is named.

    Attributes:
        has_classifier: Whether ``forward`` can return the logits of the classes.
        in_channels: Channels of an image and the map of its label.
        head: From the features to the logits; a subclass sets it.

    Raises:
        ValueError: If an argument is out of its range, or ``conditioning`` has no classes.
    """

    layers: nn.Module
    head: LogitHead

    def __init__(
        self,
        image_shape: Sequence[int],
        num_classes: int | None,
        conditioning: str | None,
        choices: Sequence[str],
    ) -> None:
        super().__init__(image_shape, num_classes)
        self.conditioning = check_conditioning(conditioning, num_classes, choices)
        self.has_classifier = self.conditioning == 'classifier'
        self.in_channels, height, width = self.image_shape
        self.label_embedding = None
        if num_classes and self.conditioning == 'embedding':
            self.label_embedding = nn.Embedding(num_classes, height * width)
            self.in_channels += 1

    def features(self, images: Tensor) -> Tensor:
        """Float ``(N, F)`` from float ``(N, in_channels, H, W)``; ``layers`` where not defined."""
        return self.layers(images)

    def forward(
        self, images: Tensor, labels: Tensor | None = None, return_classes: bool = False
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Logits of images.

        Args:
            images: Float ``(N, *image_shape)`` in [-1, 1].
            labels: int64 ``(N,)`` in [0, ``num_classes``); None without labels. A network with a
                classifier does not look at them.
            return_classes: Whether to also return class logits, from the same pass; only with a
                classifier.

        Returns:
            Float ``(N,)``, unbounded; larger means more real. With ``return_classes`` a pair of
            them and float ``(N, num_classes)``, the logits of the classes.

        Raises:
            ValueError: If labels are missing, needless or out of range, or if there is no
                classifier to return from.
        """
        if self.has_classifier:
            labels = None
        if self.conditioning != 'projection':
            images, labels = append_label_channel(images, labels, self.label_embedding), None
        return self.head(self.features(images), labels, return_classes)
