"""Grids of images, PNG and GIF files."""

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from mmgan_lite.visualization.image_grid import (
    check_png_channels,
    enlarge,
    make_picture,
    pick_evenly,
    save_gif,
    save_png,
)


def test_picture_has_images_where_they_belong():
    images = torch.arange(6, dtype=torch.uint8).reshape(6, 1, 1, 1).expand(6, 1, 3, 4)
    picture = make_picture(images, columns=3)
    assert picture.shape == (2 * (3 + 2) + 2, 3 * (4 + 2) + 2, 3)
    assert [int(picture[3 + 5 * (i // 3), 3 + 6 * (i % 3), 0]) for i in range(6)] == [*range(6)]
    assert picture[:2].max() == 0


def test_square_by_default_and_one_image_as_it_is():
    images = torch.zeros(5, 3, 2, 2, dtype=torch.uint8)
    assert make_picture(images).shape == (2 * 4 + 2, 3 * 4 + 2, 3)
    assert make_picture(images[:1]).shape == (2, 2, 3)


@pytest.mark.parametrize(('side', 'scale'), [(28, 3), (32, 3), (48, 2), (49, 1), (256, 1)])
def test_small_images_are_enlarged_to_be_viewed(side, scale):
    images = torch.arange(side, dtype=torch.uint8).expand(2, 1, 5, side)
    picture = make_picture(images, to_view=True)
    assert picture.shape == (5 * scale + 4, 2 * (side * scale + 2) + 2, 3)
    assert picture[2, 2 : 2 + side * scale, 0].tolist() == [
        x for x in range(side) for _ in range(scale)
    ]


@pytest.mark.parametrize(
    ('pixel', 'drawn'),
    [
        ([7], [7, 7, 7]),
        ([0, 51], [204, 204, 204]),  # a fifth of black on white
        ([1, 2, 3], [1, 2, 3]),
        ([0, 50, 100, 51], [204, 214, 224]),
        ([1, 2, 3, 4, 5], [1, 2, 3]),
    ],
)
@pytest.mark.parametrize('to_view', [False, True])
def test_any_number_of_channels_is_drawn(pixel, drawn, to_view):
    image = torch.tensor(pixel, dtype=torch.uint8).view(1, -1, 1, 1).expand(1, -1, 48, 24)
    picture = make_picture(image, to_view=to_view)
    assert picture.shape == ((96, 48, 3) if to_view else (48, 24, 3))
    assert (picture == drawn).all()


def test_pictures_of_16_bits_have_8():
    image = torch.tensor([0, 128, 129, 65535]).to(torch.uint16).view(1, 1, 2, 2)
    assert make_picture(image)[:, :, 0].tolist() == [[0, 0], [1, 255]]


@pytest.mark.parametrize('channels', [1, 3, 4])
def test_png_of_16_bits(channels, tmp_path):
    image = torch.randint(0, 65536, (channels, 5, 4)).to(torch.uint16)
    save_png(image, tmp_path / 'new' / 'a.png')
    found = cv2.imread(str(tmp_path / 'new' / 'a.png'), cv2.IMREAD_UNCHANGED)
    found = found.reshape(5, 4, channels)
    if channels > 1:
        found = found[:, :, [2, 1, 0, 3][:channels]]  # blue comes first in OpenCV
    assert found.dtype == np.uint16
    assert np.array_equal(found, image.permute(1, 2, 0).numpy())
    save_png(image.permute(1, 2, 0).numpy(), tmp_path / 'b.png')
    assert (tmp_path / 'b.png').read_bytes() == (tmp_path / 'new' / 'a.png').read_bytes()


def test_png_of_16_bits_with_gray_and_alpha(tmp_path):
    with pytest.raises(ValueError, match=r'16 bits must have 1, 3 or 4 channels, .* image of 2\.'):
        save_png(np.zeros((2, 2, 2), np.uint16), tmp_path / 'a.png')
    check_png_channels(2)


def test_bad_images():
    message = r'fakes must be uint8 .* got torch.float32 \(2, 1, 4, 4\)\. Remove what draws them'
    with pytest.raises(ValueError, match=message):
        make_picture(torch.zeros(2, 1, 4, 4), source='fakes')
    with pytest.raises(ValueError, match=r'columns must be an int of at least 1, got 0'):
        make_picture(torch.zeros(2, 1, 4, 4, dtype=torch.uint8), columns=0)


def test_enlarge():
    picture = np.array([[[1], [2]]], dtype=np.uint8)
    assert enlarge(picture, 2)[:, :, 0].tolist() == [[1, 1, 2, 2], [1, 1, 2, 2]]
    with pytest.raises(ValueError, match=r'scale must be an int of at least 1, got 0'):
        enlarge(picture, 0)


def test_png_comes_back(tmp_path):
    gray = torch.arange(12, dtype=torch.uint8).reshape(1, 3, 4)
    save_png(gray, tmp_path / 'new' / 'gray.png')
    assert np.array_equal(np.asarray(Image.open(tmp_path / 'new' / 'gray.png')), gray[0])
    color = np.arange(36, dtype=np.uint8).reshape(3, 4, 3)
    save_png(color, tmp_path / 'color.png')
    assert np.array_equal(np.asarray(Image.open(tmp_path / 'color.png')), color)
    assert sorted(p.name for p in tmp_path.rglob('*')) == ['color.png', 'gray.png', 'new']


@pytest.mark.parametrize(('channels', 'mode'), [(1, 'L'), (2, 'LA'), (3, 'RGB'), (4, 'RGBA')])
def test_png_has_the_channels_of_the_image(tmp_path, channels, mode):
    image = torch.arange(channels * 6, dtype=torch.uint8).reshape(channels, 2, 3)
    save_png(image, tmp_path / 'x.png')
    with Image.open(tmp_path / 'x.png') as png:
        assert png.mode == mode
        assert np.array_equal(np.asarray(png).reshape(2, 3, channels), image.permute(1, 2, 0))


def test_png_of_too_many_channels(tmp_path):
    with pytest.raises(ValueError, match=r'1 to 4 channels, got an image of 5\. .* --format npz'):
        save_png(torch.zeros(5, 2, 2, dtype=torch.uint8), tmp_path / 'x.png')
    assert list(tmp_path.iterdir()) == []
    check_png_channels(4)


def test_gif_keeps_grays_order_and_time(tmp_path):
    frames = [np.full((4, 4, 3), value, np.uint8) for value in (0, 17, 255)]
    frames[1][0, 0] = 18
    save_gif(frames, tmp_path / 'x.gif', frame_ms=50)
    with Image.open(tmp_path / 'x.gif') as gif:
        assert gif.n_frames == 3
        assert gif.info['loop'] == 0
        for index, frame in enumerate(frames):
            gif.seek(index)
            assert gif.info['duration'] == 50
            assert np.array_equal(np.asarray(gif.convert('RGB')), frame)


def test_smaller_frames_of_a_gif_are_enlarged(tmp_path):
    small = np.array([[0, 50], [100, 150]], np.uint8)
    large = np.arange(16, dtype=np.uint8).reshape(4, 4)
    wide = np.full((1, 2), 200, np.uint8)  # half as high: bars of one pixel above and below
    frames = [np.repeat(frame[:, :, None], 3, axis=2) for frame in (small, large, wide)]
    save_gif(frames, tmp_path / 'x.gif')
    bars = np.zeros((4, 4), np.uint8)
    bars[1:3] = 200
    with Image.open(tmp_path / 'x.gif') as gif:
        for index, expected in enumerate((np.kron(small, np.ones((2, 2))), large, bars)):
            gif.seek(index)
            assert np.array_equal(np.asarray(gif.convert('L')), expected)


def test_bad_gif(tmp_path):
    with pytest.raises(ValueError, match=r'frames must hold at least one picture'):
        save_gif([], tmp_path / 'x.gif')
    with pytest.raises(ValueError, match=r'frame_ms must be at least 20, got 5'):
        save_gif([np.zeros((2, 2, 3), np.uint8)], tmp_path / 'x.gif', frame_ms=5)


def test_picked_evenly_with_both_ends():
    picked = pick_evenly(list(range(1000)), 60)
    assert (len(picked), picked[0], picked[-1]) == (60, 0, 999)
    assert {b - a for a, b in zip(picked, picked[1:], strict=False)} <= {16, 17}
    assert pick_evenly([1, 2, 3], 5) == [1, 2, 3]


def test_gif_with_a_longer_last_frame(tmp_path):
    frames = [np.full((4, 4, 3), (value, 0, 9), np.uint8) for value in (0, 255)]
    save_gif(frames, tmp_path / 'x.gif', frame_ms=100, last_frame_ms=2000)
    with Image.open(tmp_path / 'x.gif') as gif:
        durations = [gif.info['duration']]
        gif.seek(1)
        assert [*durations, gif.info['duration']] == [100, 2000]
