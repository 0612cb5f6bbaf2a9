import hashlib
import json

import numpy as np
import pytest
import torch
from mmengine.runner import Runner
from PIL import Image

from mmgan_lite.cli import main
from mmgan_lite.datasets import PackedImageDataset, PackedPairDataset, PairedImageDataset


@pytest.fixture
def folder(tmp_path):
    """Five colour images of 12x8 pixels in two classes."""
    stream = np.random.default_rng(0)
    for number in range(5):
        path = tmp_path / 'photos' / 'ab'[number % 2] / f'{number}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(stream.integers(0, 256, (8, 12, 3), dtype=np.uint8)).save(path)
    return tmp_path / 'photos'


def test_packs_a_folder(tool, folder, tmp_path):
    out = tmp_path / 'new' / 'packed'
    done = tool('pack_dataset', folder, out, '--image-size', 4, 6, '--channels', 1)
    dataset = PackedImageDataset(out, verify=True)
    assert dataset.images.shape == (5, 1, 4, 6)
    assert dataset.labels.tolist() == [0, 0, 0, 1, 1]
    meta = json.loads((out / 'meta.json').read_text())
    assert meta['source'] == {'type': 'ImageFolderDataset', 'data_root': str(folder)}
    assert f'5 images of shape (1, 4, 6) in 2 classes: {out}' in done.stdout
    assert f'sha256 of images.npy: {meta["images_sha256"]}' in done.stdout
    assert '5/5' in done.stdout


@pytest.fixture
def run(monkeypatch, capsys):
    """Run ``mmgan-lite`` in this process, which is quicker; returns what it prints."""

    def run(*arguments):
        monkeypatch.setattr('sys.argv', ['mmgan-lite', *map(str, arguments)])
        main()
        return capsys.readouterr().out

    return run


def test_one_side_means_a_square_and_again_the_same_hash(run, folder, tmp_path):
    hashes = set()
    for workers in (1, 3):
        out = tmp_path / f'packed_{workers}'
        printed = run('pack-dataset', folder, out, '--image-size', 4, '--workers', workers)
        assert '5 images of shape (3, 4, 4)' in printed
        hashes.add(printed.split()[-1])
    assert len(hashes) == 1


def test_alpha_depth_and_labels(run, tmp_path):
    """Half of 12 bits in 16, transparent at the right, of 8x4 in a square, with a table."""
    (tmp_path / 'scans').mkdir()
    Image.fromarray(np.full((4, 8), 2048, np.uint16)).save(tmp_path / 'scans' / 'a.png')
    Image.new('RGBA', (8, 4), (255, 0, 0, 0)).save(tmp_path / 'scans' / 'b.png')
    (tmp_path / 'scans' / 'l.csv').write_text('a.png,x\nb.png,y\n')
    arguments = ('--image-size', 8, '--resize', 'pad', '--bit-depth', 0, 4095, '--labels', 'l.csv')
    run('pack-dataset', tmp_path / 'scans', tmp_path / 'a', *arguments, '--channels', 'RGBA')
    dataset = PackedImageDataset(tmp_path / 'a')
    assert dataset.metainfo['classes'] == ('x', 'y')
    assert dataset.images[0, :, 4, 4].tolist() == [128, 128, 128, 255]
    assert dataset.images[0, :, 0, 4].tolist() == [255, 255, 255, 0]
    arguments = (*arguments[:-2], '--no-labels', '--channels', 3, '--background', 'blue')
    run('pack-dataset', tmp_path / 'scans', tmp_path / 'b', *arguments)
    dataset = PackedImageDataset(tmp_path / 'b')
    assert dataset.labels is None
    assert dataset.images[:, :, 0, 0].tolist() == [[0, 0, 255]] * 2
    assert dataset.images[1, :, 4, 4].tolist() == [0, 0, 255]


def test_mistakes_are_answered_without_a_traceback(run, folder, tmp_path):
    (tmp_path / 'there').mkdir()
    with pytest.raises(SystemExit, match=r'^error: out must not exist yet'):
        run('pack-dataset', folder, tmp_path / 'there')
    (folder / 'a' / 'broken.png').write_text('no image')
    for arguments, message in (
        ((tmp_path / 'nowhere',), r'^error: There must be a folder or zip of images'),
        (
            (folder,),
            r'^error: At most max_corrupt=0 images .* got 1 of 6: a/broken\.png \(no image\)',
        ),
        ((folder, '--image-size', 1, 2, 3), r'^error: image_size must be an int'),
        (
            (folder, '--bit-depth', 'a', 'b'),
            r"^error: --bit-depth must be 'scale', 16 or two numbers, got 'a b'\. Pass 0 4095",
        ),
        ((folder, '--bit-depth', 12), r"^error: bit_depth must be 'error', 'scale', 16 or two n"),
        ((folder, '--channels', 'CMYK'), r"^error: channels must be 'L', 'RGB', 'RGBA' or a num"),
        ((folder, '--labels', 'no.csv'), r"^error: labels must be a \.csv .* got 'no\.csv', which"),
    ):
        with pytest.raises(SystemExit, match=message):
            run('pack-dataset', arguments[0], tmp_path / 'out', *arguments[1:])
    assert sorted(path.name for path in tmp_path.iterdir()) == ['photos', 'there']


def test_images_are_compared_with_their_checksums(run, folder, tmp_path):
    names = sorted(path.relative_to(folder) for path in folder.rglob('*.png'))
    sums = [hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names]
    lines = ''.join(f'{sum_}  {name}\n' for sum_, name in zip(sums, names, strict=True))
    (folder / 'SHA256SUMS').write_text(lines)
    assert '5 images of shape (3, 8, 12)' in run('pack-dataset', folder, tmp_path / 'packed')
    Image.new('RGB', (12, 8)).save(folder / 'b' / '3.png')
    with pytest.raises(
        SystemExit, match=r"^error: '.*b/3\.png' must be .* must have the sha256 .* in SHA256SUMS"
    ):
        run('pack-dataset', folder, tmp_path / 'again')
    assert sorted(path.name for path in tmp_path.iterdir()) == ['packed', 'photos']


@pytest.mark.parametrize('dataset_type', ['ImageFolderDataset', 'PackedImageDataset'])
def test_training_and_browsing(run, folder, tmp_path, repo, shrunk_config, dataset_type):
    """A conditional GAN trains on the folder and on what it was packed into."""
    dataset = dict(type=dataset_type, data_root=str(folder))
    if dataset_type == 'PackedImageDataset':
        dataset['data_root'] = str(tmp_path / 'packed')
        run('pack-dataset', folder, tmp_path / 'packed', '--image-size', 8)
    else:
        dataset['image_size'] = 8
    cfg = shrunk_config(repo / 'configs' / 'gan' / 'gan_mlp_digits-28x28_conditional.py')
    cfg.train_dataloader.dataset = dataset
    cfg.train_dataloader.batch_size = 4
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None  # of other images
    for network in (cfg.model.generator, cfg.model.discriminator):
        network.image_shape, network.num_classes = (3, 8, 8), 2
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert runner.iter == 2

    cfg.dump(tmp_path / 'config.py')
    options = ('--num', 4, '--out', tmp_path / 'x.png')
    printed = run('browse-dataset', tmp_path / 'config.py', *options)
    assert '4 images of shape (3, 8, 8)' in printed

    cfg.model.generator.num_classes = cfg.model.discriminator.num_classes = None
    for network in (cfg.model.generator, cfg.model.discriminator):
        network.image_shape = (3, 9, 9)
    cfg.experiment_name += '_mismatch'
    with pytest.raises(ValueError, match=r'\(3, 8, 8\)'):
        Runner.from_cfg(cfg).train()


def test_pairs(run, folder, tmp_path):
    for path in folder.rglob('*.png'):
        target = tmp_path / 'gray' / path.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.open(path).convert('L').save(target)
    out = tmp_path / 'packed'
    arguments = ('--target', tmp_path / 'gray', '--target-channels', 'L', '--image-size', 4)
    printed = run('pack-dataset', folder, out, *arguments)
    assert f'5 pairs, both in images of shape (4, 4, 4): {out}' in printed
    packed = PackedPairDataset(out, verify=True)
    assert packed.pair_shapes == ((3, 4, 4), (1, 4, 4))
    settings = dict(image_size=4, target_channels='L')
    pairs = PairedImageDataset(tmp_path, folder.name, 'gray', **settings)
    for item, expected in zip(packed, pairs, strict=True):
        assert item.keys() == {'source', 'target'}
        assert torch.equal(item['source'], expected['source'])
        assert torch.equal(item['target'], expected['target'])
    meta = json.loads((out / 'meta.json').read_text())
    assert meta['source'] == {'type': 'PairedImageDataset', 'data_root': str(folder)}


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--target-channels', 'L'], '--target-channels needs --target'),
        (['--target', 'x', '--labels', 'y'], '--labels is for images, not for pairs'),
    ],
)
def test_options_of_pairs(run, folder, tmp_path, arguments, message, capsys):
    with pytest.raises(SystemExit):
        run('pack-dataset', folder, tmp_path / 'out', *arguments)
    assert message in capsys.readouterr().err
