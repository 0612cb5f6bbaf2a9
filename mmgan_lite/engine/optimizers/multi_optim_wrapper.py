"""One optimiser a network, built from one config."""

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper, OptimWrapperDict, build_optim_wrapper
from mmengine.runner import Runner
from torch import nn

from mmgan_lite.registry import OPTIM_WRAPPER_CONSTRUCTORS

_EXAMPLE = "dict(optimizer=dict(type='Adam', lr=2e-4))"


class GANOptimWrapperDict(OptimWrapperDict):
    """MMEngine's dict of optim wrappers, which here knows how often each of them will step.

    Gradient accumulation divides the steps of a wrapper by ``accumulative_counts``, and what is
    left over at the end of training must be stepped on too. MMEngine tells only a single wrapper
    when that is. And a ``param_scheduler`` that does not fit the networks is refused here.
    """

    def items(self) -> Iterator[tuple[str, OptimWrapper]]:
        """The networks' names and wrappers.

        Raises:
            ValueError: When the Runner asks to build its schedulers, and ``param_scheduler``
                is a dict that lacks a network or has one that is not optimised.
        """
        # The Runner builds schedulers before it calls any hook, answers a missing network with a
        # bare KeyError, and shows nobody the config but itself. This call is all of ours it makes.
        frame = inspect.currentframe()
        caller = frame.f_back if frame is not None else None
        if caller is not None and caller.f_code is Runner.build_param_scheduler.__code__:
            check_schedulers(caller.f_locals['scheduler'], self.optim_wrappers)
        return super().items()

    def initialize_count_status(self, model: nn.Module, cur_iter: int, max_iters: int) -> None:
        """Tell each wrapper where it stands; called by the Runner when training starts or resumes.

        Args:
            model: The model that trains; a GAN tells the number of steps of each of its networks by
                ``step_counts(iterations)``, any other makes one of each an iteration.
            cur_iter: Iterations made before.
            max_iters: Iterations in all.
        """
        bare = _bare(model)
        for name, wrapper in self.items():
            current, final = cur_iter, max_iters
            if hasattr(bare, 'step_counts'):
                current, final = (
                    bare.step_counts(count).get(name, count) for count in (cur_iter, max_iters)
                )
            wrapper.initialize_count_status(getattr(bare, name), current, final)


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class MultiOptimWrapperConstructor:
    """Builds an optim wrapper for each network that the config names.

    Each entry is what ``optim_wrapper`` of a model with one optimiser would be: ``optimizer``,
    and if wanted ``dtype``, ``clip_grad``, ``accumulative_counts``, ``paramwise_cfg``,
    ``constructor``, and ``type``, which is :class:`GANOptimWrapper` otherwise. The norm of clipped
    gradients is logged as ``grad_norm_<network>``.

    Args:
        optim_wrapper_cfg: One entry for each child of the model that has parameters to train.
        paramwise_cfg: Must be None; MMEngine's interface. It belongs into the entry of a network.

    Raises:
        ValueError: If a network is missing or unknown, or a parameter is in no or two optimisers.

    Example:
        A config names it, and Runner calls it::

            optim_wrapper = dict(
                constructor='MultiOptimWrapperConstructor',
                generator=dict(optimizer=dict(type='Adam', lr=2e-4)),
                discriminator=dict(
                    optimizer=dict(type='Adam', lr=2e-4), clip_grad=dict(max_norm=1)),
            )
    """

    def __init__(self, optim_wrapper_cfg: Mapping, paramwise_cfg: Mapping | None = None) -> None:
        if paramwise_cfg is not None:
            raise ValueError(
                'paramwise_cfg must stand in the entry of a network, got it beside them: '
                f'{dict(paramwise_cfg)}. Write generator=dict(optimizer=..., paramwise_cfg=...).'
            )
        if 'optimizer' in optim_wrapper_cfg or 'type' in optim_wrapper_cfg:
            raise ValueError(
                'optim_wrapper must hold one entry for each network, got a single wrapper with '
                f'{", ".join(map(repr, optim_wrapper_cfg))}. Write generator={_EXAMPLE}, '
                f'discriminator={_EXAMPLE}.'
            )
        self.optim_wrapper_cfg = optim_wrapper_cfg

    def __call__(self, model: nn.Module) -> GANOptimWrapperDict:
        """Build the wrappers for the children of ``model``, which may be wrapped for DDP."""
        model = _bare(model)
        self._check_networks(model)
        wrappers = {
            name: _build_wrapper(name, getattr(model, name), cfg)
            for name, cfg in self.optim_wrapper_cfg.items()
        }
        _check_parameters(model, wrappers)
        return GANOptimWrapperDict(**wrappers)

    def _check_networks(self, model: nn.Module) -> None:
        trained = [name for name, child in model.named_children() if _trained_parameters(child)]
        found = ', '.join(map(repr, self.optim_wrapper_cfg)) or 'none'
        for name in trained:
            if name not in self.optim_wrapper_cfg:
                raise ValueError(
                    f'optim_wrapper has no entry for {name!r} (found: {found}). '
                    f'Add {name}={_EXAMPLE}.'
                )
        for name, cfg in self.optim_wrapper_cfg.items():
            if name not in trained:
                raise ValueError(
                    f'optim_wrapper has an entry for {name!r}, but the networks of '
                    f'{type(model).__name__} that train are {", ".join(map(repr, trained))}. '
                    f'Remove or rename {name!r}.'
                )
            if not isinstance(cfg, Mapping) or 'optimizer' not in cfg:
                raise ValueError(
                    f"optim_wrapper[{name!r}] must be a dict with 'optimizer', got {cfg!r}. "
                    f'Write {name}={_EXAMPLE}.'
                )


def check_schedulers(schedulers: Any, networks: Mapping[str, OptimWrapper]) -> None:
    """Raise unless ``schedulers`` are one list for all networks, or a dict with a list for each."""
    if not isinstance(schedulers, Mapping) or 'type' in schedulers:
        return
    found = ', '.join(map(repr, schedulers)) or 'none'
    for name in networks:
        if name not in schedulers:
            raise ValueError(
                f'param_scheduler has no entry for {name!r} (found: {found}). '
                f'Add {name}=[] for a constant rate, or pass one list for all networks.'
            )
    for name in schedulers:
        if name not in networks:
            raise ValueError(
                f'param_scheduler has an entry for {name!r}, but optim_wrapper trains '
                f'{", ".join(map(repr, networks))}. Remove or rename {name!r}.'
            )


def _bare(model: Any) -> Any:
    return model.module if is_model_wrapper(model) else model


def _build_wrapper(name: str, network: nn.Module, cfg: Any) -> OptimWrapper:
    # Under the default scope, whose optimizers and wrappers its configs name without a prefix.
    wrapper = build_optim_wrapper(network, {'type': 'mmgan_lite.GANOptimWrapper', **cfg})
    if wrapper.clip_grad_kwargs:
        # Both would log under 'grad_norm', and the second overwrite the first.
        wrapper.grad_name = f'{wrapper.grad_name}_{name}'
    return wrapper


def _trained_parameters(network: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in network.parameters() if parameter.requires_grad]


def _check_parameters(model: nn.Module, wrappers: Mapping[str, OptimWrapper]) -> None:
    """Raise unless each parameter that trains is in exactly one optimiser."""
    owners: dict[int, list[str]] = {}
    for name, wrapper in wrappers.items():
        for group in wrapper.optimizer.param_groups:
            for parameter in group['params']:
                owners.setdefault(id(parameter), []).append(name)
    # Duplicates are kept: a shared tensor then shows all the names that it goes by.
    for path, parameter in model.named_parameters(remove_duplicate=False):
        found = owners.get(id(parameter), [])
        if parameter.requires_grad and len(found) != 1:
            where = ' and '.join(map(repr, found)) or 'none'
            raise ValueError(
                f'Each trained parameter must be in exactly one optimizer, but {path!r} is in '
                f'{where}. Give the networks modules of their own, or set requires_grad=False.'
            )
