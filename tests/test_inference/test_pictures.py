"""Pictures are found in all that can hold them, and decoded when they are needed."""

import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from mmgan_lite.datasets.decoding import ImageDecoder
from mmgan_lite.inference import open_pictures


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)


def test_the_same_pixels_from_all_kinds(pixels, tmp_path):
    (tmp_path / 'folder' / 'sub').mkdir(parents=True)
    path = tmp_path / 'folder' / 'sub' / 'one.png'
    Image.fromarray(pixels).save(path)
    with zipfile.ZipFile(tmp_path / 'all.zip', 'w') as archive:
        archive.write(path, 'below/one.png')
    array = torch.from_numpy(pixels)
    inputs = [
        path,
        str(tmp_path / 'folder'),
        tmp_path / 'all.zip',
        pixels,
        pixels[None],
        array.permute(2, 0, 1),
        array.permute(2, 0, 1)[None],
        Image.fromarray(pixels),
    ]
    pictures = open_pictures(inputs)
    assert [p.name for p in pictures] == ['one.png', 'sub/one.png', 'below/one.png', *'34567']
    for picture in pictures:
        assert picture.size == (5, 7)
        assert not picture.has_alpha
        assert np.array_equal(picture.decode(ImageDecoder('RGB')), pixels)


def test_arrays_get_the_channels_that_are_asked_for(pixels):
    """Two and four channels have alpha: transparent black is white."""
    clear = np.concatenate([0 * pixels, 0 * pixels[:, :, :1]], axis=2)
    for array in (clear, clear[:, :, 2:]):
        (picture,) = open_pictures(array)
        assert picture.has_alpha
        for decoder in (ImageDecoder('RGB'), ImageDecoder('L')):
            assert (picture.decode(decoder) == 255).all()
        assert (picture.decode(ImageDecoder('L', bit_depth=16)) == 65535).all()
    (picture,) = open_pictures(pixels[:, :, 0])
    assert np.array_equal(picture.decode(ImageDecoder('RGB')), pixels[:, :, [0, 0, 0]])
    (picture,) = open_pictures(pixels.astype(np.uint16) * 257)
    assert np.array_equal(picture.decode(ImageDecoder('RGB', bit_depth='scale')), pixels)
    assert np.array_equal(
        picture.decode(ImageDecoder('RGB', bit_depth=16)), pixels * np.uint16(257)
    )


def test_bands_are_not_converted(tmp_path):
    bands = np.random.default_rng(0).integers(0, 256, (5, 7, 6), np.uint8)
    np.save(tmp_path / 'bands.npy', bands)
    for picture in open_pictures([tmp_path, tmp_path / 'bands.npy', bands], num_channels=6):
        assert np.array_equal(picture.decode(ImageDecoder(6)), bands)
    (picture,) = open_pictures(bands[:, :, :4], num_channels=6)
    with pytest.raises(ValueError, match='its channels are 4, not 6'):
        picture.decode(ImageDecoder(6))


def test_a_file_that_is_no_image_is_found_and_not_decoded(tmp_path):
    (tmp_path / 'broken.png').write_bytes(b'nothing')
    for inputs in (tmp_path, tmp_path / 'broken.png'):
        (picture,) = open_pictures(inputs)
        assert (picture.name, picture.size) == ('broken.png', (0, 0))
        with pytest.raises(Image.UnidentifiedImageError):
            picture.decode(ImageDecoder('RGB'))


def test_errors(tmp_path):
    with pytest.raises(FileNotFoundError, match="There must be a folder or zip of images at '"):
        open_pictures(tmp_path / 'no')
    (tmp_path / 'a.txt').touch()
    with pytest.raises(ValueError, match='must hold images, got 0, and other files: 1 .txt'):
        open_pictures(tmp_path)
    with pytest.raises(ValueError, match='inputs must hold at least one picture, got none'):
        open_pictures([])
    for given, found in (
        (np.zeros((4, 4, 3)), r'float64 of shape \(4, 4, 3\). Scale'),
        (torch.zeros(4, 4, dtype=torch.uint8), r'torch.uint8 of shape \(4, 4\)'),
        (3, 'got int'),
    ):
        with pytest.raises(ValueError, match=f'inputs must be paths, images of Pillow, .*{found}'):
            open_pictures(given)
