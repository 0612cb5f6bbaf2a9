"""Training beside the model: hooks, optimizers, resuming, processes, benchmark."""

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
