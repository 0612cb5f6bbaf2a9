"""Speed of training compared with a loop without MMEngine."""

from mmgan_lite.engine.benchmark.measurement import (
    benchmark_data,
    benchmark_training,
    figure,
    profile_training,
)
from mmgan_lite.engine.benchmark.reference_loop import ReferenceLoop

__all__ = ['ReferenceLoop', 'benchmark_data', 'benchmark_training', 'figure', 'profile_training']
