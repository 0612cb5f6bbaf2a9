"""From folder to folder on the command line."""

import sys
import zipfile

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image

from mmgan_lite.cli.publish_model import main as publish_model
from mmgan_lite.cli.sample import main as sample
from mmgan_lite.cli.translate import main as translate
from mmgan_lite.inference import TranslationInferencer
from mmgan_lite.registry import MODELS

CYCLEGAN = dict(
    type='CycleGAN',
    generator=dict(type='ResNetTranslator', base_channels=2, num_blocks=1),
    discriminator=dict(type='PatchDiscriminator', base_channels=2, num_layers=1),
    loss=dict(type='LeastSquaresGANLoss'),
)


@pytest.fixture
def call(monkeypatch, tmp_path):
    """Run a command in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def call(main, *arguments):
        monkeypatch.setattr(sys, 'argv', ['mmgan-lite', *map(str, arguments)])
        main()

    return call


@pytest.fixture
def checkpoint(tmp_path):
    return write(tmp_path / 'iter_7.pth')


def write(path, **changes):
    torch.manual_seed(0)
    config = dict(CYCLEGAN, **changes)
    meta = dict(cfg=Config(dict(model=config)).pretty_text, iter=7, experiment_name='tiny')
    torch.save(dict(state_dict=MODELS.build(config).state_dict(), meta=meta), path)
    return path


@pytest.fixture
def pictures(tmp_path):
    """A folder of mixed sizes and modes."""
    root = tmp_path / 'pictures'
    (root / 'sub' / 'deeper').mkdir(parents=True)
    stream = np.random.default_rng(0)

    def image(mode, width, height):
        channels = {'L': (), 'RGB': (3,), 'RGBA': (4,)}[mode]
        return Image.fromarray(stream.integers(0, 256, (height, width, *channels), np.uint8))

    image('RGB', 30, 17).save(root / 'rgb.jpg')
    image('L', 16, 16).save(root / 'gray.PNG')
    image('RGBA', 9, 40).save(root / 'sub' / 'rgba.png')
    image('RGB', 20, 20).quantize().save(root / 'sub' / 'deeper' / 'palette.gif')
    deep = stream.integers(0, 65536, (8, 24), np.uint16)
    Image.fromarray(deep).save(root / 'deep.tiff')
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter of a turn
    image('RGB', 12, 28).save(root / 'turned.png', exif=exif)
    (root / 'notes.txt').touch()
    return root


EXPECTED = {
    'rgb.png': ((30, 17), 'RGB'),
    'gray.PNG': ((16, 16), 'RGB'),
    'sub/rgba.png': ((9, 40), 'RGBA'),
    'sub/deeper/palette.png': ((20, 20), 'RGB'),
    'deep.png': ((24, 8), 'RGB'),
    'turned.png': ((28, 12), 'RGB'),
}


def written(folder):
    found = {}
    for path in folder.rglob('*'):
        if path.is_file():
            with Image.open(path) as image:
                found[path.relative_to(folder).as_posix()] = (image.size, image.mode)
    return found


def test_folder_of_mixed_sizes_and_modes(call, checkpoint, pictures, capsys):
    call(translate, checkpoint, pictures, '--out', 'out')
    assert written(pictures.parent / 'out') == EXPECTED
    out, err = capsys.readouterr()
    assert out.endswith('6 images written to out\n')
    inferencer = TranslationInferencer(weights=checkpoint, device='cpu')
    result = inferencer(pictures)['predictions']
    for name, image in zip(result['names'], result['images'], strict=True):
        (path,) = pictures.parent.glob(f'out/{name.rpartition(".")[0]}.*')
        assert np.array_equal(np.asarray(Image.open(path)), image.permute(1, 2, 0).numpy())
    with Image.open('out/sub/rgba.png') as found, Image.open(pictures / 'sub/rgba.png') as source:
        assert np.array_equal(np.asarray(found)[:, :, 3], np.asarray(source)[:, :, 3])


def test_zip_and_single_file(call, checkpoint, pictures):
    with zipfile.ZipFile('all.zip', 'w') as archive:
        for path in sorted(pictures.rglob('*.*')):
            archive.write(path, path.relative_to(pictures.parent))
    call(translate, checkpoint, 'all.zip', '--out', 'unpacked', '--alpha', 'composite')
    call(translate, checkpoint, pictures, '--out', 'out')
    found = written(pictures.parent / 'unpacked')
    assert found.pop('pictures/sub/rgba.png') == ((9, 40), 'RGB')
    others = {f'pictures/{name}': kind for name, kind in EXPECTED.items() if 'rgba' not in name}
    assert found == others
    call(translate, checkpoint, pictures / 'sub' / 'rgba.png', '--out', 'single')
    assert written(pictures.parent / 'single') == {'rgba.png': ((9, 40), 'RGBA')}
    one, same = (pictures.parent / name for name in ('single/rgba.png', 'out/sub/rgba.png'))
    assert one.read_bytes() == same.read_bytes()


def test_options(call, checkpoint, pictures):
    def pixels(*options):
        call(translate, checkpoint, pictures / 'rgb.jpg', '--out', 'out', *options)
        return np.asarray(Image.open('out/rgb.png')).copy()

    first = pixels()
    assert np.array_equal(pixels('--domain', 'a2b', '--size', 'keep', '--device', 'cpu'), first)
    assert not np.array_equal(pixels('--domain', 'b2a'), first)
    assert not np.array_equal(pixels('--tile', 16, '--overlap', 8), first)
    assert pixels('--size', 8).shape == (8, 8, 3)
    assert pixels('--size', '8x12').shape == (8, 12, 3)
    assert np.array_equal(pixels('--batch-size', 4), first)


def test_published_file_and_no_ema(call, checkpoint, pictures, tmp_path):
    checkpoint = write(checkpoint, ema=dict(type='ExponentialMovingAverage'))
    call(publish_model, checkpoint, 'published', '--no-ema')
    (file,) = (tmp_path / 'published').iterdir()
    for weights, out in ((file, 'one'), (checkpoint, 'two')):
        call(translate, weights, pictures / 'rgb.jpg', '--out', out, '--no-ema')
    assert (tmp_path / 'one/rgb.png').read_bytes() == (tmp_path / 'two/rgb.png').read_bytes()


def test_unreadable_files_are_named_at_the_end(call, checkpoint, pictures, capsys):
    (pictures / 'a_broken.png').write_bytes(b'nothing')
    content = (pictures / 'sub' / 'rgba.png').read_bytes()
    (pictures / 'sub' / 'cut.png').write_bytes(content[: len(content) // 2])
    with pytest.raises(SystemExit, match='error: 2 of 8 pictures cannot be read'):
        call(translate, checkpoint, pictures, '--out', 'out')
    assert written(pictures.parent / 'out') == EXPECTED
    out, err = capsys.readouterr()
    assert '6 images written to out' in out
    assert 'a_broken.png (no image)' in err
    assert 'sub/cut.png (' in err


def test_nothing_is_written_after_an_error(call, checkpoint, pictures, tmp_path):
    def refused(message, *arguments):
        with pytest.raises(SystemExit, match=f'error: {message}'):
            call(translate, *arguments, '--out', 'out')

    refused('pass CHECKPOINT INPUT', checkpoint)
    refused(r"There must be a folder or zip .*'no'", checkpoint, 'no')
    refused(r"domain must be one of 'a2b', 'b2a'", checkpoint, pictures, '--domain', 'c')
    refused(r'tile must be a multiple of 4', checkpoint, pictures, '--tile', 30)
    with pytest.raises(SystemExit) as end:
        call(translate, checkpoint, pictures, '--out', 'out', '--size', '0')
    assert end.value.code == 2
    Image.new('RGB', (8, 8)).save(pictures / 'rgb.bmp')
    message = r"'rgb.bmp' and 'rgb.jpg' would both be 'out/rgb.png'. Rename one"
    refused(f'INPUT must hold one picture .*{message}', checkpoint, pictures)
    with zipfile.ZipFile('bad.zip', 'w') as archive:
        name = zipfile.ZipInfo('/elsewhere/rgb.jpg')
        archive.writestr(name, (pictures / 'rgb.jpg').read_bytes())
    refused("names in INPUT must be paths below it, got '/elsew", checkpoint, 'bad.zip')
    assert not (tmp_path / 'out').exists()


def test_input_is_not_replaced(call, checkpoint, pictures):
    before = written(pictures.parent / 'pictures' / 'sub')
    for given in (pictures, pictures / 'rgb.jpg'):
        with pytest.raises(SystemExit, match='error: --out must be another folder than that of IN'):
            call(translate, checkpoint, given, '--out', pictures)
    assert written(pictures.parent / 'pictures' / 'sub') == before


def test_channels_that_no_png_has(call, checkpoint, pictures):
    generator = dict(CYCLEGAN['generator'], in_channels=5, out_channels=5)
    discriminator = dict(CYCLEGAN['discriminator'], in_channels=5)
    write(checkpoint, generator=generator, discriminator=discriminator)
    with pytest.raises(SystemExit, match='A PNG file must have 1 to 4 channels, got an image of 5'):
        call(translate, checkpoint, pictures, '--out', 'out')


def test_a_model_for_another_command(call, checkpoint, pictures, make_gan):
    config = dict(
        type='GAN',
        generator=dict(type='MLPGenerator', latent_dim=6, image_shape=(1, 4, 4), hidden_dims=(8,)),
        discriminator=dict(type='MLPDiscriminator', image_shape=(1, 4, 4)),
        loss=dict(type='NonSaturatingGANLoss'),
    )
    meta = dict(cfg=Config(dict(model=config)).pretty_text, iter=1, experiment_name='gan')
    torch.save(dict(state_dict=MODELS.build(config).state_dict(), meta=meta), 'gan.pth')
    with pytest.raises(SystemExit, match='error: model must be .*got a GAN.*Use mmgan-lite sample'):
        call(translate, 'gan.pth', pictures, '--out', 'out')
    with pytest.raises(SystemExit, match='error: .*got a CycleGAN.*Use mmgan-lite translate'):
        call(sample, checkpoint, '--num', 1, '--out', 'out')
