"""Ways in which a class label enters a network."""

import torch
from torch import Tensor, nn


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
        ValueError: If only one of ``labels`` and ``embedding`` is there.
    """
    if embedding is None:
        if labels is not None:
            raise ValueError(
                'labels were given to a network without classes. '
                'Build it with num_classes=..., or pass labels=None.'
            )
        return features
    if labels is None:
        raise ValueError(
            f'labels must be given to a network with num_classes={embedding.num_embeddings}, '
            'got None. Pass one int64 label an image, or build the network with num_classes=None.'
        )
    return torch.cat([features, embedding(labels)], dim=1)
