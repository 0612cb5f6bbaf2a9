"""From a folder to a config: packing, choosing by the time of an iteration, and other plans."""

import contextlib

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image

from mmgan_lite.config_validation import check_config
from mmgan_lite.datasets import PackedImageDataset
from mmgan_lite.own_data import Request, find_config, preparation, prepare_training


@pytest.fixture
def seconds(monkeypatch):
    """Seconds of an iteration of the narrowest networks, in float32; wider ones take longer."""
    seconds = dict(float32=0.1, bfloat16=0.2)

    def time_iterations(cfg, batches, block, limit):
        next(batches)
        dtype = cfg.optim_wrapper.generator.dtype or 'float32'
        return seconds[dtype] * cfg.model.generator.channels[-1] / 8

    monkeypatch.setattr(preparation, 'time_iterations', time_iterations)
    monkeypatch.setattr(preparation, 'has_bfloat16', lambda device: True)
    return seconds


@pytest.fixture
def plan(tmp_path, monkeypatch, seconds):
    """Plan a training on a folder; returns the config and the lines that were printed."""
    monkeypatch.chdir(tmp_path)

    def plan(folder, **request):
        lines = []
        request = Request(str(folder), **{'budget': 300.0, **request})
        path = prepare_training(request, lines.append, lambda *_: contextlib.nullcontext(int))
        return Config.fromfile(path), '\n'.join(lines)

    return plan


def test_images_are_packed_once(plan, make_images):
    folder = make_images(20, size=(20, 18))
    (folder / 'broken.png').write_bytes(b'no image')
    (folder / 'also.png').write_bytes(b'no image')
    cfg, lines = plan(folder)
    assert cfg.filename.endswith('work_dirs/photos-16/photos-16.py')
    assert cfg.work_dir == 'work_dirs/photos-16'
    assert check_config(cfg) == []
    packed = PackedImageDataset(cfg.train_dataloader.dataset.data_root)
    assert packed.images.shape == (22, 3, 16, 16)
    assert packed.metainfo['dataset'] == 'photos'
    assert '2 that cannot be read are replaced by others' in lines
    again, lines = plan(folder)
    assert again.train_dataloader.dataset == cfg.train_dataloader.dataset
    assert 'from an earlier start' in lines
    Image.new('RGB', (20, 18)).save(folder / 'new.png')
    other, _ = plan(folder)
    assert len(PackedImageDataset(other.train_dataloader.dataset.data_root)) == 23


def test_16_bits_are_packed(plan, make_images, seconds):
    folder = make_images(16, mode='L', dtype=np.uint16)
    seconds['bfloat16'] = 0.01  # faster, and yet not chosen
    cfg, lines = plan(folder, bit_depth=16)
    assert check_config(cfg) == []
    assert cfg.optim_wrapper.generator.dtype is None
    assert 'float32: bfloat16 has 8 significant bits, fewer than the images' in lines
    dataset = PackedImageDataset(cfg.train_dataloader.dataset.data_root)
    assert dataset[0]['inputs'].dtype == torch.uint16
    assert dataset[0]['inputs'].int().max() < 256  # the numbers of the files
    assert cfg.model.data_preprocessor.bit_depth == 16
    again, _ = plan(folder, bit_depth=16)
    assert again.model == cfg.model


def test_classes_are_packed(plan, make_images):
    folder = make_images(16, folder='photos/a').parent
    make_images(17, folder='photos/b')
    cfg, _ = plan(folder)
    dataset = PackedImageDataset(cfg.train_dataloader.dataset.data_root)
    assert dataset.labels.bincount().tolist() == [16, 17]
    assert cfg.model.generator.num_classes == cfg.model.discriminator.num_classes == 2
    cfg, _ = plan(folder, labels=False, work_dir='other')
    assert PackedImageDataset(cfg.train_dataloader.dataset.data_root).labels is None
    assert cfg.model.generator.num_classes is None


@pytest.mark.parametrize('reason', ['memory', 'time'])
def test_images_that_are_not_packed(plan, make_images, monkeypatch, reason):
    if reason == 'memory':
        monkeypatch.setattr(preparation, 'machine', lambda: dict(memory_gib=1e-6))
    else:
        monkeypatch.setattr(preparation, '_decoding_seconds', lambda images: 100)
    cfg, lines = plan(make_images(20), channels='L')
    assert check_config(cfg) == []
    dataset = cfg.train_dataloader.dataset
    assert (dataset.type, dataset.channels, dataset.max_corrupt) == ('ImageFolderDataset', 'L', 2)
    assert cfg.train_dataloader.num_workers > 0
    expected = {'memory': '0.0 MiB are too much', 'time': 'packing would take 1 min 40 s'}
    assert expected[reason] in lines


def test_faster_precision_widest_networks_and_iterations(plan, make_images, seconds):
    folder = make_images(20)
    seconds.update(float32=0.02, bfloat16=0.01)
    cfg, lines = plan(folder)
    assert cfg.optim_wrapper.generator.dtype == 'bfloat16'
    width = cfg.model.generator.channels[-1]
    allowed = 0.9 * 300 / preparation.wanted_iterations(300)
    widths = [w for w in preparation.WIDTHS if 0.01 * w / 8 <= allowed]
    assert width == widths[-1]
    # The iterations fill what the start and the end leave.
    assert 0.85 * 300 <= cfg.train_cfg.max_iters * 0.01 * width / 8 <= 0.96 * 300
    assert 'few for good images' not in lines
    seconds.update(float32=0.02, bfloat16=0.03)
    cfg, _ = plan(folder)
    assert cfg.optim_wrapper.generator.dtype is None


def test_budget_that_is_too_short(plan, make_images, seconds):
    seconds.update(float32=1.0, bfloat16=2.0)
    cfg, lines = plan(make_images(20), budget=60.0)
    assert cfg.model.generator.channels[-1] == preparation.WIDTHS[0]
    assert cfg.train_cfg.max_iters <= 48
    assert 'few for good images: pass a smaller --size or a longer --budget' in lines


def test_edited_config_is_kept_aside(plan, make_images):
    folder = make_images(20)
    cfg, _ = plan(folder)
    with open(cfg.filename, 'a') as file:
        file.write('# of the user\n')
    plan(folder)
    (aside,) = preparation.Path(cfg.work_dir).glob('photos-16_before_*.py')
    assert aside.read_text().endswith('# of the user\n')


def test_a_folder_of_another_training(plan, make_images, tmp_path):
    folder = make_images(20)
    plan(folder)
    message = (
        r"'work_dirs/photos-16/photos-16\.py' must be for budget=60\.0, got budget=300\.0\. Pa"
    )
    with pytest.raises(ValueError, match=message):
        plan(folder, budget=60.0)
    (tmp_path / 'other').mkdir()
    (tmp_path / 'other' / 'last_checkpoint').touch()
    with pytest.raises(ValueError, match="'other' must be a new folder, got one with a training"):
        plan(folder, work_dir='other')
    (tmp_path / 'other' / 'photos-16.py').write_text('model = 1')
    with pytest.raises(ValueError, match=r'must be a config of train --data, got KeyError'):
        plan(folder, work_dir='other')


def test_going_on(plan, make_images):
    folder = make_images(20)
    with pytest.raises(
        FileNotFoundError, match=r"^--resume needs a plan, got no 'work_dirs/photos"
    ):
        find_config(Request(str(folder)))
    cfg, _ = plan(folder)
    for request in (dict(), dict(size=(16, 16)), dict(budget=300.0)):
        assert (
            str(find_config(Request(str(folder), **request))) == 'work_dirs/photos-16/photos-16.py'
        )
    with pytest.raises(ValueError, match=r"must be for channels='L', got channels='RGB'\. Leave"):
        find_config(Request(str(folder), channels='L'))


def test_score_while_training(plan, make_images, monkeypatch, tmp_path):
    from mmgan_lite.evaluation import torch_fidelity_adapter

    folder = make_images(20)
    monkeypatch.setattr(torch_fidelity_adapter, 'inception_path', lambda: tmp_path / 'weights')
    cfg, lines = plan(folder)
    assert 'val_evaluator' not in cfg
    assert "none: Inception's weights, 91 MB, are not downloaded" in lines
    (tmp_path / 'weights').touch()
    monkeypatch.setattr(preparation, '_scoring_seconds', lambda image_shape: 0.1)
    cfg, lines = plan(folder)
    assert cfg.val_evaluator.num_samples == 20
    assert 'FID of 20 images, 5 times: it takes 12 s in all' in lines
    assert check_config(cfg) == []
    monkeypatch.setattr(preparation, '_scoring_seconds', lambda image_shape: 1.0)
    cfg, lines = plan(folder)
    assert 'val_evaluator' not in cfg
    assert 'none: time is enough for 5 images; mmgan-lite sample and' in lines


@pytest.mark.parametrize(
    ('seconds', 'text'),
    [(0.6, '1 s'), (60, '1 min'), (245, '4 min 5 s'), (3599.7, '1 h'), (7800, '2 h 10 min')],
)
def test_durations(seconds, text):
    assert preparation._duration(seconds) == text
