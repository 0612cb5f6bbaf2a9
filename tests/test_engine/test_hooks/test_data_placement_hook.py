"""Where the training data goes. A CPU passes for a GPU, but for the last test."""

import functools
import types

import pytest
import torch
from mmengine.dataset import default_collate
from mmengine.runner import Runner

from mmgan_lite.datasets import InMemoryImageDataset, image_collate
from mmgan_lite.engine.hooks import DataPlacementHook

GIBI = 2**30


class Spied(InMemoryImageDataset):
    moved_to = None

    def to(self, device):
        self.moved_to = device


def run(monkeypatch, dataset, device='cuda:0', free=GIBI, **settings):
    monkeypatch.setattr(torch.cuda, 'mem_get_info', lambda device: (free, 2 * free))
    lines = []
    logger = types.SimpleNamespace(info=lines.append)
    settings = dict(num_workers=0, pin_memory=False, collate_fn=image_collate) | settings
    weight = types.SimpleNamespace(device=torch.device(device))
    loader = types.SimpleNamespace(dataset=dataset, **settings)
    DataPlacementHook().before_train(
        types.SimpleNamespace(
            model=types.SimpleNamespace(parameters=lambda: iter([weight])),
            train_dataloader=loader,
            logger=logger,
        )
    )
    return lines


@pytest.fixture
def dataset():
    return Spied(torch.zeros(64, 1, 4, 4, dtype=torch.uint8))  # 1 KiB


def test_what_fits_is_moved(monkeypatch, dataset):
    assert run(monkeypatch, dataset) == ['The training data lies on cuda:0.']
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
    (line,) = run(monkeypatch, dataset, **settings)
    assert reason in line
    assert 'through pinned memory' in line
    assert dataset.moved_to is None


def test_quarter_of_the_free_memory_fits(monkeypatch, dataset):
    run(monkeypatch, dataset, free=4096, collate_fn=functools.partial(image_collate))
    assert dataset.moved_to is not None


def test_pipeline_stays(monkeypatch):
    dataset = Spied(torch.zeros(2, 1, 4, 4, dtype=torch.uint8), pipeline=[dict(type='PackImage')])
    (line,) = run(monkeypatch, dataset)
    assert 'goes through a pipeline' in line


def test_other_datasets_stay(monkeypatch):
    (line,) = run(monkeypatch, [1, 2, 3])
    assert 'list does not hold it as one tensor' in line


def test_nothing_to_do_without_a_gpu(monkeypatch, dataset):
    assert run(monkeypatch, dataset, device='cpu') == []
    assert dataset.moved_to is None


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_batches_are_made_on_the_gpu(repo, shrunk_config):
    runner = Runner.from_cfg(shrunk_config(repo / 'configs/gan/gan_mlp_digits-28x28.py'))
    runner.train()
    assert runner.train_dataloader.dataset.images.is_cuda
    assert next(iter(runner.train_dataloader))['inputs'].is_cuda
