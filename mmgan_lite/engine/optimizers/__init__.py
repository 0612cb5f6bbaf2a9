"""Optimizers for two players."""

from mmgan_lite.engine.optimizers.gan_optim_wrapper import GANOptimWrapper
from mmgan_lite.engine.optimizers.multi_optim_wrapper import (
    GANOptimWrapperDict,
    MultiOptimWrapperConstructor,
)
from mmgan_lite.engine.optimizers.step_guard import StepGuard

__all__ = ['GANOptimWrapper', 'GANOptimWrapperDict', 'MultiOptimWrapperConstructor', 'StepGuard']
