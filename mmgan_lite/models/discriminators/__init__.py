"""Discriminators: images (N, C, H, W), and labels where conditional, to raw logits (N,)."""

from mmgan_lite.models.discriminators.mlp import MLPDiscriminator

__all__ = ['MLPDiscriminator']
