"""The arguments of a class or function, and which of those in a config are wrong."""

import collections.abc
import functools
import inspect
import re
import types
import typing
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, NamedTuple

from mmgan_lite.utils.validation import did_you_mean

# Packages with correct annotations, whose **kwargs go to the base class. Of others neither is sure:
# MMPretrain has Tuple[int] for tuples of any length, and classes that keep some of their **kwargs.
_TRUSTED = ('mmgan_lite', 'mmengine', 'mmcv', 'torch')
# Exceptions: **kwargs that go to another class, and annotations other than the documentation.
_OPEN = ('EMAHook', 'RandomChoiceResize', 'RandomResize', 'ZeroRedundancyOptimizer')
_DOCUMENTED: dict[str, Any] = {
    'Runner.launcher': Literal['none', 'pytorch', 'slurm', 'mpi'],
    'Runner.log_level': int | Literal['DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL'],
    'AmpOptimWrapper.loss_scale': Any,
    'OneCycleParamScheduler.eta_max': Any,
    'ImageToTensor.keys': Any,
    'DataLoader.dataset': dict,
    'DataLoader.collate_fn': Any,
}


class Signature(NamedTuple):
    """The arguments that something takes by name, and whether it may take others, too."""

    parameters: dict[str, inspect.Parameter]  # annotations are types; Any where not reliable
    is_open: bool


def signature_of(target: Callable) -> Signature:
    """Parameters of a function or class, and of the bases that its ``**kwargs`` are passed to."""
    bases: Any = target.__mro__[:-1] if inspect.isclass(target) else ()
    parameters: dict[str, inspect.Parameter] = {}
    is_open = False
    for owner in [base for base in bases if '__init__' in vars(base)] or [target]:
        try:
            found = inspect.signature(owner).parameters.values()
        except (TypeError, ValueError):  # not callable, or a function of C that has none
            return Signature({}, is_open=True)
        for p in found:
            if p.name in parameters or p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
                continue
            if is_open and p.default is p.empty:
                p = p.replace(default=None)  # the subclass may pass it
            parameters[p.name] = p.replace(annotation=_resolve(owner, p))
        if all(p.kind is not p.VAR_KEYWORD for p in found):
            break
        is_open |= package_of(owner) not in _TRUSTED or name_of(owner) in _OPEN
    return Signature(parameters, is_open)


def unknown_argument(target: Callable, name: str, provided: Collection[str] = ()) -> str | None:
    """The error for an argument that ``target`` does not take; None if it may take it.

    Args:
        target: A class or function.
        name: The argument.
        provided: Names of arguments that the caller of ``target`` adds.
    """
    parameters, is_open = signature_of(target)
    known = [other for other in parameters if other not in provided]
    if name in known or is_open:
        return None
    text = f'{name_of(target)} has no argument {name!r}. {did_you_mean(name, known, "Remove it.")}'
    return f'{text} Its arguments are: {", ".join(known) or "none"}.'


def check_arguments(
    target: Callable, given: Mapping[str, Any], provided: Collection[str] = ()
) -> dict[str, str]:
    """Errors of arguments that are unknown, missing or of another type, by their names.

    Args:
        target: The class or function that takes them.
        given: Arguments by name, as a config has them.
        provided: Names of arguments that the caller of ``target`` adds.

    Example:
        >>> def scale(factor: float, offset: float = 0): ...
        >>> check_arguments(scale, dict(factor='2', offst=1))  # doctest: +NORMALIZE_WHITESPACE
        {'factor': "must be float, got '2'.",
         'offst': "scale has no argument 'offst'. Did you mean 'offset'?
                   Its arguments are: factor, offset."}
    """
    parameters = signature_of(target).parameters
    problems = {}
    for name, value in given.items():
        if unknown := unknown_argument(target, name, provided):
            problems[name] = unknown
        elif name in parameters and not fits(value, hint := parameters[name].annotation):
            problems[name] = f'must be {_in_words(hint)}, got {value!r}.'
    for name, parameter in parameters.items():
        if parameter.default is parameter.empty and name not in given and name not in provided:
            problems[name] = f'is missing, and {name_of(target)} needs it.'
    return problems


def fits(value: Any, hint: Any) -> bool:
    """Whether a value of a config is of a type; True where that is not certain.

    As in a config, True is no number, an int is a float, a list may be a tuple, and a dict with
    ``type`` may become any object.
    """
    kind, arguments = typing.get_origin(hint) or hint, typing.get_args(hint)
    if kind in (typing.Union, types.UnionType):
        return any(fits(value, part) for part in arguments)
    if kind is Literal:
        return value in arguments
    if kind in (bool, int, float):
        return isinstance(value, (int, kind)) and isinstance(value, bool) is (kind is bool)
    if kind in (list, tuple, collections.abc.Sequence):
        return isinstance(value, (list, tuple)) and _items_fit(value, kind, arguments)
    if isinstance(value, Mapping) and kind is not types.NoneType:
        return kind is not str or 'type' in value
    with suppress(TypeError):  # no class, or a protocol that does not support isinstance
        return isinstance(value, (str, Path) if kind is Path else kind)
    return True


def _items_fit(value: Collection, kind: Any, arguments: tuple) -> bool:
    if kind is not tuple or Ellipsis in arguments or not arguments:
        return all(fits(item, hint) for hint in arguments[:1] for item in value)
    return len(value) == len(arguments) and all(map(fits, value, arguments))


def name_of(target: Callable) -> str:
    """The name of a class or function, or of what a partial calls."""
    if isinstance(target, functools.partial):
        return name_of(target.func)
    named = inspect.isclass(target) or inspect.isroutine(target)
    return target.__name__ if named else type(target).__name__


def package_of(target: Callable) -> str:
    """The package that a class or function is defined in."""
    return target.__module__.partition('.')[0]


def _resolve(owner: Any, parameter: inspect.Parameter) -> Any:
    """The annotation as a type; Any where it cannot be resolved or is not reliable."""
    name = parameter.name
    if package_of(owner) not in _TRUSTED or parameter.annotation is parameter.empty:
        return Any
    if (documented := _DOCUMENTED.get(f'{name_of(owner)}.{name}')) is not None:
        return documented
    # Each by itself: a name in one of them may be imported for type checkers only.
    alone = types.SimpleNamespace(__annotations__={name: parameter.annotation})
    with suppress(Exception):
        function = inspect.unwrap(vars(owner).get('__init__', owner))
        return typing.get_type_hints(alone, function.__globals__)[name]
    return Any


def _in_words(hint: Any) -> str:
    """An annotation without the modules of its names, such as ``Sequence[int] | None``."""
    text = hint.__name__ if inspect.isclass(hint) and not typing.get_args(hint) else str(hint)
    return re.sub(r'\b(\w+\.)+', '', text).replace('NoneType', 'None')
