"""Bad arguments of networks: each sentence says argument, rule, value and remedy."""

import math

import pytest

from mmgan_lite.utils.validation import (
    check_choice,
    check_class_count,
    check_fraction,
    check_hidden_dims,
    check_image_shape,
    check_image_size,
    check_num_classes,
    check_over_0,
    check_positive,
    check_weight,
    did_you_mean,
)


@pytest.mark.parametrize('value', [0, -1, 2.0, True, '3'])
def test_positive(value):
    with pytest.raises(ValueError, match=r'latent_dim must be an int of at least 1, got'):
        check_positive('latent_dim', value)
    assert check_positive('latent_dim', 1) == 1


@pytest.mark.parametrize('value', [-0.5, float('inf'), float('nan'), True, '3', None])
def test_weight(value):
    with pytest.raises(
        ValueError, match=r'weight must be a finite number of at least 0, got .*Pass weight=1.0, or'
    ):
        check_weight('weight', value)
    assert [check_weight('weight', number) for number in (0, 2, 0.5)] == [0, 2, 0.5]


@pytest.mark.parametrize('value', [(28, 28), (1, 28, 0), (1, 28.0, 28), 28, (True, 28, 28)])
def test_image_shape(value):
    with pytest.raises(
        ValueError, match=r'image_shape must be three positive ints.*Pass image_shape'
    ):
        check_image_shape(value)
    assert check_image_shape([3, 8, 12]) == (3, 8, 12)


@pytest.mark.parametrize('value', [0, 1, -10, 2.5, True])
def test_num_classes(value):
    with pytest.raises(ValueError, match=r'num_classes must be an int of at least 2, got'):
        check_num_classes(value)
    assert check_num_classes(None) is None
    assert check_num_classes(10) == 10


@pytest.mark.parametrize('value', [(), (8, 0), (8.0,), 8])
def test_hidden_dims(value):
    with pytest.raises(ValueError, match=r'hidden_dims must be a sequence of positive ints, got'):
        check_hidden_dims(value)
    with pytest.raises(ValueError, match=r'channels must be a sequence of positive ints, got'):
        check_hidden_dims(value, 'channels')
    assert check_hidden_dims([8, 4]) == (8, 4)


def test_class_count():
    with pytest.raises(ValueError, match=r'num_classes must be at least .* got 2 for 3 classes'):
        check_class_count(2, 3)
    for num_classes, count in ((None, 3), (3, 3), (4, 3)):
        check_class_count(num_classes, count)


def test_did_you_mean_names_the_closest_or_the_other_remedy():
    assert did_you_mean('sampel', ['train', 'sample']) == "Did you mean 'sample'?"
    assert did_you_mean('xyz', ['train', 'sample'], 'Remove it.') == 'Remove it.'


@pytest.mark.parametrize('value', [7, (8, 7), (8,), (8, 8, 8), 8.0, True, None])
def test_image_size(value):
    with pytest.raises(ValueError, match=r'image_size must be an int >= 8 or a pair .* of them'):
        check_image_size(value, minimum=8)
    assert check_image_size(8, minimum=8) == (8, 8)
    assert check_image_size([8, 12], minimum=8) == (8, 12)


@pytest.mark.parametrize('value', [0, -1.0, math.inf, math.nan, True, '1'])
def test_over_0(value):
    with pytest.raises(ValueError, match=r'clamp must be a finite number over 0, got'):
        check_over_0('clamp', value)
    assert check_over_0('clamp', 256) == 256


@pytest.mark.parametrize('value', [-0.1, 1.1, math.nan, True, '1', None])
def test_fraction(value):
    with pytest.raises(ValueError, match=r'decay must be a number in \[0, 1\], got'):
        check_fraction('decay', value)
    assert [check_fraction('decay', value) for value in (0, 0.5, 1)] == [0, 0.5, 1]


def test_choice():
    with pytest.raises(ValueError, match=r"of 'random', 'const', got 'cost'. Did you mean 'const'"):
        check_choice('noise', 'cost', ('random', 'const'))
    with pytest.raises(ValueError, match=r"got None. Pass noise='random'\."):
        check_choice('noise', None, ('random', 'const'))
