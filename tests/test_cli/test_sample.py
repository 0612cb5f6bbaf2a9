"""Drawing from the command line."""

import numpy as np
from PIL import Image

from mmgan_lite.inference import draw_images, get_model, set_standing_statistics
from mmgan_lite.models import TruncatedNormalLatents


def draw(tool, trained, out, *arguments, check=True):
    config = trained / 'gan_mlp_digits-28x28_conditional.py'
    return tool('sample', config, trained / 'iter_2.pth', '--out', out, *arguments, check=check)


def test_png(tool, trained, tmp_path):
    draw(tool, trained, tmp_path / 'new', '--num', 12, '--labels', '3,7')
    files = sorted(path.name for path in (tmp_path / 'new').iterdir())
    assert files == [*(f'{i:05d}.png' for i in range(12)), 'grid.png']
    assert Image.open(tmp_path / 'new' / '00000.png').size == (28, 28)
    assert Image.open(tmp_path / 'new' / '00000.png').mode == 'L'
    # Two columns, one a class, of 3 * 28 pixels and borders of 2.
    assert Image.open(tmp_path / 'new' / 'grid.png').size == (2 * 86 + 2, 6 * 86 + 2)


def test_npz_holds_the_pixels_of_the_png(tool, trained, tmp_path):
    draw(tool, trained, tmp_path, '--num', 11, '--labels', 'all')
    draw(tool, trained, tmp_path, '--num', 3, '--labels', 'all', '--format', 'npz')
    with np.load(tmp_path / 'samples.npz') as arrays:
        assert arrays['images'].dtype == np.uint8
        assert arrays['images'].shape == (3, 28, 28, 1)
        assert arrays['labels'].tolist() == [0, 1, 2]
        for index, image in enumerate(arrays['images']):
            png = np.asarray(Image.open(tmp_path / f'{index:05d}.png'))
            assert np.array_equal(image[:, :, 0], png)


def test_seed_and_weights_decide_the_images(tool, trained, tmp_path):
    images = {}
    for name, options in dict(
        first=(), again=('--seed', 0), other=('--seed', 1), last=('--no-ema',)
    ).items():
        draw(tool, trained, tmp_path / name, '--num', 2, '--format', 'npz', *options)
        with np.load(tmp_path / name / 'samples.npz') as arrays:
            images[name] = arrays['images']
    assert np.array_equal(images['first'], images['again'])
    assert not np.array_equal(images['first'], images['other'])
    assert not np.array_equal(images['first'], images['last'])


def test_bad_arguments(tool, trained, tmp_path):
    result = draw(tool, trained, tmp_path, '--num', 2, '--labels', '3,x', check=False)
    assert "labels must be numbers or names of classes, got 'x'" in result.stderr


def test_truncation_makes_images_alike(tool, trained, tmp_path):
    """Latents are scaled by it, so that at 0 all images of a class are one."""
    drawn = {}
    for truncation in (0, 0.5, 1):
        out = tmp_path / str(truncation)
        options = ('--num', 6, '--labels', '3,7', '--format', 'npz', '--truncation', truncation)
        draw(tool, trained, out, *options)
        with np.load(out / 'samples.npz') as arrays:
            drawn[truncation] = arrays['images'].astype(float)
    threes, sevens = drawn[0][::2], drawn[0][1::2]
    assert (threes == threes[0]).all()
    assert (sevens == sevens[0]).all()
    assert not np.array_equal(threes[0], sevens[0])
    spread = {key: images[::2].std(axis=0).mean() for key, images in drawn.items()}
    assert spread[0] == 0 < spread[0.5] < spread[1]


def test_threshold_and_standing_statistics(tool, trained, tmp_path):
    """The images are those of a model that is changed alike in Python."""
    options = ('--num', 4, '--labels', 3, '--format', 'npz', '--threshold', 0.1, '--no-ema')
    draw(tool, trained, tmp_path, *options, '--standing-statistics', 2, '--truncation', 0.5)
    config = trained / 'gan_mlp_digits-28x28_conditional.py'
    gan = get_model(str(config), trained / 'iter_2.pth')
    gan.latents = TruncatedNormalLatents(0.1)
    set_standing_statistics(gan, 2, truncation=0.5, use_ema=False)
    images, _ = draw_images(gan, 4, labels=[3], use_ema=False, truncation=0.5)
    with np.load(tmp_path / 'samples.npz') as arrays:
        found = arrays['images'].transpose(0, 3, 1, 2).astype(float)
    assert np.abs(found - images.numpy()).max() <= 1
    options = ('--num', 2, '--standing-statistics', 0)
    result = draw(tool, trained, tmp_path / 'out', *options, check=False)
    assert result.stderr.startswith('error: passes must be an int of at least 1, got 0')
    options = ('--cfg-options', 'model.latents.type=UniformLatents', '--threshold', 1, '--num', 2)
    result = draw(tool, trained, tmp_path / 'out', *options, check=False)
    assert result.stderr.startswith(
        'error: --threshold needs a model with normal latents, got Unif'
    )


def test_nothing_is_written_after_an_error(tool, trained, tmp_path):
    file = tmp_path / 'file'
    file.touch()
    for out in (file, file / 'below'):
        result = draw(tool, trained, out, '--num', 2, check=False)
        told = f"error: --out must be a writable path, got '{out}' ('{file}' is no"
        assert result.stderr.startswith(told)
        assert 'Pass a folder' in result.stderr
    result = draw(tool, trained, tmp_path / 'out', '--num', 2, '--truncation', 2, check=False)
    assert result.stderr.startswith('error: truncation must lie in [0, 1], got 2.0')
    assert list(tmp_path.iterdir()) == [file]
