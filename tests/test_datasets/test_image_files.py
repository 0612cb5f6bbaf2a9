"""How files are named in messages; test_image_listing reads their content."""

from collections import Counter

import numpy as np
import pytest
from PIL import UnidentifiedImageError

from mmgan_lite.datasets.image_files import (
    FolderFiles,
    Listing,
    describe_error,
    is_hidden,
    kind_of,
    some_of,
)


def test_names_are_cut_after_three():
    assert some_of(['a', 'b', 'c']) == 'a, b, c'
    assert some_of(['a', 'b', 'c', 'd']) == 'a, b, c, ...'


@pytest.mark.parametrize(('name', 'kind'), [('a/b.TXT', '.txt'), ('a.b/c', 'without an extension')])
def test_kinds(name, kind):
    assert kind_of(name) == kind


def test_hidden_files():
    names = ('a/.b/c', '.b', '__MACOSX/a', 'a/b.c')
    assert [is_hidden(name) for name in names] == [True, True, True, False]


def test_errors():
    errors = (UnidentifiedImageError('<object at 0x7f>'), ValueError('too deep'), OSError('gone'))
    assert [*map(describe_error, errors)] == ['no image', 'too deep', 'OSError: gone']


def test_a_part_and_what_is_left_out(tmp_path):
    for name in ('a.png', 'b.png', 'l.csv'):
        (tmp_path / name).write_text(name)
    files = FolderFiles(tmp_path, ['a.png', 'b.png'])
    part = files.select(np.array([False, True]))
    assert (part.names(), part.read(0), part.size(0), len(files)) == (['b.png'], b'b.png', 5, 2)
    listing = Listing(files, [], [], Counter({'.csv': 1, 'hidden': 2}))
    assert listing.describe_left_out() == '1 .csv, 2 hidden'
