"""What two or more networks share."""

from mmgan_lite.models.layers.batch_norm import ClassBatchNorm2d
from mmgan_lite.models.layers.conditioning import (
    append_label_channel,
    append_label_embedding,
    check_conditioning,
    embed_labels,
)
from mmgan_lite.models.layers.equalized import (
    EqualizedConv2d,
    EqualizedEmbedding,
    EqualizedLinear,
)
from mmgan_lite.models.layers.heads import LogitHead
from mmgan_lite.models.layers.initialization import init_fan_in, init_normal, init_xavier
from mmgan_lite.models.layers.minibatch_stddev import MinibatchStddev
from mmgan_lite.models.layers.modulated_conv import ModulatedConv2d, StyledConv2d, StyledToImage
from mmgan_lite.models.layers.resampling import FilteredDownsample, FilteredUpsample, LowPass
from mmgan_lite.models.layers.stages import count_doublings, halved_sides, per_stage
from mmgan_lite.models.layers.style_mapping import StyleMapping, TrackedStyleMapping
from mmgan_lite.models.layers.style_synthesis import (
    Level,
    StyleSynthesis,
    cast_features,
    make_levels,
)

__all__ = [
    'ClassBatchNorm2d',
    'EqualizedConv2d',
    'EqualizedEmbedding',
    'EqualizedLinear',
    'FilteredDownsample',
    'FilteredUpsample',
    'Level',
    'LogitHead',
    'LowPass',
    'MinibatchStddev',
    'ModulatedConv2d',
    'StyleMapping',
    'StyleSynthesis',
    'StyledConv2d',
    'StyledToImage',
    'TrackedStyleMapping',
    'append_label_channel',
    'append_label_embedding',
    'cast_features',
    'check_conditioning',
    'count_doublings',
    'embed_labels',
    'halved_sides',
    'init_fan_in',
    'init_normal',
    'init_xavier',
    'make_levels',
    'per_stage',
]
