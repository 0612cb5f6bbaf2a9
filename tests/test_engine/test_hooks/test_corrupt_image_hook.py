"""Unreadable images are told by name, once, in the log of training."""

import hashlib

import pytest
from PIL import Image

from mmgan_lite.datasets import ImageFolderDataset
from mmgan_lite.engine.hooks import CorruptImageHook


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / 'images'
    folder.mkdir()
    for number in range(6):
        Image.new('L', (6, 4), 10 * number).save(folder / f'{number}.png')
    (folder / '2.png').write_bytes(b'no image')
    (folder / '5.png').write_bytes(b'')
    return folder


def log_of(runner, tmp_path):
    return next((tmp_path / 'work').rglob('*.log')).read_text()


@pytest.mark.parametrize('workers', [0, 1])
def test_names_once_and_the_number_at_the_end(make_runner, fake_gan, folder, tmp_path, workers):
    dataset = ImageFolderDataset(folder, channels=1, max_corrupt=3)
    loader = dict(
        dataset=dataset,
        sampler=dict(type='InfiniteSampler', shuffle=False),
        batch_size=3,
        num_workers=workers,
    )
    runner = make_runner(
        fake_gan(), [CorruptImageHook(interval=1)], work_dir=tmp_path / 'work', max_iters=6
    )
    runner._train_dataloader = loader
    runner.train()
    log = log_of(runner, tmp_path)
    for name in ('2.png', '5.png'):
        assert log.count(f"The image '{name}' of the training data cannot be read") == 1
    assert '2 of 6 images of the training data could not be read' in log


def test_an_image_that_is_not_the_listed_one_is_named(make_runner, fake_gan, folder, tmp_path):
    names = sorted(path.name for path in folder.iterdir())
    sums = [hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names]
    lines = (f'{sum_}  {name}\n' for sum_, name in zip(sums, names, strict=True))
    (folder / 'SHA256SUMS').write_text(''.join(lines))
    Image.new('L', (6, 4), 99).save(folder / '3.png')  # can be read
    runner = make_runner(
        fake_gan(), [CorruptImageHook(interval=1)], work_dir=tmp_path / 'work', max_iters=3
    )
    runner._train_dataloader = dict(
        dataset=ImageFolderDataset(folder, channels=1, max_corrupt=3),
        sampler=dict(type='InfiniteSampler', shuffle=False),
        batch_size=3,
    )
    runner.train()
    log = log_of(runner, tmp_path)
    assert log.count("The image '3.png' of the training data cannot be read, or is not the") == 1
    assert '3 of 6 images of the training data could not be read' in log


def test_nothing_to_tell(make_runner, fake_gan, tmp_path):
    runner = make_runner(fake_gan(), [CorruptImageHook()], work_dir=tmp_path / 'work')
    runner.train()  # of a dataset that counts no such images
    assert 'be read' not in log_of(runner, tmp_path)


def test_bad_interval():
    with pytest.raises(ValueError, match='interval must be an int of at least 1, got 0'):
        CorruptImageHook(interval=0)
