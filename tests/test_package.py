"""The package as a whole: cheap to import, its metadata true."""

import configparser
import re
import subprocess
import sys

import mmgan_lite


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
