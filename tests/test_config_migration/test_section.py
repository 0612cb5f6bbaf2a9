from pathlib import Path

import pytest

from mmgan_lite.config_migration.reading import Place, Table, Unknown
from mmgan_lite.config_migration.section import Report, Section


@pytest.fixture
def section():
    """Of a table with a value of each kind, one a line."""
    inner = Table()
    inner.put('type', 'Adam', Place(Path('a.py'), 2))
    inner.put('lr', 0.1, Place(Path('a.py'), 3))
    table = Table()
    values = dict(inner=inner, number=1, code=Unknown('f(x)'), none=None, entries=[inner, 3])
    for line, (key, value) in enumerate(values.items(), 1):
        table.put(key, value, Place(Path('a.py'), line))
    return Section(table, 'model', Place(Path('a.py'), 1), Report())


def listed(section):
    return [(place.line, text, reason) for place, text, reason in section.report.entries]


def test_each_setting_is_taken_ignored_or_listed(section):
    assert section.take('number') == 1
    assert section.take('missing', 7) == 7
    assert section.take('code', 5) == 5
    section.ignore('entries', 'missing')
    section.section('inner').take('type')
    section.close()
    assert listed(section) == [
        (3, 'model.code = f(x)', 'it would have to run'),
        (3, 'model.inner.lr = 0.1', 'ours has no such setting'),
    ]


def test_reason_is_given(section):
    section.leave('it is built in', 'number', 'missing')
    assert listed(section) == [(2, 'model.number = 1', 'it is built in')]
    section.leave('again', 'number')
    assert len(listed(section)) == 1


def test_sections_of_a_list_and_of_one_dict(section):
    (first,) = section.sections('entries')
    assert first.path == 'model.entries[0]'
    (alone,) = section.sections('inner')
    assert (alone.path, alone.take('lr')) == ('model.inner', 0.1)
    assert section.sections('missing') == []


def test_section_is_the_same_at_each_call(section):
    section.section('inner').ignore('type', 'lr')
    assert 'lr' not in section.section('inner')
    section.section('number')
    assert listed(section) == [(2, 'model.number = 1', 'it is no dict')]
