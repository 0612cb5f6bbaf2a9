"""Settings held against the signature of what they are for, without calling it."""

import collections.abc
import contextlib
import inspect
import types
import typing
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mmgan_lite.config_keys import did_you_mean

# Their annotations are right, their **kwargs go to their bases, and what is left over to nobody.
# Elsewhere that is not sure: MMPretrain has ``Tuple[int]`` for any length, and ``int`` for floats.
_KNOWN_PACKAGES = ('mmgan_lite', 'mmengine', 'mmcv', 'torch')
# But for these, whose **kwargs go to another class.
_OPEN = ('EMAHook', 'RandomChoiceResize', 'RandomResize', 'ZeroRedundancyOptimizer')


class Signature(NamedTuple):
    """What something takes by name.

    Attributes:
        parameters: Each with its annotation and default.
        required: Names of those that have to be given.
        hints: Annotations as types; without those that cannot be resolved, and none of a package
            whose annotations are not known to be right.
        is_open: Whether it may take other names, too.
    """

    parameters: dict[str, inspect.Parameter]
    required: frozenset[str]
    hints: dict[str, Any]
    is_open: bool


def signature_of(target: Callable) -> Signature:
    """The parameters of a function or class, those included that ``**kwargs`` hand to its bases."""
    functions = [target]
    if inspect.isclass(target):
        functions = [c.__dict__['__init__'] for c in target.__mro__[:-1] if '__init__' in vars(c)]
    known = target.__module__.partition('.')[0] in _KNOWN_PACKAGES
    closed = known and target.__name__ not in _OPEN
    parameters: dict[str, inspect.Parameter] = {}
    required: set[str] = set()
    hints: dict[str, Any] = {}
    passes_on = False
    for function in functions:
        found = list(inspect.signature(function).parameters.values())
        passes_on = any(p.kind is p.VAR_KEYWORD for p in found)
        for parameter in found[inspect.isclass(target) :]:
            if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
                continue
            if parameter.name not in parameters:
                parameters[parameter.name] = parameter
                # What a base needs, a class of another project may give it by itself.
                if parameter.default is parameter.empty and (closed or function is functions[0]):
                    required.add(parameter.name)
        if known:
            hints = {**_hints(function), **hints}
        if not passes_on:
            break
    return Signature(parameters, frozenset(required), hints, not closed and (known or passes_on))


def check_arguments(
    target: Callable, given: Mapping[str, Any], provided: Collection[str] = ()
) -> dict[str, str]:
    """What is wrong with settings: under each key that is unknown, absent, or of another type.

    Args:
        target: The class or function that they are for.
        given: The settings.
        provided: Names of arguments that whoever calls it adds.

    Example:
        >>> def scale(factor: float, offset: float = 0): ...
        >>> check_arguments(scale, dict(offst=1))['offst']
        "is no argument of scale. Did you mean 'offset'? It takes: factor, offset."
        >>> check_arguments(scale, dict(factor='2'))['factor']
        "must be float, got '2'."
    """
    parameters, required, hints, is_open = signature_of(target)
    known = [name for name in parameters if name not in provided]
    problems = {}
    for key, value in given.items():
        if key not in known:
            if not is_open:
                problems[key] = (
                    f'is no argument of {target.__name__}. {did_you_mean(key, known)}'
                    f'It takes: {", ".join(known) or "none"}.'
                )
        elif key in hints and not fits(value, hints[key]):
            problems[key] = f'must be {_name(hints[key])}, got {value!r}.'
    for name in known:
        if name in required and name not in given:
            problems[name] = f'is missing, and {target.__name__} needs it.'
    return problems


def fits(value: Any, annotation: Any) -> bool:
    """Whether a value of a config may be meant by an annotation; True where that is not certain.

    An int is a float, True is no number, a list is a sequence of any kind, and a dict with ``type``
    may become any object.
    """
    if annotation is Any or isinstance(annotation, (str, typing.TypeVar, typing.ForwardRef)):
        return True
    if annotation is None or annotation is type(None):
        return value is None
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        return any(fits(value, part) for part in arguments)
    if origin is typing.Literal:
        return value in arguments
    if origin is not None:
        return _fits_generic(value, origin, arguments)
    if annotation in (int, float):
        allowed = (int,) if annotation is int else (int, float)
        return isinstance(value, allowed) and not isinstance(value, bool)
    if annotation is Path:
        return isinstance(value, (str, Path))
    if not inspect.isclass(annotation):
        return True
    if annotation in (tuple, list, collections.abc.Sequence):
        return isinstance(value, (list, tuple))
    if isinstance(value, Mapping):
        # A config of it, unless it is plain.
        return annotation not in (bool, str) or 'type' in value
    try:
        return isinstance(value, annotation)
    except TypeError:  # a protocol that cannot be asked
        return True


def _fits_generic(value: Any, origin: Any, arguments: tuple) -> bool:
    if origin is collections.abc.Callable:
        return callable(value) or isinstance(value, Mapping)
    if not (inspect.isclass(origin) and issubclass(origin, collections.abc.Iterable)):
        return True
    if isinstance(value, Mapping) or issubclass(origin, Mapping):
        return isinstance(value, Mapping) and issubclass(origin, Mapping)
    if not isinstance(value, (list, tuple)):
        return not issubclass(origin, (list, tuple, collections.abc.Sequence))
    if origin is tuple and arguments and arguments[-1] is not Ellipsis:
        pairs = zip(value, arguments, strict=False)
        return len(value) == len(arguments) and all(fits(item, hint) for item, hint in pairs)
    return not arguments or all(fits(item, arguments[0]) for item in value)


def _hints(function: Any) -> dict[str, Any]:
    function = inspect.unwrap(function)
    scope = getattr(function, '__globals__', {})
    hints = {}
    for name, annotation in getattr(function, '__annotations__', {}).items():

        def holder() -> None: ...

        holder.__annotations__ = {name: annotation}
        # A name in it may be imported for type checkers only: one by one, the others are known.
        with contextlib.suppress(Exception):
            hints.update(typing.get_type_hints(holder, scope))
    return hints


def _name(annotation: Any) -> str:
    """An annotation in words, such as ``Sequence[int] or None``."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        return ' or '.join(map(_name, arguments))
    if annotation is None or annotation is type(None):
        return 'None'
    if inspect.isclass(origin) and origin is not collections.abc.Callable:
        inside = f'[{", ".join(map(_name, arguments))}]' if arguments else ''
        return f'{origin.__name__}{inside}'
    if inspect.isclass(annotation):
        return annotation.__name__
    text = inspect.formatannotation(annotation)
    return text.replace('collections.abc.', '').replace('typing.', '')
