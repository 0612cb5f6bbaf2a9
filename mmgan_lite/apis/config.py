"""Checks of a config that no part of it can make on its own."""

from collections.abc import Mapping


def check_param_scheduler(cfg: Mapping) -> None:
    """Hold the networks of ``param_scheduler`` against those of ``optim_wrapper``.

    Schedulers are one list for all networks, or a dict with a list for each. MMEngine answers a
    network that the dict lacks with a bare ``KeyError``, from where no part of ours is asked.

    Args:
        cfg: The whole config.

    Raises:
        ValueError: If the dict lacks a network, or has one that is not optimised.
    """
    schedulers, wrappers = cfg.get('param_scheduler'), cfg.get('optim_wrapper')
    if not isinstance(schedulers, Mapping) or 'type' in schedulers:
        return
    if not wrappers or 'optimizer' in wrappers:  # a single wrapper is refused by the model
        return
    networks = [name for name in wrappers if name != 'constructor']
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
