"""Images in four forms, for scores."""

import os
import zipfile

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from mmgan_lite.datasets import (
    ImageFolderDataset,
    InMemoryImageDataset,
    open_images,
    pack_images,
)

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 4, 6, 3), dtype=np.uint8)


@pytest.fixture
def warnings(monkeypatch):
    found = []
    monkeypatch.setattr('mmgan_lite.datasets.image_source._warn', found.append)
    return found


def write_folder(folder, images=IMAGES):
    """PNG files, some of them deeper than others."""
    for number, image in enumerate(images):
        path = folder / ('a/b' if number > 2 else '.') / f'{number}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    return folder


def write_zip(path, images=IMAGES):
    folder = write_folder(path.with_suffix(''), images)
    with zipfile.ZipFile(path, 'w') as archive:
        for file in folder.rglob('*'):  # folders have an entry too
            archive.write(file, os.path.join('deep', file.relative_to(folder)))
    return path


def write_npz(path, key='images', is_last=True, images=IMAGES):
    np.savez(path, **{key: images if is_last else images.transpose(0, 3, 1, 2)})
    return path


def write_packed(path, images=IMAGES):
    pack_images(InMemoryImageDataset(images.transpose(0, 3, 1, 2)), path)
    return path


def read(source, channels=3):
    return [image for batch in source.batches(channels) for image in batch]


@pytest.mark.parametrize(
    'write',
    [
        lambda folder: write_folder(folder / 'images'),
        lambda folder: write_zip(folder / 'images.ZIP'),
        lambda folder: write_npz(folder / 'images.npz'),
        lambda folder: write_npz(folder / 'images.npz', is_last=False),
        lambda folder: write_npz(folder / 'images.npz', key='photos'),
        lambda folder: write_packed(folder / 'images'),
    ],
    ids=['folder', 'zip', 'npz', 'npz with channels first', 'npz of one array', 'packed'],
)
def test_each_form_gives_the_pixels(write, tmp_path, warnings):
    source = open_images(str(write(tmp_path)))
    assert len(source) == 5
    assert not source.is_gray
    expected = torch.from_numpy(IMAGES).permute(0, 3, 1, 2)
    assert torch.equal(torch.stack(read(source)), expected)
    assert warnings == []


def test_known_arrays_come_before_others(tmp_path):
    path = tmp_path / 'images.npz'
    np.savez(path, mu=np.zeros(3), arr_0=IMAGES)
    assert len(open_images(path)) == 5
    np.savez(path, arr_0=np.zeros(3), images=IMAGES)
    assert len(open_images(path)) == 5


def test_more_images_than_a_batch(tmp_path):
    images = np.arange(150, dtype=np.uint8)[:, None, None, None]
    source = open_images(write_npz(tmp_path / 'images.npz', images=images))
    assert [image.item() for image in read(source, 1)] == list(range(150))


def test_16_bits_are_rounded_to_8(tmp_path):
    deep = np.array([0, 128, 129, 65535], np.uint16).reshape(2, 1, 2, 1).repeat(3, 3)
    (tmp_path / 'files').mkdir()
    for number, image in enumerate(deep):
        cv2.imwrite(str(tmp_path / 'files' / f'{number}.png'), image)
    cv2.imwrite(str(tmp_path / 'files' / '2.png'), np.full((1, 2, 3), 7, np.uint8))
    dataset = ImageFolderDataset(tmp_path / 'files', bit_depth=16, indices=2)
    pack_images(dataset, tmp_path / 'packed')
    write_npz(tmp_path / 'a.npz', images=deep)
    for name in ('files', 'packed', 'a.npz'):
        source = open_images(tmp_path / name)
        assert source.has_16_bits
        images = torch.stack(read(source)[:2])
        assert images.dtype == torch.uint8
        assert images[:, :, 0].tolist() == [[[0, 0]] * 3, [[1, 255]] * 3]
    assert not open_images(write_npz(tmp_path / 'b.npz')).has_16_bits
    (tmp_path / 'gray').mkdir()
    Image.fromarray(deep[0, :, :, 0]).save(tmp_path / 'gray' / 'a.png')
    assert open_images(tmp_path / 'gray').is_gray


def test_gray_and_color(tmp_path):
    red = np.zeros((2, 4, 6, 3), np.uint8)
    red[..., 0] = 200
    color = open_images(write_folder(tmp_path / 'color', red))
    # Luma of ITU-R 601-2: 0.299 of red.
    assert {int(p) for image in read(color, 1) for p in image.unique()} == {60}
    gray = open_images(write_folder(tmp_path / 'gray', red[..., 0]))
    assert gray.is_gray
    assert not color.is_gray
    image = read(gray, 3)[0]
    assert image.shape == (3, 4, 6)
    assert bool((image == 200).all())
    Image.fromarray(red[0]).save(tmp_path / 'gray' / 'color.png')
    assert not open_images(tmp_path / 'gray').is_gray
    assert open_images(write_npz(tmp_path / 'gray.npz', images=red[..., :1])).is_gray


def test_transparent_images_are_on_white(tmp_path):
    rgba = np.zeros((2, 4, 6, 4), np.uint8)
    rgba[0, ..., 0], rgba[0, ..., 3] = 255, 51  # red of a fifth: 255, 204, 204
    sources = [
        open_images(write_folder(tmp_path / 'files', rgba)),
        open_images(write_npz(tmp_path / 'images.npz', images=rgba)),
    ]
    for source in sources:
        colors = [image[:, 0, 0].tolist() for image in read(source)]
        assert colors == [[255, 204, 204], [255, 255, 255]]


def test_channels_that_are_asked_for(tmp_path, warnings):
    rgba = write_npz(tmp_path / 'a.npz', images=np.full((2, 4, 6, 4), 51, np.uint8))
    assert [image[:, 0, 0].tolist() for image in read(open_images(rgba), 4)] == [[51] * 4] * 2
    files = write_folder(tmp_path / 'files')  # which are RGB
    assert read(open_images(files), 4)[0][3].unique().tolist() == [255]
    bands = write_packed(tmp_path / 'bands', np.full((2, 4, 6, 5), 7, np.uint8))
    assert torch.stack(read(open_images(bands), 5)).shape == (2, 5, 4, 6)
    assert read(open_images(bands), 3) == []
    (message,) = warnings
    assert '2 of 2: 0 (its channels are 5, not 3), 1 (' in message


def test_sizes_and_orientation_are_kept(tmp_path):
    write_folder(tmp_path)
    exif = Image.Exif()
    exif[0x0112] = 6  # is to be rotated by 90 degrees
    Image.fromarray(IMAGES[0]).save(tmp_path / '9.jpg', exif=exif)
    shapes = [tuple(image.shape) for image in read(open_images(tmp_path))]
    assert shapes == [(3, 4, 6)] * 3 + [(3, 6, 4)] + [(3, 4, 6)] * 2


def test_other_files_are_counted_by_kind(tmp_path, warnings):
    write_folder(tmp_path)
    for name in ('a/b/x.TXT', 'y.txt', 'LICENSE', 'a/.b.png', '.c/d.png', 'grid.png'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert len(read(open_images(tmp_path))) == 5
    assert warnings == [
        f"'{tmp_path}': files that are no images to score are left out: 2 .txt, "
        '1 grid.png of mmgan-lite sample, 2 hidden, 1 without an extension.'
    ]


@pytest.mark.parametrize('is_zip', [False, True])
def test_unreadable_images_are_counted_and_named(is_zip, tmp_path, warnings):
    path = write_folder(tmp_path / 'images')
    complete = (path / '0.png').read_bytes()
    (path / '5.png').write_text('no image')
    (path / '6.png').write_bytes(complete[: len(complete) * 2 // 3])
    Image.fromarray(np.zeros((4, 6), np.float32)).save(path / '7.tiff')
    (path / '8.png').touch()
    if is_zip:
        with zipfile.ZipFile(tmp_path / 'images.zip', 'w') as archive:
            for file in sorted(path.rglob('*.*')):
                archive.write(file, file.name)
        path = tmp_path / 'images.zip'
    source = open_images(path)
    assert warnings == []
    assert len(read(source)) == 5
    (message,) = warnings
    start = f"'{path}': images that cannot be read are left out, 4 of 9: 5.png (no image), 6.png ("
    assert message.startswith(start)
    assert '7.tiff (32 bits per channel), ...' in message


def test_folder_without_permission(tmp_path, monkeypatch):
    write_folder(tmp_path)
    scandir = os.scandir

    def refuse(path):  # root may read everything, so the system itself would not
        if str(path).endswith('b'):
            raise PermissionError(13, 'Permission denied', str(path))
        return scandir(path)

    monkeypatch.setattr(os, 'scandir', refuse)
    with pytest.raises(
        ValueError, match=r'must be a folder that can be read.*Permission denied: .*a/b.*Change its'
    ):
        open_images(tmp_path)


def touch(path):
    path.touch()
    return path


def save(path, **arrays):
    np.savez(path, **arrays)
    return path


def folder_of(folder, *names):
    folder.mkdir()
    for name in names:
        (folder / name).touch()
    return folder


@pytest.mark.parametrize(
    ('write', 'message'),
    [
        (lambda path: folder_of(path), r'must hold images, got 0\. Pass a folder'),
        (lambda path: folder_of(path, 'a.txt'), r'got 0, and other files: 1 \.txt\. Pass'),
        (
            lambda path: folder_of(path, 'a.png', 'b.png'),
            r'got 2 that cannot be read: a\.png \(no image\), b',
        ),
        (lambda path: touch(path.with_suffix('.tar')), 'must be a folder of images, a .zip'),
        (lambda path: touch(path.with_suffix('.zip')), 'or a zip that can be read, got Bad'),
        (lambda path: touch(path.with_suffix('.npz')), 'must be an .npz that can be read, got Bad'),
        (
            lambda path: save(path.with_suffix('.npz'), images=np.array([{}])),
            'must be an .npz that can be read, got ValueError: Object arrays',
        ),
        (
            lambda path: save(path.with_suffix('.npz'), mu=np.zeros(3), sigma=np.zeros(3)),
            "must hold an array 'images' or 'arr_0', or a single one, got mu, sigma",
        ),
        (lambda path: save(path.with_suffix('.npz')), 'or a single one, got none'),
        (
            lambda path: save(path.with_suffix('.npz'), images=IMAGES / 255),
            r'must hold images, uint8 .* got float64 of shape \(5, 4, 6, 3\)\. Scale',
        ),
        (
            lambda path: save(path.with_suffix('.npz'), images=IMAGES[..., 0]),
            r'got uint8 of shape \(5, 4, 6\)\..* add the channel',
        ),
        (
            lambda path: save(path.with_suffix('.npz'), images=np.zeros((5, 9, 6, 7), np.uint8)),
            r'got uint8 of shape \(5, 9, 6, 7\)',
        ),
        (
            lambda path: save(path.with_suffix('.npz'), images=IMAGES[:0]),
            r'got uint8 of shape \(0, 4, 6, 3\)',
        ),
    ],
)
def test_what_holds_no_images(write, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        open_images(write(tmp_path / 'images'))


def test_nothing_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"There must be images at '.*no', got nothing"):
        open_images(tmp_path / 'no')
