"""What drives a training beside the model: hooks and optimizers."""

from . import hooks, optimizers

__all__ = ['hooks', 'optimizers']
