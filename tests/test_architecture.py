"""Who may import whom, read from the imports themselves."""

import ast

import pytest

# What each part of the package may import of it, besides itself and the registry.
ALLOWED = {
    'checkpoints': {'catalog', 'models.layers'},
    'datasets': set(),
    'models.losses': {'models.data_preprocessor'},
    'models.augmentation': set(),
    'models.layers': set(),
    'models.networks': {'models.layers'},
    'evaluation.extractors': {'evaluation.torch_fidelity_adapter'},
    'evaluation.metrics': {'evaluation.torch_fidelity_adapter'},
    'engine.hooks': {
        'checkpoints',
        'engine.mmengine_compat',
        'engine.optimizers',
        'engine.resume',
        'visualization',
    },
    'engine.resume': {'engine.mmengine_compat'},
    'engine.optimizers': {'engine.mmengine_compat'},
    'config_migration': set(),
    'visualization': {'version', 'utils'},
    'own_data': {
        'datasets',
        'engine.benchmark',
        'engine.optimizers',
        'evaluation.extractors',
        'evaluation.torch_fidelity_adapter',
        'models.layers',
        'visualization',
    },
}


def imported_modules(path):
    """Absolute names of what a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f'{path}: write imports in full'
            yield node.module


def part_of(module):
    name = module.removeprefix('mmgan_lite.')
    return (
        '.'.join(name.split('.')[:2])
        if name.startswith(('models.', 'engine.', 'evaluation.'))
        else name.split('.')[0]
    )


@pytest.mark.parametrize('part', ALLOWED)
def test_leaves_import_only_what_they_may(repo, part):
    folder = repo / 'mmgan_lite' / part.replace('.', '/')
    files = sorted(folder.rglob('*.py'))
    assert files
    allowed = ALLOWED[part] | {part, 'registry', 'utils'}
    for path in files:
        for module in imported_modules(path):
            if module.startswith('mmgan_lite.'):
                assert part_of(module) in allowed, f'{path.relative_to(repo)} imports {module}'


def test_models_know_neither_data_nor_engine(repo):
    for path in sorted((repo / 'mmgan_lite' / 'models').rglob('*.py')):
        for module in imported_modules(path):
            assert not module.startswith(
                ('mmgan_lite.datasets', 'mmgan_lite.engine', 'mmgan_lite.inference')
            ), f'{path.relative_to(repo)} imports {module}'


def test_evaluation_knows_neither_data_nor_models(repo):
    for path in sorted((repo / 'mmgan_lite' / 'evaluation').rglob('*.py')):
        for module in imported_modules(path):
            assert not module.startswith('mmgan_lite.') or part_of(module).partition('.')[0] in (
                'evaluation',
                'registry',
                'utils',
                'checkpoints',
            ), f'{path.relative_to(repo)} imports {module}'


def test_one_file_knows_torch_fidelity(repo):
    paths = (repo / 'mmgan_lite').rglob('*.py')
    found = {
        path.name
        for path in paths
        for m in imported_modules(path)
        if m.startswith('torch_fidelity')
    }
    assert found == {'torch_fidelity_adapter.py'}


def test_package_knows_no_tools(repo):
    for path in sorted((repo / 'mmgan_lite').rglob('*.py')):
        assert not any(m.split('.')[0] in ('tools', 'tests') for m in imported_modules(path)), path


def test_tests_mirror_the_package(repo):
    """A module without a test file of its name is a module nobody looks after."""
    tests = {path.name for path in (repo / 'tests').rglob('test_*.py')}
    modules = [
        path
        for path in (repo / 'mmgan_lite').rglob('*.py')
        if path.name not in ('__init__.py', 'version.py') and '.mim' not in path.parts
    ]
    assert modules
    assert [str(m.relative_to(repo)) for m in modules if f'test_{m.name}' not in tests] == []
