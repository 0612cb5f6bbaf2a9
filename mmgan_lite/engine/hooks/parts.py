"""Hooks that are parts of another hook, and may also be in a config by themselves."""

from collections.abc import Sequence

from mmengine.hooks import Hook
from mmengine.runner import Runner


def active_parts(owner: Hook, parts: Sequence[Hook], runner: Runner) -> list[Hook]:
    """The parts of a hook whose work no other hook of the Runner does.

    Configs from before the parts were merged have hooks for them. Those work with the arguments
    and the priority that they have there, and the part stays out.

    Args:
        owner: The hook that has the parts.
        parts: What it delegates to.
        runner: With all hooks of the config.
    """
    alone = {type(hook) for hook in runner.hooks}
    named = [type(part).__name__ for part in parts if type(part) in alone]
    if named:
        runner.logger.info(
            f'{" and ".join(named)}: part of {type(owner).__name__} now. The hook of the config '
            'is used in its place.'
        )
    return [part for part in parts if type(part) not in alone]
