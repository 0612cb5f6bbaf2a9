"""Optimisers for two players."""

from mmgan_lite.engine.optimizers.gan_optim_wrapper import GANOptimWrapper
from mmgan_lite.engine.optimizers.multi_optim_wrapper import (
    GANOptimWrapperDict,
    MultiOptimWrapperConstructor,
)

__all__ = ['GANOptimWrapper', 'GANOptimWrapperDict', 'MultiOptimWrapperConstructor']
