"""The report of a training: one HTML page that needs no network and no other file.

All text from files is escaped. The content security policy of the page allows only its own style
and script, by their hashes.
"""

import base64
import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from mmgan_lite.utils.atomic_io import atomic_write
from mmgan_lite.version import __version__
from mmgan_lite.visualization.curves import PROBED, Curve, group, thin
from mmgan_lite.visualization.page_images import read_grids, read_image
from mmgan_lite.visualization.run_log import RunLog, counted

_MAX_MESSAGES = 100
# Why a section has no data.
_REASONS = dict(
    scores='No metric was computed: give the config a val_evaluator, or run mmgan-lite test.',
    training='There are no curves: <timestamp>/vis_data/scalars.json is empty or missing. '
    "LocalVisBackend in the config's visualizer writes it every LoggerHook.interval iterations.",
    warnings='There are no warnings in the log.',
    log='There is no log: <timestamp>/*.log is missing.',
    runs='There is no folder <timestamp>; each start of a training makes one.',
    config='There is no config: <timestamp>/vis_data/config.py is missing.',
    environment='The environment is not in the log.',
)
# What is missing, the hooks that write it (the second in older configs), and why they may not have.
_HOOKS = dict(
    samples=('grids of samples', 'SampleVisualizationHook', 'has written none to samples/ so far'),
    protocol=('protocols of scores', 'DeferredLogHook|EvaluationLogHook', 'has written none'),
    health=('health figures', 'GANHealthHook', 'has measured none yet: see its interval'),
    provenance=('provenance', 'GANCheckpointHook|ProvenanceHook', 'the file is damaged or missing'),
)


def write_page(log: RunLog, out: str | Path) -> Path:
    """Write the page by an atomic write.

    Args:
        log: The training.
        out: The HTML file; its folder is made.

    Returns:
        Its path.
    """
    with atomic_write(out) as temporary:
        temporary.write_text(render_page(log), encoding='utf-8')
    return Path(out)


def render_page(log: RunLog) -> str:
    """Render the page; a section without data says why it has none.

    Args:
        log: The training.

    Returns:
        HTML.
    """
    notes = list(log.notes)
    curves: dict[str, dict[str, Curve]] = dict(scores={}, training={}, health={})
    for name, curve in log.curves.items():
        section = 'scores' if curve.is_metric else 'training'
        curves['health' if name.startswith(PROBED) else section][name] = curve
    sections = _sections(log, notes, [section for section in curves if curves[section]])
    style, script, template = (
        files('mmgan_lite.visualization').joinpath(f'page.{ending}').read_text(encoding='utf-8')
        for ending in ('css', 'js', 'html')
    )
    parts = dict(
        style_hash=_hash(style),
        script_hash=_hash(script),
        style=style,
        script=script,
        name=escape(log.name),
        summary=f'{counted(log.last_step or 0, "iteration")} in the log, '
        f'{counted(len(log.grids), "grid")} of samples, {counted(len(log.starts), "start")}',
        navigation=' '.join(_tag('a', name.title(), href=f'#{name}') for name in sections),
        notes=_notes(notes) if notes else '',
        sections='\n'.join(
            _tag('section', _tag('h2', name.title()), part or _missing(name, log), id=name)
            for name, part in sections.items()
        ),
        written=f'{datetime.now():%Y-%m-%d %H:%M}',
        version=escape(__version__),
        # Without ``<``, which may end the script element.
        data=json.dumps(_chart_data(curves), allow_nan=False).replace('<', '\\u003c'),
    )
    # In one pass, so that the text of a part is never filled in.
    return re.sub(r'\{\{(\w+)\}\}', lambda match: parts[match[1]], template)


def _sections(log: RunLog, notes: list[str], drawn: list[str]) -> dict[str, Any]:
    """The sections, empty without data; those in ``drawn`` have a place for charts."""
    charts = {name: _tag('div', class_='charts', data_section=name) for name in drawn}
    return dict(
        samples=_samples(log, notes),
        scores=_scores(log, charts.get('scores')),
        training=charts.get('training'),
        health=charts.get('health'),
        warnings=_warnings(log),
        runs=_runs(log),
        config=log.config and _details('Complete config', _tag('pre', log.config)),
        environment=log.environment and _details('Machine and versions', _pairs(log.environment)),
        provenance=_provenance(log),
    )


class _Html(str):
    """Markup, which is not to be escaped."""

    __slots__ = ()


def _tag(name: str, *content: object, **attributes: object) -> _Html:
    """An element of escaped text and of markup; an attribute that is None is left out.

    Example:
        >>> _tag('p', 'a < b', _tag('img', src='c.png'), class_='missing', id=None)
        '<p class="missing">a &lt; b<img src="c.png"></p>'
    """
    start = name
    for key, value in attributes.items():
        if value is not None:
            start += f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
    parts = [part if isinstance(part, _Html) else escape(str(part)) for part in content]
    end = '' if name in ('img', 'input') else f'</{name}>'
    return _Html(f'<{start}>{"".join(parts)}{end}')


def _table(head: Mapping[str, str | None], rows: Iterable[Iterable[object]]) -> _Html:
    """A table; ``head`` has the title and the class of each column."""

    def row(name: str, cells: Iterable[object]) -> _Html:
        pairs = zip(cells, head.values(), strict=True)
        return _tag('tr', *[_tag(name, cell, class_=class_) for cell, class_ in pairs])

    body = [row('td', cells) for cells in rows]
    return _tag('table', _tag('thead', row('th', head)), _tag('tbody', *body))


def _pairs(values: Mapping[str, object]) -> _Html:
    """A table of names and values."""
    rows = [_tag('tr', _tag('th', n, scope='row'), _tag('td', v)) for n, v in values.items()]
    return _tag('table', _tag('tbody', *rows), class_='pairs')


def _details(title: str, body: _Html) -> _Html:
    return _tag('details', _tag('summary', title), body)


def _figure(title: str, *images: _Html) -> _Html:
    return _tag('figure', _tag('figcaption', title), *images)


def _notes(notes: Iterable[str]) -> _Html:
    items = [_tag('li', note) for note in notes]
    return _tag('aside', _tag('p', 'Notes'), _tag('ul', *items), class_='notes')


def _missing(section: str, log: RunLog) -> _Html:
    """Why a section, or a part of one, has no data."""
    if section in _REASONS:
        return _tag('p', _REASONS[section], class_='missing')
    what, hooks, otherwise = _HOOKS[section]
    hook = hooks.partition('|')[0]
    if log.config is None:
        why = f'without a config it is unknown whether {hook}, which writes them, was used'
    elif found := re.search(hooks, log.config):
        why = f'{found[0]} is in the config, but {otherwise}'
    else:
        why = f'{hook}, which writes them, is not in the config'
    return _tag('p', f'No {what}: {why}.', class_='missing')


def _hash(text: str) -> str:
    return 'sha256-' + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _samples(log: RunLog, notes: list[str]) -> _Html:
    """Grids with their slider; what cannot be read is added to the notes."""
    uris = read_grids(log.grids, notes)
    images, figures, controls = [], [], []
    for iteration, uri in uris.items():
        hidden = None if iteration == max(uris) else ''
        alt = f'Samples at iteration {iteration:,}'
        images.append(_tag('img', data_iteration=iteration, hidden=hidden, alt=alt, src=uri))
    if images:
        figures.append(_figure('Generated', *images))
        end = len(uris) - 1
        controls = [
            _tag('button', 'Play', type='button', id='play'),
            _tag('label', 'Iteration', for_='iteration'),
            _tag('input', type='range', id='iteration', min=0, max=end, value=end),
            _tag('output', f'{max(uris):,}', id='shown-iteration', for_='iteration'),
        ]
    real = read_image(log.real_images, notes) if log.real_images else ''
    if real:
        figures.append(_figure('Real images', _tag('img', alt='Real images', src=real)))
    pictures = _tag('div', *figures, _tag('div', *controls, class_='controls'), class_='pictures')
    return pictures if images else _Html(_missing('samples', log) + pictures)


def _scores(log: RunLog, charts: _Html | None) -> _Html:
    """Tables of the newest scores of each protocol, and charts."""
    newest = {
        json.dumps([entry.get('protocol'), entry.get('checkpoint')], sort_keys=True): entry
        for entry in log.evaluations
    }
    tables = [_evaluation(entry) for entry in reversed(newest.values())]
    if charts and not tables:
        tables = [_missing('protocol', log)]
    protocols = [e.get('protocol') for e in log.evaluations if e['iteration'] is not None]
    if any(protocol != protocols[0] for protocol in protocols):
        text = 'The protocol changed during training: points of one curve are not comparable.'
        tables.append(_notes([text]))
    return _Html(''.join([*tables, charts or '']))


def _evaluation(entry: Mapping[str, Any]) -> _Html:
    title = 'Test' if entry['iteration'] is None else f'Iteration {entry["iteration"]:,}'
    if entry.get('checkpoint') is not None:
        title = f'Test of {entry["checkpoint"]}'
    rows = []
    for name, score in entry['scores'].items():
        settings = ', '.join(f'{key}={value}' for key, value in score['settings'].items())
        rows.append((name, _number(score['value']), _number(score['real_score']), settings))
    head = {'metric': None, 'score': 'number', 'real images score': 'number', 'settings': None}
    # In a narrow window a name breaks before the extractor.
    table = _Html(_table(head, rows).replace('[', '<wbr>['))
    parts = [_tag('h3', title), _tag('div', table, class_='scores')]
    protocol = entry.get('protocol')
    if isinstance(protocol, dict):
        values = {key.replace('_', ' '): _number(value) for key, value in protocol.items()}
        parts += [_tag('h3', 'Protocol'), _pairs(values)]
    return _Html(''.join(parts))


def _number(value: object) -> str:
    if isinstance(value, float):
        return f'{value:.4g}' if math.isfinite(value) else f'{value} (not finite)'
    if type(value) is int:
        return f'{value:,}'
    return '-' if value is None else str(value)


def _chart_data(sections: Mapping[str, Mapping[str, Curve]]) -> list[dict[str, Any]]:
    """What the script draws."""
    charts = []
    for section, curves in sections.items():
        for title, members in group(curves, curves if section == 'scores' else ()).items():
            chart = dict(section=section, title=title.removeprefix(PROBED))
            series = [_series(name, curves[name]) for name in members]
            counts = all(curves[name].is_count for name in members)
            charts.append(dict(chart, series=series, counts=counts))
    return charts


def _series(name: str, curve: Curve) -> dict[str, Any]:
    curve = thin(curve)
    return dict(
        name=name.removeprefix(PROBED),
        steps=curve.steps,
        values=[float(f'{v:.6g}') if math.isfinite(v) else None for v in curve.values],
        real_score=curve.real_score,
        dots=curve.is_rare(name),
    )


def _warnings(log: RunLog) -> _Html:
    rows = [
        (f'{count:,}', _tag('span', level.lower(), class_=f'level-{level}'), text)
        for (level, text), count in log.messages.items()
    ]
    if len(rows) > _MAX_MESSAGES:
        rest = counted(len(rows) - _MAX_MESSAGES, 'more message')
        rows[_MAX_MESSAGES:] = [('', _Html(), f'{rest} in the log')]
    if not rows:
        return _missing('warnings' if log.environment else 'log', log)
    return _table(dict(times='number', level=None, message=None), rows)


def _runs(log: RunLog) -> _Html | None:
    rows = []
    for start in log.starts:
        steps = '-' if start.first is None else f'{start.first:,} to {start.last or start.first:,}'
        rows.append((start.folder.name, steps, start.num_evaluations or '-'))
    table = _table({'started': 'unbroken', 'iterations logged': None, 'evaluations': None}, rows)
    if len(rows) < 2:
        return table if rows else None
    text = 'If two starts logged the same iteration, the later one counts.'
    return _tag('div', _tag('p', text, class_='quiet'), table)


def _provenance(log: RunLog) -> _Html:
    """Tables of ``provenance.json``, the newest start first."""
    tables = []
    for run in reversed((log.provenance or {}).get('runs', [])):
        values = {key: value for key, value in run.items() if key != 'config'}
        tables.append(_details(run.get('time', 'Provenance'), _pairs(_flatten(values))))
    return _Html(''.join(tables))


def _flatten(value: object, name: str = '') -> dict[str, str]:
    """Flatten nested dicts, with dotted names.

    Example:
        >>> _flatten(dict(git=dict(commit='ab12', dirty=False), command=['train', 'x.py']))
        {'git.commit': 'ab12', 'git.dirty': 'False', 'command': 'train x.py'}
    """
    if isinstance(value, dict):
        flat: dict[str, str] = {}
        for key, inner in value.items():
            flat |= _flatten(inner, f'{name}.{key}' if name else key)
        return flat
    if isinstance(value, list):
        value = ' '.join(map(str, value))
    return {name: '-' if value is None else str(value)}
