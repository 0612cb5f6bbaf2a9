"""What the headers of a folder's files say."""

import numpy as np
import pytest

from mmgan_lite.own_data import describe


def test_colors_sizes_and_other_files(make_images):
    folder = make_images(3, size=(20, 30), mode='RGBA')
    make_images(2, size=(50, 40), mode='L', folder='photos/more')
    (folder / 'notes.txt').write_text('no image')
    (folder / 'broken.png').write_bytes(b'no image')
    found = describe(folder, labels_from=False)
    assert len(found.headers) == 5
    assert found.num_with_alpha == 3
    assert not found.is_gray
    assert found.short_side == 20  # of 20, 20, 20, 40, 40
    assert found.bits == {8: 5}
    assert found.left_out == '1 .txt'
    assert found.unreadable == ['broken.png (no image)']
    assert found.class_counts == {}


@pytest.mark.parametrize('dtype', [np.uint8, np.uint16])
def test_gray_of_any_depth(make_images, dtype):
    found = describe(make_images(2, mode='L', dtype=dtype))
    assert found.is_gray
    assert found.bits == {8 * dtype().itemsize: 2}


def test_labels_and_what_is_wrong_with_them(make_images):
    folder = make_images(2, folder='photos/cat').parent
    make_images(3, folder='photos/dog')
    assert describe(folder).class_counts == {'cat': 2, 'dog': 3}
    make_images(1)
    found = describe(folder)
    assert found.class_counts == {}
    assert 'with 1 directly and 5 in sub-folders' in found.labels_error
    assert 'is no file' in describe(folder, labels_from='none.csv').labels_error


def test_bands(tmp_path):
    np.save(tmp_path / 'a.npy', np.zeros((8, 8, 6), np.uint8))
    assert len(describe(tmp_path, channels=6).headers) == 1
    with pytest.raises(ValueError, match=r'must hold images, got 0 and other files: 1 \.npy'):
        describe(tmp_path)
