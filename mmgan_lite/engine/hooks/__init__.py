"""Hooks of training, validation and test."""

from mmgan_lite.engine.hooks.anneal_hook import AnnealHook
from mmgan_lite.engine.hooks.deferred_log_hook import (
    DeferredHistory,
    DeferredLogHook,
    EvaluationLogHook,
)
from mmgan_lite.engine.hooks.gan_checkpoint_hook import GANCheckpointHook
from mmgan_lite.engine.hooks.health_hook import GANHealthHook
from mmgan_lite.engine.hooks.non_finite_guard_hook import NonFiniteGuardHook
from mmgan_lite.engine.hooks.progress_bar_hook import ProgressBarHook
from mmgan_lite.engine.hooks.provenance_hook import ProvenanceHook
from mmgan_lite.engine.hooks.safe_checkpoint_hook import SafeCheckpointHook
from mmgan_lite.engine.hooks.sample_visualization_hook import SampleVisualizationHook
from mmgan_lite.engine.hooks.setup_check_hook import (
    CorruptImageHook,
    DataPlacementHook,
    SetupCheckHook,
)

__all__ = [
    'AnnealHook',
    'CorruptImageHook',
    'DataPlacementHook',
    'DeferredHistory',
    'DeferredLogHook',
    'EvaluationLogHook',
    'GANCheckpointHook',
    'GANHealthHook',
    'NonFiniteGuardHook',
    'ProgressBarHook',
    'ProvenanceHook',
    'SafeCheckpointHook',
    'SampleVisualizationHook',
    'SetupCheckHook',
]
