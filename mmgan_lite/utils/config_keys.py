"""Top-level keys of a config: which of them are read."""

import inspect
from collections.abc import Iterable

from mmengine.runner import Runner

from mmgan_lite.utils.validation import did_you_mean

RUNNER_KEYS = tuple(name for name in inspect.signature(Runner).parameters if name != 'cfg')
# Read from the complete config, by Runner or by what builds it.
_OTHER_KEYS = (
    *('model_wrapper_cfg', 'sync_bn', 'find_unused_parameters', 'compile', 'runner_type'),
    *('activation_checkpointing', 'efficient_conv_bn_eval', 'custom_imports'),
)


def unknown_keys(keys: Iterable[str]) -> dict[str, str]:
    """Errors of the top-level keys that nothing reads.

    A key that begins with an underscore is the user's own variable: a number that the config uses
    in several places, such as ``_iterations = 8000``.

    Example:
        >>> unknown_keys(['model', 'optim_wraper', '_iterations'])['optim_wraper'][:49]
        "is read by nothing. Did you mean 'optim_wrapper'?"
    """
    known = (*RUNNER_KEYS, *_OTHER_KEYS)
    remedy = 'Begin the name of a variable of your own with an underscore: _'
    return {
        key: f'is read by nothing. {did_you_mean(key, known)} {remedy}{key}.'.replace('  ', ' ')
        for key in keys
        if key not in known and not key.startswith('_')
    }
