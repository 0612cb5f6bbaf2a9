import re

import pytest

from mmgan_lite.config_migration.reading import Unknown, as_plain, has_unknown, read_tables


def read(old, text, **bases):
    path = old('config', text)
    for name, content in bases.items():
        (path.parent / f'{name}.py').write_text(content)
    table, code = read_tables(path)
    return table, [(place.line, found) for place, found in code]


def test_values_are_computed_without_running(old):
    text = """
ratio = 4 / (4 + 1)
name = 'photo'
common = dict(mean=[127.5] * 3, to_rgb=False)
settings = dict(
    lr=0.002 * ratio,
    beta=0.99**ratio,
    key=f'img_{name}',
    both=[f'img_{d}' if False else name, *[1, 2]],
    negative=-1,
    size=(64, 8 * 8),
    **common)
settings['later'] = {'a': 1}
"""
    table, code = read(old, text)
    settings = as_plain(table['settings'])
    assert settings.pop('both') == [Unknown("f'img_{d}' if False else name"), 1, 2]
    assert settings == dict(
        lr=0.0016,
        beta=0.99**0.8,
        key='img_photo',
        negative=-1,
        size=(64, 64),
        mean=[127.5] * 3,
        to_rgb=False,
        later=dict(a=1),
    )
    # Names that only others use are no settings.
    assert list(table) == ['settings']
    assert code == []
    assert has_unknown(table)


def test_lines_are_those_of_the_file(old):
    text = "model = dict(\n    a=1,\n    b=dict(\n        c=2))\nmodel['d'] = 3"
    table, _ = read(old, text)
    places = table['model'].places | table['model']['b'].places
    assert {key: place.line for key, place in places.items()} == dict(a=2, b=3, c=4, d=5)


def test_bases_are_merged_as_mmengine_does(old):
    text = """
_base_ = ['./one.py', './two.py']
model = dict(a=dict(x=5), b=dict(_delete_=True, z=1))
steps = _base_.lengths[1]
quoted = '{{_base_.model.kind}}'
"""
    table, code = read(
        old,
        text,
        one="model = dict(kind='GAN', a=dict(x=1, y=2), b=dict(x=1))",
        two='lengths = [10, 20]',
    )
    assert as_plain(table) == dict(
        model=dict(kind='GAN', a=dict(x=5, y=2), b=dict(z=1)),
        lengths=[10, 20],
        steps=20,
        quoted='GAN',
    )
    assert {place.file.name for place in table['model']['a'].places.values()} == {
        'one.py',
        'config.py',
    }
    assert code == []


def test_code_is_listed_and_not_run(old, tmp_path):
    text = f"""
import os
_base_ = ['mmcls::_base_/a.py']
open({str(tmp_path / 'pwned')!r}, 'w')
model = dict(a=os.getcwd(), b=[max(1, 2)])
for name in 'ab':
    pass
"""
    table, code = read(old, text)
    assert not (tmp_path / 'pwned').exists()
    assert table['model']['a'] == Unknown('os.getcwd()')
    assert [line for line, _ in code] == [2, 1, 3, 5]
    assert code[0][1] == "_base_ = 'mmcls::_base_/a.py'"
    assert code[3][1] == "for name in 'ab':"


@pytest.mark.parametrize('value', ['9**9**9', '[0] * 10**9', "'a' * 99999", '1 / 0', '{}[1]'])
def test_what_could_take_all_memory_or_fail_is_not_computed(old, value):
    table, _ = read(old, f'model = dict(a={value})')
    found = table['model']['a']
    assert isinstance(found, Unknown)
    assert found.code.replace(' ', '') == value.replace(' ', '')


def test_deep_expressions_are_not_computed(old):
    table, _ = read(old, f'model = dict(a={" + ".join("1" * 800)})')
    assert isinstance(table['model']['a'], int | Unknown)


def test_what_cannot_be_read_is_named(old):
    with pytest.raises(ValueError, match=r"one.py' cannot be read .*, which is a _base_ of '"):
        read(old, "_base_ = './one.py'")
    with pytest.raises(ValueError, match=r"config.py' must be a config in Python: '\(' was"):
        read(old, 'model = dict(')
    message = re.escape("_base_ of '") + '.*' + re.escape("config.py' must not lead back to it.")
    with pytest.raises(ValueError, match=message):
        read(old, "_base_ = './config.py'")
