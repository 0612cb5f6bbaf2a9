"""Arguments against signatures."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, Optional, Union

import pytest
import torch
from mmengine.hooks import CheckpointHook, EMAHook
from mmengine.optim import LinearLR, ZeroRedundancyOptimizer
from torch import nn

from mmgan_lite.utils.signatures import check_arguments, fits, signature_of


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
    assert found['endd'].startswith(
        "LinearLR has no argument 'endd'. Did you mean 'end'? Its arguments are: start_factor, "
    )


def test_keyword_arguments_that_nobody_takes():
    """``CheckpointHook`` accepts a misspelled one, and ignores it."""
    assert (
        "Did you mean 'interval'?"
        in check_arguments(CheckpointHook, dict(interval_=5))['interval_']
    )


def test_keyword_arguments_that_another_class_takes():
    assert check_arguments(EMAHook, dict(momentum=1e-3)) == {}
    settings = dict(optimizer_type='Adam', lr=0.1)
    assert check_arguments(ZeroRedundancyOptimizer, settings, ('params',)) == {}
    processing = pytest.importorskip('mmcv.transforms.processing')
    settings = dict(scale=(32, 32), keep_ratio=True)
    assert check_arguments(processing.RandomResize, settings) == {}
    assert check_arguments(processing.RandomResize, dict(scale='32'))


def test_an_annotation_that_cannot_be_resolved_leaves_the_others():
    def draw(device: 'OnlyForTypeCheckers', num: 'int | None' = None): ...  # noqa: F821

    draw.__module__ = 'mmgan_lite.somewhere'
    assert check_arguments(draw, dict(device=3, num='4')) == {'num': "must be int | None, got '4'."}


@pytest.mark.parametrize(
    ('annotation', 'words'),
    [
        (Optional[Union[str, list[str]]], 'Union[str, list[str], None]'),  # noqa: UP007, UP045
        (Mapping[str, int] | None, 'Mapping[str, int] | None'),
        (dict, 'dict'),
        (nn.Module, 'Module'),
        (Literal['a', 'b'], "Literal['a', 'b']"),
        (Callable, 'Callable'),
    ],
)
def test_annotations_in_words(annotation, words):
    def take(value: annotation): ...

    take.__module__ = 'mmgan_lite.somewhere'
    found = check_arguments(take, dict(value={1, 2}))['value']
    assert found == f'must be {words}, got {{1, 2}}.'


def test_strange_classes_are_trusted():
    """Also in what their annotations say, which need not be what they take."""

    class Theirs:
        def __init__(self, width: int, **anything): ...

    assert check_arguments(Theirs, dict(width=2, other=3)) == {}
    assert check_arguments(Theirs, dict(width=2.5)) == {}
    assert check_arguments(Theirs, {}) == {'width': 'is missing, and Theirs needs it.'}


def test_a_strange_class_may_give_its_base_what_that_needs():
    """MMPretrain's ``MNIST`` does so with the ``ann_file`` of its base."""

    class Base:
        def __init__(self, ann_file: str, prefix: str = ''): ...

    class Theirs(Base):
        def __init__(self, root: str, **kwargs):
            super().__init__(ann_file='', **kwargs)

    assert check_arguments(Theirs, dict(root='a', prefix='b')) == {}
    assert check_arguments(Theirs, {}) == {'root': 'is missing, and Theirs needs it.'}
    Theirs.__module__ = 'mmengine.somewhere'  # its classes are known to give nothing by themselves
    assert list(check_arguments(Theirs, dict(root='a'))) == ['ann_file']


def test_a_class_without_arguments():
    class Bare(nn.Module):
        pass

    Bare.__module__ = 'mmgan_lite.somewhere'
    assert check_arguments(Bare, dict(a=1)) == {
        'a': "Bare has no argument 'a'. Remove it. Its arguments are: none."
    }


def test_a_class_that_takes_its_arguments_in_new():
    class Margin(NamedTuple):
        size: float = 1.0

    assert check_arguments(Margin, dict(size=0.5)) == {}
    assert "Did you mean 'size'?" in check_arguments(Margin, dict(siize=0.5))['siize']
