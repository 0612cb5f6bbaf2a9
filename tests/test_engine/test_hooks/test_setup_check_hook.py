"""Mistakes of data against model are found before the first iteration."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.dataset import DefaultSampler, InfiniteSampler
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from mmgan_lite.datasets import InMemoryImageDataset, image_collate
from mmgan_lite.engine import MultiOptimWrapperConstructor, SetupCheckHook


def check(model, num=9, batch_size=4, shape=(1, 4, 4), labels=None, metainfo=None, **loader):
    dataset = InMemoryImageDataset(
        images=torch.zeros(num, *shape, dtype=torch.uint8), labels=labels, metainfo=metainfo
    )
    loader.setdefault('sampler', DefaultSampler(dataset))
    loader = DataLoader(dataset, batch_size, collate_fn=image_collate, **loader)
    optim_wrapper = MultiOptimWrapperConstructor(
        dict.fromkeys(('generator', 'discriminator'), dict(optimizer=dict(type='SGD', lr=0.1)))
    )(model)
    SetupCheckHook().before_train(
        SimpleNamespace(model=model, train_dataloader=loader, optim_wrapper=optim_wrapper)
    )


def test_what_fits_passes(make_gan):
    check(make_gan(), num=8)
    check(make_gan(num_classes=3), num=8, labels=[0, 1, 2, 0, 1, 2, 0, 1])


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


def test_missing_labels(make_gan):
    with pytest.raises(ValueError, match=r'num_classes=3 needs data with labels'):
        check(make_gan(num_classes=3), num=8)


def test_more_classes_in_the_data_than_in_the_networks(make_gan):
    message = r'num_classes must be at least the number of classes in the data, got 2 for 3 classes'
    with pytest.raises(ValueError, match=message):
        check(
            make_gan(num_classes=2), num=8, labels=[0] * 8, metainfo=dict(classes=('a', 'b', 'c'))
        )
