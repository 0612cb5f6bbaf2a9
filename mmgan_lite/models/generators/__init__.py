"""Generators: latents (N, Z), and labels where conditional, to images (N, C, H, W) in [-1, 1]."""

from mmgan_lite.models.generators.mlp import MLPGenerator

__all__ = ['MLPGenerator']
