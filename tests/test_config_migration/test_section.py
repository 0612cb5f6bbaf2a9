"""Each setting is taken, ignored or listed."""

from mmgan_lite.config_migration.reading import Place, read_tables
from mmgan_lite.config_migration.section import Report, Section


def test_what_is_left_is_listed_with_its_line(old):
    path = old('x', 'a = 1\nb = dict(\n    c=2,\n    d=f(3))\ne = None\ng = 4\n')
    report = Report()
    config = Section(read_tables(path)[0], '', Place(path, 1), report)
    assert config.take('a') == 1
    assert config.take('absent', 7) == 7
    assert config.section('b').take('d', 5) == 5
    config.ignore('g')
    config.close()
    found = [(place.line, setting, reason) for place, setting, reason in report.entries]
    assert (4, 'b.d = f(3)', 'it would have to run') in found
    assert (3, 'b.c = 2', 'ours has no such setting') in found
    assert len(found) == 2
