"""Hooks: what happens beside the training step."""

from mmgan_lite.engine.hooks.anneal_hook import AnnealHook
from mmgan_lite.engine.hooks.data_placement_hook import DataPlacementHook
from mmgan_lite.engine.hooks.deferred_log_hook import DeferredHistory, DeferredLogHook
from mmgan_lite.engine.hooks.gan_checkpoint_hook import GANCheckpointHook
from mmgan_lite.engine.hooks.progress_bar_hook import ProgressBarHook
from mmgan_lite.engine.hooks.safe_checkpoint_hook import SafeCheckpointHook
from mmgan_lite.engine.hooks.sample_visualization_hook import SampleVisualizationHook
from mmgan_lite.engine.hooks.setup_check_hook import SetupCheckHook

__all__ = [
    'AnnealHook',
    'DataPlacementHook',
    'DeferredHistory',
    'DeferredLogHook',
    'GANCheckpointHook',
    'ProgressBarHook',
    'SafeCheckpointHook',
    'SampleVisualizationHook',
    'SetupCheckHook',
]
