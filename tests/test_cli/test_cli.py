"""The console script: each command is there, and a tool in the repo for those that train."""

import importlib
import os
import sys

import pytest

from mmgan_lite import cli


@pytest.mark.parametrize('name', cli.COMMANDS)
def test_every_command_has_a_module_with_a_main(name):
    module = importlib.import_module(f'mmgan_lite.cli.{name.replace("-", "_")}')
    assert callable(module.main)


def test_tools_are_the_same_code(repo):
    tools = {path.stem for path in (repo / 'tools').glob('*.py')}
    assert tools == {c.replace('-', '_') for c in cli.COMMANDS} - {'list', 'info'}
    for name in tools:
        assert (
            f'from mmgan_lite.cli.{name} import main' in (repo / 'tools' / f'{name}.py').read_text()
        )


def test_usage_names_all_commands(command):
    for arguments in ((), ('--help',)):
        out = command(*arguments).stdout
        assert all(f'  {name}' in out for name in cli.COMMANDS)


def test_unknown_command(command):
    result = command('trian')
    assert result.returncode == 1
    assert "no command 'trian'. Did you mean 'train'?" in result.stderr


@pytest.mark.parametrize('arguments', [['list'], ['check-config', 'no.py']])
def test_output_without_a_reader_is_no_traceback(arguments, monkeypatch):
    """As in ``mmgan-lite list | head -1``."""
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, 'w') as output:
        monkeypatch.setattr(sys, 'stdout', output)
        monkeypatch.setattr(sys, 'argv', ['mmgan-lite', *arguments])
        with pytest.raises(SystemExit) as end:
            cli.main()
        output.flush()  # as Python does at its end
    assert end.value.code == 1
