"""Sizes that a network reaches by doubling."""

import pytest

from mmgan_lite.models.layers import count_doublings, halved_sides, per_stage


@pytest.mark.parametrize(
    ('sides', 'start', 'doublings'),
    [
        ((8, 8), (4, 4), 1),
        ((28, 28), (7, 7), 2),
        ((32, 32), (4, 4), 3),
        ((40, 56), (5, 7), 3),
        ((64, 64), (4, 4), 4),
        ((128, 128), (4, 4), 5),
        # The shorter side counts: 96 is 6 times 16, and 128 is 8 times 16.
        ((96, 128), (6, 8), 4),
        ((64, 32), (8, 4), 3),
        ((24, 40), (6, 10), 2),
        ((8, 200), (4, 100), 1),
    ],
)
def test_start_of_doublings(sides, start, doublings):
    assert count_doublings((3, *sides)) == (start, doublings)


def test_all_squares_up_to_200():
    possible = []
    for side in range(1, 201):
        try:
            (height, width), doublings = count_doublings((1, side, side))
        except ValueError:
            continue
        assert height == width
        assert height * 2**doublings == side
        possible.append(side)
    expected = {start * 2**k for start in (4, 5, 6, 7) for k in range(1, 6)}
    assert possible == sorted(side for side in expected if side <= 200)


def test_impossible_sizes_are_named():
    message = r'image_shape must have a shorter side of 4, 5, 6 or 7 times a power of two .* got '
    for sides in ((30, 30), (32, 36), (36, 32)):  # 36 is no multiple of 8
        with pytest.raises(ValueError, match=message + rf'\(3, {sides[0]}, {sides[1]}\)\. Pass'):
            count_doublings((3, *sides))
    with pytest.raises(ValueError, match=r'Pass image_shape=\(3, 32, 32\)'):
        count_doublings((3, 4, 4))
    with pytest.raises(ValueError, match=r'Channels come first: pass image_shape=\(3, 32, 64\)'):
        count_doublings((32, 64, 3))
    with pytest.raises(ValueError, match=r'Channels come first: pass image_shape=\(7, 32, 64\)'):
        count_doublings((32, 64, 7))


def test_one_number_stands_for_all_stages():
    assert per_stage('channels', 8, 3) == (8, 8, 8)
    assert per_stage('channels', [8, 4, 2], 3) == (8, 4, 2)


@pytest.mark.parametrize('value', [(8, 4), (), 0, (8, 4, 0), 1.5, (8, 4, 2.0), True])
def test_bad_stages_are_named(value):
    with pytest.raises(ValueError, match=r'channels must be a positive int, or 3 of them'):
        per_stage('channels', value, 3)


def test_halved_sides():
    assert halved_sides((1, 28, 32), 2) == (7, 8)
    assert halved_sides((1, 5, 4), 0) == (5, 4)
    assert halved_sides((1, 64, 64), 5, minimum=2) == (2, 2)
    message = r'sides of 8 times 4, 5, 6, ... pixels for 3 halvings, got \(1, 28, 28\)'
    with pytest.raises(ValueError, match=message):
        halved_sides((1, 28, 28), 3)
    with pytest.raises(ValueError, match=r'sides of 8 times 4'):
        halved_sides((1, 24, 24), 3)
