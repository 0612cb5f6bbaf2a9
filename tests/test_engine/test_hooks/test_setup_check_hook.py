"""Mistakes of data against model are found before the first iteration, in all processes."""

import functools
import hashlib
import logging
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import DefaultSampler, InfiniteSampler, default_collate
from mmengine.dist import get_rank
from mmengine.runner import Runner
from PIL import Image
from torch.utils.data import DataLoader

import mmgan_lite
from mmgan_lite.datasets import ImageFolderDataset, InMemoryImageDataset, image_collate
from mmgan_lite.engine import MultiOptimWrapperConstructor, SetupCheckHook
from mmgan_lite.engine.hooks import CorruptImageHook, DataPlacementHook
from mmgan_lite.models import GrowingGAN


def check(
    model,
    num=9,
    batch_size=4,
    shape=(1, 4, 4),
    labels=None,
    metainfo=None,
    val=None,
    cfg=None,
    **loader,
):
    dataset = InMemoryImageDataset(
        images=torch.zeros(num, *shape, dtype=torch.uint8), labels=labels, metainfo=metainfo
    )
    loader.setdefault('sampler', DefaultSampler(dataset))
    loader = DataLoader(dataset, batch_size, collate_fn=image_collate, **loader)
    optim_wrapper = MultiOptimWrapperConstructor(
        dict.fromkeys(('generator', 'discriminator'), dict(optimizer=dict(type='SGD', lr=0.1)))
    )(model)
    SetupCheckHook().before_train(
        SimpleNamespace(
            model=model,
            train_dataloader=loader,
            optim_wrapper=optim_wrapper,
            val_loop=val and SimpleNamespace(evaluator=None),
            val_interval=1,
            val_dataloader=val and DataLoader(val, 4, collate_fn=image_collate),
            cfg=Config(cfg or {}),
            logger=logging.getLogger(),
            train_loop=None,
            iter=0,
            max_iters=1,
            max_epochs=1,
            hooks=(),
            work_dir='',
            log_dir='',
        )
    )


def test_a_key_that_nobody_reads(make_gan):
    check(make_gan(), num=8, cfg=dict(model={}, _mine=3))
    with pytest.raises(ValueError, match=r"key 'modl' of the config is read by nothing. Did you"):
        check(make_gan(), num=8, cfg=dict(modl={}))


def test_what_fits_passes(make_gan):
    check(make_gan(), num=8)
    check(make_gan(num_classes=3), num=8, labels=[0, 1, 2, 0, 1, 2, 0, 1])


def test_validation_on_other_data(make_gan):
    images = torch.zeros(5, 1, 4, 4, dtype=torch.uint8)
    digits, clothes = dict(classes=('0', '1', '2')), dict(classes=('shirt', 'bag', 'coat', 'shoe'))
    check(make_gan(), num=8, metainfo=digits, val=InMemoryImageDataset(images, metainfo=digits))
    check(make_gan(), num=8, metainfo=digits, val=InMemoryImageDataset(images))
    other = InMemoryImageDataset(images, metainfo=clothes)
    with pytest.raises(
        ValueError,
        match=r"val_dataloader .* got \('shirt', 'bag', .*\) for \('0', '1', '2'\). .*--no",
    ):
        check(make_gan(), num=8, metainfo=digits, val=other)
    with pytest.raises(ValueError, match=r'val_dataloader does not fit .* \(1, 3, 3\).* --no-val'):
        check(make_gan(), num=8, val=InMemoryImageDataset(images[..., :3, :3]))
    with pytest.raises(ValueError, match=r'val_dataloader does not fit .* a batch without'):
        check(make_gan(num_classes=3), num=3, labels=[0, 1, 2], val=InMemoryImageDataset(images))


def test_last_batch_of_one_under_batch_norm(make_gan):
    message = r'no batch of 1 image under batch norm, got 9 images in batches of 4.*drop_last=True'
    with pytest.raises(ValueError, match=message):
        check(make_gan())
    check(make_gan(), drop_last=True)
    check(make_gan(), sampler=InfiniteSampler(range(9)))


def test_batches_of_one_under_batch_norm(make_gan):
    with pytest.raises(ValueError, match=r'got 8 images in batches of 1'):
        check(make_gan(), num=8, batch_size=1)
    with pytest.raises(ValueError, match=r'got 9 images in batches of 1'):
        check(make_gan(), batch_size=1, sampler=InfiniteSampler(range(9)))


def test_no_whole_batch(make_gan):
    message = r'at least one batch, got 3 images, batch_size=4, drop_last=True'
    with pytest.raises(ValueError, match=message):
        check(make_gan(), num=3, drop_last=True)
    with pytest.raises(ValueError, match=r'at least one batch, got 0 images'):
        check(make_gan(), sampler=DefaultSampler([]))


def test_label_without_a_class(make_gan):
    with pytest.raises(ValueError, match=r'got 3 for 12 classes'):
        check(make_gan(num_classes=3), num=8, labels=[0, 1, 2, 0, 11, 2, 0, 1])


def test_single_optim_wrapper(repo, shrunk_config):
    cfg = shrunk_config(repo / 'configs/gan/gan_mlp_digits-28x28.py')
    cfg.optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.1))
    with pytest.raises(ValueError, match=r'one wrapper each .* got a single OptimWrapper'):
        Runner.from_cfg(cfg).train()
    assert not (Path(cfg.work_dir) / 'samples').exists()


def test_batch_of_one_without_batch_norm_is_fine(make_gan):
    generator = dict(type='MLPGenerator', latent_dim=6, image_shape=(1, 4, 4), hidden_dims=(8,))
    check(make_gan(generator=generator))


def test_shape_of_the_data(make_gan):
    with pytest.raises(ValueError, match=r'got \(1, 4, 4\) for images of \(3, 5, 6\)'):
        check(make_gan(), num=8, shape=(3, 5, 6))


def test_an_average_over_other_images_than_the_batches_have(make_gan):
    average = dict(type='HalfLifeMovingAverage', half_life=100)
    check(make_gan(ema=dict(average, images_per_update=4)), num=8)
    check(make_gan(ema=dict(average, images_per_update=8), discriminator_steps=2), num=8)
    message = r'images_per_update must .* 4 with batch_size=4, got 8. Set images_per_update=4\.'
    with pytest.raises(ValueError, match=message):
        check(make_gan(ema=dict(average, images_per_update=8)), num=8)


def test_growth_that_is_longer_than_the_training():
    networks = dict(image_shape=(1, 16, 16), base_channels=8)
    gan = GrowingGAN(
        generator=dict(type='PGGANGenerator', latent_dim=4, **networks),
        discriminator=dict(type='PGGANDiscriminator', **networks),
        loss=dict(type='HingeGANLoss'),
        growth=dict(fade_images=4, stable_images=2),  # 12 images, of which there are 4
    )
    with pytest.raises(ValueError, match=r'got 12 images until .* a training on 4\. Lower'):
        check(gan, shape=(1, 16, 16))


def test_missing_labels(make_gan):
    with pytest.raises(ValueError, match=r'num_classes=3 needs data with labels'):
        check(make_gan(num_classes=3), num=8)


def test_more_classes_in_the_data_than_in_the_networks(make_gan):
    message = r'num_classes must be at least the number of classes in the data, got 2 for 3 classes'
    with pytest.raises(ValueError, match=message):
        check(
            make_gan(num_classes=2), num=8, labels=[0] * 8, metainfo=dict(classes=('a', 'b', 'c'))
        )


GIBI = 2**30


class Spied(InMemoryImageDataset):
    moved_to = None

    def to(self, device):
        self.moved_to = device


def place(monkeypatch, dataset, device='cuda:0', free=GIBI, **settings):
    monkeypatch.setattr(torch.cuda, 'mem_get_info', lambda device: (free, 2 * free))
    lines = []
    logger = SimpleNamespace(info=lines.append)
    settings = dict(num_workers=0, pin_memory=False, collate_fn=image_collate) | settings
    weight = SimpleNamespace(device=torch.device(device))
    loader = SimpleNamespace(dataset=dataset, **settings)
    DataPlacementHook().before_train(
        SimpleNamespace(
            model=SimpleNamespace(parameters=lambda: iter([weight])),
            train_dataloader=loader,
            logger=logger,
        )
    )
    return lines


@pytest.fixture
def dataset():
    return Spied(torch.zeros(64, 1, 4, 4, dtype=torch.uint8))  # 1 KiB


def test_what_fits_is_moved(monkeypatch, dataset):
    assert place(monkeypatch, dataset) == ['The training data lies on cuda:0.']
    assert dataset.moved_to == torch.device('cuda:0')


@pytest.mark.parametrize(
    ('settings', 'reason'),
    [
        (dict(free=4095), r'its 0 MiB are more than 25% of the 0 MiB that are free'),
        (dict(num_workers=2), 'worker processes read it'),
        (dict(pin_memory=True), 'the data loader pins it'),
        (dict(collate_fn=default_collate), 'the collate function is not image_collate'),
        (dict(collate_fn=functools.partial(default_collate)), 'is not image_collate'),
    ],
)
def test_what_stays(monkeypatch, dataset, settings, reason):
    (line,) = place(monkeypatch, dataset, **settings)
    assert reason in line
    assert 'through pinned memory' in line
    assert dataset.moved_to is None


def test_quarter_of_the_free_memory_fits(monkeypatch, dataset):
    place(monkeypatch, dataset, free=4096, collate_fn=functools.partial(image_collate))
    assert dataset.moved_to is not None


def test_pipeline_stays(monkeypatch):
    dataset = Spied(torch.zeros(2, 1, 4, 4, dtype=torch.uint8), pipeline=[dict(type='PackImage')])
    (line,) = place(monkeypatch, dataset)
    assert 'goes through a pipeline' in line


def test_other_datasets_stay(monkeypatch):
    (line,) = place(monkeypatch, [1, 2, 3])
    assert 'list does not hold it as one tensor' in line


def test_nothing_to_do_without_a_gpu(monkeypatch, dataset):
    assert place(monkeypatch, dataset, device='cpu') == []
    assert dataset.moved_to is None


@pytest.mark.gpu
def test_batches_are_made_on_the_gpu(repo, shrunk_config):
    runner = Runner.from_cfg(shrunk_config(repo / 'configs/gan/gan_mlp_digits-28x28.py'))
    runner.train()
    assert runner.train_dataloader.dataset.images.is_cuda
    assert next(iter(runner.train_dataloader))['inputs'].is_cuda


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


EPOCHS = dict(type='DefaultSampler', shuffle=True)
UNEVEN = dict(EPOCHS, round_up=False)
ENDLESS = dict(type='InfiniteSampler', shuffle=True)

# In two processes: images of each, batch_size, other settings of the loader, and what both must
# answer; the 7 images are 4 and 3 without rounding up.
TWO = dict(
    one_batch_more=(
        (7, 7),
        dict(batch_size=1, sampler=UNEVEN),
        "got {'images': 7, 'batches': 4, 'last_batch': 1} in process 0 and {'images': 7, "
        "'batches': 3, 'last_batch': 1} in process 1. Set round_up=True in the sampler",
    ),
    smaller_last_batch=(
        (7, 7),
        dict(batch_size=3, sampler=UNEVEN),
        "got {'images': 7, 'batches': 2, 'last_batch': 1} in process 0 and {'images': 7, "
        "'batches': 1, 'last_batch': 3}",
    ),
    larger_than_the_share=(
        (7, 7),
        dict(batch_size=5, sampler=EPOCHS),
        'must be at most its share of the images, got batch_size=5 for 4 of 7 images. '
        'Set batch_size=4, or start fewer than 2 processes.',
    ),
    larger_than_the_share_of_one=(
        (7, 7),
        dict(batch_size=4, sampler=UNEVEN, drop_last=True),
        'got batch_size=4 for 3 of 7 images',
    ),
    larger_than_the_share_of_endless=(
        (7, 7),
        dict(batch_size=4, sampler=ENDLESS),
        'got batch_size=4 for 3 of 7 images',
    ),
    other_dataset=(
        (8, 6),
        dict(batch_size=3, sampler=ENDLESS),
        "got {'images': 8, 'batches': 3, 'last_batch': 3} in process 0 and {'images': 6, "
        "'batches': 2, 'last_batch': 3} in process 1. Give all processes the same dataset.",
    ),
    rounded_up=((7, 7), dict(batch_size=2, sampler=EPOCHS), None),
    uneven_but_dropped=((7, 7), dict(batch_size=3, sampler=UNEVEN, drop_last=True), None),
    endless=((7, 7), dict(batch_size=3, sampler=ENDLESS), None),
)


def train(folder, name):
    """Real training without batch norm; the error, if there is one."""
    images, loader, _ = TWO[name]
    cfg = mmgan_lite.get_config('gan_mlp_digits-28x28')
    cfg.merge_from_dict(
        {
            'work_dir': str(folder / name),
            'experiment_name': name,
            'launcher': 'pytorch',
            'model.generator.hidden_dims': (8,),
            'model.discriminator.hidden_dims': (8,),
            'train_dataloader': loader,
            'train_dataloader.dataset.indices': images[get_rank()],
            'default_hooks.checkpoint.interval': 100,
        }
    )
    cfg.param_scheduler = []
    endless = loader['sampler'] is ENDLESS
    cfg.train_cfg = dict(max_iters=4) if endless else dict(by_epoch=True, max_epochs=2)
    try:
        Runner.from_cfg(cfg).train()
    except ValueError as error:
        return str(error)


def main(folder):
    """What each of the two processes does."""
    torch.distributed.init_process_group('gloo')
    errors = {name: train(folder, name) for name in TWO}
    torch.save(errors, folder / f'{get_rank()}.pth')


@pytest.fixture(scope='module')
def errors_of_two(torchrun, tmp_path_factory):
    folder = tmp_path_factory.mktemp('two')
    torchrun(__file__, folder)
    return folder, [torch.load(folder / f'{rank}.pth') for rank in (0, 1)]


@pytest.mark.parametrize('name', TWO)
def test_two_processes_fail_together_or_not_at_all(errors_of_two, name):
    folder, errors = errors_of_two
    expected = TWO[name][2]
    for error in (process[name] for process in errors):
        assert error is None if expected is None else expected in error, error
    # Before anything was done: the first process draws the untrained generator.
    assert (folder / name / 'samples').exists() == (expected is None)


def test_error_of_another_process_names_it(errors_of_two):
    _, (first, second) = errors_of_two
    assert first['larger_than_the_share_of_one'].startswith('In process 1: ValueError: batch_size')
    assert second['larger_than_the_share_of_one'].startswith('batch_size')


if __name__ == '__main__':
    main(Path(sys.argv[1]))
    torch.distributed.barrier()  # gloo aborts a process whose peer has left already
    os._exit(0)  # and one whose threads are there when Python ends
