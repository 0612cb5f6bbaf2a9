"""What two or more networks share."""

from mmgan_lite.models.layers.conditioning import append_label_embedding

__all__ = ['append_label_embedding']
