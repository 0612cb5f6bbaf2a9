"""Settings held against the signature of what they are for, without calling it."""

import collections.abc
import contextlib
import functools
import inspect
import types
import typing
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mmgan_lite.config_validation.config_keys import did_you_mean

# Their annotations are right, their **kwargs go to their bases, and what is left over to nobody.
# Elsewhere that is not sure: MMPretrain has ``Tuple[int]`` for any length, and ``int`` for floats.
_KNOWN_PACKAGES = ('mmgan_lite', 'mmengine', 'mmcv', 'torch')
# But for these, whose **kwargs go to another class,
_OPEN = ('EMAHook', 'RandomChoiceResize', 'RandomResize', 'ZeroRedundancyOptimizer')
# and for these annotations, which leave out what the docstring has.
_TOO_NARROW = (
    'Runner.log_level',
    'AmpOptimWrapper.loss_scale',
    'OneCycleParamScheduler.eta_max',
    'ImageToTensor.keys',
)


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
    if isinstance(target, functools.partial):
        return _without_bound(signature_of(target.func), target)
    owners: list[Any] = [target]
    if inspect.isclass(target):
        owners = [c for c in target.__mro__[:-1] if '__init__' in vars(c)]
        if not owners and target.__new__ is not object.__new__:
            return Signature({}, frozenset(), {}, is_open=True)  # such as a named tuple
    parameters: dict[str, inspect.Parameter] = {}
    required: set[str] = set()
    hints: dict[str, Any] = {}
    # What a class of another project does with its **kwargs, it alone knows: it may keep some, and
    # give its base what that needs.
    is_open = False
    for owner in owners:
        function = vars(owner)['__init__'] if inspect.isclass(owner) else owner
        is_known = owner.__module__.partition('.')[0] in _KNOWN_PACKAGES
        found = list(inspect.signature(function).parameters.values())
        for parameter in found[inspect.isclass(owner) :]:
            if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
                continue
            if parameter.name not in parameters:
                parameters[parameter.name] = parameter
                if parameter.default is parameter.empty and not is_open:
                    required.add(parameter.name)
                if is_known and f'{owner.__name__}.{parameter.name}' not in _TOO_NARROW:
                    hints |= _hints(function, parameter.name)
        if not any(p.kind is p.VAR_KEYWORD for p in found):
            break
        is_open |= not is_known or owner.__name__ in _OPEN
    return Signature(parameters, frozenset(required), hints, is_open)


def _without_bound(signature: Signature, partial: functools.partial) -> Signature:
    names = list(signature.parameters)[len(partial.args) :]
    return Signature(
        {name: signature.parameters[name] for name in names},
        signature.required.intersection(names).difference(partial.keywords),
        {name: hint for name, hint in signature.hints.items() if name in names},
        signature.is_open,
    )


def name_of(target: Callable) -> str:
    """The name of a class or function, or of what a partial calls."""
    while isinstance(target, functools.partial):
        target = target.func
    return getattr(target, '__name__', type(target).__name__)


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
                    f'is no argument of {name_of(target)}. {did_you_mean(key, known)}'
                    f'It takes: {", ".join(known) or "none"}.'
                )
        elif key in hints and not fits(value, hints[key]):
            problems[key] = f'must be {_name(hints[key])}, got {value!r}.'
    for name in known:
        if name in required and name not in given:
            problems[name] = f'is missing, and {name_of(target)} needs it.'
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


def _hints(function: Any, name: str) -> dict[str, Any]:
    """The annotation of a parameter under its name, if it has one that can be resolved."""
    function = inspect.unwrap(function)
    annotations = getattr(function, '__annotations__', {})

    def holder() -> None: ...

    holder.__annotations__ = {name: annotations[name]} if name in annotations else {}
    # A name in it may be imported for type checkers only.
    with contextlib.suppress(Exception):
        return typing.get_type_hints(holder, getattr(function, '__globals__', {}))
    return {}


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
