"""Configs as text: nothing in them is run."""

import pytest

from mmgan_lite.config_migration.reading import Unknown, read_tables


def test_expressions_and_bases(old):
    path = old(
        'x', "_base_ = 'base/runtime.py'\nn = 5\ntotal_iters = 1000 * n\nlog_level = 'DEBUG'\n"
    )
    table, code = read_tables(path)
    assert code == []
    assert table['total_iters'] == 5000
    assert 'n' not in table  # only other settings use it
    assert table['log_level'] == 'DEBUG'
    assert table.places['total_iters'].line == 3
    assert table['checkpoint_config'] == dict(interval=10000, by_epoch=False)


def test_a_call_is_not_run(old, tmp_path):
    trap = tmp_path / 'trap'
    path = old('x', f"import os\nlr = os.system('touch {trap}')\nopen({str(trap)!r}, 'w')\n")
    table, code = read_tables(path)
    assert isinstance(table['lr'], Unknown)
    assert [place.line for place, _ in code][-1] == 3
    assert not trap.exists()


def test_large_numbers_are_not_computed(old):
    table, _ = read_tables(old('x', 'a = 10 ** 10 ** 10\n'))
    assert isinstance(table['a'], Unknown)


@pytest.mark.parametrize(
    ('text', 'error'),
    [
        ('a = (', 'must be a config in Python'),
        ("_base_ = 'absent.py'", 'cannot be read .*which is a _base_ of'),
        ("_base_ = 'x.py'", 'must not lead back to it'),
    ],
)
def test_errors(old, text, error):
    with pytest.raises(ValueError, match=error):
        read_tables(old('x', text))
