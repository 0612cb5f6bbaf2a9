"""Spectral norm on many layers at once."""

from torch import nn
from torch.nn.utils import parametrizations


def add_spectral_norm(*networks: nn.Module) -> None:
    """Divide the weights of all layers by their largest singular values.

    Of convolutions, linear layers and embeddings: Miyato et al. 2018, Spectral Normalization for
    GANs, arXiv:1802.05957. A value is estimated by one power iteration a forward pass in train
    mode, and its vectors stay in eval mode.

    Args:
        networks: Changed in place, with all that is in them. Initialize them before: the weight is
            then only written through the parametrization.
    """
    for network in networks:
        for module in list(network.modules()):
            if isinstance(module, nn.Conv2d | nn.Linear | nn.Embedding):
                parametrizations.spectral_norm(module)
