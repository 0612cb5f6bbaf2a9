"""What drives a training beside the model: hooks and optimisers."""

from mmgan_lite.engine.hooks import (
    ProgressBarHook,
    SafeCheckpointHook,
    SampleVisualizationHook,
    SetupCheckHook,
)
from mmgan_lite.engine.optimizers import GANOptimWrapperDict, MultiOptimWrapperConstructor

__all__ = [
    'GANOptimWrapperDict',
    'MultiOptimWrapperConstructor',
    'ProgressBarHook',
    'SafeCheckpointHook',
    'SampleVisualizationHook',
    'SetupCheckHook',
]
