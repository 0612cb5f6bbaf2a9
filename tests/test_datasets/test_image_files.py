"""Image files: names, modes and the way up."""

import io

import numpy as np
import pytest
from PIL import Image

from mmgan_lite.datasets.image_files import is_deep, is_image, open_upright, some_of, to_array


@pytest.mark.parametrize(
    ('path', 'expected'),
    [('a/b.PNG', True), ('a.webp', True), ('.a/b.png', False), ('.b.png', False), ('b.txt', False)],
)
def test_names_of_images(path, expected):
    assert is_image(path) == expected


def test_an_image_is_turned_as_its_exif_block_says():
    image = Image.fromarray(np.array([[1, 2, 3]], dtype=np.uint8))
    exif = image.getexif()
    exif[0x0112] = 6  # the camera was turned: the first row is the right column
    file = io.BytesIO()
    image.save(file, 'PNG', exif=exif)
    file.seek(0)
    assert to_array(open_upright(file)).tolist() == [[[1]], [[2]], [[3]]]


def test_pixels_and_depth():
    color = Image.new('RGB', (3, 2), (1, 2, 3))
    assert to_array(color).shape == (2, 3, 3)
    assert to_array(color)[0, 0].tolist() == [1, 2, 3]
    assert [is_deep(mode) for mode in ('L', 'RGB', 'I;16', 'F')] == [False, False, True, True]


def test_names_are_cut_after_three():
    assert some_of(['a', 'b', 'c']) == 'a, b, c'
    assert some_of(['a', 'b', 'c', 'd']) == 'a, b, c, ...'
