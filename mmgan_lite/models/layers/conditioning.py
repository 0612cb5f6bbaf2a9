"""Ways in which a class label enters a network."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def check_conditioning(
    conditioning: str | None, num_classes: int | None, choices: Sequence[str]
) -> str | None:
    """Return how labels enter a network: the first of ``choices`` where none was named.

    Args:
        conditioning: One of ``choices``, or None.
        num_classes: None for a network without labels.
        choices: What the network offers.

    Returns:
        One of ``choices``; None for a network without labels.

    Raises:
        ValueError: If ``conditioning`` is no choice, or named for a network without labels.
    """
    if conditioning is not None and conditioning not in choices:
        raise ValueError(
            f'conditioning must be None or one of {", ".join(map(repr, choices))}, '
            f'got {conditioning!r}. Pass conditioning={choices[0]!r}.'
        )
    if num_classes is None and conditioning is not None:
        raise ValueError(
            f'conditioning={conditioning!r} needs a network with classes, got num_classes=None. '
            'Pass num_classes=10 for ten labels, or conditioning=None.'
        )
    return conditioning or choices[0] if num_classes else None


def embed_labels(labels: Tensor | None, embedding: nn.Embedding | None) -> Tensor | None:
    """Each label's learned vector, with the mistakes that labels invite answered.

    Args:
        labels: int64 ``(N,)`` in [0, ``num_classes``); None without an embedding.
        embedding: ``num_classes`` vectors of E numbers; None in an unconditional network.

    Returns:
        Float ``(N, E)``; None without an embedding.

    Raises:
        ValueError: If only one of ``labels`` and ``embedding`` is there, or if a label on the CPU
            is out of its range. On a GPU the kernel itself stops at such a label: to look at it
            from here would wait for the device in every step.
    """
    if embedding is None:
        if labels is not None:
            raise ValueError(
                'labels were given to a network without classes. '
                'Build it with num_classes=..., or pass labels=None.'
            )
        return None
    num_classes = embedding.num_embeddings
    if labels is None:
        raise ValueError(
            f'labels must be given to a network with num_classes={num_classes}, '
            'got None. Pass one int64 label an image, or build the network with num_classes=None.'
        )
    try:
        return embedding(labels)
    except IndexError as error:
        raise ValueError(
            f'labels must lie in [0, {num_classes}), got {int(labels.min())} to '
            f'{int(labels.max())}. The network was built with num_classes={num_classes}.'
        ) from error


def append_label_embedding(
    features: Tensor, labels: Tensor | None, embedding: nn.Embedding | None
) -> Tensor:
    """Concatenate each sample's learned class vector to its features.

    Mirza & Osindero 2014, Conditional Generative Adversarial Nets, arXiv:1411.1784.

    Args:
        features: Float ``(N, F)``.
        labels: int64 ``(N,)`` in [0, ``num_classes``); None without an embedding.
        embedding: ``num_classes`` vectors of E numbers; None in an unconditional network.

    Returns:
        Float ``(N, F + E)``, or ``features`` as they are without an embedding.

    Raises:
        ValueError: As in :func:`embed_labels`.
    """
    vectors = embed_labels(labels, embedding)
    return features if vectors is None else torch.cat([features, vectors], dim=1)


def append_label_channel(
    images: Tensor, labels: Tensor | None, embedding: nn.Embedding | None
) -> Tensor:
    """Concatenate each image's learned class map to its channels, as one more of them.

    What :func:`append_label_embedding` is to a fully connected network. Appended to features
    right before the last linear layer, a vector could only shift the logit.

    Args:
        images: Float ``(N, C, H, W)``.
        labels: int64 ``(N,)`` in [0, ``num_classes``); None without an embedding.
        embedding: ``num_classes`` maps of H * W numbers; None in an unconditional network.

    Returns:
        Float ``(N, C + 1, H, W)``, or ``images`` as they are without an embedding.

    Raises:
        ValueError: As in :func:`embed_labels`.
    """
    maps = embed_labels(labels, embedding)
    if maps is None:
        return images
    return torch.cat([images, maps.unflatten(1, (1, *images.shape[2:]))], dim=1)
