"""Weights at the start of training."""

import math
from typing import TypeVar

from torch import nn

Layer = TypeVar('Layer', nn.Conv2d, nn.Linear)


def init_normal(network: nn.Module, std: float = 0.02, norms: bool = False) -> None:
    """Draw the weights of all convolutions and linear layers from N(0, std²); biases are 0.

    Radford et al. 2016, arXiv:1511.06434, section 4. Embeddings stay as torch made them.

    Args:
        network: Changed in place.
        std: Standard deviation of a weight.
        norms: Whether to draw the gains of batch norms from N(1, std²), as pix2pix
            (arXiv:1611.07004) does; else they are 1.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(module.weight, std=std)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif norms and isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, mean=1.0, std=std)


def init_fan_in(layer: Layer, gain: float = 1.0) -> Layer:
    """Draw a layer's weight from N(0, gain² / fan-in); its bias is 0.

    Args:
        layer: Changed in place and returned.
        gain: Standard deviation of what comes out for inputs of unit variance.
    """
    nn.init.normal_(layer.weight, std=gain / math.sqrt(layer.weight[0].numel()))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def init_xavier(layer: Layer, gain: float = 1.0) -> Layer:
    """Draw a layer's weight evenly, of variance gain² * 2 / (fan-in + fan-out); its bias is 0.

    Glorot & Bengio 2010, Understanding the difficulty of training deep feedforward neural networks.

    Args:
        layer: Changed in place and returned.
        gain: Factor of the weights.
    """
    nn.init.xavier_uniform_(layer.weight, gain=gain)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def init_orthogonal(network: nn.Module) -> None:
    """Make the rows or columns of each weight orthonormal; biases are 0.

    Saxe et al. 2014, arXiv:1312.6120, as BigGAN (arXiv:1809.11096) has it: all convolutions, linear
    layers and embeddings, each as a matrix with a row for each output.

    Args:
        network: Changed in place; norms stay as torch made them.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear | nn.Embedding):
            nn.init.orthogonal_(module.weight)
            if not isinstance(module, nn.Embedding) and module.bias is not None:
                nn.init.zeros_(module.bias)
