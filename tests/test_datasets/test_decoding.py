"""Pixels of image files, compared with values by hand."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from mmgan_lite.datasets import ImageDecoder

# A row of red, opaque; red, of a fifth; hidden blue.
SPRITE = np.array([[[255, 0, 0, 255], [255, 0, 0, 51], [0, 0, 255, 0]]], np.uint8)


def encode(image, format='PNG', **kwargs):
    file = io.BytesIO()
    image.save(file, format, **kwargs)
    return file.getvalue()


def encode_deep(pixels, extension='.png'):
    return cv2.imencode(extension, pixels)[1].tobytes()


def decode(content, *args, **kwargs):
    pixels = ImageDecoder(*args, **kwargs)(content, 'a.png')
    assert pixels.dtype == np.uint8
    return pixels.astype(int)


@pytest.mark.parametrize(
    ('background', 'behind'),
    [
        ('white', [[255, 0, 0], [255, 204, 204], [255, 255, 255]]),
        ((0, 100, 0), [[255, 0, 0], [51, 80, 0], [0, 100, 0]]),
        ('#000000', [[255, 0, 0], [51, 0, 0], [0, 0, 0]]),
    ],
)
def test_colors_are_composited_on_the_background(background, behind):
    content = encode(Image.fromarray(SPRITE))
    assert decode(content, 'RGB', background=background).tolist() == [behind]


def test_alpha_is_kept_and_hidden_colors_are_the_background():
    content = encode(Image.fromarray(SPRITE))
    expected = [[[255, 0, 0, 255], [255, 0, 0, 51], [255, 255, 255, 0]]]
    assert decode(content, 'RGBA').tolist() == expected


def test_gray_is_the_luma_of_what_is_seen():
    content = encode(Image.fromarray(SPRITE))
    # 0.299 * 255 = 76; 0.299 * 255 + 0.701 * 204 = 219
    assert decode(content, 'L')[0, :, 0].tolist() == [76, 219, 255]


@pytest.mark.parametrize('mode', ['L', 'LA', 'P', '1'])
def test_transparency_of_other_modes(mode):
    image = Image.new('L', (2, 1))  # black
    if mode == 'LA':
        image.putalpha(Image.fromarray(np.array([[255, 0]], np.uint8)))
        content = encode(image)
    else:
        image.putpixel((1, 0), 255)
        image = image.convert(mode)
        content = encode(image, transparency=image.getpixel((1, 0)))
    # The second pixel is transparent.
    assert decode(content, 'RGB', background='red')[0].tolist() == [[0, 0, 0], [255, 0, 0]]
    assert decode(content, 'RGBA')[0].tolist() == [[0, 0, 0, 255], [255, 255, 255, 0]]


def test_colors_are_weighted_with_alpha_where_pixels_are_mixed():
    # Opaque red beside hidden green: half transparent red, with no green in it.
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[:, :4], pixels[:, 4:] = (255, 0, 0, 255), (0, 255, 0, 0)
    resized = decode(encode(Image.fromarray(pixels)), 'RGBA', image_size=1)
    assert resized[0, 0, :3].tolist() == [255, 0, 0]
    assert resized[0, 0, 3] == pytest.approx(128, abs=1)
    # On white: half of red and half of white.
    assert decode(encode(Image.fromarray(pixels)), 'RGB', image_size=1)[0, 0] == pytest.approx(
        [255, 128, 128], abs=1
    )


@pytest.mark.parametrize(
    ('mode', 'format', 'color', 'seen'),
    [
        ('CMYK', 'JPEG', (0, 255, 255, 0), [255, 0, 0]),
        ('CMYK', 'TIFF', (0, 255, 255, 0), [255, 0, 0]),
        ('YCbCr', 'JPEG', (76, 85, 255), [254, 0, 0]),
        ('1', 'BMP', 1, [255, 255, 255]),
        ('P', 'GIF', 0, [0, 0, 0]),
        ('L', 'JPEG2000', 77, [77, 77, 77]),
        ('RGB', 'QOI', (1, 2, 3), [1, 2, 3]),
    ],
)
def test_colors_of_many_modes(mode, format, color, seen):
    image = Image.new(mode, (16, 16), color)
    assert decode(encode(image, format))[0, 0] == pytest.approx(seen, abs=3)


@pytest.mark.parametrize('format', ['GIF', 'PNG', 'WEBP', 'TIFF'])
def test_the_first_frame(format):
    frames = [Image.new('RGB', (8, 8), color) for color in ('red', 'blue')]
    content = encode(frames[0], format, save_all=True, append_images=frames[1:])
    assert decode(content)[4, 4] == pytest.approx([255, 0, 0], abs=6)


@pytest.mark.parametrize('format', ['JPEG', 'PNG', 'WEBP', 'TIFF'])
@pytest.mark.parametrize('orientation', range(1, 9))
def test_every_orientation(orientation, format):
    upright = np.zeros((16, 32), np.uint8)
    upright[:8, :16] = 255  # top left
    # How a camera held so stores it: the inverse of what EXIF asks for.
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright),
        7: upright[::-1, ::-1].T,
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encode(Image.fromarray(np.ascontiguousarray(stored)), format, exif=exif)
    assert decode(content, 'L')[:, :, 0] == pytest.approx(upright, abs=8)


def test_damaged_exif_blocks():
    photo = Image.new('RGB', (8, 4), 'red')
    exif = Image.Exif()
    exif[0x0112], exif[0x829A] = 6, 1.0  # the second: exposure time
    block = exif.tobytes()
    odd = block.replace(b'\x01\0\0\0\x01\0\0\0', b'\xff\xff\xff\xff\0\0\0\0')  # -1/0
    odd = odd if odd != block else block[:20] + b'\xff' * (len(block) - 20)
    for broken in (odd, b'Exif\0\0no tiff', b'Exif\0\0II*\0\xff\xff\xff\xff'):
        pixels = decode(encode(photo, 'JPEG', exif=broken))
        assert pixels.shape[2] == 3
        assert pixels.reshape(-1, 3).mean(0) == pytest.approx([254, 0, 0], abs=2)


def test_a_raw_profile_that_is_no_hex():
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text('Raw profile type exif', '\nexif\n      4\nno hexadecimal\n', zip=True)
    assert decode(encode(Image.new('RGB', (3, 2)), pnginfo=info)).shape == (2, 3, 3)


DEEP = np.array([[0, 257, 32896, 65535]], np.uint16)  # 257 times 0, 1, 128, 255


@pytest.mark.parametrize('extension', ['.png', '.tiff', '.pgm'])
def test_16_bits_of_gray(extension):
    content = encode_deep(DEEP, extension)
    assert decode(content, 'L', bit_depth='scale')[0, :, 0].tolist() == [0, 1, 128, 255]
    ranged = decode(content, 'L', bit_depth=(257, 32896))[0, :, 0].tolist()
    assert ranged == [0, 0, 255, 255]
    with pytest.raises(ValueError, match=r"it has 16 bits per channel\. Pass bit_depth='scale'"):
        decode(content, 'L')


@pytest.mark.parametrize('extension', ['.png', '.tiff', '.ppm', '.jp2'])
def test_16_bits_of_colors(extension):
    pixels = np.zeros((64, 64, 3), np.uint16)
    pixels[:] = [257 * 30, 257 * 20 + 200, 257 * 10]  # blue comes first in OpenCV
    content = encode_deep(pixels, extension)
    # The high byte of the second is 20, and its rounded value 21.
    expected = pytest.approx([10, 21, 30], abs=1 if extension == '.jp2' else 0)
    assert decode(content, bit_depth='scale')[5, 5] == expected
    with pytest.raises(ValueError, match='it has 16 bits'):
        decode(content)


def test_16_bits_with_alpha():
    pixels = np.full((2, 2, 4), 65535, np.uint16)
    pixels[..., :2], pixels[..., 3] = 0, 257 * 51  # red of a fifth
    content = encode_deep(pixels)
    assert decode(content, bit_depth='scale')[0, 0].tolist() == [255, 204, 204]
    assert decode(content, 'RGBA', bit_depth='scale')[0, 0].tolist() == [255, 0, 0, 51]


def test_floats_have_no_range_of_their_own():
    content = encode_deep(np.array([[-1, 0, 1, np.nan]], np.float32)[:, :3], '.tiff')
    assert decode(content, 'L', bit_depth=(-1, 1))[0, :, 0].tolist() == [0, 128, 255]
    with pytest.raises(ValueError, match=r'32 bits per channel, whose range is not known'):
        decode(content, 'L', bit_depth='scale')
    content = encode_deep(np.array([[np.nan]], np.float32), '.tiff')
    with pytest.raises(ValueError, match='not finite'):
        decode(content, 'L', bit_depth=(-1, 1))


def test_images_of_8_bits_keep_their_values():
    content = encode(Image.new('L', (1, 1), 200))
    assert decode(content, 'L', bit_depth=(0, 100)).item() == 200


def test_an_upright_image_of_16_bits():
    exif = Image.Exif()
    exif[0x0112] = 6
    content = encode(Image.fromarray(DEEP), exif=exif)
    assert decode(content, 'L', bit_depth='scale')[:, 0, 0].tolist() == [0, 1, 128, 255]


STRIPES = np.repeat(np.array([[0, 100, 200, 250]], np.uint8), 8, axis=1).repeat(8, 0)  # 32x8


@pytest.mark.parametrize(
    ('resize', 'expected'),
    [
        ('crop', [100, 100, 200, 200]),
        ('stretch', [0, 100, 200, 250]),
        ('pad', [0, 100, 200, 250]),
    ],
)
def test_resizing(resize, expected):
    content = encode(Image.fromarray(STRIPES))
    pixels = decode(content, 'L', image_size=(4, 4), resize=resize, background='red')[:, :, 0]
    assert pixels.shape == (4, 4)
    if resize == 'pad':  # one row of the image and three of the background
        assert sorted((pixels == 76).all(1).tolist()) == [False, True, True, True]
        pixels = pixels[~(pixels == 76).all(1)]
    # The filter looks across the edges, most where it is to shrink most.
    assert pixels[0] == pytest.approx(expected, abs=12)


def test_bars_are_transparent_where_there_is_alpha():
    pixels = decode(encode(Image.new('RGB', (8, 4))), 'RGBA', image_size=8, resize='pad')
    assert pixels[0, 0].tolist() == [255, 255, 255, 0]
    assert pixels[4, 0].tolist() == [0, 0, 0, 255]


@pytest.mark.parametrize(
    ('resize', 'size', 'expected'),
    [
        ('crop', (8, 4), True),
        ('pad', (8, 4), False),
        ('pad', (7, 7), True),
        ('stretch', (4, 9), True),
        ('crop', (9, 9), False),
    ],
)
def test_what_is_enlarged(resize, size, expected):
    assert ImageDecoder(image_size=8, resize=resize).enlarges(*size) == expected


def test_any_number_of_bands():
    image = Image.fromarray(SPRITE)
    assert decode(encode(image), 4).tolist() == SPRITE.tolist()  # as stored
    assert decode(encode(image.convert('LA')), 2).shape == (1, 3, 2)
    with pytest.raises(ValueError, match='its channels are RGB, not 2'):
        decode(encode(image.convert('RGB')), 2)
    array = np.arange(2 * 4 * 5, dtype=np.uint8).reshape(2, 4, 5)
    file = io.BytesIO()
    np.save(file, array)
    assert decode(file.getvalue(), 5).tolist() == array.tolist()
    constant = np.full((8, 8, 5), [10, 20, 30, 40, 50], np.uint8)
    file = io.BytesIO()
    np.save(file, constant)
    assert decode(file.getvalue(), 5, image_size=(4, 6)).tolist() == constant[:4, :6].tolist()


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(channels=0), r"channels must be 'L', 'RGB', 'RGBA' or a number of channels, got 0"),
        (dict(channels='CMYK'), "got 'CMYK'"),
        (dict(channels=True), 'got True'),
        (dict(channels=None), 'got None'),
        (dict(resize='fill'), "resize must be one of 'crop', 'pad', 'stretch', got 'fill'"),
        (dict(background='colorless'), "background must be .* got 'colorless'. Pass 'white'"),
        (dict(background=(0, 0, 256)), r'three ints of 0 to 255, got \(0, 0, 256\)'),
        (dict(background=7), 'got 7'),
        (dict(background='#00000080'), 'got'),
        (dict(bit_depth='clip'), "bit_depth must be 'error', 'scale' or two numbers"),
        (dict(bit_depth=(5, 5)), r'low < high, got \(5, 5\)'),
        (dict(bit_depth=16), 'got 16'),
    ],
)
def test_wrong_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        ImageDecoder(**kwargs)
