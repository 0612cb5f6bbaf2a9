"""What the docs and READMEs print is true: examples train, links and commands exist."""

import re
import sys
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.runner import Runner

import mmgan_lite.registry
from mmgan_lite.registry import Registry

REPO = Path(__file__).resolve().parents[1]
EXAMPLES = sorted((REPO / 'docs' / 'examples').glob('gan_*.py'))
PAGES = [*REPO.glob('*.md'), *REPO.glob('docs/*.md'), *REPO.glob('configs/**/*.md')]


@pytest.fixture(autouse=True)
def forgotten_afterwards():
    """What an example registers, and the modules it is in, are gone after its test."""
    registries = [r for r in vars(mmgan_lite.registry).values() if isinstance(r, Registry)]
    for registry in registries:
        registry.import_from_location()
    names = [r.module_dict.copy() for r in registries]
    modules = set(sys.modules)
    yield
    for registry, before in zip(registries, names, strict=True):
        registry._module_dict = before
    for name in set(sys.modules) - modules:
        file = getattr(sys.modules[name], '__file__', None)
        # Not of an installed package, which a second import may break.
        if file and not Path(file).is_relative_to(sys.prefix) and not name.startswith('mm'):
            del sys.modules[name]


def test_there_are_examples():
    assert len(EXAMPLES) >= 3


@pytest.mark.parametrize('path', EXAMPLES, ids=lambda path: path.stem)
def test_example_trains(path, shrunk_config, monkeypatch):
    monkeypatch.syspath_prepend(str(path.parent))
    monkeypatch.chdir(path.parent)
    runner = Runner.from_cfg(shrunk_config(path))
    runner.train()
    assert runner.iter == 2


def test_readme_pieces_train(shrunk_config, tmp_path, monkeypatch):
    """The two files that README prints, as a user would write them."""
    blocks = re.findall(
        r'`(my_\w+\.py)`[^`]*```python\n(.*?)```', (REPO / 'README.md').read_text(), re.S
    )
    assert [name for name, _ in blocks] == ['my_losses.py', 'my_config.py']
    for name, code in blocks:
        (tmp_path / name).write_text(code.replace("'configs/", f"'{REPO}/configs/"))
    monkeypatch.syspath_prepend(str(tmp_path))
    runner = Runner.from_cfg(shrunk_config(tmp_path / 'my_config.py'))
    runner.train()
    assert type(runner.model.loss).__name__ == 'AbsoluteErrorGANLoss'
    assert 'my_losses' in sys.modules


@pytest.mark.parametrize('page', PAGES, ids=lambda page: str(page.relative_to(REPO)))
def test_links_lead_somewhere(page):
    for target in re.findall(r'\]\(([^)#:\s]+)\)', page.read_text()):
        assert (page.parent / target).exists(), target


def test_options_that_commands_set_exist():
    """Each config that README names on a command line is there."""
    named = set(re.findall(r'configs/\S+?\.py', (REPO / 'README.md').read_text()))
    assert named
    assert [name for name in named if not (REPO / name).is_file()] == []
    assert all(Config.fromfile(REPO / name) for name in named)
