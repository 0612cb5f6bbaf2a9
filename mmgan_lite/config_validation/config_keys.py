"""Top-level keys of a config: which of them anybody reads."""

import difflib
import inspect
from collections.abc import Iterable

from mmengine.runner import Runner

# What Runner, or who builds it, reads from the whole config besides its own arguments.
_READ_BESIDES = (
    'model_wrapper_cfg',
    'sync_bn',
    'find_unused_parameters',
    'compile',
    'activation_checkpointing',
    'efficient_conv_bn_eval',
    'runner_type',
    'custom_imports',
)
RUNNER_KEYS = tuple(
    name for name in inspect.signature(Runner.__init__).parameters if name not in ('self', 'cfg')
)
KNOWN_KEYS = (*RUNNER_KEYS, *_READ_BESIDES)


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """The nearest known name as a question with a space after it; empty where none is near."""
    near = difflib.get_close_matches(str(name), list(known), n=1)
    return f'Did you mean {near[0]!r}? ' if near else ''


def unknown_keys(keys: Iterable[str]) -> dict[str, str]:
    """Top-level keys that nobody reads, each with what to do about it.

    A key that begins with an underscore is the user's own: a number that the config uses in several
    places, such as ``_iterations = 8000``.

    Example:
        >>> unknown_keys(['model', 'optim_wraper', '_iterations'])['optim_wraper'][:49]
        "is read by nobody. Did you mean 'optim_wrapper'? "
    """
    return {
        key: f'is read by nobody. {did_you_mean(key, KNOWN_KEYS)}'
        f'A variable of your own begins with an underscore: _{key}.'
        for key in keys
        if key not in KNOWN_KEYS and not key.startswith('_')
    }
