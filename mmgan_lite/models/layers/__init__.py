"""What two or more networks share."""

from mmgan_lite.models.layers.arguments import (
    check_hidden_dims,
    check_image_shape,
    check_num_classes,
    check_positive,
)
from mmgan_lite.models.layers.conditioning import append_label_embedding

__all__ = [
    'append_label_embedding',
    'check_hidden_dims',
    'check_image_shape',
    'check_num_classes',
    'check_positive',
]
