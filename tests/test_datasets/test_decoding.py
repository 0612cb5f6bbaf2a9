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


def keep_16_bits(content, *args, **kwargs):
    pixels = ImageDecoder(*args, bit_depth=16, **kwargs)(content, 'a.png')
    assert pixels.dtype == np.uint16
    return pixels.astype(int)


LOW_BYTES = np.array([[0x8000, 0x8001, 0x80FE, 0xFFFF]], np.uint16)


@pytest.mark.parametrize('extension', ['.png', '.tiff', '.pgm'])
def test_low_bytes_of_gray_are_kept(extension):
    content = encode_deep(LOW_BYTES, extension)
    assert keep_16_bits(content, 'L')[:, :, 0].tolist() == LOW_BYTES.tolist()
    assert keep_16_bits(content, 'RGB').tolist() == LOW_BYTES[:, :, None].repeat(3, 2).tolist()


@pytest.mark.parametrize('extension', ['.png', '.tiff', '.ppm'])
def test_low_bytes_of_colors_are_kept(extension):
    # Blue comes first in OpenCV.
    content = encode_deep(np.array([[[30000, 20001, 10002]]], np.uint16), extension)
    assert keep_16_bits(content).tolist() == [[[10002, 20001, 30000]]]
    # 0.299 * 10002 + 0.587 * 20001 + 0.114 * 30000 = 18151.185
    assert keep_16_bits(content, 'L').tolist() == [[[18151]]]
    assert keep_16_bits(content, 'RGBA').tolist() == [[[10002, 20001, 30000, 65535]]]


def test_alpha_of_16_bits():
    # Green of 40001 and a fifth of alpha, and green that nobody sees.
    content = encode_deep(np.array([[[0, 40001, 0, 13107], [0, 7, 0, 0]]], np.uint16))
    assert keep_16_bits(content, 'RGBA', background='red').tolist() == [
        [[0, 40001, 0, 13107], [65535, 0, 0, 0]]
    ]
    # 0.2 * 40001 + 0.8 * 65535 = 60428.2
    assert keep_16_bits(content).tolist() == [[[52428, 60428, 52428], [65535] * 3]]


@pytest.mark.parametrize('mode', ['1', 'L', 'LA', 'P', 'RGB', 'RGBA', 'CMYK'])
def test_images_of_8_bits_among_those_of_16(mode):
    """0 and 255 become 0 and 65535, whatever they are stored as."""
    content = encode(Image.fromarray(SPRITE).convert(mode), 'TIFF')
    for channels in ('L', 'RGB', 'RGBA'):
        found = keep_16_bits(content, channels, background=(0, 100, 0))
        expected = decode(content, channels, background=(0, 100, 0))  # Pillow's, rounded to 8 bits
        assert found == pytest.approx(257 * expected, abs=0.51 * 257)
    transparent = Image.new('P', (2, 1))
    transparent.info['transparency'] = 0
    assert keep_16_bits(encode(transparent)).tolist() == [[[65535] * 3] * 2]


@pytest.mark.parametrize('resize', ['crop', 'pad', 'stretch'])
@pytest.mark.parametrize('channels', ['L', 'RGB', 'RGBA', 5])
def test_resizing_of_16_bits(resize, channels):
    """Pillow does the same with the high bytes, and a plain area keeps its low bytes."""
    num = ImageDecoder(channels).num_channels
    stream = np.random.default_rng(0)
    # Pillow clips 8 bits between the passes of the filter, and of little alpha it has few colors.
    pixels = stream.integers(60, 196, (9, 14, num), dtype=np.uint8)
    if num == 4:
        pixels[..., 3] |= 128
    kwargs = dict(image_size=(6, 5), resize=resize, background='red')

    def encode_array(array):
        file = io.BytesIO()
        if num == 5:
            np.save(file, array)
            return file.getvalue()
        order = [2, 1, 0, 3][:num] if num > 1 else [0]
        return encode_deep(np.ascontiguousarray(array[:, :, order]))

    found = keep_16_bits(encode_array(pixels.astype(np.uint16) * 257), channels, **kwargs)
    expected = decode(encode_array(pixels), channels, **kwargs)
    assert found == pytest.approx(257 * expected, abs=3 * 257 if num == 4 else 257)
    constant = np.full((9, 14, num), 0x8001, np.uint16)
    if resize != 'pad':
        found = keep_16_bits(encode_array(constant), channels, **kwargs)
        assert found.tolist() == constant[:6, :5].tolist()


@pytest.mark.parametrize('orientation', range(1, 9))
def test_upright_images_of_16_bits(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    gray = np.arange(6, dtype=np.uint16).reshape(2, 3) + 0x8000
    content = encode(Image.fromarray(gray), exif=exif)
    expected = [[gray, gray[:, ::-1]], [gray[::-1, ::-1], gray[::-1]]]
    expected += [[gray.T, np.rot90(gray, 3)], [np.rot90(gray.T, 2), np.rot90(gray)]]
    first, second = divmod(orientation - 1, 2)
    assert keep_16_bits(content, 'L')[:, :, 0].tolist() == expected[first][second].tolist()


def test_bands_of_16_bits():
    array = np.arange(2 * 4 * 5, dtype='>u2').reshape(2, 4, 5) + 0x8000
    file = io.BytesIO()
    np.save(file, array)
    assert keep_16_bits(file.getvalue(), 5).tolist() == array.tolist()
    with pytest.raises(ValueError, match='its channels are 3, not 2'):
        keep_16_bits(encode_deep(np.zeros((2, 2, 3), np.uint16)), 2)
    file = io.BytesIO()
    np.save(file, array.astype(np.int16))
    with pytest.raises(ValueError, match=r'its values are int16, whose range is not known\. Pass'):
        keep_16_bits(file.getvalue(), 5)


def test_floats_among_images_of_16_bits():
    content = encode_deep(np.zeros((1, 1), np.float32), '.tiff')
    with pytest.raises(ValueError, match=r'32 bits .*\(low, high\) in place of bit_depth=16'):
        keep_16_bits(content, 'L')


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
        (dict(bit_depth='clip'), "bit_depth must be 'error', 'scale', 16 or two numbers"),
        (dict(bit_depth=(5, 5)), r'low < high, got \(5, 5\)'),
        (dict(bit_depth=12), 'got 12'),
        (dict(bit_depth='16'), "got '16'"),
        (dict(bit_depth=16.0), r'got 16\.0'),
    ],
)
def test_wrong_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        ImageDecoder(**kwargs)
