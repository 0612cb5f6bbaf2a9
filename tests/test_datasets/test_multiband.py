"""Arrays and TIFF files of many bands."""

import io
from functools import partial

import numpy as np
import pytest

from mmgan_lite.datasets import ImageFolderDataset
from mmgan_lite.datasets.image_listing import list_images
from mmgan_lite.datasets.multiband import read_band_header, read_multiband

ARRAY = np.random.default_rng(0).integers(0, 256, (4, 6, 5), dtype=np.uint8)


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def tiff(array, **kwargs):
    file = io.BytesIO()
    pytest.importorskip('tifffile').imwrite(file, array, **kwargs)
    return file.getvalue()


@pytest.mark.parametrize(
    'write',
    [
        lambda: npy(ARRAY),
        lambda: npy(np.asfortranarray(ARRAY)),
        lambda: npy(ARRAY.transpose(2, 0, 1)),
        lambda: tiff(ARRAY, photometric='minisblack'),
        lambda: tiff(ARRAY.transpose(2, 0, 1), photometric='minisblack'),
        lambda: tiff(ARRAY.transpose(2, 0, 1), photometric='minisblack', planarconfig='separate'),
        lambda: tiff(ARRAY, photometric='minisblack', compression='zlib'),
    ],
    ids=['npy', 'Fortran', 'channels first', 'pixels', 'pages', 'planes', 'compressed'],
)
def test_layouts(write):
    content = write()
    np.testing.assert_array_equal(read_multiband(content, 5), ARRAY)
    header = read_band_header(5, io.BytesIO(content), 'a')
    assert (header.width, header.height, header.bits) == (6, 4, 8)


@pytest.mark.parametrize('shape', [(4, 6), (4, 6, 3), (4, 6, 5, 1), (0, 6, 5)])
def test_another_shape(shape):
    with pytest.raises(ValueError, match=r'must have the shape \(H, W, 5\), got \('):
        read_multiband(npy(np.zeros(shape, np.uint8)), 5)


def test_no_code_is_run():
    with pytest.raises(ValueError, match='allow_pickle=False'):
        read_multiband(npy(np.array([{}])), 5)


def test_a_folder_of_bands_with_12_bits(tmp_path):
    deep = np.full((4, 6, 5), 4095, np.uint16)
    (tmp_path / 'a.npy').write_bytes(npy(deep))
    (tmp_path / 'b.npy').write_bytes(npy(ARRAY))
    (tmp_path / 'labels.npy').write_bytes(npy(np.arange(2)))
    listing = list_images(tmp_path, partial(read_band_header, 5))
    assert [header.bits for header in listing.headers] == [16, 8]
    assert listing.left_out == {'.npy': 1}
    dataset = ImageFolderDataset(tmp_path, channels=5, bit_depth=(0, 4095), image_size=4)
    assert dataset.image_shape == (5, 4, 4)
    assert [item['inputs'].shape for item in dataset] == [(5, 4, 4)] * 2
    assert int(dataset[0]['inputs'].min()) == 255
