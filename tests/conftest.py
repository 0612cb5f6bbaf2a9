"""What many tests need: a small GAN, the real MNIST where it is, a scope of their own."""

import os

# Before torch is loaded: on tiny networks several threads mostly wait for one another.
os.environ['OMP_NUM_THREADS'] = '1'

import struct
import subprocess
import sys
import uuid
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.registry import DefaultScope

from mmgan_lite.datasets import InMemoryImageDataset
from mmgan_lite.models import GAN
from mmgan_lite.registry import DATASETS, MODELS

REPO = Path(__file__).resolve().parents[1]
# Scripts of processes of their own, which import one another.
collect_ignore_glob = ['*_driver.py']
# For the processes that tests start: they run the checkout, installed or not.
os.environ['PYTHONPATH'] = os.pathsep.join([str(REPO), os.environ.get('PYTHONPATH', '')])


def pytest_runtest_setup(item):
    if item.get_closest_marker('gpu') and not torch.cuda.is_available():
        pytest.skip('needs a GPU')


@pytest.fixture(autouse=True)
def fresh_state():
    """Same random numbers for each test, and no default scope left by the one before."""
    torch.manual_seed(0)
    instances = DefaultScope._instance_dict.copy()
    yield
    DefaultScope._instance_dict = instances


@pytest.fixture
def repo() -> Path:
    return REPO


@pytest.fixture
def mnist_root() -> str:
    root = REPO.parent / 'shared' / 'data'
    if not (root / 'MNIST' / 'raw' / 'train-images-idx3-ubyte').is_file():
        pytest.skip('the real MNIST is not in ../shared/data')
    return str(root)


@pytest.fixture
def make_gan():
    """A GAN on 1x4x4 images; keyword arguments replace its parts."""

    def make(num_classes=None, **parts):
        networks = dict(
            generator=dict(
                type='MLPGenerator',
                latent_dim=6,
                image_shape=(1, 4, 4),
                hidden_dims=(8, 8),
                num_classes=num_classes,
            ),
            discriminator=dict(
                type='MLPDiscriminator',
                image_shape=(1, 4, 4),
                hidden_dims=(8,),
                num_classes=num_classes,
            ),
            loss=dict(type='NonSaturatingGANLoss'),
        )
        return GAN(**{**networks, **parts})

    return make


@pytest.fixture
def make_batch():
    """uint8 images (and labels) as the data loader gives them."""

    def make(num=4, shape=(1, 4, 4), labels=None):
        batch = dict(inputs=torch.randint(0, 256, (num, *shape), dtype=torch.uint8))
        return batch if labels is None else {**batch, 'labels': torch.tensor(labels)}

    return make


@pytest.fixture
def make_optim_wrapper():
    """Plain SGD for each network of a GAN; keyword arguments replace entries."""
    from mmgan_lite.engine.optimizers import MultiOptimWrapperConstructor

    def make(gan, lr=0.1, **networks):
        cfg = {
            name: dict(optimizer=dict(type='SGD', lr=lr)) for name in ('generator', 'discriminator')
        }
        return MultiOptimWrapperConstructor({**cfg, **networks})(gan)

    return make


@pytest.fixture(scope='session')
def torchrun():
    """Run a Python file in two processes, for four minutes at most; returns what they printed."""

    def run(*arguments, cwd=None):
        launch = [sys.executable, '-m', 'torch.distributed.run', '--standalone']
        with subprocess.Popen(
            [*launch, '--nproc-per-node=2', *map(str, arguments)],
            cwd=cwd,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                out, errors = process.communicate(timeout=240)
            finally:
                process.terminate()  # torchrun ends the processes that it started
        assert process.returncode == 0, errors[-5000:]
        return out

    return run


@pytest.fixture(scope='session')
def tiny_mnist_root(tmp_path_factory) -> str:
    """A folder that MNISTDataset reads: 20 random images of each split, classes in turn."""
    root = tmp_path_factory.mktemp('data')
    raw = root / 'MNIST' / 'raw'
    raw.mkdir(parents=True)
    stream = np.random.default_rng(0)
    for split in ('train', 't10k'):
        images = stream.integers(0, 256, (20, 28, 28), dtype=np.uint8)
        labels = np.arange(20, dtype=np.uint8) % 10
        header = struct.pack('>4I', 0x803, *images.shape)
        (raw / f'{split}-images-idx3-ubyte').write_bytes(header + images.tobytes())
        header = struct.pack('>2I', 0x801, len(labels))
        (raw / f'{split}-labels-idx1-ubyte').write_bytes(header + labels.tobytes())
    return str(root)


@pytest.fixture(scope='session', autouse=True)
def cache_of_their_own(tmp_path_factory):
    """Features that an evaluation keeps, in the processes that tests start too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('XDG_CACHE_HOME', str(tmp_path_factory.mktemp('cache')))
        yield


@MODELS.register_module()
class TinyClassifier(torch.nn.Module):
    """Three features and ten classes, in the place of a network that is not there."""

    def forward(self, images):
        features = images.mean((2, 3))
        return features, features[:, :1] * torch.arange(10)


@DATASETS.register_module()
class TinyDataset(InMemoryImageDataset):
    """Twenty random images of ten classes, in the place of data that is not there."""

    METAINFO = {'classes': tuple('0123456789')}

    def __init__(self, image_shape):
        self.image_shape = image_shape
        super().__init__()

    def load_images(self):
        stream = np.random.default_rng(0)
        images = stream.integers(0, 256, (20, *self.image_shape), dtype=np.uint8)
        return images, np.arange(20) % 10


@DATASETS.register_module()
class TinyPairs(torch.utils.data.Dataset):
    """Twenty random images and their negatives, in the place of pairs that are not there."""

    def __init__(self, side):
        self.side = side

    def __len__(self):
        return 20

    def __getitem__(self, index):
        stream = torch.Generator().manual_seed(index)
        shape = (3, self.side, self.side)
        source = torch.randint(256, shape, generator=stream, dtype=torch.uint8)
        return dict(source=source, target=255 - source)


@pytest.fixture
def shrunk_config(tmp_path, tiny_mnist_root):
    """A config of the repo, cut down to two iterations on little data."""

    def tiny(cfg, dataset):
        if 'MNIST' in dataset.type:
            dataset.data_root = tiny_mnist_root
            if 'num_images' in dataset:
                dataset.num_images = 20
        elif dataset.type in ('PairedImageDataset', 'UnpairedImageDataset'):
            return ConfigDict(type='TinyPairs', side=min(dataset.image_size, 32))
        elif dataset.type == 'EdgesToDigitsDataset':
            dataset.indices = 20
        elif 'data_root' in dataset:
            return ConfigDict(type='TinyDataset', image_shape=cfg.model.generator.image_shape)
        return dataset

    def shrink_evaluation(cfg, loop):
        loader, evaluator = cfg[f'{loop}_dataloader'], cfg[f'{loop}_evaluator']
        loader.dataset = tiny(cfg, loader.dataset)
        if loader.dataset.type == 'DigitsDataset':
            loader.dataset.indices = 20
        elif loader.dataset.type == 'TinyPairs':
            loader.num_workers = 0
        if loader.sampler.type == 'SpreadSampler':
            loader.sampler.num_samples = evaluator.num_samples = 15
        if 'train_dataset' in evaluator:
            evaluator.train_dataset = tiny(cfg, evaluator.train_dataset)
        if evaluator.get('extractor', {}).get('type') == 'InceptionV3':
            evaluator.extractor = dict(
                type='ModuleExtractor', name='tiny', module=dict(type='TinyClassifier')
            )

    def load(path, iterations=2) -> Config:
        cfg = Config.fromfile(path)
        cfg.work_dir = str(tmp_path / 'work')
        cfg.experiment_name = f'{Path(path).stem}_{uuid.uuid4().hex}'
        cfg.train_cfg.max_iters = iterations
        cfg.train_dataloader.batch_size = 8
        for network in (cfg.model.generator, cfg.model.discriminator):
            if network.type.startswith('StyleGAN2'):  # hundreds of MB otherwise
                channels, side, _ = network.image_shape
                network.image_shape = (channels, min(side, 32), min(side, 32))
                network.update(channel_max=6, num_mapping_layers=1)
                network.low_precision_levels = min(1, network.get('low_precision_levels', 0))
        if 'growth' in cfg.model:
            channels, side, _ = cfg.model.generator.image_shape
            per_stage = 8 * iterations // (side.bit_length() - 3)
            stable = max(1, per_stage // 5)
            growth = dict(fade_images=per_stage - stable, stable_images=stable)
            cfg.model.growth = growth
            if 'batch_sampler' in cfg.train_dataloader:
                stages = len(cfg.train_dataloader.batch_sampler.batch_sizes)
                cfg.train_dataloader.batch_sampler.update(batch_sizes=(8,) * stages, growth=growth)
        if 'images_per_update' in cfg.model.get('ema', {}):
            cfg.model.ema.images_per_update = 8
        cfg.train_dataloader.dataset = tiny(cfg, cfg.train_dataloader.dataset)
        if cfg.train_dataloader.dataset.type in ('TinyDataset', 'TinyPairs'):
            cfg.train_dataloader.update(num_workers=0, persistent_workers=False)
        for loop in ('val', 'test'):
            if cfg.get(f'{loop}_evaluator') is not None:
                shrink_evaluation(cfg, loop)
        for network in (cfg.model.generator, cfg.model.discriminator):
            if network.type.startswith('R3GAN'):  # hundreds of MB otherwise
                network.update(channels=16, cardinality=2)
            elif network.type.startswith('FastGAN'):
                network.update(base_channels=2)
            elif network.type == 'UNetTranslator':
                network.update(base_channels=2, levels=min(network.get('levels', 8), 3))
            elif network.type == 'ResNetTranslator':
                network.update(base_channels=2, num_blocks=3)
            elif network.type == 'PatchDiscriminator':
                network.update(base_channels=2, num_layers=2)
            elif network.type.startswith('PGGAN'):
                network.update(base_channels=64, max_channels=8)
            elif network.type in ('BigGANGenerator', 'BigGANDeepGenerator', 'SAGANGenerator'):
                network.update(channels=16, attention=1)  # where there are few pixels
            elif network.type.startswith(('BigGAN', 'SAGAN')):
                network.update(channels=(16,) * (network.get('halvings', 2) + 1))
        return cfg

    return load
