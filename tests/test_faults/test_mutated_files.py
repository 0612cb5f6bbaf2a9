"""200 damaged data files and checkpoints: a clear error or the right answer, and never in silence.

Either there is an error that names the file, or what is read equals what the undamaged file gave.
Formats without a checksum of their own are held against one outside: the files of MNIST against
``SHA256SUMS`` of the download, or the md5 in the code, images against ``SHA256SUMS``, the weights
of the package against the sum in the code. Weights of one's own have no such sum: theirs stands in
each score, which is 'told by its hash'.

Without ``SHA256SUMS`` the answer is what the bytes say, held here against an independent reading of
them and counted as 'as told', in a test of its own.
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
from mmgan_lite.checkpoints import read_checkpoint
from mmgan_lite.datasets import (
    ImageFolderDataset,
    InMemoryImageDataset,
    KMNISTDataset,
    MNISTDataset,
    PackedImageDataset,
    mnist,
    pack_images,
)
from mmgan_lite.engine.mmengine_compat import use_safe_loader
from mmgan_lite.evaluation import ModuleExtractor
from mmgan_lite.evaluation.cache import FeatureCache
from mmgan_lite.evaluation.extractors import MNISTClassifier, mnist_classifier
from mmgan_lite.evaluation.extractors.mnist_classifier import WEIGHTS

_spec = importlib.util.spec_from_file_location(
    'mutations', Path(__file__).with_name('mutations.py')
)
mutations = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(mutations)

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 3, 8, 8), dtype=np.uint8)
LABELS = [0, 1, 2, 0, 1, 2]


class Case:
    """A file that something reads.

    Attributes:
        path: The file.
        read: Reads it, and gives an array, or a dict of them.
        told: What its bytes say by an independent reading, where they are held against nothing.
        verdict: What it is called where that is what was read.
    """

    def __init__(self, path, read, told=None, verdict='as told'):
        self.path, self.read, self.told, self.verdict = path, read, told, verdict


def write_sums(folder):
    names = sorted(path.name for path in folder.iterdir())
    sums = [hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names]
    lines = (f'{sum_}  {name}\n' for sum_, name in zip(sums, names, strict=True))
    (folder / 'SHA256SUMS').write_text(''.join(lines))


IDX_IMAGES = struct.pack('>4I', 0x803, 6, 16, 8) + IMAGES[:, 0].repeat(2, 1).tobytes()
IDX_LABELS = struct.pack('>2I', 0x801, len(LABELS)) + bytes(LABELS)


def idx(name, dataset_class, with_sums):
    """A file of MNIST's: with sums as from a download, without them as put there by hand."""

    def make(folder):
        raw = folder / dataset_class.torchvision_name / 'raw'
        raw.mkdir(parents=True)
        (raw / 'train-images-idx3-ubyte').write_bytes(IDX_IMAGES)
        (raw / 'train-labels-idx1-ubyte').write_bytes(IDX_LABELS)
        if with_sums:
            write_sums(raw)

        def read():
            dataset = dataset_class(str(folder), download=False)
            return dict(images=dataset.images.numpy(), labels=dataset.labels.numpy())

        def told():
            content = {path.name[6:12]: path.read_bytes() for path in raw.iterdir()}
            return dict(
                images=np.frombuffer(content['images'], np.uint8)[16:].reshape(6, 1, 16, 8),
                labels=np.frombuffer(content['labels'], np.uint8)[8:].astype(np.int64),
            )

        return Case(raw / name, read, told if dataset_class is KMNISTDataset else None)

    return make


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


def image(suffix, with_sums=True, damaged=None, **options):
    """An image in a folder, or the list of sums beside it."""

    def make(folder):
        (folder / 'images').mkdir()
        path = folder / 'images' / f'a.{suffix}'
        # Noise, so that nearly all bytes of the file are of pixels, as in a photograph.
        pixels = np.random.default_rng(0).integers(0, 256, (48, 48, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path, **options)
        if with_sums:
            write_sums(folder / 'images')

        def told():
            with Image.open(path) as file:
                return np.array(file.convert('RGB')).transpose(2, 0, 1)

        return Case(
            path.with_name(damaged or path.name),
            lambda: ImageFolderDataset(folder / 'images')[0]['inputs'].numpy(),
            None if with_sums else told,
        )

    return make


def feature_cache(folder):
    images = torch.from_numpy(IMAGES)
    extractor = ModuleExtractor(nn.Flatten(), 'pixels')

    def look_up():
        cache = FeatureCache(folder, 'some data', (3, 8, 8), extractor)
        return cache, *cache.look_up(images)

    cache, digests, found = look_up()
    cache.save(digests, *found)
    return Case(cache.path, lambda: look_up()[2].features.numpy())


def weights(folder):
    """Those that come with the package; ``elsewhere`` undoes what this changes."""
    mnist_classifier.WEIGHTS = folder / WEIGHTS.name
    mnist_classifier.WEIGHTS.write_bytes(WEIGHTS.read_bytes())
    images = torch.from_numpy(IMAGES[:2, :1]).repeat(1, 1, 4, 4)[..., :28, :28]

    def read():
        return MNISTClassifier()(images).features.numpy()

    return Case(mnist_classifier.WEIGHTS, read)


def own_weights(folder):
    path = folder / 'classifier.safetensors'
    path.write_bytes(WEIGHTS.read_bytes())

    # Scores with other weights stand under another fingerprint, and so do cached features.
    def told():
        return dict(fingerprint=np.array(hashlib.sha256(path.read_bytes()).hexdigest()))

    def read():
        return dict(fingerprint=np.array(MNISTClassifier(path).fingerprint))

    return Case(path, read, told, verdict='told by its hash')


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


IMAGE_FILE, LABEL_FILE = 'train-images-idx3-ubyte', 'train-labels-idx1-ubyte'
CASES = {
    'idx images, downloaded': idx(IMAGE_FILE, KMNISTDataset, with_sums=True),
    'idx labels, downloaded': idx(LABEL_FILE, KMNISTDataset, with_sums=True),
    'idx images of MNIST, by hand': idx(IMAGE_FILE, MNISTDataset, with_sums=False),
    'packed images': packed('images.npy'),
    'packed labels': packed('labels.npy'),
    'packed meta': packed('meta.json'),
    'png': image('png'),
    'jpg': image('jpg', quality=95),
    'webp': image('webp', lossless=True),
    'SHA256SUMS': image('png', damaged='SHA256SUMS'),
    'feature cache': feature_cache,
    'extractor weights': weights,
    'extractor weights, own': own_weights,
    'checkpoint': checkpoint,
    'Runner checkpoint': checkpoint_of_runner,
    'model checkpoint': checkpoint_of_model,
}
WITHOUT_SUMS = {
    'idx images, by hand': idx(IMAGE_FILE, KMNISTDataset, with_sums=False),
    'idx labels, by hand': idx(LABEL_FILE, KMNISTDataset, with_sums=False),
    'png': image('png', with_sums=False),
    'jpg': image('jpg', with_sums=False, quality=95),
    'webp': image('webp', with_sums=False, lossless=True),
}
NUM_OF_EACH = 13  # 208 in all
LOUD = ('refused', 'right', 'told by its hash')


def equal(found, expected):
    if isinstance(expected, dict):
        same = found.keys() == expected.keys()
        return same and all(equal(found[key], expected[key]) for key in expected)
    return found.shape == expected.shape and found.tobytes() == expected.tobytes()


def outcome(cases, number, folder):
    """What became of a damaged file: (name of the case, damage, verdict, what was said)."""
    name = list(cases)[number % len(cases)]
    folder.mkdir()
    case = cases[name](folder)
    before = case.read()
    content, kind = mutations.mutate_file(case.path.read_bytes(), number, b'\x89PNG\r\n\x1a\nnone')
    case.path.write_bytes(content)
    try:
        found = case.read()
    except ValueError as error:
        # One that says which file, and is no accident of numpy's.
        clear = str(case.path) in str(error) or str(case.path.parent) in str(error)
        return name, kind, 'refused' if clear else 'UNCLEAR', str(error)
    except Exception as error:
        return name, kind, 'UNCLEAR', f'{type(error).__name__}: {error}'
    if equal(found, before):
        return name, kind, 'right', ''
    told = case.told is not None and equal(found, case.told())
    return name, kind, case.verdict if told else 'WRONG', ''


def run(cases, numbers, folder, accepted=LOUD, show=False):
    rows = [outcome(cases, number, folder / str(number)) for number in numbers]
    if show:
        for number, row in zip(numbers, rows, strict=True):
            print(number, *row[:3], row[3][:160], sep='; ')
        for row, count in sorted(Counter((row[0], row[2]) for row in rows).items()):
            print(*row, count, sep='; ')
        print(*sorted(Counter(row[2] for row in rows).items()))
    assert [row for row in rows if row[2] not in accepted] == []
    return rows


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Code that a file brings would write here; what the cases change is as before afterwards.

    The idx file that stands for MNIST's own has its length and md5 where the code has MNIST's.
    """
    (tmp_path / 'cwd').mkdir()
    monkeypatch.chdir(tmp_path / 'cwd')
    monkeypatch.setattr(mnist_classifier, 'WEIGHTS', WEIGHTS)
    original = (len(IDX_IMAGES), hashlib.md5(IDX_IMAGES).hexdigest())
    monkeypatch.setitem(mnist._FILES, IMAGE_FILE, original)
    schemes = CheckpointLoader._schemes
    yield
    CheckpointLoader._schemes = schemes
    assert list((tmp_path / 'cwd').iterdir()) == []


def test_a_few(tmp_path):
    run(CASES, range(2 * len(CASES)), tmp_path)


@pytest.mark.slow
def test_two_hundred(tmp_path):
    run(CASES, range(NUM_OF_EACH * len(CASES)), tmp_path, show=True)


@pytest.mark.slow
def test_without_sums_files_are_read_as_they_are(tmp_path):
    numbers = range(40 * len(WITHOUT_SUMS))
    run(WITHOUT_SUMS, numbers, tmp_path, ('refused', 'right', 'as told'), show=True)


def test_a_changed_pixel_is_what_the_sums_find(tmp_path):
    """The same damage with and without them: one bit in the last byte of the pixels."""
    for cases, name, verdict in (
        (CASES, 'idx images, downloaded', 'refused'),
        (CASES, 'idx images of MNIST, by hand', 'refused'),
        (WITHOUT_SUMS, 'idx images, by hand', 'as told'),
    ):
        case = cases[name](tmp_path / verdict / name)
        content = bytearray(case.path.read_bytes())
        content[-1] ^= 1
        case.path.write_bytes(content)
        if verdict == 'as told':
            assert equal(case.read(), case.told())
        else:
            with pytest.raises(
                ValueError, match='must have the (checksums in SHA256SUMS|md5 sum of MNIST)'
            ):
                case.read()
