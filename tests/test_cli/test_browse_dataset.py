import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from PIL import Image
from torch.utils.data import DataLoader

from mmgan_lite.cli.browse_dataset import first_images
from mmgan_lite.datasets import EdgesToDigitsDataset, image_collate

TOOL = Path(__file__).parents[2] / 'tools' / 'browse_dataset.py'

CONFIG = """
train_dataloader = dict(
    dataset=dict(type='DigitsDataset', image_size=8),
    sampler=dict(type='DefaultSampler', shuffle=False),
    batch_size=4,
    collate_fn=dict(type='mmgan_lite.image_collate'))
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / 'digits.py'
    path.write_text(CONFIG)
    return path


def test_draws_more_than_one_batch(config, tmp_path):
    out = tmp_path / 'new' / 'grid.png'
    options = ['--num', '9', '--out', str(out), '--cfg-options', 'train_dataloader.batch_size=5']
    done = subprocess.run(
        [sys.executable, str(TOOL), str(config), *options],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert f'9 images of shape (1, 8, 8): {out}' in done.stdout
    assert 'labels: 0 1 2 3 4 5 6 7 8' in done.stdout
    # 3 x 3 images of 8 pixels, enlarged to 96, with a frame of 2 around each: 3 * (96 + 2) + 2
    picture = np.asarray(Image.open(out))
    assert picture.shape == (296, 296, 3)
    assert picture.max() == 255


@pytest.mark.parametrize('collate', [image_collate, pseudo_collate])
def test_pairs_are_side_by_side(collate):
    dataset = EdgesToDigitsDataset(8, indices=3)
    loader = DataLoader(dataset, 2, collate_fn=collate)
    images, labels = first_images(loader, 3)
    assert labels == []
    for image, pair in zip(images, dataset, strict=True):
        gray = torch.cat([pair['source'], pair['target']], dim=2)
        assert torch.equal(image, gray.expand(3, -1, -1))
