"""What networks of several families have: checked arguments and images, and how labels come in."""

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


class ImageTranslator(nn.Module):
    """Base class of networks that make of an image another one of its size, by ``layers``.

    Args:
        in_channels: Channels of the images that come in, at least 1.
        out_channels: Channels of the images that come out, at least 1.
        levels: How often the network halves the sides of an image, at least 1.
        min_side: Pixels that each side must have, at least; a multiple of ``2**levels``.

    Attributes:
        size_multiple: ``2**levels``, which both sides of an image must be a multiple of.

    Raises:
        ValueError: If an argument is out of its range.
    """

    layers: nn.Module

    def __init__(self, in_channels: int, out_channels: int, levels: int, min_side: int) -> None:
        super().__init__()
        self.in_channels = check_positive('in_channels', in_channels)
        self.out_channels = check_positive('out_channels', out_channels)
        self.levels, self.min_side = levels, min_side
        self.size_multiple = 2**levels

    def forward(self, images: Tensor) -> Tensor:
        """Images of images.

        Args:
            images: Float ``(N, in_channels, H, W)`` in [-1, 1]; H and W are multiples of
                ``size_multiple``, whatever the network trained on.

        Returns:
            Float ``(N, out_channels, H, W)`` in [-1, 1].

        Raises:
            ValueError: If the images have other channels, or a side that is no such multiple.
        """
        self.check_images(images)
        return self.layers(images)

    def check_images(self, images: Tensor) -> None:
        """Raise ``ValueError`` if the images have other channels, or a side that does not fit."""
        check_channels(images, self.in_channels)
        multiple, least, sides = self.size_multiple, self.min_side, images.shape[2:]
        if all(side >= least and side % multiple == 0 for side in sides):
            return
        smaller = [max(least, side // multiple * multiple) for side in sides]
        larger = [max(least, -(-side // multiple) * multiple) for side in sides]
        nearest = dict.fromkeys('x'.join(map(str, size)) for size in (smaller, larger))
        raise ValueError(
            f'images must have sides of {least}, {least + multiple}, {least + 2 * multiple}, ... '
            f'pixels, multiples of {multiple} (2 to the power of {self.levels} levels), got '
            f'{"x".join(map(str, sides))}. Resize or pad them to {" or ".join(nearest)}.'
        )


def check_channels(images: Tensor, in_channels: int, min_side: int = 1) -> None:
    """Check images of any size before a network takes them.

    Args:
        images: Float ``(N, in_channels, H, W)``.
        in_channels: Of the network.
        min_side: Pixels that each side must have, at least.

    Raises:
        ValueError: If the images have other channels or a smaller side.
    """
    if images.ndim != 4 or images.shape[1] != in_channels:
        raise ValueError(
            f'images must be of shape (N, {in_channels}, H, W) for a network with '
            f'in_channels={in_channels}, got {tuple(images.shape)}. Build it with the channels of '
            'the images; a discriminator of pairs has those of source and target together.'
        )
    if min(images.shape[2:]) < min_side:
        height, width = images.shape[2:]
        raise ValueError(
            f'images must have sides of at least {min_side} pixels, got {height}x{width}. '
            'Build the network with fewer layers or scales, or resize the images.'
        )
