"""200 damaged data files and checkpoints: a clear error or the right answer.

What is right where a format has no checksum: an idx file, a JPEG and a file of weights do not tell
one pixel, or one weight, from another. There the answer is what the bytes say, held here against an
independent reading of them, and it is counted as 'as told'. Everything else is an error that names
the file, or is equal to what the undamaged file gave.
"""

import hashlib
import importlib.util
import struct
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.runner import CheckpointLoader
from PIL import Image
from torch import nn

import mmgan_lite
from mmgan_lite.checkpoints import read_checkpoint, use_safe_loader
from mmgan_lite.datasets import (
    ImageFolderDataset,
    InMemoryImageDataset,
    MNISTDataset,
    PackedImageDataset,
    pack_images,
)
from mmgan_lite.evaluation import ModuleExtractor
from mmgan_lite.evaluation.cache import FeatureCache
from mmgan_lite.evaluation.extraction import extract
from mmgan_lite.evaluation.extractors import MNISTClassifier
from mmgan_lite.evaluation.extractors.mnist_classifier import WEIGHTS

_spec = importlib.util.spec_from_file_location(
    'mutations', Path(__file__).with_name('mutations.py')
)
mutations = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(mutations)

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 3, 8, 8), dtype=np.uint8)
LABELS = [0, 1, 2, 0, 1, 2]
IN_QUICK_TEST = 33


class Case:
    """A file that something reads.

    Attributes:
        path: The file.
        read: Reads it, and gives an array, or a dict of them.
        told: What its bytes say by an independent reading, where they have no checksum.
    """

    def __init__(self, path, read, told=None):
        self.path, self.read, self.told = path, read, told


def write_idx(folder):
    raw = folder / 'MNIST' / 'raw'
    raw.mkdir(parents=True)
    images = IMAGES[:, 0].repeat(2, 1)
    header = struct.pack('>4I', 0x803, *images.shape)
    (raw / 'train-images-idx3-ubyte').write_bytes(header + images.tobytes())
    header = struct.pack('>2I', 0x801, len(LABELS))
    (raw / 'train-labels-idx1-ubyte').write_bytes(header + bytes(LABELS))
    return raw


def idx_images(folder):
    raw = write_idx(folder)
    path = raw / 'train-images-idx3-ubyte'

    def told():
        return np.frombuffer(path.read_bytes(), np.uint8)[16:].reshape(6, 1, 16, 8)

    return Case(path, lambda: MNISTDataset(str(folder), download=False).images.numpy(), told)


def idx_labels(folder):
    raw = write_idx(folder)
    path = raw / 'train-labels-idx1-ubyte'

    def told():
        return np.frombuffer(path.read_bytes(), np.uint8)[8:].astype(np.int64)

    return Case(path, lambda: MNISTDataset(str(folder), download=False).labels.numpy(), told)


def packed(name):
    def make(folder):
        data = InMemoryImageDataset(IMAGES, LABELS, metainfo=dict(classes=('a', 'b', 'c')))
        pack_images(data, folder / 'packed')

        def read():
            dataset = PackedImageDataset(folder / 'packed', verify=True)
            return dict(
                images=dataset.images[:].numpy(),
                labels=dataset.labels.numpy(),
                classes=np.array(dataset.metainfo['classes']),
            )

        return Case(folder / 'packed' / name, read)

    return make


def image(suffix, **options):
    def make(folder):
        (folder / 'images').mkdir()
        path = folder / 'images' / f'a.{suffix}'
        picture = np.indices((32, 32)).sum(0, dtype=np.uint8)[..., None].repeat(3, 2) * 3
        Image.fromarray(picture).save(path, **options)

        def told():
            with Image.open(path) as file:
                return np.array(file.convert('RGB')).transpose(2, 0, 1)

        return Case(path, lambda: ImageFolderDataset(folder / 'images')[0]['inputs'].numpy(), told)

    return make


def feature_cache(folder):
    images = torch.from_numpy(IMAGES)
    extractor = ModuleExtractor(nn.Flatten(), 'pixels')

    def look_up():
        cache = FeatureCache(folder, 'some data', extractor)
        return cache, *cache.look_up(images, lambda unknown: extract(extractor, unknown))[:2]

    cache, digests, found = look_up()
    cache.save(digests, found)
    return Case(cache.path, lambda: look_up()[2].features.numpy())


def weights(folder):
    path = folder / 'classifier.safetensors'
    path.write_bytes(WEIGHTS.read_bytes())

    def read():
        extractor = MNISTClassifier(path)
        return dict(fingerprint=np.array(extractor.fingerprint))

    # Scores with other weights stand under another fingerprint, which is the sha256 of the file.
    def told():
        return dict(fingerprint=np.array(hashlib.sha256(path.read_bytes()).hexdigest()))

    return Case(path, read, told)


def flat(checkpoint):
    arrays = {f'state.{k}': v.numpy() for k, v in checkpoint['state_dict'].items()}
    return {**arrays, 'rest': np.array(str({**checkpoint, 'state_dict': 0}))}


def make_checkpoint(folder):
    torch.manual_seed(0)
    model = nn.Linear(20, 20)
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(2, 20)).sum().backward()
    optimizer.step()
    path = folder / 'iter_1.pth'
    torch.save(
        dict(
            state_dict=model.state_dict(),
            optimizer=optimizer.state_dict(),
            meta=dict(iter=1, epoch=0, cfg='model = dict()'),
            message_hub=dict(log_scalars={}, runtime_info={}, resumed_keys={}),
        ),
        path,
    )
    return path


def checkpoint(folder):
    path = make_checkpoint(folder)
    return Case(path, lambda: flat(read_checkpoint(path)))


def checkpoint_of_runner(folder):
    path = make_checkpoint(folder)
    use_safe_loader()
    return Case(path, lambda: flat(CheckpointLoader.load_checkpoint(str(path), 'cpu', 'silent')))


def checkpoint_of_model(folder):
    cfg = mmgan_lite.get_config('gan_mlp_digits-28x28')
    for network in (cfg.model.generator, cfg.model.discriminator):
        network.update(image_shape=(1, 4, 4), hidden_dims=(4, 4))
    torch.manual_seed(0)
    path = folder / 'iter_2.pth'
    torch.save(dict(state_dict=mmgan_lite.get_model(cfg).state_dict()), path)

    def read():
        return {k: v.numpy() for k, v in mmgan_lite.get_model(cfg, path).state_dict().items()}

    return Case(path, read)


CASES = [
    idx_images,
    idx_labels,
    packed('images.npy'),
    packed('labels.npy'),
    packed('meta.json'),
    image('png'),
    image('jpg', quality=95),
    image('webp', lossless=True),
    feature_cache,
    weights,
    checkpoint,
    checkpoint_of_runner,
    checkpoint_of_model,
]
CASE_NAMES = [
    *('idx images', 'idx labels', 'packed images', 'packed labels', 'packed meta'),
    *('png', 'jpg', 'webp', 'feature cache', 'extractor weights'),
    *('checkpoint', 'Runner checkpoint', 'model checkpoint'),
]


def equal(found, expected):
    if isinstance(expected, dict):
        same = found.keys() == expected.keys()
        return same and all(equal(found[key], expected[key]) for key in expected)
    return found.shape == expected.shape and found.tobytes() == expected.tobytes()


def outcome(number, folder):
    """What became of a damaged file: (which, damage, verdict, what was said)."""
    which = number % len(CASES)
    folder.mkdir()
    case = CASES[which](folder)
    before = case.read()
    content, kind = mutations.mutate_file(case.path.read_bytes(), number, b'\x89PNG\r\n\x1a\nnone')
    case.path.write_bytes(content)
    row = (CASE_NAMES[which], kind)
    try:
        found = case.read()
    except ValueError as error:
        # One that says which file, and is no accident of numpy's.
        clear = str(case.path) in str(error) or str(case.path.parent) in str(error)
        return *row, 'refused' if clear else 'UNCLEAR', str(error)
    except Exception as error:
        return *row, 'UNCLEAR', f'{type(error).__name__}: {error}'
    if equal(found, before):
        return *row, 'right', ''
    told = case.told is not None and equal(found, case.told())
    return *row, 'as told' if told else 'WRONG', ''


def run(numbers, folder, show=False):
    rows = [outcome(number, folder / str(number)) for number in numbers]
    if show:
        for number, row in zip(numbers, rows, strict=True):
            print(number, *row[:3], row[3][:160])
        for row, count in sorted(Counter((row[0], row[2]) for row in rows).items()):
            print(*row, count, sep='; ')
    assert [row for row in rows if row[2] not in ('refused', 'right', 'as told')] == []
    return rows


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Code that a file brings would write here; MMEngine's loaders are as before afterwards."""
    (tmp_path / 'cwd').mkdir()
    monkeypatch.chdir(tmp_path / 'cwd')
    schemes = CheckpointLoader._schemes
    yield
    CheckpointLoader._schemes = schemes
    assert list((tmp_path / 'cwd').iterdir()) == []


def test_a_few(tmp_path):
    run(range(IN_QUICK_TEST), tmp_path)


@pytest.mark.slow
def test_two_hundred(tmp_path):
    run(range(208), tmp_path, show=True)


def test_no_damage_of_a_checkpoint_or_of_packed_images_goes_unseen(tmp_path):
    """These have checksums: never 'as told'."""
    for which in (2, 3, 8, 10):
        for number in range(3):
            row = outcome(which + len(CASES) * (50 + number), tmp_path / f'{which}_{number}')
            assert row[2] in ('refused', 'right'), row
