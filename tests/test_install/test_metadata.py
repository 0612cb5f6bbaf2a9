"""What ``mim`` reads: the index of models, and the files that wheel and sdist carry for it."""

import ast
import filecmp
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml
from mmengine.config import Config

REPO = Path(__file__).resolve().parents[2]
INDEX = yaml.safe_load((REPO / 'model-index.yml').read_text())
METAFILES = {name: yaml.safe_load((REPO / name).read_text()) for name in INDEX['Import']}
MODELS = [model for metafile in METAFILES.values() for model in metafile['Models']]
COLLECTIONS = [entry for metafile in METAFILES.values() for entry in metafile['Collections']]
# What the sources of a package consist of, apart from what is carried along for mim.
SOURCES = ('mmgan_lite', 'tests', 'setup.py', 'setup.cfg', 'MANIFEST.in', 'README.md', 'LICENSE')


def carried():
    """The names in ``CARRIED`` of setup.py, which cannot be imported without being run."""
    text = re.search(r'^CARRIED = (\(.*?\))$', (REPO / 'setup.py').read_text(), re.M | re.S)
    return ast.literal_eval(text.group(1))


def files_below(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob('*') if path.is_file())


def ours(folder):
    """Files of the repo that a copy must hold."""
    return [name for name in files_below(folder) if '__pycache__' not in name]


def test_index_names_every_metafile():
    found = [str(path.relative_to(REPO)) for path in (REPO / 'configs').rglob('metafile.yml')]
    assert sorted(INDEX['Import']) == sorted(found)


def test_every_config_is_listed_once():
    configs = REPO / 'configs'
    found = [
        str(path.relative_to(REPO))
        for path in configs.rglob('*.py')
        if '_base_' not in path.relative_to(configs).parts
    ]
    assert sorted(model['Config'] for model in MODELS) == sorted(found)


@pytest.mark.parametrize('model', MODELS, ids=lambda model: model['Name'])
def test_model_is_what_mim_search_expects(model):
    assert Path(model['Config']).stem == model['Name']
    # mim lowers what it is asked for, not what it compares with.
    assert model['Name'] == model['Name'].lower()
    assert model['In Collection'] in [collection['Name'] for collection in COLLECTIONS]
    # modelindex refuses a result without metrics.
    assert all(result.get('Metrics') for result in model.get('Results', []))


@pytest.mark.parametrize('model', MODELS, ids=lambda model: model['Name'])
def test_metadata_agrees_with_the_config(model):
    cfg = Config.fromfile(REPO / model['Config'])
    dataset = cfg.train_dataloader.dataset.type.removeprefix('mmgan_lite.')
    assert f'{model["Metadata"]["Training Data"]}Dataset' == dataset
    conditional = cfg.model.generator.get('num_classes') is not None
    kind = 'Conditional' if conditional else 'Unconditional'
    translates = 'Translator' in cfg.model.generator.type
    task = 'Image-to-image translation' if translates else f'{kind} image generation'
    assert model['Metadata']['Task'] == task


def test_collections_are_unique_and_have_a_readme():
    names = [collection['Name'] for collection in COLLECTIONS]
    assert len(set(names)) == len(names)
    for collection in COLLECTIONS:
        assert (REPO / collection['README']).is_file()


def test_carried_files_are_those_of_mim():
    assert set(carried()) >= {'configs', 'tools', 'model-index.yml'}
    manifest = (REPO / 'MANIFEST.in').read_text().splitlines()
    for name in carried():
        assert f'{"graft" if (REPO / name).is_dir() else "include"} {name}' in manifest


@pytest.fixture(scope='module')
def clone(tmp_path_factory):
    """A copy of the sources: what is built there leaves no trace in the repo."""
    pytest.importorskip('setuptools', minversion='77.0.3')
    folder = tmp_path_factory.mktemp('clone')
    for name in (*SOURCES, *carried()):
        if (REPO / name).is_dir():
            ignore = shutil.ignore_patterns('.mim')
            shutil.copytree(REPO / name, folder / name, ignore=ignore)
        else:
            shutil.copyfile(REPO / name, folder / name)
    (folder / 'tools' / '__pycache__').mkdir(exist_ok=True)
    (folder / 'tools' / '__pycache__' / 'train.cpython-311.pyc').write_bytes(b'')
    return folder


def setup(folder, *arguments):
    subprocess.run([sys.executable, 'setup.py', '-q', *arguments], cwd=folder, check=True)


def test_wheel_from_the_sdist_carries_the_files_of_mim(clone, tmp_path):
    setup(clone, 'sdist', '--dist-dir', str(tmp_path))
    (archive,) = tmp_path.glob('*.tar.gz')
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path, filter='data')
    (unpacked,) = (path for path in tmp_path.iterdir() if path.is_dir())
    assert not (unpacked / 'tests').exists()

    setup(unpacked, 'build_py', '--build-lib', str(tmp_path / 'lib'))
    folder = tmp_path / 'lib' / 'mmgan_lite' / '.mim'
    assert sorted(path.name for path in folder.iterdir()) == sorted(carried())
    for name in carried():
        if (REPO / name).is_dir():
            assert files_below(folder / name) == ours(REPO / name)
        else:
            assert filecmp.cmp(folder / name, REPO / name, shallow=False)


def test_editable_install_links_to_the_clone(clone, tmp_path):
    setup(clone, 'editable_wheel', '--dist-dir', str(tmp_path))
    folder = clone / 'mmgan_lite' / '.mim'
    assert sorted(path.name for path in folder.iterdir()) == sorted(carried())
    assert all((folder / name).resolve() == (clone / name).resolve() for name in carried())
