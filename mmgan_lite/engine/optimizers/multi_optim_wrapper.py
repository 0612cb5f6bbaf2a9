"""One optimizer a network, built from one config."""

from collections.abc import Mapping
from typing import Any

from mmengine.logging import print_log
from mmengine.optim import OptimWrapper, OptimWrapperDict, build_optim_wrapper
from torch import nn

from mmgan_lite.registry import OPTIM_WRAPPER_CONSTRUCTORS
from mmgan_lite.utils.interfaces import HasLazyRegularizers, HasPlayers, unwrap_model
from mmgan_lite.utils.validation import did_you_mean

_EXAMPLE = "dict(optimizer=dict(type='Adam', lr=2e-4))"


class GANOptimWrapperDict(OptimWrapperDict):
    """MMEngine's dict of optim wrappers, in which each wrapper knows how often it will step.

    Gradient accumulation divides the steps of a wrapper by ``accumulative_counts``, and the rest at
    the end of training is stepped on too. MMEngine passes the number of steps to single wrappers
    only.

    Attributes:
        notes: What a constructor has changed, for the log when training starts.
    """

    def __init__(self, **optim_wrappers: OptimWrapper) -> None:
        super().__init__(**optim_wrappers)
        self.notes: list[str] = []

    def check_schedulers(self, schedulers: Any) -> None:
        """Raise ``ValueError`` if ``param_scheduler`` of a config does not fit the networks."""
        check_schedulers(schedulers, self.optim_wrappers)

    def initialize_count_status(self, model: nn.Module, cur_iter: int, max_iters: int) -> None:
        """Set the position of each wrapper; called by the Runner when training starts or resumes.

        Args:
            model: The model that trains. With players, ``step_counts(iterations)`` gives the steps
                of each wrapper; without, each makes one an iteration.
            cur_iter: Iterations made before.
            max_iters: Iterations in all.
        """
        for note in self.notes:
            print_log(note, 'current')
        bare = unwrap_model(model)
        networks = trained_networks(bare)
        for name, wrapper in self.items():
            counts: tuple[int, ...] = (cur_iter, max_iters)
            if isinstance(bare, HasPlayers):
                counts = tuple(bare.step_counts(count)[name] for count in counts)
            wrapper.initialize_count_status(networks[name], *counts)


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class MultiOptimWrapperConstructor:
    """Builds an optim wrapper for each network that the config names.

    Each entry is what ``optim_wrapper`` of a model with one optimizer would be: ``optimizer``,
    and if wanted ``dtype``, ``clip_grad``, ``accumulative_counts``, ``paramwise_cfg``,
    ``constructor``, and ``type``, which is :class:`GANOptimWrapper` otherwise. The norm of clipped
    gradients is logged as ``grad_norm_<network>``.

    ``lazy_correction=True`` in an entry corrects Adam for the network's regularizer with an
    ``interval`` k over 1, as in Karras et al. 2020 (StyleGAN2), arXiv:1912.04958, appendix B: the
    rate is multiplied by ``c = k / (k + 1)``, and each beta becomes its c-th power. The log has
    what became of them. Rates that an ``AnnealHook`` sets are not corrected.

    Args:
        optim_wrapper_cfg: One entry for each optim wrapper that the players of the model name; of a
            model without players one for each child that has parameters to train.
        paramwise_cfg: Must be None; MMEngine's interface. It belongs into the entry of a network.

    Raises:
        ValueError: If a network is missing or unknown, a parameter is in no or two optimizers, or
            there is nothing that ``lazy_correction`` could correct.

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
        """Build the wrappers for the networks of ``model``, which may be wrapped for DDP."""
        model = unwrap_model(model)
        networks = trained_networks(model)
        _check_entries('optim_wrapper', self.optim_wrapper_cfg, networks, _EXAMPLE)
        wrappers = {
            name: _build_wrapper(name, networks[name], cfg)
            for name, cfg in self.optim_wrapper_cfg.items()
        }
        _check_parameters(model, wrappers)
        built = GANOptimWrapperDict(**wrappers)
        for name, cfg in self.optim_wrapper_cfg.items():
            if cfg.get('lazy_correction', False):
                built.notes.append(_correct_for_laziness(model, name, wrappers[name]))
        return built


def check_schedulers(schedulers: Any, networks: Mapping[str, OptimWrapper]) -> None:
    """Raise unless ``schedulers`` are one list for all networks, or a dict with a list for each.

    Args:
        schedulers: ``param_scheduler`` of a config.
        networks: The optim wrappers by name.

    Raises:
        ValueError: If the dict lacks a network, or has one that is not optimized.
    """
    if not isinstance(schedulers, Mapping) or 'type' in schedulers:
        return
    value = '[] for a constant rate, or pass one list for all networks'
    _check_entries('param_scheduler', schedulers, networks, value)


def _check_entries(option: str, entries: Mapping, networks: Mapping[str, Any], value: str) -> None:
    found = ', '.join(map(repr, entries)) or 'none'
    for name in networks:
        if name not in entries:
            raise ValueError(
                f'{option} has no entry for {name!r} (found: {found}). Add {name}={value}.'
            )
    for name in entries:
        if name not in networks:
            raise ValueError(
                f'{option} has an entry for {name!r}, but the networks that train are '
                f'{", ".join(map(repr, networks))}. '
                f'{did_you_mean(name, networks, f"Remove {name!r}.")}'
            )


def trained_networks(model: nn.Module) -> dict[str, nn.Module]:
    """The network that each optim wrapper trains, by the name of the wrapper."""
    if not isinstance(model, HasPlayers):
        return {name: child for name, child in model.named_children() if _has_trained(child)}
    networks = {}
    for player in model.players.values():
        modules = {name: model.get_submodule(name) for name in player.modules}
        networks[player.optim_wrapper] = (
            nn.ModuleDict(modules) if len(modules) > 1 else modules[player.modules[0]]
        )
    return networks


def _build_wrapper(name: str, network: nn.Module, cfg: Any) -> OptimWrapper:
    if not isinstance(cfg, Mapping) or 'optimizer' not in cfg:
        raise ValueError(
            f"optim_wrapper[{name!r}] must be a dict with 'optimizer', got {cfg!r}. "
            f'Write {name}={_EXAMPLE}.'
        )
    # Under the default scope, whose optimizers and wrappers its configs name without a prefix.
    try:
        settings = {k: v for k, v in cfg.items() if k != 'lazy_correction'}
        wrapper = build_optim_wrapper(network, {'type': 'mmgan_lite.GANOptimWrapper', **settings})
    except (AssertionError, TypeError, ValueError) as error:
        raise ValueError(f'optim_wrapper[{name!r}]={cfg} is not valid: {error}') from error
    if wrapper.clip_grad_kwargs:
        # Both would log under 'grad_norm', and the second overwrite the first.
        wrapper.grad_name = f'{wrapper.grad_name}_{name}'
    return wrapper


def _correct_for_laziness(model: nn.Module, name: str, wrapper: OptimWrapper) -> str:
    """Lower rates and betas of a network's optimizer for its lazy regularizer; returns how."""
    intervals = model.lazy_intervals() if isinstance(model, HasLazyRegularizers) else {}
    found = sorted(intervals.get(name, ()))
    if len(found) != 1:
        raise ValueError(
            f'lazy_correction=True of {name!r} needs regularizers of one interval over 1, got '
            f'{", ".join(map(str, found)) or "none"}. Leave lazy_correction out, or set interval '
            'of its regularizers.'
        )
    factor = found[0] / (found[0] + 1)
    for group in wrapper.param_groups:
        if 'betas' not in group:
            raise ValueError(
                f'lazy_correction=True of {name!r} needs an optimizer with betas, such as Adam, '
                f'got {type(wrapper.optimizer).__name__}. Leave lazy_correction out.'
            )
        before = group['lr'], group['betas']
        group['lr'] = before[0] * factor
        group['betas'] = tuple(beta**factor for beta in before[1])
    (rate, betas), group = before, wrapper.param_groups[-1]
    return (
        f'Adam of {name} is corrected for a regularizer in every {found[0]} steps: '
        f'lr {rate:g} -> {group["lr"]:g}, betas ({betas[0]:g}, {betas[1]:g}) -> '
        f'({group["betas"][0]:g}, {group["betas"][1]:.6g})'
    )


def _has_trained(network: nn.Module) -> bool:
    return any(parameter.requires_grad for parameter in network.parameters())


def _check_parameters(model: nn.Module, wrappers: Mapping[str, OptimWrapper]) -> None:
    """Raise unless each parameter that trains is in exactly one optimizer."""
    owners: dict[int, list[str]] = {}
    for name, wrapper in wrappers.items():
        for group in wrapper.optimizer.param_groups:
            for parameter in group['params']:
                owners.setdefault(id(parameter), []).append(name)
    # Duplicates are kept: a shared tensor then shows all the names it has.
    for path, parameter in model.named_parameters(remove_duplicate=False):
        found = owners.get(id(parameter), [])
        if parameter.requires_grad and len(found) != 1:
            where = ' and '.join(map(repr, found)) or 'none'
            raise ValueError(
                f'Each trained parameter must be in exactly one optimizer, but {path!r} is in '
                f'{where}. Give the networks modules of their own, or set requires_grad=False.'
            )
