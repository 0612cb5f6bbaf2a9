"""FID between folders, from the command line."""

import json

import numpy as np
import pytest
from PIL import Image
from scipy.linalg import sqrtm

from mmgan_lite.cli.score import main
from mmgan_lite.datasets import DigitsDataset
from mmgan_lite.evaluation import MNISTClassifier

EXTRACTOR = """
from torch import nn
from mmgan_lite.evaluation import ModuleExtractor
from mmgan_lite.registry import MODELS

@MODELS.register_module()
class PixelsOfMine(ModuleExtractor):
    def __init__(self):
        super().__init__(nn.Flatten(), 'mine')
"""


@pytest.fixture(scope='module')
def folders(tmp_path_factory):
    """Digits as PNG files, every second one a fake; among the fakes are two other files."""
    root = tmp_path_factory.mktemp('digits')
    for number, image in enumerate(DigitsDataset().images[:400, 0].numpy()):
        path = root / ('fakes' if number % 2 else 'reals') / f'{number:03}.png'
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(image).save(path)
    (root / 'fakes' / 'notes.txt').touch()
    (root / 'fakes' / 'zzz.png').touch()
    return root


@pytest.fixture
def run(monkeypatch, capsys):
    """The command in this process; returns what it prints."""

    def run(*arguments):
        monkeypatch.setattr('sys.argv', ['mmgan-lite score', *map(str, arguments)])
        main()
        return capsys.readouterr().out

    return run


def test_json_alone_is_on_standard_output(tool, folders):
    result = tool(
        *('score', folders / 'fakes', folders / 'reals'),
        *('--extractor', 'MNISTClassifier', '--json', '--device', 'cpu'),
    )
    summary = json.loads(result.stdout)
    images = DigitsDataset().images[:400]
    features = MNISTClassifier().extract(images).features.double().numpy()
    fake, real = features[1::2], features[::2]
    of_fakes, of_reals = np.cov(fake.T), np.cov(real.T)
    covariances = np.trace(of_fakes + of_reals - 2 * sqrtm(of_fakes @ of_reals).real)
    expected = ((fake.mean(0) - real.mean(0)) ** 2).sum() + covariances
    assert summary['scores']['FID[mnist-classifier]']['value'] == pytest.approx(expected, rel=1e-3)
    assert summary['protocol']['num_fakes'] == summary['protocol']['num_reals'] == 200
    assert summary['protocol']['fake_data'] == str(folders / 'fakes')
    assert "fakes': files that are no images to score are left out: 1 .txt." in result.stderr
    assert 'cannot be read are left out, 1 of 201: zzz.png (no image).' in result.stderr
    assert 'reading' not in result.stderr  # no bar where no terminal is


def test_table_of_several_metrics(run, folders):
    printed = run(
        *(folders / 'fakes', folders / 'reals', '--extractor', 'MNISTClassifier'),
        *('--metric', 'PrecisionRecall', '--metric', 'ModeCoverage', '--channels', 1),
    )
    first, _, *rows = printed.splitlines()
    assert first.startswith(f'200 images of {folders / "fakes"} against 200 images of {folders}')
    assert 'reals (gray, 28x28, not resized), seen through mnist-classifier (96 features' in first
    assert first.endswith('real-data baseline: the real images in two halves of 100')
    assert [row.split('[')[0] for row in rows] == ['precision', 'recall', 'modes', 'mode_kl']
    assert rows[2].split()[1] == '10'


def test_imported_extractor(run, folders, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'my_extractor_to_score.py').write_text(EXTRACTOR)
    options = ('--extractor', 'PixelsOfMine', '--import', 'my_extractor_to_score')
    printed = run(folders / 'fakes', folders / 'reals', *options)
    assert 'seen through mine (784 features' in printed


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (('--metric', 'FID'), r'^error: --metric must be one of .*FrechetDistance \(FID\), .*'),
        (('--metric', 'FrechetDistanc'), r"got 'FrechetDistanc'\. Did you mean 'FrechetDistance'"),
        (('--metric', 'Memorization'), r'^error: Memorization needs the training images'),
        (
            ('--extractor', 'Inception'),
            r"^error: --extractor must be .* Did you mean 'InceptionV3'",
        ),
        (('--weights', 'none.pth'), r"^error: weights must be a file, got 'none\.pth'"),
        (('--extractor', 'ModuleExtractor'), r"^error: .*required.* 'module' and 'name'"),
        (('--device', 'nothing'), r"^error: device must be one of this machine, got 'nothing'"),
    ],
)
def test_mistakes(options, message, run, folders):
    with pytest.raises(SystemExit, match=message):
        run(folders / 'fakes', folders / 'reals', *options)


def test_no_such_folder(run, folders):
    with pytest.raises(SystemExit, match=r"^error: There must be images at '.*none', got nothing"):
        run(folders / 'fakes', folders / 'none')
