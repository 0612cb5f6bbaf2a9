"""Settings in the text of a config; what is refused is in tests/test_inference."""

import pytest

from mmgan_lite.utils.config_text import read_settings


def test_only_what_is_asked_for_is_read():
    text = 'a = dict(b=(1, [None, 2e-4]), c={3: True})\nd = open(1)\ne = inf'
    expected = dict(a=dict(b=(1, [None, 2e-4]), c={3: True}), e=float('inf'))
    assert read_settings(text, ['a', 'e', 'f']) == expected
    with pytest.raises(ValueError, match=r"^line 2 has 'open\(1\)', which would have to run$"):
        read_settings(text, ['d'])


def test_no_python():
    with pytest.raises(ValueError, match='^it is not Python: '):
        read_settings('a =', ['a'])
