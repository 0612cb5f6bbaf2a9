"""Converting from the command line; commands that take weights refuse what could run code."""

import sys

import numpy as np
import pytest
import torch
from PIL import Image

from mmgan_lite.cli import main


@pytest.fixture
def run(monkeypatch, capsys):
    """A command in this process: its output, or the error that ends it."""

    def run(*arguments):
        monkeypatch.setattr(sys, 'argv', ['mmgan-lite', *map(str, arguments)])
        main()
        return capsys.readouterr().out

    return run


@pytest.fixture
def shared_file(repo):
    def find(name):
        path = repo.parent / 'shared' / 'reference' / 'goldens' / 'checkpoints' / name
        if not path.is_file():
            pytest.skip(f'{name} is not in ../shared/reference/goldens/checkpoints')
        return path

    return find


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / 'pictures'
    folder.mkdir()
    stream = np.random.default_rng(0)
    for number in range(8):
        pixels = stream.integers(256, size=(32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f'{number}.png')
    return folder


def test_converts_samples_publishes_and_trains(run, shared_file, pictures, tmp_path):
    foreign, ours = shared_file('stylegan2_ada.pkl'), tmp_path / 'ours.pth'
    text = run('convert-checkpoint', foreign, ours, '--from', 'stylegan2-ada')
    assert f'{foreign}: stylegan2-ada; 159 tensors taken, 0 derived, 36 dropped (36 resa' in text
    assert 'under their license' in text
    assert f'mmgan-lite train {tmp_path / "ours.py"}' in text
    grids = []
    for path in (foreign, ours):
        out = tmp_path / f'from_{path.name}'
        run('sample', path, '--num', 4, '--truncation', 0.7, '--out', out, '--device', 'cpu')
        grids.append((out / 'grid.png').read_bytes())
    assert grids[0] == grids[1]
    run('interpolate', ours, '--steps', 2, '--out', tmp_path / 'path', '--device', 'cpu')
    run('publish-model', ours, tmp_path / 'published')
    assert len(list((tmp_path / 'published').iterdir())) == 1
    options = ('train_cfg.max_iters=10', 'train_dataloader.batch_size=4')
    options += ('train_dataloader.num_workers=0', 'train_dataloader.persistent_workers=False')
    options += ('model.ema.images_per_update=4',)
    work_dir = tmp_path / 'training'
    config = (tmp_path / 'ours.py', '--work-dir', work_dir, '--data-root', pictures)
    run('train', *config, '--cfg-options', *options)
    trained = torch.load(work_dir / 'iter_10.pth')
    assert trained['state_dict']['generator_ema.steps'] == 11


def test_bad_arguments(run, shared_file, tmp_path):
    foreign = shared_file('r3gan.pkl')
    with pytest.raises(SystemExit, match=r"OUT must end in .pth, got '.*a.pkl'. Pass .*a.pth"):
        run('convert-checkpoint', foreign, tmp_path / 'a.pkl')
    (tmp_path / 'a.py').touch()
    with pytest.raises(SystemExit, match=r"OUT must be a new name, but '.*a.py' is there"):
        run('convert-checkpoint', foreign, tmp_path / 'a.pth')
    assert [path.name for path in tmp_path.iterdir()] == ['a.py']


@pytest.mark.parametrize('command', [
    ('convert-checkpoint', 'BAD', 'OUT/a.pth'),
    ('sample', 'BAD', '--num', 1, '--out', 'OUT/s'),
    ('sample', 'stylegan2_ada_cifar10-32x32', 'BAD', '--num', 1, '--out', 'OUT/s'),
    ('interpolate', 'BAD', '--out', 'OUT/i'),
    ('translate', 'BAD', 'PICTURES', '--out', 'OUT/t'),
    ('publish-model', 'BAD', 'OUT/p'),
    ('test', 'cyclegan_emoji-64x64_cpu', 'BAD', '--work-dir', 'OUT/w'),
    ('train', 'gan_mlp_digits-28x28', '--work-dir', 'OUT/w', '--cfg-options', 'load_from=BAD'),
    ('train', 'gan_mlp_digits-28x28', '--work-dir', 'OUT/w', '--resume', 'BAD'),
    (
        'train', 'gan_mlp_digits-28x28', '--work-dir', 'OUT/w', '--cfg-options',
        'model.init_cfg.type=Pretrained', 'model.init_cfg.checkpoint=BAD',
    ),
    (
        'score', 'PICTURES', 'PICTURES', '--extractor',
        'InceptionV3', '--weights', 'BAD',
    ),
])  # fmt: skip
def test_malicious_file_is_refused(
    run, shared_file, pictures, tmp_path, monkeypatch, capsys, command
):
    bad, out = shared_file('malicious_stylegan2_ada.pkl'), tmp_path / 'out'
    monkeypatch.setenv('MMGAN_PWN', str(tmp_path / 'pwned'))
    monkeypatch.setenv('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', '1')
    places = dict(BAD=bad, OUT=out, PICTURES=pictures)
    for name, path in places.items():
        command = [str(word).replace(name, str(path)) for word in command]
    # In the log of a run it is a ValueError.
    with pytest.raises((SystemExit, ValueError)) as caught:
        run(*command)
    message = str(caught.value) + capsys.readouterr().err
    assert 'could run code' in message or 'whose sha256 starts with' in message
    assert not (tmp_path / 'pwned').exists()
    assert [path.name for path in out.rglob('*.pth')] == []


def test_a_converted_checkpoint_is_not_resumed(run, shared_file, pictures, tmp_path):
    ours = tmp_path / 'ours.pth'
    run('convert-checkpoint', shared_file('r3gan.pkl'), ours)
    out = ('--work-dir', tmp_path / 'training', '--resume', ours)
    message = r'got one that was converted from a file of r3gan, .* Pass it as load_from=\.\.\.'
    with pytest.raises((SystemExit, ValueError), match=message):
        run('train', tmp_path / 'ours.py', '--data-root', pictures, *out)


def test_colors_are_compared_with_the_data(run, shared_file, pictures, tmp_path):
    foreign = shared_file('mmagic_dcgan.pth')
    options = ('--channel-order', 'rgb', '--data-root', pictures)
    text = run('convert-checkpoint', foreign, tmp_path / 'a.pth', *options)
    assert 'The colors agree with the data, or do not tell.' in text
    # Reddish samples in the order of the file, and images that are blue.
    content = torch.load(foreign, weights_only=True)
    for place in ('generator', 'generator_ema.module'):
        content['state_dict'][f'{place}.output_layer.conv.bias'] += torch.tensor([1.0, 0.0, -1.0])
    colored = tmp_path / 'colored.pth'
    torch.save(content, colored)
    for picture in pictures.iterdir():
        Image.new('RGB', (16, 16), (30, 130, 230)).save(picture)
    text = run('convert-checkpoint', colored, tmp_path / 'b.pth', *options)
    assert 'warning: The samples are nearer to the data when red and blue are exchanged' in text
    options = ('--channel-order', 'bgr', '--data-root', pictures)
    text = run('convert-checkpoint', colored, tmp_path / 'c.pth', *options)
    assert 'The colors agree with the data, or do not tell.' in text
    translator = shared_file('mmagic_cyclegan.pth')
    text = run('convert-checkpoint', translator, tmp_path / 'd.pth', *options)
    assert 'Colors are compared of models that draw images from latents' in text
