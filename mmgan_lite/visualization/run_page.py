"""The report of a training: one HTML page that needs no network and no other file.

All text from files is escaped. The content security policy of the page allows only its own style
and script, by their hashes.
"""

import base64
import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from mmgan_lite.utils.atomic_io import atomic_write
from mmgan_lite.version import __version__
from mmgan_lite.visualization.curves import PROBED, Curve, group, thin
from mmgan_lite.visualization.page_images import read_grids, to_data_uri, to_png
from mmgan_lite.visualization.run_log import RunLog, counted, real_score

_MAX_MESSAGES = 100


def write_page(log: RunLog, out: str | Path) -> Path:
    """Write the page by an atomic write.

    Args:
        log: The training.
        out: The HTML file; its folder is made.

    Returns:
        Its path.
    """
    page = render_page(log)
    with atomic_write(out) as temporary:
        temporary.write_text(page, encoding='utf-8')
    return Path(out)


def render_page(log: RunLog) -> str:
    """Render the page; a section without data says why it has none.

    Args:
        log: The training.

    Returns:
        HTML.
    """
    samples, notes = _samples(log)
    parts = dict(
        samples=samples,
        scores=_scores(log),
        training=_charts_place('training', _missing_curves(log)),
        health=_charts_place('health', _missing_health(log)),
        warnings=_warnings(log),
        runs=_runs(log),
        config=_config(log),
        environment=_environment(log),
        provenance=_provenance(log),
    )
    style, script = _file('page.css'), _file('page.js')
    return _fill(
        _file('page.html'),
        policy=escape(
            f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; "
            f"script-src '{_hash(script)}'; base-uri 'none'; form-action 'none'"
        ),
        name=escape(log.name),
        style=style,
        script=script,
        summary=escape(_summary(log)),
        navigation=' '.join(f'<a href="#{name}">{name.title()}</a>' for name in parts),
        sections=_notes(log.notes + notes)
        + '\n'.join(
            f'<section id="{name}"><h2>{name.title()}</h2>\n{part}\n</section>'
            for name, part in parts.items()
        ),
        footer=f'Written <span class="unbroken">{datetime.now():%Y-%m-%d %H:%M}</span> by '
        f'mmgan-lite report {escape(__version__)}. This file needs no network and no other file.',
        data=_json(dict(charts=_chart_data(log))),
    )


def _file(name: str) -> str:
    return files('mmgan_lite.visualization').joinpath(name).read_text(encoding='utf-8')


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return 'sha256-' + base64.b64encode(digest).decode()


def _fill(template: str, **parts: str) -> str:
    """Fill in the parts in one pass, so that the text of a part is never filled in."""
    return re.sub(r'\{\{(\w+)\}\}', lambda match: parts[match[1]], template)


def _json(data: Any) -> str:
    """JSON for a script element: without ``<``, and with finite numbers only."""
    text = json.dumps(data, allow_nan=False, separators=(',', ':'))
    return text.replace('<', '\\u003c').replace('>', '\\u003e').replace('&', '\\u0026')


def _summary(log: RunLog) -> str:
    parts = []
    if log.last_step is not None:
        parts.append(f'{counted(log.last_step, "iteration")} in the log')
    if log.grids:
        parts.append(f'{counted(len(log.grids), "grid")} of samples')
    if log.starts:
        parts.append(counted(len(log.starts), 'start'))
    return ', '.join(parts) or 'Nothing was logged yet.'


def _notes(notes: Sequence[str]) -> str:
    if not notes:
        return ''
    items = ''.join(f'<li>{escape(note)}</li>' for note in notes)
    return f'<aside class="notes"><p>Notes</p><ul>{items}</ul></aside>\n'


def _missing(text: str) -> str:
    return f'<p class="missing">{escape(text)}</p>'


def _table(
    head: Sequence[str],
    rows: Iterable[Sequence[str]],
    numbers: Sequence[int] = (),
    unbroken: Sequence[int] = (),
) -> str:
    """A table of escaped cells; columns in ``numbers`` are aligned to the right."""
    kinds = {**dict.fromkeys(unbroken, 'unbroken'), **dict.fromkeys(numbers, 'number')}
    classes = [f' class="{kinds[i]}"' if i in kinds else '' for i in range(len(head))]
    cells = ''.join(
        f'<th scope="col"{c}>{escape(h)}</th>' for h, c in zip(head, classes, strict=True)
    )
    lines = [
        '<tr>'
        + ''.join(f'<td{c}>{escape(cell)}</td>' for cell, c in zip(row, classes, strict=True))
        + '</tr>'
        for row in rows
    ]
    return f'<table><thead><tr>{cells}</tr></thead><tbody>{"".join(lines)}</tbody></table>'


def _pairs(values: Mapping[str, Any]) -> str:
    rows = ''.join(
        f'<tr><th scope="row">{escape(str(name))}</th><td>{escape(str(value))}</td></tr>'
        for name, value in values.items()
    )
    return f'<table class="pairs"><tbody>{rows}</tbody></table>'


def _details(title: str, body: str) -> str:
    return f'<details><summary>{escape(title)}</summary>{body}</details>'


def _samples(log: RunLog) -> tuple[str, list[str]]:
    """Grids with their slider, and notes about those that were left out."""
    pngs, notes = read_grids(log.grids)
    real = ''
    if log.real_images is not None:
        try:
            real = _picture('Real images', to_data_uri(to_png(log.real_images)))
        except OSError:
            notes.append('real.png is not a complete image and was left out.')
    if not pngs:
        text = 'There are no grids of samples: ' + _why_not(
            log, 'SampleVisualizationHook', 'has written none to samples/ so far.'
        )
        real = f'<div class="pictures">{real}</div>' if real else ''
        return _missing(text) + real, notes
    last = max(pngs)
    images = ''.join(
        f'<img data-iteration="{iteration}"{"" if iteration == last else " hidden"} '
        f'alt="Samples at iteration {iteration:,}" src="{to_data_uri(png)}">'
        for iteration, png in pngs.items()
    )
    return (
        '<div class="pictures">'
        f'<figure><figcaption>Generated</figcaption>{images}</figure>{real}'
        '<div class="controls"><button type="button" id="play">Play</button>'
        '<label for="iteration">Iteration</label>'
        f'<input type="range" id="iteration" min="0" max="{len(pngs) - 1}" step="1" '
        f'value="{len(pngs) - 1}">'
        f'<output id="shown-iteration" for="iteration">{last:,}</output></div></div>'
    ), notes


def _picture(title: str, uri: str) -> str:
    return (
        f'<figure><figcaption>{escape(title)}</figcaption>'
        f'<img alt="{escape(title)}" src="{uri}"></figure>'
    )


def _scores(log: RunLog) -> str:
    """Tables of the newest scores of each protocol, and charts."""
    newest: dict[str, dict[str, Any]] = {}
    for entry in log.evaluations:
        key = json.dumps([entry.get('protocol'), entry.get('checkpoint')], sort_keys=True)
        newest[key] = entry
    tables = [_evaluation(entry) for entry in reversed(newest.values())]
    metrics = _section_curves(log, 'scores')
    if not tables and not metrics:
        return _missing(
            'No metric was computed: give the config a val_evaluator, or run mmgan-lite test.'
        )
    if not tables:
        tables = [
            _missing(
                'The protocol is unknown, as evaluations.jsonl has no scores: '
                + _why_not(
                    log, 'DeferredLogHook', 'those it wrote are missing.', 'EvaluationLogHook'
                )
            )
        ]
    validated = {
        json.dumps(entry.get('protocol'), sort_keys=True)
        for entry in log.evaluations
        if entry.get('iteration') is not None
    }
    if len(validated) > 1:
        text = 'The protocol changed during training: points of one curve are not comparable.'
        tables.append(f'<aside class="notes"><p>{text}</p></aside>')
    return ''.join(tables) + (_charts_place('scores') if metrics else '')


def _evaluation(entry: Mapping[str, Any]) -> str:
    step, checkpoint = entry.get('iteration'), entry.get('checkpoint')
    title = f'Iteration {step:,}' if isinstance(step, int) else 'Test'
    if checkpoint is not None:
        title = f'Test of {checkpoint}'
    rows = []
    for name, score in entry['scores'].items():
        score = score if isinstance(score, dict) else dict(value=score)
        settings = score.get('settings')
        settings = settings if isinstance(settings, dict) else {}
        text = ', '.join(f'{key}={value}' for key, value in settings.items())
        rows.append((name, _number(score.get('value')), _number(real_score(score)), text))
    table = _table(['metric', 'score', 'real images score', 'settings'], rows, numbers=[1, 2])
    # In a narrow window a name breaks before the extractor.
    table = f'<div class="scores">{table.replace("[", "<wbr>[")}</div>'
    protocol = entry.get('protocol')
    if not isinstance(protocol, dict):
        return f'<h3>{escape(title)}</h3>{table}'
    entries = {key.replace('_', ' '): _number(value) for key, value in protocol.items()}
    return f'<h3>{escape(title)}</h3>{table}<h3>Protocol</h3>{_pairs(entries)}'


def _number(value: Any) -> str:
    if value is None:
        return '-'
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, int):
        return f'{value:,}'
    return f'{value:.4g}' if math.isfinite(value) else f'{value} (not finite)'


def _charts_place(section: str, missing: str = '') -> str:
    if missing:
        return _missing(missing)
    return (
        f'<div class="charts" data-section="{section}"></div>'
        '<noscript><p class="missing">The curves need JavaScript, which is off in this viewer; '
        'mmgan-lite plot-log draws them as an image.</p></noscript>'
    )


def _missing_curves(log: RunLog) -> str:
    if _section_curves(log, 'training'):
        return ''
    return (
        'There are no curves: <timestamp>/vis_data/scalars.json is empty or missing. '
        "LocalVisBackend writes it every LoggerHook.interval iterations; is it in the config's "
        'visualizer?'
    )


def _missing_health(log: RunLog) -> str:
    if _section_curves(log, 'health'):
        return ''
    return 'There are no figures of health: ' + _why_not(
        log,
        'GANHealthHook',
        'has not measured any before the last line of the log. The first are taken after as many '
        'iterations as its interval.',
    )


def _why_not(log: RunLog, hook: str, otherwise: str, part: str = '') -> str:
    """Why the output of a hook, or of its part in an older config, is missing."""
    if log.config is None:
        return f'{hook} writes them, and without a config it is unknown whether it was used.'
    found = next((name for name in (hook, part) if name and name in log.config), None)
    if found is None:
        return f'{hook}, which writes them, is not in the config.'
    return f'{found} is in the config, but {otherwise}'


def _section_of(name: str, curve: Curve) -> str:
    if name.startswith(PROBED):
        return 'health'
    return 'scores' if curve.is_metric else 'training'


def _section_curves(log: RunLog, section: str) -> dict[str, Curve]:
    return {n: curve for n, curve in log.curves.items() if _section_of(n, curve) == section}


def _chart_data(log: RunLog) -> list[dict[str, Any]]:
    charts = []
    for section in ('scores', 'training', 'health'):
        curves = _section_curves(log, section)
        metrics = [name for name, curve in curves.items() if curve.is_metric]
        for title, members in group(curves, metrics).items():
            series = [_series(name, curves[name]) for name in members]
            are_counts = all(curves[name].is_count for name in members)
            charts.append(
                dict(section=section, title=_short(title), series=series, counts=are_counts)
            )
    return charts


def _short(name: str) -> str:
    return name.removeprefix(PROBED)


def _series(name: str, curve: Curve) -> dict[str, Any]:
    curve = thin(curve)
    return dict(
        name=_short(name),
        steps=list(curve.steps),
        values=[float(f'{v:.6g}') if math.isfinite(v) else None for v in curve.values],
        real_score=curve.real_score,
        dots=curve.is_rare(name),
    )


def _warnings(log: RunLog) -> str:
    if not log.messages:
        if any(any(start.folder.glob('*.log')) for start in log.starts):
            return _missing('There are no warnings in the log.')
        return _missing('There is no log: <timestamp>/*.log is missing.')
    rows = ''.join(
        f'<tr><td class="number">{count:,}</td><td class="level-{level}">{level.lower()}</td>'
        f'<td>{escape(text)}</td></tr>'
        for (level, text), count in list(log.messages.items())[:_MAX_MESSAGES]
    )
    table = (
        '<table><thead><tr><th scope="col" class="number">times</th><th scope="col">level</th>'
        f'<th scope="col">message</th></tr></thead><tbody>{rows}</tbody></table>'
    )
    rest = len(log.messages) - _MAX_MESSAGES
    return table + (_missing(f'{counted(rest, "more message")} in the log.') if rest > 0 else '')


def _runs(log: RunLog) -> str:
    if not log.starts:
        return _missing('There is no folder <timestamp>; each start of a training makes one.')
    rows = []
    for start in log.starts:
        steps = '-' if start.first is None else f'{start.first:,} to {start.last or start.first:,}'
        rows.append((start.folder.name, steps, str(len(start.evaluations) or '-')))
    text = (
        '<p class="quiet">If two starts logged the same iteration, the later one counts.</p>'
        if len(rows) > 1
        else ''
    )
    return text + _table(['started', 'iterations logged', 'evaluations'], rows, unbroken=[0])


def _config(log: RunLog) -> str:
    if log.config is None:
        return _missing('There is no config: <timestamp>/vis_data/config.py is missing.')
    return _details('Complete config', f'<pre>{escape(log.config)}</pre>')


def _environment(log: RunLog) -> str:
    if not log.environment:
        return _missing('The environment is not in the log.')
    return _details('Machine and versions', _pairs(log.environment))


def _provenance(log: RunLog) -> str:
    """Tables of ``provenance.json``, the newest start first."""
    if log.provenance is None:
        if (log.work_dir / 'provenance.json').is_file():
            return _missing('provenance.json cannot be read.')
        why = _why_not(
            log,
            'GANCheckpointHook',
            'no training began with it: it writes before the first iteration; or the file was '
            'removed.',
            'ProvenanceHook',
        )
        return _missing(f'There is no provenance.json: {why}')
    runs = log.provenance.get('runs') if isinstance(log.provenance, dict) else None
    if not isinstance(runs, list) or not runs:
        runs = [log.provenance]
    tables = []
    for run in reversed(runs):
        flat = {key: value for key, value in _flatten(run).items() if key != 'config'}
        when = run.get('time') if isinstance(run, dict) else None
        tables.append(_details('Provenance' if when is None else str(when), _pairs(flat)))
    return ''.join(tables)


def _flatten(value: Any, name: str = '') -> dict[str, str]:
    """Flatten nested dicts, with dotted names.

    Example:
        >>> _flatten(dict(git=dict(commit='ab12', dirty=False), command=['train', 'x.py']))
        {'git.commit': 'ab12', 'git.dirty': 'False', 'command': 'train x.py'}
    """
    if isinstance(value, dict) and value:
        flat: dict[str, str] = {}
        for key, inner in value.items():
            flat.update(_flatten(inner, f'{name}.{key}' if name else str(key)))
        return flat
    if isinstance(value, list) and not any(isinstance(item, (dict, list)) for item in value):
        return {name: ' '.join(map(str, value))}
    return {name: '-' if value is None else str(value)}
