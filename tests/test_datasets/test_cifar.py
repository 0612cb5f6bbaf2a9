"""CIFAR from tiny files in its format: pickled dicts, as its page describes them."""

import hashlib
import io
import pickle
import tarfile
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from mmgan_lite.datasets import CIFAR10Dataset, CIFAR100Dataset

DATASETS = [CIFAR10Dataset, CIFAR100Dataset]


def image_rows(first, num=2):
    """Images as rows of 3072 bytes: all of red, then green, then blue, each row by row.

    Each pixel tells its image, and its channel, row and column modulo 8.
    """
    number, channel, row, column = np.ogrid[first : first + num, 0:3, 0:32, 0:32]
    pixels = 8 * number + 64 * channel + row % 8 + column // 8
    return pixels.astype(np.uint8).reshape(num, 3072)


def pickled(**entries):
    return pickle.dumps(entries, protocol=2)


FILES = {
    CIFAR10Dataset: {
        **{
            f'data_batch_{i}': pickled(data=image_rows(2 * i), labels=[i, 9 - i])
            for i in range(1, 6)
        },
        'test_batch': pickled(data=image_rows(0), labels=[7, 7]),
        'batches.meta': pickled(label_names=['x'] * 10),
    },
    CIFAR100Dataset: {
        'train': pickled(data=image_rows(3, 3), fine_labels=[99, 0, 42], coarse_labels=[1, 1, 1]),
        'test': pickled(data=image_rows(0), fine_labels=[7, 8], coarse_labels=[1, 1]),
        'meta': pickled(fine_label_names=['x'] * 100),
    },
}


@pytest.fixture(autouse=True)
def sums(monkeypatch):
    """torchvision expects the tiny files."""
    datasets = pytest.importorskip('torchvision.datasets')
    for ours, files in FILES.items():
        theirs = getattr(datasets, ours.torchvision_name)
        md5 = {name: hashlib.md5(content).hexdigest() for name, content in files.items()}
        for split in ('train_list', 'test_list'):
            names = [name for name, _ in getattr(theirs, split)]
            monkeypatch.setattr(theirs, split, [[name, md5[name]] for name in names])
        meta = theirs.meta['filename']
        monkeypatch.setattr(theirs, 'meta', {**theirs.meta, 'md5': md5[meta]})


def write_files(data_root, dataset_class=CIFAR10Dataset, **replaced):
    folder = Path(data_root) / dataset_class.folder
    folder.mkdir(parents=True)
    for name, content in {**FILES[dataset_class], **replaced}.items():
        (folder / name).write_bytes(content)
    return folder


def names_in(folder):
    """All that lies in a data root, except the lock files, which stay by design."""
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob('*')
        if path.is_file() and path.suffix != '.lock'
    )


def test_splits(tmp_path):
    write_files(tmp_path)
    train = CIFAR10Dataset(str(tmp_path), download=False)
    test = CIFAR10Dataset(str(tmp_path), split='test', download=False)
    assert train.images.shape == (10, 3, 32, 32)
    assert train.labels.tolist() == [1, 8, 2, 7, 3, 6, 4, 5, 5, 4]
    assert test.labels.tolist() == [7, 7]
    # The third image is the first of the second file, number 4: green, row 9, column 17.
    assert int(train.images[2, 1, 9, 17]) == 8 * 4 + 64 + 1 + 2
    assert pickle.loads(pickle.dumps(train))[9]['labels'] == 4


def test_fine_labels_of_a_hundred(tmp_path):
    write_files(tmp_path, CIFAR100Dataset)
    dataset = CIFAR100Dataset(str(tmp_path), download=False)
    assert dataset.labels.tolist() == [99, 0, 42]
    assert int(dataset.images[1, 2, 8, 0]) == 8 * 4 + 128


def test_classes():
    names = CIFAR10Dataset(lazy_init=True).metainfo['classes']
    assert len(names) == len(set(names)) == 10
    # Both sets number their classes in the alphabet's order.
    assert list(names) == sorted(names)
    names = CIFAR100Dataset(lazy_init=True).metainfo['classes']
    assert len(names) == len(set(names)) == 100
    assert list(names) == sorted(names)


def test_unknown_split():
    with pytest.raises(ValueError, match=r"split must be .*, got 'val'\. Pass 'train'"):
        CIFAR10Dataset(split='val')


def test_present_files_are_only_read(tmp_path):
    folder = write_files(tmp_path)
    before = sorted(tmp_path.rglob('*'))
    for path in (tmp_path, folder):
        path.chmod(0o555)
    CIFAR10Dataset(str(tmp_path))
    assert sorted(tmp_path.rglob('*')) == before
    for path in (tmp_path, folder):
        path.chmod(0o755)


def test_absent_without_download(tmp_path):
    with pytest.raises(FileNotFoundError) as raised:
        CIFAR100Dataset(str(tmp_path), download=False)
    assert str(raised.value) == (
        f"CIFAR100 is not in '{tmp_path}/cifar-100-python', and download=False. "
        'Put train, test, meta there, or use DigitsDataset, or pass download=True.'
    )


@pytest.mark.parametrize('split', ['train', 'test'])
def test_damaged_files_are_named_and_not_unpickled(split, tmp_path):
    class Harmful:
        def __reduce__(self):
            return exec, ('raise SystemExit',)

    replaced = {'data_batch_2': pickle.dumps(Harmful()), 'batches.meta': b''}
    folder = write_files(tmp_path, **replaced)
    with pytest.raises(ValueError, match='must have the md5 sums') as raised:
        CIFAR10Dataset(str(tmp_path), split=split)
    assert str(raised.value) == (
        f"The files in '{folder}' must have the md5 sums of CIFAR10, got others for data_batch_2, "
        'batches.meta. Delete these, and load with download=True.'
    )


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """A web server with the archives, where torchvision downloads them."""
    datasets = pytest.importorskip('torchvision.datasets')
    folder = tmp_path / 'mirror'
    folder.mkdir()

    class Handler(SimpleHTTPRequestHandler):
        requests = []

        def log_message(self, *args):
            self.requests.append(self.path)

    server = ThreadingHTTPServer(('127.0.0.1', 0), partial(Handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    for ours, files in FILES.items():
        theirs = getattr(datasets, ours.torchvision_name)
        with tarfile.open(folder / theirs.filename, 'w:gz') as archive:
            for name, content in {**files, 'readme.html': b'of no use'}.items():
                info = tarfile.TarInfo(f'{ours.folder}/{name}')
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        md5 = hashlib.md5((folder / theirs.filename).read_bytes()).hexdigest()
        monkeypatch.setattr(theirs, 'tgz_md5', md5)
        address = f'http://127.0.0.1:{server.server_port}/{theirs.filename}'
        monkeypatch.setattr(theirs, 'url', address)
    # urllib would ask a proxy for 127.0.0.1 too, were one set.
    monkeypatch.setenv('no_proxy', '127.0.0.1')
    server.folder, server.requests = folder, Handler.requests
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize('dataset_class', DATASETS)
def test_download_serves_both_splits(dataset_class, mirror, tmp_path):
    root = tmp_path / 'new' / 'data'
    train = dataset_class(str(root))
    num_requests = len(mirror.requests)
    assert num_requests > 0
    test = dataset_class(str(root), split='test')
    assert len(mirror.requests) == num_requests
    assert len(train) > len(test) == 2
    # Neither the archive nor what else is in it.
    assert names_in(root) == sorted(f'{dataset_class.folder}/{n}' for n in FILES[dataset_class])


def test_racing_loads_download_once(mirror, tmp_path):
    CIFAR10Dataset(str(tmp_path / 'alone'))
    requests_of_one = len(mirror.requests)
    start = threading.Barrier(4)

    def load(split):
        start.wait()
        return len(CIFAR10Dataset(str(tmp_path / 'raced'), split=split))

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(load, ['train', 'test'] * 2)) == [10, 2, 10, 2]
    assert len(mirror.requests) == 2 * requests_of_one


def test_a_deleted_file_is_fetched_again(mirror, tmp_path):
    folder = write_files(tmp_path / 'data')
    (folder / 'data_batch_3').unlink()
    assert len(CIFAR10Dataset(str(tmp_path / 'data'))) == 10
    assert mirror.requests


def corrupt(mirror):
    (mirror.folder / 'cifar-10-python.tar.gz').write_bytes(b'not what the md5 says')


def remove(mirror):
    (mirror.folder / 'cifar-10-python.tar.gz').unlink()


@pytest.mark.parametrize(
    ('fault', 'reason'), [(corrupt, 'File not found or corrupted'), (remove, '404')]
)
def test_failed_download_leaves_nothing_behind(fault, reason, mirror, tmp_path):
    fault(mirror)
    root = tmp_path / 'data'
    with pytest.raises(FileNotFoundError) as raised:
        CIFAR10Dataset(str(root))
    message = str(raised.value)
    assert f"CIFAR10 is not in '{root}/cifar-10-batches-py' and could not be downloaded" in message
    assert reason in message
    assert message.endswith('test_batch, batches.meta there, or use DigitsDataset.')
    assert names_in(root) == []
    assert [path.suffix for path in root.iterdir()] in ([], ['.lock'])


def test_base_config_loads(repo, tmp_path):
    write_files(tmp_path)
    init_default_scope('mmgan_lite')
    cfg = Config.fromfile(repo / 'configs/_base_/datasets/cifar10_32x32.py').train_dataloader
    cfg.dataset.data_root = str(tmp_path)
    cfg.batch_size = 4
    batch = next(iter(Runner.build_dataloader(cfg, seed=0)))
    assert batch['inputs'].shape == (4, 3, 32, 32)
    assert batch['labels'].dtype == torch.int64
