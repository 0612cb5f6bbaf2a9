"""Read a work dir: curves, evaluations, grids, messages, config, environment.

Files may be incomplete, as a training may still run or was killed. What cannot be read is left out
with an entry in ``notes``; a missing file is no error, as long as the folder is a work dir.
"""

import json
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from mmgan_lite.visualization.curves import PROBED, Curve

_HEADER = re.compile(r'^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d - \S+ - ([A-Z]+) - ', re.MULTILINE)
_RESUMED = re.compile(r'resumed epoch: \d+, iter: (\d+)')
# An entry of MMEngine's block of the environment, and the lines that continue it.
_SETTING = re.compile(r'^ {4}(\S[^:\n]*): (.*(?:\n(?! {4}\S[^:\n]*: )  .*)*)', re.MULTILINE)
_TIMESTAMP = re.compile(r'\d{8}_\d{6}')


class _Row(NamedTuple):
    """Values of one iteration, of a validation or of training."""

    step: int
    is_metric: bool
    values: dict[str, float]


def counted(count: int, noun: str) -> str:
    """A count with its noun, in the singular for one.

    Example:
        >>> counted(1, 'grid'), counted(2500, 'grid')
        ('1 grid', '2,500 grids')
    """
    return f'{count:,} {noun}' if count == 1 else f'{count:,} {noun}s'


def find_grids(folder: Path) -> dict[int, Path]:
    """Grids that ``SampleVisualizationHook`` wrote to a folder, by iteration in rising order."""
    paths = sorted(folder.glob('samples_iter-*.png'))
    return {int(path.stem[13:]): path for path in paths if path.stem[13:].isdecimal()}


@dataclass
class Start:
    """One start of the command, which made one folder ``<timestamp>``.

    Args:
        folder: That folder.
        resumed_at: Iteration at which it resumed, None if it did not.
        first: First iteration at which it replaces earlier starts; None if it logged nothing.
        last: Last iteration of its training lines; None if it has none.
        num_evaluations: Number of lines of its ``evaluations.jsonl`` that have scores.
    """

    folder: Path
    resumed_at: int | None = None
    first: int | None = None
    last: int | None = None
    num_evaluations: int = 0


class RunLog:
    """The contents of a work dir, of a training that was resumed or not.

    Args:
        work_dir: The folder that the config calls ``work_dir``.

    Attributes:
        work_dir: That folder, as a path.
        name: Name of the folder.
        last_step: The last iteration in any curve; None without curves.
        starts: Each start of the command, oldest first.
        curves: A :class:`Curve` for each scalar, joined over the starts: a resumed start replaces
            the earlier one from the iteration on at which it resumed.
        evaluations: Lines of ``evaluations.jsonl`` that no later start replaces, in their order.
            Each score is a dict of ``value``, ``real_score`` and ``settings``.
        messages: Counts of warnings and errors, by level and text.
        environment: Machine and versions, of the last start that logged them.
        config: Text of the last start's config, None if there is none.
        provenance: Content of ``provenance.json``, None if there is none or it cannot be read.
        grids: Grids of samples by iteration.
        real_images: Grid of real images, None if there is none.
        notes: What could not be read or was left out, in sentences.

    Raises:
        ValueError: If the folder is no work dir.
    """

    def __init__(self, work_dir: str | Path) -> None:
        self.work_dir = Path(work_dir)
        self.name = self.work_dir.resolve().name
        self.notes: list[str] = []
        self.evaluations: list[dict[str, Any]] = []
        self.messages: Counter[tuple[str, str]] = Counter()
        self.environment: dict[str, str] = {}
        self._rows: list[_Row] = []
        self._real_scores: dict[str, float] = {}
        self.starts = [Start(folder) for folder in _start_folders(self.work_dir)]
        for start in self.starts:
            self._read_messages(start)
            self._read_values(start)
        self.curves = self._make_curves()
        self.last_step = max((curve.steps[-1] for curve in self.curves.values()), default=None)
        self.config = self._read_config()
        self.provenance = self._read_provenance()
        real = self.work_dir / 'samples' / 'real.png'
        self.real_images = real if real.is_file() else None
        self.grids = find_grids(self.work_dir / 'samples')
        self.notes = list(dict.fromkeys(self.notes))

    def _read_messages(self, start: Start) -> None:
        """Read messages, environment, and the iteration at which it resumed."""
        for path in sorted(start.folder.glob('*.log')):
            _, *parts = _HEADER.split(_read(path))
            for level, text in zip(parts[::2], parts[1::2], strict=True):
                if level in ('WARNING', 'ERROR', 'CRITICAL'):
                    self.messages[level, text.strip()] += 1
                elif 'System environment:' in text:
                    self.environment = {
                        name: re.sub(r'\s*\n\s*', '\n', value.strip())
                        for name, value in _SETTING.findall(text)
                    }
                elif match := _RESUMED.search(text):
                    start.resumed_at = int(match[1])

    def _read_values(self, start: Start) -> None:
        """Read evaluations and scalars, which replace those of earlier starts."""
        evaluations = self._json_lines(start.folder / 'evaluations.jsonl', 'scores', dict)
        start.num_evaluations = len(evaluations)
        metrics = []
        for entry in evaluations:
            entry['scores'] = {name: _as_score(score) for name, score in entry['scores'].items()}
            # A test has no iteration, and may have other real images or fewer.
            if entry.setdefault('iteration', None) is not None:
                values = {name: score['value'] for name, score in entry['scores'].items()}
                metrics.append(_Row(entry['iteration'], True, _numbers(values)))
                real = {name: score['real_score'] for name, score in entry['scores'].items()}
                self._real_scores |= {n: v for n, v in _numbers(real).items() if math.isfinite(v)}
        trained, validated = self._read_scalars(start, with_metrics=not metrics)
        rows = trained + (metrics or validated)
        if rows:
            first = min(row.step for row in rows)
            first = start.first = first if start.resumed_at is None else start.resumed_at + 1
            start.last = max((row.step for row in trained), default=None)
            self._rows = [row for row in self._rows if row.step < first] + rows
            self.evaluations = [
                e for e in self.evaluations if e['iteration'] is None or e['iteration'] < first
            ]
        self.evaluations += evaluations

    def _read_scalars(self, start: Start, with_metrics: bool) -> tuple[list[_Row], list[_Row]]:
        """Rows of training, and of validations where these are in no other file."""
        trained, validated = [], []
        placed: set[str] = set()
        last = start.resumed_at or 0
        for entry in self._json_lines(start.folder / 'vis_data' / 'scalars.json', 'step', int):
            step, values = entry['step'], _numbers(entry)
            if 'iter' in entry or 'data_time' not in entry:
                trained.append(_Row(step, False, values))
                last = max(last, step)
            elif with_metrics:
                metrics = {n: v for n, v in values.items() if n not in ('time', 'data_time')}
                # MMEngine counts validations in epochs by default, and the iteration is not in
                # the log: it is not before that of the last training line.
                validated.append(_Row(max(step, last), True, metrics))
                placed.update(metrics if step < last else ())
        if placed:
            self.notes.append(
                f'The log counts the validations of {", ".join(sorted(placed))} in epochs: each is '
                'drawn at the last training line before it, and of several the last. Set '
                'log_metric_by_epoch=False of LoggerHook, or EvaluationLogHook, for the iteration.'
            )
        return trained, [row for row in validated if row.values]

    def _json_lines(self, path: Path, key: str, kind: type) -> list[dict[str, Any]]:
        """The lines of a file that have a value of some kind; a note counts the others."""
        entries = [_parse_json(line) for line in _read(path).splitlines()]
        found = [entry for entry in entries if type(entry.get(key)) is kind and entry[key] != {}]
        if len(found) < len(entries):
            left_out = counted(len(entries) - len(found), 'line')
            file = path.relative_to(self.work_dir).as_posix()
            self.notes.append(f'{left_out} of {file} left out: incomplete or without {key}.')
        return found

    def _make_curves(self) -> dict[str, Curve]:
        columns: dict[tuple[bool, str], dict[int, float]] = defaultdict(dict)
        for row in _drop_repeats(self._rows):
            for name, value in row.values.items():
                columns[row.is_metric, name][row.step] = value
        curves = {}
        for (is_metric, name), points in sorted(columns.items()):
            values = list(points.values())
            curves[name] = Curve(list(points), values, is_metric, self._real_scores.get(name))
            gaps = [step for step, value in points.items() if not math.isfinite(value)]
            if gaps:
                self.notes.append(
                    f'{len(gaps):,} of {counted(len(values), "value")} of {name} not finite, the '
                    f'first at iteration {gaps[0]:,}: left out of the curve.'
                )
        return curves

    def _read_config(self) -> str | None:
        paths = [s.folder / 'vis_data' / 'config.py' for s in self.starts if s.last is not None]
        paths = [p for p in [*sorted(self.work_dir.glob('*.py')), *paths] if p.is_file()]
        return _read(paths[-1]) if paths else None

    def _read_provenance(self) -> dict[str, Any] | None:
        path = self.work_dir / 'provenance.json'
        content = _parse_json(_read(path))
        if path.is_file() and not content:
            self.notes.append('provenance.json left out: not JSON.')
        return content or None


def _is_start(folder: Path) -> bool:
    """Whether it is a folder of one start; logs that have not its name do not count."""
    if (folder / 'vis_data').is_dir() or (folder / 'evaluations.jsonl').is_file():
        return True
    return bool(_TIMESTAMP.fullmatch(folder.name) and any(folder.glob(f'{folder.name}*.log')))


def _start_folders(work_dir: Path) -> list[Path]:
    problem, remedy = 'does not exist', 'Pass work_dir of the config.'
    if work_dir.is_dir():
        folders = sorted(filter(_is_start, work_dir.iterdir()))
        if folders or (work_dir / 'samples').is_dir():
            return folders
        problem = 'has neither <timestamp>/vis_data, nor <timestamp>/<timestamp>.log, nor samples'
        inside = sorted({f"'{path.parent}'" for path in work_dir.glob('*/*') if _is_start(path)})
        parent = work_dir.resolve().parent
        if _is_start(work_dir.resolve()):
            remedy = f"It is one start of a training: pass its parent, '{parent}'."
        elif inside:
            remedy = f'Pass one of those in it, such as {", ".join(inside[:3])}.'
    rule = f"work_dir must be a folder that a training wrote to, got '{work_dir}'"
    raise ValueError(f'{rule}, which {problem}. {remedy}')


def _read(path: Path) -> str:
    """The text of a file, empty if there is none."""
    return path.read_text(encoding='utf-8', errors='replace') if path.is_file() else ''


def _parse_json(text: str) -> dict[str, Any]:
    """The dict in a text; empty if it is not JSON or something else."""
    try:
        content = json.loads(text)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _numbers(entry: dict[str, Any]) -> dict[str, float]:
    """The numbers of a line, without those that count iterations."""
    return {
        name: float(value)
        for name, value in entry.items()
        if name not in ('step', 'iter', 'epoch') and type(value) in (int, float)
    }


def _as_score(score: Any) -> dict[str, Any]:
    """A score of ``evaluations.jsonl``, where older files call that of real images ``floor``."""
    score = score if isinstance(score, dict) else dict(value=score)
    real_score = score.get('real_score', score.get('floor'))
    return {'value': None, 'settings': {}, **score, 'real_score': real_score}


def _drop_repeats(rows: list[_Row]) -> Iterator[_Row]:
    """Rows in rising order, without the figures of ``GANHealthHook`` where they only repeat.

    MMEngine logs the newest value of a scalar, and not when it was taken: until the next probe
    all lines repeat the figures of the last one, and would look like measurements. The first line
    that has them is kept: the iteration of the probe, if it was logged. Two probes with all
    figures alike, such as NaN, count as one.
    """
    before = ''
    for row in sorted(rows, key=lambda row: row.step):
        probe = {name: value for name, value in row.values.items() if name.startswith(PROBED)}
        text = repr(sorted(probe.items()))  # as text: NaN is not equal to itself
        if probe and text == before:
            row = row._replace(values={n: v for n, v in row.values.items() if n not in probe})
        before = text if probe else before
        yield row
