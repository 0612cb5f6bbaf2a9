"""Settings against signatures."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Optional, Union

import pytest
import torch
from mmengine.hooks import CheckpointHook, EMAHook
from mmengine.optim import LinearLR
from torch import nn

from mmgan_lite.apis.signatures import check_arguments, fits, signature_of


@pytest.mark.parametrize(
    ('annotation', 'right', 'wrong'),
    [
        (int, [3], [True, 3.0, '3', None, [3], dict(a=3)]),
        (float, [3, 0.5], [True, '3', None, [0.5]]),
        (bool, [True], [1, 'yes', None]),
        (str, ['a', ''], [1, None, ['a'], {}]),
        (int | None, [3, None], ['3', False]),
        (Optional[Union[str, list[str]]], [None, 'a', ['a']], [3, [3]]),  # noqa: UP007, UP045
        (Sequence[int], [[1, 2], (), (1,)], [3, '12', [1, 'a'], None, dict(type='A')]),
        (Sequence[Mapping], [[{}]], [dict(type='A'), [3]]),
        (Mapping[str, int], [dict(a=1)], [[1], 3]),
        (tuple[float, float], [(0.0, 1), [0.5, 0.9]], [(0.5,), (0.5, 'a'), 0.5]),
        (tuple[int, ...], [(1, 2, 3)], [(1, 'a')]),
        (Mapping, [{}, dict(type='A')], [3, None, ['a']]),
        (dict, [{}], [3, 'a']),
        (Literal['a', 'b'], ['a'], ['c']),
        (str | Path, ['a'], [3]),
        (nn.Module, [nn.Flatten(), dict(type='A')], [3, 'A', None]),
        (float | torch.Tensor, [1e-3], ['1e-3', None]),
        (Sequence[Mapping | Callable], [[dict(type='A')], [len]], ['A', [3]]),
        (Any, [3, None, 'a'], []),
    ],
)
def test_fits(annotation, right, wrong):
    assert [value for value in right if not fits(value, annotation)] == []
    assert [value for value in wrong if fits(value, annotation)] == []


def test_keyword_arguments_are_those_of_the_bases():
    """MMEngine's schedulers take ``**kwargs``, and hand them on."""
    assert {'start_factor', 'end', 'by_epoch'} <= signature_of(LinearLR).parameters.keys()
    provided = ('optimizer', 'param_name')
    assert check_arguments(LinearLR, dict(end=5, by_epoch=False), provided) == {}
    found = check_arguments(LinearLR, dict(endd=5), provided)
    assert found['endd'].startswith("is no argument of LinearLR. Did you mean 'end'? It takes: ")


def test_keyword_arguments_that_nobody_takes():
    """``CheckpointHook`` swallows a misspelt one, and fails hours later at most."""
    assert (
        "Did you mean 'interval'?"
        in check_arguments(CheckpointHook, dict(interval_=5))['interval_']
    )
    # These go to the class of the average.
    assert check_arguments(EMAHook, dict(momentum=1e-3)) == {}


def test_an_annotation_that_cannot_be_resolved_leaves_the_others():
    def draw(device: 'OnlyForTypeCheckers', num: 'int | None' = None): ...  # noqa: F821

    assert check_arguments(draw, dict(device=3, num='4')) == {
        'num': "must be int or None, got '4'."
    }


@pytest.mark.parametrize(
    ('annotation', 'words'),
    [
        (Optional[Union[str, list[str]]], 'str or list[str] or None'),  # noqa: UP007, UP045
        (Mapping[str, int] | None, 'Mapping[str, int] or None'),
        (dict, 'dict'),
        (nn.Module, 'Module'),
        (Literal['a', 'b'], "Literal['a', 'b']"),
        (Callable[[int], str], 'Callable[[int], str]'),
    ],
)
def test_annotations_in_words(annotation, words):
    def take(value: annotation): ...

    found = check_arguments(take, dict(value={1, 2}))['value']
    assert found == f'must be {words}, got {{1, 2}}.'


def test_strange_classes_are_trusted():
    class Theirs:
        def __init__(self, width: int, **anything): ...

    assert check_arguments(Theirs, dict(width=2, other=3)) == {}
    assert check_arguments(Theirs, {}) == {'width': 'is missing, and Theirs needs it.'}


def test_a_class_without_arguments():
    class Bare(nn.Module):
        pass

    Bare.__module__ = 'mmgan_lite.somewhere'
    assert check_arguments(Bare, dict(a=1)) == {'a': 'is no argument of Bare. It takes: none.'}
