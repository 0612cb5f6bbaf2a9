"""What the pixels of a folder's files show."""

import numpy as np
import pytest
from PIL import Image

from mmgan_lite.own_data import describe, inspect_images


def test_copies_and_damaged_files(make_images):
    folder = make_images(4)
    image = Image.open(folder / '002.png')
    image.save(folder / 'copy.bmp')  # the same pixels in another file
    content = (folder / '003.png').read_bytes()
    (folder / '003.png').write_bytes(content[: len(content) // 2])
    (folder / 'broken.png').write_bytes(b'no image')
    seen = []
    found = inspect_images(describe(folder), on_progress=seen.append)
    assert found.duplicates == [['002.png', 'copy.bmp']]
    assert [name.split(' ')[0] for name in found.unreadable] == ['003.png', 'broken.png']
    assert sum(seen) == 5  # all with a header


def test_the_same_numbers_in_another_shape_are_no_copy(tmp_path):
    for name, size in (('a', (4, 2)), ('b', (2, 4))):
        Image.new('L', size).save(tmp_path / f'{name}.png')
    assert inspect_images(describe(tmp_path)).duplicates == []


def test_low_bytes_of_16_bits_tell_images_apart(tmp_path):
    for name, value in (('a', 0x8001), ('b', 0x8002), ('c', 0x8001)):
        Image.fromarray(np.full((4, 4), value, np.uint16)).save(tmp_path / f'{name}.png')
    found = inspect_images(describe(tmp_path))
    assert found.duplicates == [['a.png', 'c.png']]
    assert found.picture.max() == 128
    assert found.unreadable == []


def test_picture_has_whole_images_side_by_side(tmp_path):
    Image.new('RGB', (48, 24), (255, 0, 0)).save(tmp_path / 'a.png')
    Image.new('RGBA', (48, 48), (0, 0, 255, 0)).save(tmp_path / 'b.png')
    picture = inspect_images(describe(tmp_path)).picture
    # Two cells of 48 pixels, which 96 on a screen are twice, and borders of 2.
    assert picture.shape == (100, 198, 3)
    assert picture[50, 50].tolist() == [255, 0, 0]
    assert picture[5, 50].tolist() == [255, 255, 255]  # the bar of a wide image
    assert picture[50, 150].tolist() == [255, 255, 255]  # transparent


def test_bands(tmp_path):
    np.save(tmp_path / 'a.npy', np.full((8, 8, 6), 7, np.uint8))
    picture = inspect_images(describe(tmp_path, channels=6), channels=6).picture
    assert picture[48, 48].tolist() == [7, 7, 7]


def test_nothing_that_can_be_decoded(make_images):
    folder = make_images(1)
    content = (folder / '000.png').read_bytes()
    (folder / '000.png').write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match='images that can be decoded, got 1 that cannot: 000.png'):
        inspect_images(describe(folder))
