"""Trains every shipped config in a small form and digests what comes out of it, to the last bit.

usage: PYTHONPATH=. python tests/test_training/recording_driver.py --record [CONFIG ...]
Writes ``recorded/CONFIG.json``, and ``recorded/CONFIG.pth`` if there is none: an old checkpoint
stays, so that later versions are tested on it. Needs MNIST in ``../shared/data``.

The recording in the repository was made by the code of commit a901a77. It is the reference that
later versions are compared with: record anew only where results are meant to change. Everything
here uses public names alone, so that one file runs on old and new versions of the package.
"""

import argparse
import contextlib
import copy
import hashlib
import json
import os
import re
import shutil
import struct
import tempfile
import uuid
from pathlib import Path
from unittest import mock

# Before torch is loaded: the order of sums depends on the number of threads.
os.environ.setdefault('OMP_NUM_THREADS', '1')

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.hooks import Hook
from mmengine.registry import DATASETS
from mmengine.runner import Runner
from PIL import Image
from torch import nn

import mmgan_lite

REPO = Path(__file__).resolve().parents[2]
MNIST_ROOT = REPO.parent / 'shared' / 'data'
RECORDED = Path(__file__).resolve().with_name('recorded')
ITERATIONS = 50
PROBES = 10  # iterations from one look at the health of both networks to the next
SAVED, RESUMED = 4, 8  # where the stored checkpoint stands, and where a resumed run ends
BATCH = 8
# Families of translation, which test_translation.py trains: they draw no samples to digest.
TRANSLATION = ('cut_', 'cyclegan_', 'pix2pix_')
NOT_RECORDED = ('time', 'data_time', 'eta', 'memory', 'step', 'iter')

# Keys of each network that make it small.
SMALL = {
    'MLPGenerator': dict(latent_dim=4, hidden_dims=(6, 2)),
    'MLPDiscriminator': dict(hidden_dims=(2, 4)),
    'DCGANGenerator': dict(latent_dim=4, base_channels=2),
    'DCGANDiscriminator': dict(base_channels=2),
    'FastGANGenerator': dict(latent_dim=4, base_channels=1),
    'FastGANDiscriminator': dict(base_channels=1),
    'ResizeConvGenerator': dict(latent_dim=4, channels=(2, 3, 2)),
    'ResizeConvDiscriminator': dict(channels=(3, 4, 4)),
    'ResNetGenerator': dict(latent_dim=4, channels=2),
    'ResNetDiscriminator': dict(channels=(3, 3, 3, 3)),
    'SAGANGenerator': dict(latent_dim=4, channels=2, attention=1),
    'SAGANDiscriminator': dict(channels=(3, 3, 3), halvings=1),
    'BigGANGenerator': dict(latent_dim=12, channels=2, attention=1),
    'BigGANDiscriminator': dict(channels=(3, 3, 3), halvings=1, attention=1),
    'BigGANDeepGenerator': dict(latent_dim=4, channels=4, shared_dim=3, attention=1),
    'BigGANDeepDiscriminator': dict(channels=(4, 4, 4), halvings=1, attention=1),
    'R3GANGenerator': dict(
        latent_dim=4, channels=2, cardinality=2, blocks_per_stage=1, embedding_dim=3
    ),
    'R3GANDiscriminator': dict(channels=2, cardinality=2, blocks_per_stage=1, embedding_dim=3),
    'PGGANGenerator': dict(latent_dim=4, base_channels=16, max_channels=3),
    'PGGANDiscriminator': dict(base_channels=16, max_channels=3),
    'StyleGAN2Generator': dict(
        latent_dim=4, style_dim=4, channel_max=3, num_mapping_layers=1, low_precision_levels=0
    ),
    'StyleGAN2Discriminator': dict(channel_max=3, num_mapping_layers=1, low_precision_levels=0),
}
# Sides of images in pixels, where the dataset can give smaller ones.
SIDES = {'DigitsDataset': 8, 'ImageFolderDataset': 16, 'CIFAR10Dataset': 16}


@DATASETS.register_module(force=True)
def random_photographs(side):
    """Sixty random images of ten classes, instead of CIFAR-10, a download of 170 MB."""
    stream = np.random.default_rng(0)
    return DATASETS.build(
        dict(
            type='mmgan_lite.InMemoryImageDataset',
            images=stream.integers(0, 256, (60, 3, side, side), dtype=np.uint8),
            labels=np.arange(60) % 10,
            metainfo=dict(classes=tuple('0123456789')),
        )
    )


class Anonymous(Hook):
    """Takes out of a checkpoint on which machine, where and when it was written."""

    priority = 'LOWEST'  # after the hook that writes the entries

    def before_save_checkpoint(self, runner, checkpoint):
        checkpoint['meta']['time'] = '20250101_000000'
        entries = copy.deepcopy(checkpoint['meta']['provenance'])
        for entry in entries:
            entry.update(
                time='2025-01-01T00:00:00+00:00',
                command=['mmgan-lite', 'train', 'CONFIG'],
                working_directory='.',
                machine={},
            )
        checkpoint['meta']['provenance'] = entries
        hub = checkpoint['message_hub'] = dict(checkpoint['message_hub'])
        info = hub['runtime_info'] = dict(hub['runtime_info'])
        info['last_ckpt'] = os.path.relpath(info['last_ckpt'])


def needs_mnist(name):
    return 'mnist' in name


def small_side(cfg):
    """Height and width of the images; None for those of MNIST, which stay as they are."""
    side = SIDES.get(cfg.train_dataloader.dataset.type)
    if cfg.model.generator.type == 'ResizeConvGenerator' and side is not None:
        return 16  # the smallest that its halvings allow
    return side


def small_dataset(cfg, side):
    dataset = cfg.train_dataloader.dataset
    needs_classes = dataset.type == 'ImageFolderDataset' and cfg.model.generator.get('num_classes')
    if dataset.type == 'CIFAR10Dataset' or needs_classes:
        return dict(type='random_photographs', side=side)
    if dataset.type == 'ImageFolderDataset':
        dataset.data_root = 'images'
    elif 'MNIST' in dataset.type:
        dataset.data_root = 'data'
    if side is not None:
        dataset.image_size = side
    if 'num_images' in dataset:
        dataset.num_images = 100
    return dataset


def shorten_schedules(cfg):
    """Let all that changes in the course of training change within ``ITERATIONS``."""
    for schedule in cfg.get('param_scheduler') or ():
        schedule.update(begin=2, end=ITERATIONS)
    for hook in cfg.get('custom_hooks') or ():
        for schedule in hook.get('schedules', ()):
            schedule['images'] = ITERATIONS * BATCH
            if 'half_life' in schedule.target:
                schedule['end'] = ITERATIONS * BATCH
    for regularizer in cfg.model.get('regularizers') or ():
        if 'interval' in regularizer:
            regularizer['interval'] = 3
    ema = cfg.model.get('ema') or {}
    if 'images_per_update' in ema:
        ema.update(images_per_update=BATCH, half_life=min(ema.half_life, 100))


def make_config(name, iterations, run=None):
    """A shipped config in a small form; its paths are relative to a folder of ``workplace``."""
    cfg = mmgan_lite.get_config(name)
    # MMEngine continues the log of a run of the same name in the same process.
    cfg.experiment_name = run or f'{name}_{uuid.uuid4().hex}'
    cfg.work_dir = f'work_dirs/{cfg.experiment_name}'
    cfg.randomness = dict(seed=0, deterministic=True)
    cfg.train_cfg = dict(by_epoch=False, max_iters=iterations)
    for loop in ('val', 'test'):
        for part in ('cfg', 'dataloader', 'evaluator'):
            cfg[f'{loop}_{part}'] = None
    side = small_side(cfg)
    for network in (cfg.model.generator, cfg.model.discriminator):
        network.update(SMALL[network.type])
        if network.get('num_classes') == 1000:
            network.num_classes = 10
        if side is not None:
            network.image_shape = (network.image_shape[0], side, side)
    for player in ('generator', 'discriminator'):
        cfg.optim_wrapper[player].pop('dtype', None)
    cfg.train_dataloader.update(
        batch_size=BATCH, num_workers=0, persistent_workers=False, pin_memory=False
    )
    cfg.train_dataloader.dataset = small_dataset(cfg, side)
    shorten_schedules(cfg)
    if 'growth' in cfg.model:  # up to three stages after the first, before the checkpoint
        cfg.model.growth = dict(fade_images=6, stable_images=4)
    if 'batch_sampler' in cfg.train_dataloader:
        sizes = (BATCH, *cfg.train_dataloader.batch_sampler.batch_sizes[1:])
        sizes = tuple(min(size, BATCH) for size in sizes)
        cfg.train_dataloader.batch_sampler.update(batch_sizes=sizes, growth=cfg.model.growth)
    cfg.log_processor.window_size = 1
    cfg.default_hooks.logger.interval = 1
    cfg.default_hooks.health.interval = PROBES
    cfg.default_hooks.samples.update(interval=ITERATIONS, num_samples=4)
    return cfg


@contextlib.contextmanager
def workplace(folder, mnist_root=None):
    """Inside, ``folder`` is where relative paths begin, and torch repeats itself to the bit."""
    folder, before = Path(folder), os.getcwd()
    if mnist_root is not None and not (folder / 'data').exists():
        (folder / 'data').symlink_to(Path(mnist_root).resolve(), target_is_directory=True)
    if not (folder / 'images').exists():
        write_images(folder / 'images')
    cudnn, threads = torch.backends.cudnn, torch.get_num_threads()
    flags = cudnn.deterministic, cudnn.benchmark
    deterministic = torch.are_deterministic_algorithms_enabled()
    os.chdir(folder)
    torch.set_num_threads(1)
    try:
        with mock.patch('mmengine.runner.runner.get_device', return_value='cpu'):
            yield folder
    finally:
        os.chdir(before)
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(deterministic)
        cudnn.deterministic, cudnn.benchmark = flags


def write_images(folder):
    """A few pictures of the size that the folder's config trains on, so that none is resized."""
    folder.mkdir()
    stream = np.random.default_rng(0)
    for index in range(12):
        pixels = stream.integers(0, 256, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f'{index:02}.png')


def recorded_configs():
    return [name for name in mmgan_lite.list_configs() if not name.startswith(TRANSLATION)]


def train(cfg, hooks=()):
    """Train, and return the runner and what it logged of each iteration."""
    runner = Runner.from_cfg(cfg)
    for hook in hooks:
        runner.register_hook(hook)
    runner.train()
    (path,) = Path(cfg.work_dir).glob('*/vis_data/scalars.json')
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return runner, by_scalar(rows)


def by_scalar(rows):
    """Rows of a log as one list for each scalar, with None where an iteration has none."""
    keys = sorted({key for row in rows for key in row} - set(NOT_RECORDED))
    log = {key: [row.get(key) for row in rows] for key in keys}
    # Between two probes the log repeats the last one.
    return {
        key: values[PROBES - 1 :: PROBES] if key.startswith('health/') else values
        for key, values in log.items()
    }


def train_anew(name):
    """Log and digests of a training from its beginning."""
    runner, log = train(make_config(name, ITERATIONS))
    return dict(log=log, **digests_of(runner))


def train_on(name, checkpoint):
    """Log and digests of a training that goes on from a checkpoint."""
    cfg = make_config(name, RESUMED)
    cfg.resume, cfg.load_from = True, str(checkpoint)
    runner, log = train(cfg)
    return dict(log=log, **digests_of(runner))


def draw(checkpoint):
    """Digests of what a checkpoint holds and of the images that come out of it."""
    inferencer = mmgan_lite.GANInferencer(weights=checkpoint, device='cpu')
    samples = {
        key: inferencer.model.sample(
            4, generator=torch.Generator().manual_seed(0), use_ema=key == 'average'
        )
        for key in ('average', 'last_weights')
    }
    predictions = inferencer(num=4, seed=0)['predictions']
    return dict(
        weights=digest(torch.load(checkpoint, weights_only=True)['state_dict']),
        model=digest(inferencer.model.state_dict()),
        samples={key: digest(images) for key, images in samples.items()},
        means={key: images.double().mean().item() for key, images in samples.items()},
        inferencer={key: digest(predictions[key]) for key in ('images', 'labels', 'latents')},
    )


def digests_of(runner):
    optimizers = {name: wrapper.optimizer for name, wrapper in runner.optim_wrapper.items()}
    return dict(
        model=digest(runner.model.state_dict()),
        optimizers={name: digest(each.state_dict()) for name, each in optimizers.items()},
    )


def digest(value):
    """SHA-256 of tensors, numbers and strings, and of dicts and lists of them."""
    sha256 = hashlib.sha256()
    for piece in pieces(value):
        sha256.update(struct.pack('<q', len(piece)) + piece)
    return sha256.hexdigest()


def pieces(value, path=''):
    """The bytes of a value, each with its place; dicts in the order of their keys."""
    if isinstance(value, dict):
        for key in sorted(value, key=lambda key: (str(type(key)), key)):
            yield from pieces(value[key], f'{path}.{key}')
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from pieces(item, f'{path}[{index}]')
    elif isinstance(value, torch.Tensor):
        yield f'{path} {value.dtype} {tuple(value.shape)}'.encode()
        yield value.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
    else:
        yield f'{path} {value!r}'.encode()


def canary():
    """Digest of float32 operations, which depends on the machine and torch, and on nothing else.

    Where it is that of the recording, so must be the results of the package, to the last bit.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            results = [*elementary(), *trained_layers()]
    finally:
        torch.set_num_threads(threads)
    build = re.sub(r'\s+', ' ', torch.__config__.show())
    return dict(torch=str(torch.__version__), digest=digest([build, results]))


def elementary():
    x = torch.randn(8, 3, 28, 28)
    matrix = torch.randn(784, 37)
    last = x.to(memory_format=torch.channels_last)
    weight = torch.randn(5, 3, 3, 3)
    yield x
    yield x.flatten(1)[:, :784] @ matrix
    yield F.conv2d(x, weight, padding=1)
    yield F.conv2d(last, weight.to(memory_format=torch.channels_last), padding=1)
    yield F.conv_transpose2d(x, torch.randn(3, 4, 4, 4), stride=2, padding=1)
    yield F.conv2d(torch.randn(8, 4, 28, 28), torch.randn(4, 2, 3, 3), padding=1, groups=2)
    yield F.interpolate(x, scale_factor=2.0, mode='bilinear', align_corners=False)
    yield F.grid_sample(x, torch.rand(8, 9, 9, 2) * 2 - 1, align_corners=False)
    yield from [x.tanh(), x.exp(), x.sigmoid(), F.softplus(x), x.abs().sqrt(), x.abs().rsqrt()]
    yield from [x.sum(), x.mean((0, 2, 3)), x.std(), x.double().square().mean(), x.norm()]


def trained_layers():
    """A few steps of fused Adam, gradient of a gradient included."""
    for channels_last in (False, True):
        network = nn.Sequential(
            *[nn.Conv2d(1, 4, 3, 2, 1), nn.BatchNorm2d(4), nn.LeakyReLU(0.2)],
            *[nn.ConvTranspose2d(4, 3, 4, 2, 1), nn.ReLU(), nn.AvgPool2d(2)],
            *[nn.Conv2d(3, 3, 3, padding=1), nn.Flatten(), nn.Linear(588, 6), nn.Linear(6, 1)],
        )
        images = torch.randn(8, 1, 28, 28)
        if channels_last:
            network = network.to(memory_format=torch.channels_last)
        optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, betas=(0.5, 0.99), fused=True)
        for _ in range(3):
            images.requires_grad_(True)
            logits = network(images)
            (slope,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
            optimizer.zero_grad()
            (F.softplus(-logits).mean() + slope.square().sum((1, 2, 3)).mean()).backward()
            optimizer.step()
        yield from network.state_dict().values()


def record(name, folder):
    """Write the log and digests of a config, and its checkpoint if there is none."""
    checkpoint = RECORDED / f'{name}.pth'
    with workplace(folder, MNIST_ROOT if needs_mnist(name) else None):
        if not checkpoint.exists():
            train(make_config(name, SAVED, run=name), [Anonymous()])
            shutil.copy(f'work_dirs/{name}/iter_{SAVED}.pth', checkpoint)
        recorded = dict(
            canary=canary(),
            training=train_anew(name),
            checkpoint=draw(checkpoint),
            resumed=train_on(name, checkpoint),
        )
    text = json.dumps(recorded, indent=1)
    text = re.sub(r'\n\s+(?=(-?\d|null|\]))', '', text)  # a list a line
    (RECORDED / f'{name}.json').write_text(text + '\n')


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--record', nargs='*', metavar='CONFIG', required=True)
    RECORDED.mkdir(exist_ok=True)
    for name in parser.parse_args().record or recorded_configs():
        with tempfile.TemporaryDirectory() as folder:
            record(name, folder)


if __name__ == '__main__':
    main()
