"""What two or more networks share."""

from mmgan_lite.models.layers.attention import SelfAttention, check_attention
from mmgan_lite.models.layers.batch_norm import ClassBatchNorm2d, ConditionalBatchNorm2d
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
from mmgan_lite.models.layers.initialization import (
    init_fan_in,
    init_normal,
    init_orthogonal,
    init_xavier,
)
from mmgan_lite.models.layers.minibatch_stddev import MinibatchStddev
from mmgan_lite.models.layers.modulated_conv import ModulatedConv2d, StyledConv2d, StyledToImage
from mmgan_lite.models.layers.normalization import NORMS, make_norm
from mmgan_lite.models.layers.resampling import (
    BlurPool,
    FilteredDownsample,
    FilteredUpsample,
    LowPass,
)
from mmgan_lite.models.layers.spectral_norm import add_spectral_norm
from mmgan_lite.models.layers.stages import count_doublings, halved_sides, per_stage
from mmgan_lite.models.layers.style_mapping import StyleMapping, TrackedStyleMapping
from mmgan_lite.models.layers.style_synthesis import (
    Level,
    StyleSynthesis,
    cast_features,
    make_levels,
)

__all__ = [
    'NORMS',
    'BlurPool',
    'ClassBatchNorm2d',
    'ConditionalBatchNorm2d',
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
    'SelfAttention',
    'StyleMapping',
    'StyleSynthesis',
    'StyledConv2d',
    'StyledToImage',
    'TrackedStyleMapping',
    'add_spectral_norm',
    'append_label_channel',
    'append_label_embedding',
    'cast_features',
    'check_attention',
    'check_conditioning',
    'count_doublings',
    'embed_labels',
    'halved_sides',
    'init_fan_in',
    'init_normal',
    'init_orthogonal',
    'init_xavier',
    'make_levels',
    'make_norm',
    'per_stage',
]
