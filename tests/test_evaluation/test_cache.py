"""Features of real images in a file."""

import os
from pathlib import Path

import pytest
import torch
from mmengine.logging import MMLogger
from torch import nn

from mmgan_lite.evaluation import ModuleExtractor
from mmgan_lite.evaluation.cache import FeatureCache, image_digests

IMAGES = torch.randint(0, 256, (6, 1, 4, 4), dtype=torch.uint8)


class Classifier(nn.Module):
    def forward(self, images):
        return images.flatten(1), images.flatten(1)[:, :3]


@pytest.fixture
def warnings(monkeypatch):
    found = []
    monkeypatch.setattr('mmgan_lite.evaluation.cache._warn', found.append)
    return found


class Store:
    """A cache, with a count of the images that were extracted."""

    def __init__(self, folder, extractor=None, data='MNIST test'):
        self.extractor = extractor or ModuleExtractor(Classifier(), 'pixels')
        self.cache = FeatureCache(folder, data, (1, 4, 4), self.extractor)
        self.extracted = 0
        self.extractor.register_forward_hook(self._count)

    def _count(self, extractor, args, output):
        self.extracted += len(args[0])

    def look_up(self, images=IMAGES):
        return self.cache.look_up(images)

    def save(self, images=IMAGES):
        digests, found = self.look_up(images)
        self.cache.save(digests, *found)


def test_second_process_extracts_a_few_for_comparison(tmp_path):
    first = Store(tmp_path)
    digests, expected = first.look_up()
    assert first.extracted == 6
    first.cache.save(digests, *expected)
    second = Store(tmp_path)
    _, found = second.look_up()
    assert second.extracted == 4
    assert torch.equal(found.features, expected.features)
    assert torch.equal(found.logits, expected.logits)
    assert [path.name for path in tmp_path.iterdir()] == [first.cache.path.name]


def test_features_alone(tmp_path):
    Store(tmp_path, ModuleExtractor(nn.Flatten(), 'flat')).save()
    store = Store(tmp_path, ModuleExtractor(nn.Flatten(), 'flat'))
    _, found = store.look_up()
    assert store.extracted == 4
    assert found.logits is None


def test_pixels_decide_not_the_order(tmp_path):
    Store(tmp_path).save()
    store = Store(tmp_path)
    changed = IMAGES.flip(0).clone()
    changed[2, 0, 0, 0] ^= 1
    _, found = store.look_up(changed)
    assert store.extracted == 4 + 1
    torch.testing.assert_close(found.features, changed.flatten(1) / 127.5 - 1)


def test_images_of_a_data_set(tmp_path, monkeypatch):
    monkeypatch.setattr('mmgan_lite.evaluation.cache._BATCH', 2)
    dataset = [dict(inputs=image, labels=label) for label, image in enumerate(IMAGES)]
    store = Store(tmp_path)
    features, logits, labels = store.cache.read(dataset, [5, 2, 3])
    torch.testing.assert_close(features, IMAGES[[5, 2, 3]].flatten(1) / 127.5 - 1)
    assert torch.equal(logits, features[:, :3])
    assert labels.tolist() == [5, 2, 3]
    other = Store(tmp_path)
    other.cache.read([dict(inputs=image) for image in IMAGES], range(6))
    assert other.extracted == 2 + 3  # those of the first batch that are in the file, and new ones


def test_another_extractor_is_not_mixed_in(tmp_path, warnings):
    first = Store(tmp_path)
    first.save()
    other = Store(tmp_path, ModuleExtractor(nn.Sequential(nn.Flatten()), 'pixels'))
    assert other.cache.path != first.cache.path
    # Not even where somebody renames its file.
    os.replace(first.cache.path, other.cache.path)
    again = Store(tmp_path, other.extractor)
    again.look_up()
    assert again.extracted == 6
    assert 'the sha256, the extractor or the format differs' in warnings[0]


class Tap(nn.Module):
    """Has the same weights whatever its ``forward`` gives."""

    def __init__(self, scale, width=16):
        super().__init__()
        self.scale, self.width = scale, width

    def forward(self, images):
        return self.scale * images.flatten(1)[:, : self.width]


@pytest.mark.parametrize('other', [Tap(2), Tap(1, width=8), Tap(1.01)])
def test_another_forward_with_the_same_weights(tmp_path, warnings, other):
    Store(tmp_path, ModuleExtractor(Tap(1), 'tap')).save()
    store = Store(tmp_path, ModuleExtractor(other, 'tap'))
    _, found = store.look_up()
    assert store.extracted == 4 + 6
    expected = other(IMAGES / 127.5 - 1)
    torch.testing.assert_close(found.features, expected)
    assert 'is not what the extractor gives now' in warnings[0]


def test_rounding_makes_no_other_extractor(tmp_path, warnings):
    Store(tmp_path, ModuleExtractor(Tap(1), 'tap')).save()
    store = Store(tmp_path, ModuleExtractor(Tap(1.0001), 'tap'))
    store.look_up()
    assert store.extracted == 4
    assert warnings == []


@pytest.mark.parametrize('damage', ['cut', 'flipped', 'empty', 'text'])
def test_damaged_file_is_replaced(tmp_path, warnings, damage):
    store = Store(tmp_path)
    store.save()
    path = store.cache.path
    content = bytearray(path.read_bytes())
    if damage == 'flipped':
        content[-5] ^= 1
    path.write_bytes(
        dict(cut=content[:-9], flipped=content, empty=b'', text=b'{"not": "tensors"}')[damage]
    )
    again = Store(tmp_path)
    assert 'is damaged' in warnings[0]
    assert str(path) in warnings[0]
    again.save()
    assert again.extracted == 6
    warnings.clear()
    third = Store(tmp_path)
    third.look_up()
    assert third.extracted == 4
    assert warnings == []


def test_folder_that_cannot_be_written_to(tmp_path, warnings):
    (tmp_path / 'file').write_text('')
    store = Store(tmp_path / 'file' / 'below')
    store.save()
    assert 'Features could not be cached' in warnings[0]
    store.look_up()
    assert store.extracted == 6  # kept in memory


def test_known_images_write_nothing(tmp_path, monkeypatch):
    Store(tmp_path).save()
    monkeypatch.delattr('mmgan_lite.evaluation.cache.atomic_write')
    Store(tmp_path).save(IMAGES[:2])


def test_warning_reaches_the_log(tmp_path, capsys):
    MMLogger.get_instance('cache_test')
    (tmp_path / 'file').write_text('')
    Store(tmp_path / 'file' / 'below').save()
    captured = capsys.readouterr()
    assert 'could not be cached' in captured.out + captured.err


def test_digests_depend_on_shape_and_pixels():
    zeros = torch.zeros(2, 1, 4, 4, dtype=torch.uint8)
    digests = image_digests(zeros)
    assert digests.shape == (2, 16)
    assert torch.equal(digests[0], digests[1])
    assert not torch.equal(digests[0], image_digests(zeros.view(2, 1, 2, 8))[0])
    assert len({row.tobytes() for row in image_digests(IMAGES).numpy()}) == 6


def test_name_of_the_file_is_a_plain_one():
    cache = FeatureCache(
        Path('folder'), '../my data/x:y', (1, 4, 4), ModuleExtractor(nn.Flatten(), 'a/b')
    )
    assert cache.path.parent == Path('folder')
    assert cache.path.name.startswith('..-my-data-x-y-1x4x4-a-b-')
