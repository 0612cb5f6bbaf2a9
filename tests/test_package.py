"""The package as a whole: cheap to import, its metadata true."""

import configparser
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import mmgan_lite
from mmgan_lite import registry

# Classes that several modules share and users do not need, by their face.
INTERNAL = {
    'mmgan_lite.checkpoints.foreign': {
        'Family',
        'Head',
        'Network',
        'Players',
        'Source',
        'Transfer',
    },
    'mmgan_lite.config_migration': {
        'Average',
        'Pipeline',
        'Place',
        'Report',
        'Section',
        'Table',
        'Unknown',
    },
    'mmgan_lite.config_validation': {'ConfigWalk', 'Part', 'Place'},
    'mmgan_lite.datasets': {
        'FolderFiles',
        'ImageFiles',
        'ImageHeader',
        'Labels',
        'Listing',
        'ParquetFiles',
        'ZipFiles',
    },
    'mmgan_lite.engine': {'CountedOptimWrapper', 'LazyHistoryBuffer', 'OrderedCheckpointHook'},
    'mmgan_lite.engine.hooks': {'HealthWatch', 'Rule', 'Schedule', 'SealedFileBackend', 'State'},
    'mmgan_lite.evaluation': {'ImagePool', 'LoopImages', 'RealBaseline', 'ReportBuilder'},
    'mmgan_lite.models': {'GraphedStep'},
    'mmgan_lite.own_data': {'Choice', 'Networks', 'Plan'},
    'mmgan_lite.models.networks': {
        'ConditionalDiscriminator',
        'GrowingNetwork',
        'ImageNetwork',
        'ImageTranslator',
        'LatentGenerator',
        'R3GANBlock',
        'ResidualDiscriminator',
        'ResidualGenerator',
        'ResidualUpBlock',
        'ResizeConv2d',
    },
}


def modules_of(folder, prefix):
    return [importlib.import_module(m.name) for m in pkgutil.iter_modules([str(folder)], prefix)]


def faces():
    """Each package whose ``__init__`` has ``__all__``, but the top one."""
    found = [m.name for m in pkgutil.walk_packages(mmgan_lite.__path__, 'mmgan_lite.') if m.ispkg]
    packages = [importlib.import_module(name) for name in found if '.mim' not in name]
    return [package for package in packages if '__all__' in vars(package)]


FACES = faces()


def registered():
    registries = [r for r in vars(registry).values() if isinstance(r, registry.Registry)]
    for one in registries:
        one.import_from_location()
    return {part for one in registries for part in one.module_dict.values()}


@pytest.mark.parametrize('face', FACES, ids=lambda face: face.__name__)
def test_public_classes_are_on_the_face_of_their_package(face):
    classes = {
        name: value
        for module in modules_of(Path(face.__file__).parent, f'{face.__name__}.')
        for name, value in vars(module).items()
        if inspect.isclass(value) and value.__module__ == module.__name__
    }
    public = {n for n, c in classes.items() if not n.startswith('_') or c in registered()}
    internal = INTERNAL.get(face.__name__, set())
    missing = sorted(public - internal - set(face.__all__))
    assert missing == [], f'Add these to __all__ of {face.__name__}, or to INTERNAL here'
    # What was renamed, or became public, is no longer named here.
    assert sorted(internal - public) == []
    assert sorted(internal & set(face.__all__)) == []


def test_registered_parts_are_on_a_face():
    public = {id(vars(face)[name]) for face in FACES for name in face.__all__}
    missing = [
        f'{part.__module__}.{part.__name__}'
        for part in registered()
        if part.__module__.startswith('mmgan_lite.') and id(part) not in public
    ]
    assert missing == []


def test_each_face_is_written_once(repo):
    """And sorted: that is a rule of ruff."""
    for path in sorted((repo / 'mmgan_lite').rglob('*.py')):
        writes = re.findall(r'^__all__\b', path.read_text(), re.M)
        assert len(writes) <= (path.name == '__init__.py'), path


def documented(repo):
    """The objects that docs/api lists."""
    found = []
    for page in (repo / 'docs' / 'api').glob('*.md'):
        text = page.read_text()
        for name in re.findall(r'^\.\. automodule:: (\S+)', text, re.M):
            module = importlib.import_module(name)
            found += [vars(module)[n] for n in vars(module).get('__all__', vars(module))]
        for name in re.findall(r'^\.\. auto(?:class|function):: (\S+)', text, re.M):
            owner, _, attribute = name.rpartition('.')
            found.append(vars(importlib.import_module(owner))[attribute])
    return {id(value) for value in found}


@pytest.mark.parametrize('face', FACES, ids=lambda face: face.__name__)
def test_docs_list_the_names_of_each_face(repo, face):
    known = documented(repo)
    missing = [name for name in face.__all__ if id(vars(face)[name]) not in known]
    assert missing == [], 'Add them to a page in docs/api, such as by automodule of their package'


def test_import_loads_no_torch(repo):
    code = (
        'import sys, mmgan_lite; '
        "print(sorted({'torch', 'torchvision', 'mmengine', 'numpy'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, '-c', code], cwd=repo, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == '[]'


def test_parts_import_without_torchvision(repo):
    code = (
        'import sys, mmgan_lite.models, mmgan_lite.datasets, mmgan_lite.engine; '
        "print('torchvision' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, '-c', code], cwd=repo, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == 'False'


def test_version_is_in_the_changelog(repo):
    assert re.search(
        rf'^## \[{re.escape(mmgan_lite.__version__)}\]', (repo / 'CHANGELOG.md').read_text(), re.M
    )


def test_metadata_names_the_promised_versions(repo):
    setup = configparser.ConfigParser()
    setup.read(repo / 'setup.cfg')
    assert setup['options']['python_requires'] == '>=3.10'
    required = setup['options']['install_requires'].split()
    assert {'torch>=2.5', 'mmengine>=0.10.7,<0.11', 'torchvision', 'numpy', 'matplotlib'} <= set(
        required
    )
    assert not any(name.startswith('mmcv') for name in required)
