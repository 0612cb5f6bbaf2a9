import gzip
import hashlib
import pickle
import struct
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch

from mmgan_lite.datasets import FashionMNISTDataset, KMNISTDataset, MNISTDataset

DATASETS = [MNISTDataset, FashionMNISTDataset, KMNISTDataset]
TRAIN_IMAGES = np.arange(3 * 2 * 4, dtype=np.uint8).reshape(3, 2, 4)
TEST_IMAGES = np.full((2, 2, 4), 200, dtype=np.uint8)


def idx_bytes(array):
    """The idx format, written from its description: 0, 0, 8 (uint8), number of axes, lengths."""
    return struct.pack(f'>BBBB{array.ndim}I', 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


FILES = {
    'train-images-idx3-ubyte': idx_bytes(TRAIN_IMAGES),
    'train-labels-idx1-ubyte': idx_bytes(np.array([5, 0, 9], dtype=np.uint8)),
    't10k-images-idx3-ubyte': idx_bytes(TEST_IMAGES),
    't10k-labels-idx1-ubyte': idx_bytes(np.array([7, 2], dtype=np.uint8)),
}


def write_files(data_root, name='MNIST', files=FILES):
    raw_folder = data_root / name / 'raw'
    raw_folder.mkdir(parents=True)
    for file, content in files.items():
        (raw_folder / file).write_bytes(content)
    return raw_folder


def names_in(folder):
    """All that lies in a data root, except the lock files, which stay by design."""
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob('*')
        if path.is_file() and path.suffix != '.lock'
    )


@pytest.mark.parametrize('dataset_class', DATASETS)
def test_splits(dataset_class, tmp_path):
    write_files(tmp_path, dataset_class.torchvision_name)
    train = dataset_class(data_root=str(tmp_path), download=False)
    test = dataset_class(data_root=str(tmp_path), split='test', download=False)
    np.testing.assert_array_equal(train.images[:, 0].numpy(), TRAIN_IMAGES)
    assert train.labels.tolist() == [5, 0, 9]
    np.testing.assert_array_equal(test.images[:, 0].numpy(), TEST_IMAGES)
    assert test.labels.tolist() == [7, 2]
    assert len(train.metainfo['classes']) == 10
    assert pickle.loads(pickle.dumps(train))[2]['labels'] == 9


def test_torchvision_reads_the_same(tmp_path):
    reader = pytest.importorskip('torchvision.datasets').MNIST
    write_files(tmp_path)
    for split in ('train', 'test'):
        theirs = reader(tmp_path, train=split == 'train')
        ours = MNISTDataset(str(tmp_path), split)
        assert torch.equal(ours.images[:, 0], theirs.data)
        assert torch.equal(ours.labels, theirs.targets)


def test_unknown_split():
    with pytest.raises(ValueError, match=r"split must be 'train' or 'test', got 'val'\. Pass"):
        MNISTDataset(split='val')


def test_present_files_are_only_read(tmp_path):
    write_files(tmp_path)
    before = sorted(tmp_path.rglob('*'))
    for folder in (tmp_path, tmp_path / 'MNIST', tmp_path / 'MNIST' / 'raw'):
        folder.chmod(0o555)
    MNISTDataset(str(tmp_path))
    assert sorted(tmp_path.rglob('*')) == before
    for folder in (tmp_path, tmp_path / 'MNIST', tmp_path / 'MNIST' / 'raw'):
        folder.chmod(0o755)


def test_one_split_needs_only_its_own_files(tmp_path):
    write_files(tmp_path, files={k: v for k, v in FILES.items() if k.startswith('t10k')})
    assert len(MNISTDataset(str(tmp_path), split='test', download=False)) == 2


def test_absent_without_download(tmp_path):
    with pytest.raises(FileNotFoundError) as raised:
        MNISTDataset(str(tmp_path), split='test', download=False)
    assert str(raised.value) == (
        f"MNIST is not in '{tmp_path}/MNIST/raw', and download=False. "
        'Put t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte there, or use DigitsDataset, or pass '
        'download=True.'
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ('file', 'content', 'message'),
    [
        (
            'train-images-idx3-ubyte',
            FILES['train-images-idx3-ubyte'][:-1],
            # 16 bytes of header and 3 * 2 * 4 pixels
            'must have 40 bytes by its header, got 39. It is damaged: delete it',
        ),
        (
            'train-labels-idx1-ubyte',
            FILES['train-labels-idx1-ubyte'] + b'x',
            'must have 11 bytes by its header, got 12.',
        ),
        (
            'train-images-idx3-ubyte',
            gzip.compress(FILES['train-images-idx3-ubyte'], mtime=0),
            'must begin with the magic number 0x00000803, got 0x1f8b0800.',
        ),
        (
            'train-labels-idx1-ubyte',
            b'',
            'must begin with the magic number 0x00000801, got 0x00000000.',
        ),
        (
            'train-labels-idx1-ubyte',
            FILES['t10k-labels-idx1-ubyte'],
            "must have a label for each of the 3 images of 'train-images-idx3-ubyte', got 2.",
        ),
    ],
)
def test_damaged_file(file, content, message, tmp_path):
    write_files(tmp_path, files={**FILES, file: content})
    with pytest.raises(ValueError, match=file) as raised:
        MNISTDataset(str(tmp_path))
    assert message in str(raised.value)
    assert 'download=True' in str(raised.value)


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """A web server with the tiny files, as the only mirror of torchvision's MNIST."""
    datasets = pytest.importorskip('torchvision.datasets')
    folder = tmp_path / 'mirror'
    folder.mkdir()
    resources = []
    for name, content in FILES.items():
        packed = gzip.compress(content, mtime=0)
        (folder / f'{name}.gz').write_bytes(packed)
        resources.append((f'{name}.gz', hashlib.md5(packed).hexdigest()))

    class Handler(SimpleHTTPRequestHandler):
        requests = []

        def log_message(self, *args):
            self.requests.append(self.path)

    server = ThreadingHTTPServer(('127.0.0.1', 0), partial(Handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    monkeypatch.setattr(datasets.MNIST, 'mirrors', [f'http://127.0.0.1:{server.server_port}/'])
    monkeypatch.setattr(datasets.MNIST, 'resources', resources)
    # urllib would ask a proxy for 127.0.0.1 too, were one set.
    monkeypatch.setenv('no_proxy', '127.0.0.1')
    server.folder, server.requests = folder, Handler.requests
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_download_serves_both_splits(mirror, tmp_path):
    root = tmp_path / 'new' / 'data'
    assert MNISTDataset(str(root)).labels.tolist() == [5, 0, 9]
    num_requests = len(mirror.requests)
    assert MNISTDataset(str(root), split='test').labels.tolist() == [7, 2]
    assert len(mirror.requests) == num_requests
    assert names_in(root) == sorted(f'MNIST/raw/{name}' for name in [*FILES, 'SHA256SUMS'])


def test_a_download_that_was_altered_is_found_and_fetched_again(mirror, tmp_path):
    MNISTDataset(str(tmp_path / 'data'))
    path = tmp_path / 'data' / 'MNIST' / 'raw' / 'train-images-idx3-ubyte'
    content = bytearray(path.read_bytes())
    content[-1] ^= 1  # one bit of one pixel: header and size are right
    path.write_bytes(content)
    with pytest.raises(ValueError, match='got others for train-images-idx3-ubyte. Delete'):
        MNISTDataset(str(tmp_path / 'data'))
    assert len(MNISTDataset(str(tmp_path / 'data'), split='test')) == 2  # its own files are whole
    path.unlink()
    dataset = MNISTDataset(str(tmp_path / 'data'))
    assert np.array_equal(dataset.images[:, 0].numpy(), TRAIN_IMAGES)


def test_sums_are_those_of_the_sha256sum_command(mirror, tmp_path):
    MNISTDataset(str(tmp_path / 'data'))
    raw = tmp_path / 'data' / 'MNIST' / 'raw'
    lines = (raw / 'SHA256SUMS').read_text().splitlines()
    assert lines == [
        f'{hashlib.sha256(content).hexdigest()}  {name}' for name, content in sorted(FILES.items())
    ]


def test_a_file_as_long_as_the_original_must_be_the_original(tmp_path):
    labels = np.arange(10_000) % 10
    images = np.zeros((10_000, 28, 28), dtype=np.uint8)
    files = {
        't10k-images-idx3-ubyte': idx_bytes(images),
        't10k-labels-idx1-ubyte': idx_bytes(labels.astype(np.uint8)),
    }
    write_files(tmp_path, files=files)
    with pytest.raises(ValueError, match='must have the md5 sum of MNIST, ') as raised:
        MNISTDataset(str(tmp_path), split='test')
    assert 'pass its data to InMemoryImageDataset' in str(raised.value)
    write_files(tmp_path, 'KMNIST', files=files)  # without known checksums
    assert len(KMNISTDataset(str(tmp_path), split='test')) == 10_000


@pytest.mark.parametrize('dataset_class', DATASETS)
def test_files_added_by_the_user_are_compared_with_a_list(dataset_class, tmp_path):
    raw = write_files(tmp_path, dataset_class.torchvision_name)
    lines = [f'{hashlib.sha256(content).hexdigest()} *./{n}\n' for n, content in FILES.items()]
    (raw / 'SHA256SUMS').write_text(''.join(lines))
    assert dataset_class(str(tmp_path)).labels.tolist() == [5, 0, 9]
    changed = FILES['train-labels-idx1-ubyte'][:-1] + b'\x08'
    (raw / 'train-labels-idx1-ubyte').write_bytes(changed)
    with pytest.raises(ValueError, match='must have the checksums') as raised:
        dataset_class(str(tmp_path))
    assert str(raised.value) == (
        f"Files in '{raw}' must have the checksums in SHA256SUMS, got others for "
        'train-labels-idx1-ubyte. Delete them and load with download=True, or delete SHA256SUMS.'
    )
    (raw / 'SHA256SUMS').unlink()
    assert dataset_class(str(tmp_path)).labels.tolist() == [5, 0, 8]


def test_malformed_list(tmp_path):
    raw = write_files(tmp_path)
    (raw / 'SHA256SUMS').write_text('<html>404</html>\n')
    with pytest.raises(ValueError, match=r"Line 1 of '.*raw/SHA256SUMS' must be a sha256 .*404"):
        MNISTDataset(str(tmp_path))


def test_racing_loads_download_once(mirror, tmp_path):
    MNISTDataset(str(tmp_path / 'alone'))
    requests_of_one = len(mirror.requests)
    start = threading.Barrier(4)

    def load(split):
        start.wait()
        return len(MNISTDataset(str(tmp_path / 'raced'), split=split))

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(load, ['train', 'test'] * 2)) == [3, 2, 3, 2]
    assert len(mirror.requests) == 2 * requests_of_one


def test_racing_processes_download_once(mirror, tmp_path):
    MNISTDataset(str(tmp_path / 'alone'))
    requests_of_one = len(mirror.requests)
    mnist = pytest.importorskip('torchvision.datasets').MNIST
    code = (
        'from torchvision.datasets import MNIST\n'
        'from mmgan_lite.datasets import MNISTDataset\n'
        f'MNIST.mirrors, MNIST.resources = {mnist.mirrors!r}, {mnist.resources!r}\n'
        f'print(len(MNISTDataset({str(tmp_path / "raced")!r})))'
    )
    processes = [
        subprocess.Popen([sys.executable, '-c', code], stdout=subprocess.PIPE) for _ in range(2)
    ]
    # The last line: torchvision shows the progress of the download before it.
    assert [p.communicate()[0].split()[-1] for p in processes] == [b'3', b'3']
    assert len(mirror.requests) == 2 * requests_of_one


def test_download_keeps_files_that_are_there(mirror, tmp_path):
    own = idx_bytes(np.array([1, 1, 1], dtype=np.uint8))
    write_files(tmp_path / 'data', files={'train-labels-idx1-ubyte': own})
    assert MNISTDataset(str(tmp_path / 'data')).labels.tolist() == [1, 1, 1]


def corrupt(mirror):
    (mirror.folder / 't10k-labels-idx1-ubyte.gz').write_bytes(b'not what the md5 says')


def remove(mirror):
    (mirror.folder / 't10k-labels-idx1-ubyte.gz').unlink()


@pytest.mark.parametrize(
    ('fault', 'reason'),
    [
        (corrupt, 'File not found or corrupted'),
        (remove, 'Error downloading t10k-labels-idx1-ubyte.gz'),
    ],
)
def test_failed_download_leaves_nothing_behind(fault, reason, mirror, tmp_path):
    fault(mirror)
    root = tmp_path / 'data'
    with pytest.raises(FileNotFoundError) as raised:
        MNISTDataset(str(root))
    message = str(raised.value)
    assert f"MNIST is not in '{root}/MNIST/raw' and could not be downloaded" in message
    assert reason in message
    assert 'train-images-idx3-ubyte' in message
    assert message.endswith('or use DigitsDataset.')
    assert names_in(root) == []
    assert [path.suffix for path in root.iterdir()] in ([], ['.lock'])


def test_interrupted_download_leaves_nothing_behind(mirror, tmp_path, monkeypatch):
    from torchvision.datasets import MNIST

    def interrupt(self):
        Path(self.raw_folder).mkdir(parents=True)
        Path(self.raw_folder, 'train-images-idx3-ubyte').write_bytes(b'half')
        raise KeyboardInterrupt

    monkeypatch.setattr(MNIST, 'download', interrupt)
    root = tmp_path / 'data'
    with pytest.raises(KeyboardInterrupt):
        MNISTDataset(str(root))
    assert names_in(root) == []
    assert [path.suffix for path in root.iterdir()] in ([], ['.lock'])


def test_data_root_that_cannot_be_made(mirror, tmp_path):
    (tmp_path / 'file').write_text('in the way')
    with pytest.raises(FileNotFoundError, match=r'could not be downloaded \(\w+Error: '):
        MNISTDataset(str(tmp_path / 'file' / 'data'))


def find_real_mnist():
    for parent in Path(__file__).resolve().parents:
        if (parent / 'shared' / 'data' / 'MNIST' / 'raw').is_dir():
            return parent / 'shared' / 'data'
    return None


@pytest.mark.skipif(find_real_mnist() is None, reason='no shared/data/MNIST beside the repository')
def test_real_mnist():
    root = str(find_real_mnist())
    train = MNISTDataset(root, download=False)
    test = MNISTDataset(root, split='test', download=False)
    assert (len(train), len(test)) == (60_000, 10_000)
    assert train[0]['inputs'].shape == (1, 28, 28)
    # The well-known counts of the training digits.
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert torch.bincount(train.labels).tolist() == counts


def test_padding_is_black(tmp_path):
    write_files(tmp_path)
    padded = MNISTDataset(data_root=str(tmp_path), download=False, padding=2)
    expected = np.pad(TRAIN_IMAGES, ((0, 0), (2, 2), (2, 2)))
    np.testing.assert_array_equal(padded.images[:, 0].numpy(), expected)
    assert MNISTDataset(lazy_init=True, padding=2).image_shape == (1, 32, 32)
    assert MNISTDataset(lazy_init=True).image_shape == (1, 28, 28)
    with pytest.raises(ValueError, match=r'padding must be an int of at least 0, got -1'):
        MNISTDataset(lazy_init=True, padding=-1)
