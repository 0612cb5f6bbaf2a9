"""Which images are at a place, and their content."""

import io
import os
import pickle
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from mmgan_lite.datasets.image_files import describe_error
from mmgan_lite.datasets.image_listing import list_images

FORMATS = ['jpg', 'JPEG', 'jfif', 'jpe', 'png', 'PNG', 'webp', 'bmp', 'tif', 'tiff', 'gif']
FORMATS += ['ppm', 'pgm', 'jp2', 'avif', 'qoi', 'ico', 'tga']


def encode(value=0, format='PNG', size=(16, 16)):
    file = io.BytesIO()
    Image.new('RGB', size, (value,) * 3).save(file, format)
    return file.getvalue()


def write(folder, **contents):
    """Files by path; '__' stands for '/'."""
    for name, content in contents.items():
        path = folder / name.replace('__', '/')
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def zip_of(folder, path, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, 'w', compression) as archive:
        for file in folder.rglob('*'):
            archive.write(file, file.relative_to(folder))
    return path


@pytest.fixture
def found(tmp_path):
    """What people have in their folders: as many images as formats, and three, and other files."""
    folder = tmp_path / 'found'
    for number, extension in enumerate(FORMATS):
        path = folder / f'{number:02}.{extension}'
        path.parent.mkdir(exist_ok=True)
        format = 'JPEG' if extension in ('jfif', 'jpe') else None
        Image.new('RGB', (16, 16), (number,) * 3).save(path, format)
    (folder / 'not_a.txt').write_bytes(encode(100))
    (folder / 'no_extension').write_bytes(encode(101, 'JPEG'))
    (folder / 'wrong.jpg').write_bytes(encode(102, 'BMP'))
    others = ('Thumbs.db', 'desktop.ini', 'readme.txt', 'notes.TXT', 'photo.heic', 'Makefile')
    for name in others:
        (folder / name).write_text('no image')
    (folder / '.DS_Store').touch()
    (folder / '__MACOSX').mkdir()
    (folder / '__MACOSX' / '._0.jpg').touch()
    return folder


@pytest.mark.parametrize('is_zip', [False, True])
def test_every_format_by_its_content(found, is_zip, tmp_path):
    listing = list_images(zip_of(found, tmp_path / 'a.zip') if is_zip else found)
    names = [f'{n:02}.{ext}' for n, ext in enumerate(FORMATS)]
    assert listing.files.names() == sorted([*names, 'no_extension', 'not_a.txt', 'wrong.jpg'])
    assert not [header for header in listing.headers if isinstance(header, Exception)]
    kinds = {'.db': 1, '.ini': 1, '.txt': 2, '.heic': 1, 'without an extension': 1}
    assert {k: n for k, n in listing.left_out.items() if k != 'hidden'} == kinds
    assert listing.left_out['hidden'] == 2
    left_out = listing.describe_left_out(used=['readme.txt', 'absent.ini'])
    assert left_out.startswith('1 .db, 1 .heic, 1 .ini, 1 .txt, ')


@pytest.mark.parametrize('compression', [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_has_what_its_folder_has(tmp_path, compression):
    folder = write(tmp_path / 'a', b__1=encode(1), b__c__0=encode(2), z=encode(3), b__00=encode(4))
    path = zip_of(folder, tmp_path / 'a.zip', compression)
    files, zipped = list_images(folder).files, list_images(str(path)).files
    assert files.names() == zipped.names() == ['z', 'b/00', 'b/1', 'b/c/0']
    assert [files.read(i) for i in range(4)] == [zipped.read(i) for i in range(4)]
    assert [files.size(i) for i in range(4)] == [zipped.size(i) for i in range(4)]
    assert files.location(1) == f'{folder}/b/00'
    assert zipped.location(1) == f'{path}/b/00'
    # In threads at once, in another process, and of a part.
    with ThreadPoolExecutor(8) as pool:
        assert [*pool.map(zipped.read, [0, 1, 2, 3] * 50)] == [
            files.read(i) for i in [0, 1, 2, 3] * 50
        ]
    part = pickle.loads(pickle.dumps(zipped.select(np.array([3, 0]))))
    assert part.names() == ['b/c/0', 'z']
    assert part.read(1) == encode(3)


def test_pickles_hold_no_list_of_strings(tmp_path):
    write(tmp_path, **{f'{n:05}.png': encode() for n in range(200)})
    files = list_images(tmp_path).files
    assert len(pickle.dumps(files)) < 200 * len('00000.png') + 1000
    assert len(pickle.dumps(files.select(slice(2)))) < 1000


def test_other_files(tmp_path):
    folder = write(tmp_path / 'a', x=encode(), b__list=b'content')
    for path in (folder, zip_of(folder, tmp_path / 'a.zip')):
        files = list_images(path).files
        assert files.read_other('b/list') == b'content'
        assert files.read_other('c') is None


def test_links_are_followed_once(tmp_path):
    outside = write(tmp_path / 'outside', x=encode())
    folder = write(tmp_path / 'a', b__y=encode())
    (folder / 'b' / 'loop').symlink_to(folder)
    (folder / 'again').symlink_to(folder / 'b')
    (folder / 'more').symlink_to(outside)
    (folder / 'z').symlink_to(outside / 'x')  # of a file
    (folder / 'gone.png').symlink_to(tmp_path / 'nowhere')
    os.mkfifo(folder / 'pipe.png')
    listing = list_images(folder)
    assert listing.files.names() == ['gone.png', 'z', 'b/y', 'more/x']
    assert isinstance(listing.headers[0], FileNotFoundError)
    assert listing.left_out == {'linked twice': 2, 'special files': 1}
    assert listing.folders == ['again', 'b', 'more']


def test_a_file_with_the_name_of_an_image_is_kept_with_its_error(tmp_path):
    write(tmp_path, **{'a.png': b'text', 'b.gif': b'', 'c.jpg': encode(format='JPEG')[:20]})
    listing = list_images(tmp_path)
    assert [describe_error(header) for header in listing.headers] == ['no image'] * 3
    assert listing.left_out == {}


def test_a_truncated_zip_entry(tmp_path):
    path = zip_of(write(tmp_path / 'a', x=encode(), y=encode(1)), tmp_path / 'a.zip')
    files = list_images(path).files
    content = bytearray(path.read_bytes())
    content[45] ^= 255
    path.write_bytes(content)
    errors = 0
    for position in range(2):
        try:
            files.read(position)
        except Exception:
            errors += 1
    assert errors == 1


def lock(path):
    """Set the flag of encryption in all directory entries."""
    content = path.read_bytes()
    at = content.find(b'PK\x01\x02')
    path.write_bytes(content[: at + 8] + bytes([content[at + 8] | 1]) + content[at + 9 :])


def test_zips_that_cannot_be_read(tmp_path):
    folder = write(tmp_path / 'a', **{'x.png': encode()})
    path = zip_of(folder, tmp_path / 'a.zip')
    lock(path)
    with pytest.raises(ValueError, match=r'must have no password, got 1 files .*\(x\.png\)'):
        list_images(path)
    path = zip_of(folder, tmp_path / 'a.zip', zipfile.ZIP_BZIP2)
    with pytest.raises(ValueError, match=r'must be stored or deflated, got 1 .*\(x\.png\)'):
        list_images(path)
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(ValueError, match=r'zip that can be read, got BadZipFile: .*write the zip'):
        list_images(path)
    with pytest.raises(ValueError, match="x.png' must be a folder, or a zip that can be read"):
        list_images(folder / 'x.png')
    with pytest.raises(FileNotFoundError, match="at '.*nowhere', got nothing"):
        list_images(tmp_path / 'nowhere')
