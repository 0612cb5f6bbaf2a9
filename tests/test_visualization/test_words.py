"""Singular and plural."""

from mmgan_lite.visualization.words import choose_by, number_of


def test_one_is_singular_and_zero_is_not():
    assert [number_of(n, 'line') for n in (0, 1, 2, 12345)] == [
        *('0 lines', '1 line', '2 lines', '12,345 lines')
    ]
    assert [choose_by(n, 'was', 'were') for n in (0, 1, 2)] == ['were', 'was', 'were']
