"""Picking and packing of pictures."""

import base64
import io

import numpy as np
from PIL import Image

from mmgan_lite.visualization import page_images


def read(path):
    """Mode and pixels of what the page holds."""
    head, _, body = page_images.read_image(path, []).partition(',')
    assert head == 'data:image/png;base64'
    with Image.open(io.BytesIO(base64.b64decode(body))) as image:
        return image.mode, np.array(image)


def test_pixels_stay_and_gray_is_gray(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (6, 5, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / 'color.png')
    mode, found = read(tmp_path / 'color.png')
    assert mode == 'RGB'
    np.testing.assert_array_equal(found, noise)
    Image.fromarray(np.repeat(noise[:, :, :1], 3, axis=2)).save(tmp_path / 'gray.png')
    mode, found = read(tmp_path / 'gray.png')
    assert mode == 'L'
    np.testing.assert_array_equal(found, noise[:, :, 0])


def test_large_pictures_shrink_in_proportion(tmp_path):
    Image.new('RGB', (3000, 1500), (1, 2, 3)).save(tmp_path / 'large.png')
    _, found = read(tmp_path / 'large.png')
    assert found.shape == (512, 1024, 3)


def test_what_is_no_picture_is_left_out(tmp_path):
    (tmp_path / 'x.png').write_bytes(b'\x89PNG\r\n\x1a\n half')
    (tmp_path / 'y.png').write_text('<svg onload="alert(1)"/>')
    for name in ('x.png', 'y.png', 'gone.png'):
        notes = []
        assert page_images.read_image(tmp_path / name, notes) == ''
        assert notes == [f'{name} is not a complete image and was left out.']


def test_broken_grids_are_in_the_notes(work_dir):
    work_dir.grids(0, 100, 200)
    paths = {i: work_dir.path / 'samples' / f'samples_iter-{i:08d}.png' for i in (0, 100, 200)}
    paths[100].write_bytes(paths[100].read_bytes()[:40])
    notes = []
    assert list(page_images.read_grids(paths, notes)) == [0, 200]
    assert notes == ['samples_iter-00000100.png is not a complete image and was left out.']


def test_a_page_has_a_limit(work_dir, monkeypatch):
    iterations = range(0, 7000, 100)
    work_dir.grids(*iterations)
    paths = {i: work_dir.path / 'samples' / f'samples_iter-{i:08d}.png' for i in iterations}
    notes = []
    uris = page_images.read_grids(paths, notes)
    assert (len(uris), min(uris), max(uris)) == (60, 0, 6900)
    assert notes == ['Grids of samples shown, evenly picked: 60 of 70.']
    monkeypatch.setattr(page_images, 'MAX_BYTES', sum(map(len, uris.values())) // 10)
    notes = []
    fewer = page_images.read_grids(paths, notes)
    assert len(fewer) in (5, 6)
    assert (min(fewer), max(fewer)) == (0, 6900)
    assert sum(map(len, fewer.values())) <= page_images.MAX_BYTES * 1.05
    assert notes == [f'Grids of samples shown, evenly picked: {len(fewer)} of 70.']
