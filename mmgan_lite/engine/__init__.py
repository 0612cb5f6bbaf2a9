"""Hooks, optimizers, and the state of a training beside the model."""

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
