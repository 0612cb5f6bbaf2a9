"""What headers say, compared with how the files were written."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from mmgan_lite.datasets.image_headers import is_image_name, open_image, read_header


def write(image, format, **kwargs):
    file = io.BytesIO()
    image.save(file, format, **kwargs)
    file.seek(0)
    return file


@pytest.mark.parametrize(
    ('mode', 'format', 'has_alpha'),
    [
        ('RGB', 'JPEG', False),
        ('CMYK', 'JPEG', False),
        ('LA', 'PNG', True),
        ('RGBA', 'WEBP', True),
        ('RGB', 'BMP', False),
        ('L', 'TIFF', False),
        ('1', 'PNG', False),
        ('RGB', 'JPEG2000', False),
        ('RGB', 'AVIF', False),
    ],
)
def test_format_mode_and_size(mode, format, has_alpha):
    header = read_header(write(Image.new(mode, (16, 9)), format), 'name.without.meaning')
    assert (header.format, header.mode, header.has_alpha) == (format, mode, has_alpha)
    assert (header.width, header.height, header.bits, header.is_animated) == (16, 9, 8, False)


def test_a_transparent_color_of_a_palette_is_alpha():
    file = write(Image.new('P', (4, 4)), 'PNG', transparency=0)
    assert read_header(file, 'a.png').has_alpha


@pytest.mark.parametrize('format', ['GIF', 'PNG', 'WEBP', 'TIFF'])
def test_animations(format):
    frames = [Image.new('RGB', (8, 8), color) for color in ('red', 'blue', 'green')]
    file = write(frames[0], format, save_all=True, append_images=frames[1:])
    assert read_header(file, 'a').is_animated


@pytest.mark.parametrize(
    ('extension', 'channels', 'dtype', 'bits'),
    [
        ('.png', 1, np.uint8, 8),
        ('.png', 1, np.uint16, 16),
        ('.png', 3, np.uint16, 16),
        ('.png', 4, np.uint16, 16),
        ('.tiff', 1, np.uint16, 16),
        ('.tiff', 3, np.uint8, 8),
        ('.tiff', 3, np.uint16, 16),
        ('.tiff', 1, np.float32, 32),
        ('.pgm', 1, np.uint8, 8),
        ('.pgm', 1, np.uint16, 16),
        ('.ppm', 3, np.uint8, 8),
        ('.ppm', 3, np.uint16, 16),
        ('.jp2', 3, np.uint8, 8),
        ('.jp2', 1, np.uint16, 16),
        ('.jp2', 3, np.uint16, 16),
    ],
)
def test_bits_of_files_that_opencv_wrote(extension, channels, dtype, bits):
    _, content = cv2.imencode(extension, np.zeros((64, 64, channels), dtype))
    assert read_header(io.BytesIO(content.tobytes()), 'a').bits == bits


@pytest.mark.parametrize(
    'content',
    [b'', b'a text', b'\x89PNG\r\n\x1a\n', b'%!PS-Adobe-3.0', bytes(600), b'P5 0 7 255\n'],
)
def test_no_image(content):
    with pytest.raises(Exception, match=r'cannot identify|Truncated|broken'):
        open_image(io.BytesIO(content), 'a.png')


def test_more_pixels_than_pillow_opens():
    # A header of 60,000x60,000 pixels and nothing after it.
    file = write(Image.new('L', (1, 1)), 'BMP')
    content = bytearray(file.getvalue())
    content[18:26] = np.array([60000, 60000], '<i4').tobytes()
    with pytest.raises(Image.DecompressionBombError, match='3600000000 pixels'):
        open_image(io.BytesIO(content), 'a.bmp')


def test_formats_without_a_signature_are_known_by_their_extension():
    file = write(Image.new('RGB', (3, 2), 'red'), 'TGA')
    assert open_image(file, 'a.TGA').getpixel((0, 0)) == (255, 0, 0)
    with pytest.raises(Image.UnidentifiedImageError):
        open_image(file, 'a.db')


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        ('a/b.PNG', True),
        ('b.jfif', True),
        ('b.avif', True),
        ('b.txt', False),
        ('b.heic', False),
        ('b.eps', False),
        ('png', False),
    ],
)
def test_names_of_images(name, expected):
    assert is_image_name(name) == expected
