"""Tiny archives of a server on this machine."""

import hashlib
import io
import tarfile
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from PIL import Image

from mmgan_lite.datasets import PairedImageDataset, UnpairedImageDataset
from mmgan_lite.datasets import translation_archives as archives
from mmgan_lite.datasets.translation_archives import download_archive

PAIRED, UNPAIRED = 'pix2pix/datasets/facades.tar.gz', 'cyclegan/datasets/horse2zebra.zip'


def picture():
    file = io.BytesIO()
    Image.new('RGB', (8, 4)).save(file, 'JPEG')
    return file.getvalue()


def write_tar(path, names, link=None):
    with tarfile.open(path, 'w:gz') as archive:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = len(picture())
            archive.addfile(info, io.BytesIO(picture()))
        if link:
            info = tarfile.TarInfo('facades/link')
            info.type, info.linkname = tarfile.SYMTYPE, link
            archive.addfile(info)


def write_zip(path, names):
    with zipfile.ZipFile(path, 'w') as archive:
        for name in names:
            archive.writestr(name, picture())


@pytest.fixture
def server(tmp_path, monkeypatch):
    folder = tmp_path / 'server'
    for path in (PAIRED, UNPAIRED):
        (folder / path).parent.mkdir(parents=True)
    write_tar(folder / PAIRED, [f'facades/{part}/1.jpg' for part in ('train', 'val', 'test')])
    parts = ('trainA', 'trainB', 'testA', 'testB')
    write_zip(folder / UNPAIRED, [f'horse2zebra/{part}/{part}.jpg' for part in parts])

    class Handler(SimpleHTTPRequestHandler):
        requests, claimed = [], 0

        def log_message(self, *args):
            self.requests.append(self.path)

        def send_header(self, name, value):
            if name == 'Content-Length':
                value = str(int(value) + self.claimed)
            super().send_header(name, value)

    server = ThreadingHTTPServer(('127.0.0.1', 0), partial(Handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    address = f'http://127.0.0.1:{server.server_port}'
    monkeypatch.setattr(archives, 'SERVERS', (f'{address}/elsewhere', address))
    # urllib would ask a proxy for 127.0.0.1 too, were one set.
    monkeypatch.setenv('no_proxy', '127.0.0.1')
    server.folder, server.handler = folder, Handler
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def left_in(root):
    return sorted(path.name for path in root.iterdir() if path.suffix != '.lock')


def test_pairs(server, tmp_path):
    shown = []
    root = tmp_path / 'new' / 'data'
    found = download_archive('facades', root, lambda *counts: shown.append(counts))
    content = (server.folder / PAIRED).read_bytes()
    assert found == (root / 'facades', hashlib.sha256(content).hexdigest())
    assert shown == [(len(content), len(content))]
    assert left_in(root) == ['facades']
    assert len(PairedImageDataset(root / 'facades' / 'train', direction='b2a')) == 1
    # The first server does not have it.
    assert server.handler.requests[-1] == f'/{PAIRED}'
    assert f'/elsewhere/{PAIRED}' in server.handler.requests


def test_two_folders(server, tmp_path):
    folder, _ = download_archive('horse2zebra', tmp_path)
    assert len(UnpairedImageDataset(folder, 'trainA', 'trainB')) == 1


def test_what_is_there_is_not_downloaded(server, tmp_path):
    (tmp_path / 'facades').mkdir()
    assert download_archive('facades', tmp_path) == (tmp_path / 'facades', None)
    assert server.handler.requests == []


def test_leftovers_of_a_killed_process_are_removed(server, tmp_path):
    root = tmp_path / 'data'
    (root / '.download-facades-abc').mkdir(parents=True)
    download_archive('facades', root)
    assert left_in(root) == ['facades']


def test_a_download_that_is_cut_off_leaves_nothing(server, tmp_path, monkeypatch):
    root = tmp_path / 'data'
    monkeypatch.setattr(server.handler, 'claimed', 1000)
    with pytest.raises(FileNotFoundError, match=r"facades' is not there and pix2pix/.* bytes\)\. "):
        download_archive('facades', root)
    assert left_in(root) == []


def test_an_interruption_leaves_nothing(server, tmp_path):
    def interrupt(*counts):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download_archive('facades', tmp_path / 'data', interrupt)
    assert left_in(tmp_path / 'data') == []


def test_no_server(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, 'SERVERS', ('http://127.0.0.1:1',))
    monkeypatch.setenv('no_proxy', '127.0.0.1')
    with pytest.raises(FileNotFoundError, match=r'http://127\.0\.0\.1:1: URLError: .* another way'):
        download_archive('maps', tmp_path)


@pytest.mark.parametrize('outside', ['../evil.jpg', '/tmp/evil.jpg', 'facades/../../evil.jpg'])
def test_nothing_is_unpacked_outside(server, tmp_path, outside):
    root = tmp_path / 'data'
    inside = [f'horse2zebra/{part}/1.jpg' for part in ('trainA', 'trainB', 'testA', 'testB')]
    write_zip(server.folder / UNPAIRED, [*inside, outside])
    with pytest.raises(ValueError, match='would lie outside of its folder. Download it again'):
        download_archive('horse2zebra', root)
    if outside.startswith('/'):
        return  # tarfile makes it relative
    write_tar(server.folder / PAIRED, ['facades/train/1.jpg', 'facades/val/1.jpg', outside])
    with pytest.raises(ValueError, match='OutsideDestinationError'):
        download_archive('facades', root)
    assert left_in(root) == []
    assert not [*tmp_path.rglob('evil.jpg')]


def test_links_that_lead_outside(server, tmp_path):
    write_tar(server.folder / PAIRED, ['facades/train/1.jpg', 'facades/val/1.jpg'], '/etc')
    with pytest.raises(ValueError, match='AbsoluteLinkError'):
        download_archive('facades', tmp_path / 'data')
    assert left_in(tmp_path / 'data') == []


def test_what_is_no_archive(server, tmp_path):
    for path, name in ((PAIRED, 'facades'), (UNPAIRED, 'horse2zebra')):
        (server.folder / path).write_bytes(b'<html>' * 100)
        with pytest.raises(ValueError, match=rf'archive of {name} must be complete, .* again\.'):
            download_archive(name, tmp_path / 'data')
    write_tar(server.folder / PAIRED, ['facades/train/1.jpg'])
    with pytest.raises(ValueError, match=r'folders train, val in facades, got none named val\.'):
        download_archive('facades', tmp_path / 'data')
    assert left_in(tmp_path / 'data') == []


def test_unknown_name(tmp_path):
    with pytest.raises(ValueError, match="name must be one of 'facades', .* got 'facade'"):
        download_archive('facade', tmp_path)


def test_addresses_are_those_that_the_authors_published():
    published = {f'{archives.SERVERS[1]}/{path}' for path, _ in archives.ARCHIVES.values()}
    root = 'http://efrosgans.eecs.berkeley.edu'
    assert published == {
        *(f'{root}/pix2pix/datasets/{n}.tar.gz' for n in ('facades', 'maps', 'edges2shoes')),
        *(f'{root}/cyclegan/datasets/{n}.zip' for n in ('horse2zebra', 'summer2winter_yosemite')),
    }
