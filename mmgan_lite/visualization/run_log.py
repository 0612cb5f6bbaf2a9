"""Read a work dir: curves, evaluations, grids, messages, config, environment.

Files may be incomplete, as a training may still run or was killed. What cannot be read is left out
with an entry in ``notes``; a missing file is no error, as long as the folder is a work dir.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmgan_lite.visualization.curves import PROBED, Curve, drop_repeats, join

_HEADER = re.compile(r'\d{4}/\d\d/\d\d \d\d:\d\d:\d\d - \S+ - ([A-Z]+) - (.*)')
_RESUMED = re.compile(r'resumed epoch: \d+, iter: (\d+)')
_TIMESTAMP = re.compile(r'\d{8}_\d{6}')
_GRID = re.compile(r'samples_iter-(\d+)\.png')
_LEVELS = ('WARNING', 'ERROR', 'CRITICAL')


def counted(count: int, noun: str) -> str:
    """A count with its noun, in the singular for one.

    Example:
        >>> counted(1, 'grid'), counted(2500, 'grid')
        ('1 grid', '2,500 grids')
    """
    return f'{count:,} {noun}' if count == 1 else f'{count:,} {noun}s'


@dataclass
class Start:
    """One start of the command, which made one folder ``<timestamp>``.

    Args:
        folder: That folder.
        trained: Values by step, of each scalar of training.
        validated: Values by step, of each metric.
        placed: Metrics whose iteration is not in the log, each with the number of values that were
            replaced by a later one at the same iteration.
        resumed_at: Iteration at which it resumed, None if it did not.
        first: First step at which it replaces what earlier starts wrote; None if it logged nothing.
        evaluations: Lines of ``evaluations.jsonl``.
        messages: Counts of warnings and errors, by level and text.
        environment: Machine and versions, as MMEngine logs them.
    """

    folder: Path
    trained: dict[str, dict[int, float]] = field(default_factory=dict)
    validated: dict[str, dict[int, float]] = field(default_factory=dict)
    placed: dict[str, int] = field(default_factory=dict)
    resumed_at: int | None = None
    first: int | None = None
    evaluations: list[dict[str, Any]] = field(default_factory=list)
    messages: Counter[tuple[str, str]] = field(default_factory=Counter)
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def last(self) -> int | None:
        """The last step that it logged."""
        return max((step for points in self.trained.values() for step in points), default=None)


class RunLog:
    """The contents of a work dir, of a training that was resumed or not.

    Args:
        work_dir: The folder that the config calls ``work_dir``.

    Attributes:
        work_dir: That folder, as a path.
        starts: Each start of the command, oldest first.
        curves: A :class:`Curve` for each scalar, joined over the starts: a resumed start replaces
            the earlier one from the iteration on at which it resumed.
        evaluations: Lines of ``evaluations.jsonl`` that no later start replaces, in their order.
        messages: Counts of warnings and errors, by level and text.
        environment: Of the last start that logged it.
        config: Text of the last start's config, None if there is none.
        provenance: Content of ``provenance.json``, None if there is none.
        grids: Grids of samples by iteration.
        real_images: Grid of real images, None if there is none.
        notes: What could not be read or was left out, in sentences.

    Raises:
        ValueError: If the folder is no work dir.
    """

    def __init__(self, work_dir: str | Path) -> None:
        self.work_dir = Path(work_dir)
        self.notes: list[str] = []
        folders = _start_folders(self.work_dir)
        self.starts = [self._read_start(folder) for folder in folders]
        self.curves = self._join_curves()
        self.evaluations = self._valid_evaluations()
        self.messages: Counter[tuple[str, str]] = Counter()
        self.environment: dict[str, str] = {}
        for start in self.starts:
            self.messages.update(start.messages)
            self.environment = start.environment or self.environment
        self.config = self._read_config()
        self.provenance = self._read_provenance()
        self.grids = self._find_grids()
        real = self.work_dir / 'samples' / 'real.png'
        self.real_images = real if real.is_file() else None

    @property
    def name(self) -> str:
        """Of the folder."""
        return self.work_dir.resolve().name

    @property
    def last_step(self) -> int | None:
        """The last iteration in any curve."""
        return max((curve.steps[-1] for curve in self.curves.values() if curve.steps), default=None)

    def _read_start(self, folder: Path) -> Start:
        start = Start(folder)
        _read_text_log(folder, start)
        self._read_scalars(start)
        self._read_evaluations(start)
        steps = _steps(start.trained) + _steps(start.validated)
        if steps:
            start.first = min(steps) if start.resumed_at is None else start.resumed_at + 1
        _exact_metrics(start)
        if start.placed:
            self._note(_placed_note(start.placed))
        return start

    def _read_scalars(self, start: Start) -> None:
        path = start.folder / 'vis_data' / 'scalars.json'
        trained, empty = False, 0
        for entry in self._json_lines(path):
            step = entry.get('step', entry.get('iter'))
            if not isinstance(step, int) or isinstance(step, bool):
                self._note(f'Some lines of {self._relative(path)} left out: without a step.')
                continue
            is_training = 'iter' in entry
            if not is_training and 'data_time' in entry:
                empty += not _add_validation(start, entry, step, trained)
            else:
                for name, value in _numbers(entry):
                    start.trained.setdefault(name, {})[step] = value
            trained |= is_training
        self._note_empty(path, empty)

    def _read_evaluations(self, start: Start) -> None:
        path = start.folder / 'evaluations.jsonl'
        empty = 0
        for entry in self._json_lines(path):
            if isinstance(entry.get('scores'), dict) and entry['scores']:
                start.evaluations.append(entry)
            else:
                empty += 1
        self._note_empty(path, empty)

    def _note_empty(self, path: Path, count: int) -> None:
        if count:
            what = counted(count, 'evaluation')
            self._note(f'{what} of {self._relative(path)} left out: without scores.')

    def _json_lines(self, path: Path) -> Iterator[dict[str, Any]]:
        if not path.is_file():
            return
        bad = 0
        lines = path.read_text(encoding='utf-8', errors='replace').splitlines()
        for number, line in enumerate(lines, start=1):
            try:
                entry = json.loads(line)
            except (ValueError, RecursionError):
                entry = None
            if isinstance(entry, dict):
                yield entry
            elif number == len(lines):
                self._note(f'The last line of {self._relative(path)} is incomplete.')
            elif line.strip():
                bad += 1
        if bad:
            self._note(f'{counted(bad, "line")} of {self._relative(path)} left out: not JSON.')

    def _join_curves(self) -> dict[str, Curve]:
        logged = [(start.first, start) for start in self.starts if start.first is not None]
        trained = _join_columns([(first, start.trained) for first, start in logged])
        validated = _join_columns([(first, start.validated) for first, start in logged])
        # MMEngine logs the newest value of a scalar, and not when it was taken: until the next
        # probe all lines repeat the figures of the last one, and would look like measurements.
        # The first line that has them is kept: the iteration of the probe, if it was logged. Two
        # probes with all figures alike, such as NaN, count as one.
        probed = {name: points for name, points in trained.items() if name.startswith(PROBED)}
        trained |= drop_repeats(probed)
        real_scores, curves = _last_real_scores(self.starts), {}
        for is_metric, columns in ((False, trained), (True, validated)):
            for name, points in columns.items():
                if points:
                    values = list(points.values())
                    curves[name] = Curve(list(points), values, is_metric, real_scores.get(name))
        for name, curve in curves.items():
            if curve.num_gaps:
                self._note(_gaps_note(name, curve))
        return curves

    def _valid_evaluations(self) -> list[dict[str, Any]]:
        valid: list[dict[str, Any]] = []
        for start in self.starts:
            if start.first is not None:
                valid = [e for e in valid if not _is_from(e, start.first)]
            valid += start.evaluations
        return valid

    def _read_config(self) -> str | None:
        paths = [start.folder / 'vis_data' / 'config.py' for start in self.starts if start.trained]
        paths = [*sorted(self.work_dir.glob('*.py')), *paths]
        paths = [path for path in paths if path.is_file()]
        return paths[-1].read_text(encoding='utf-8', errors='replace') if paths else None

    def _read_provenance(self) -> Any:
        path = self.work_dir / 'provenance.json'
        if not path.is_file():
            return None
        try:
            return json.loads(path.read_text(encoding='utf-8', errors='replace'))
        except (ValueError, RecursionError):
            self._note('provenance.json left out: not JSON.')
            return None

    def _find_grids(self) -> dict[int, Path]:
        found = {}
        for path in (self.work_dir / 'samples').glob('samples_iter-*.png'):
            match = _GRID.fullmatch(path.name)
            if match:
                found[int(match[1])] = path
        last = self.last_step
        if last is None or len(self.starts) < 2:
            return dict(sorted(found.items()))
        # A training that was started again in the same folder has not replaced the later grids of
        # the one before yet; they are older than its own.
        own = max((p.stat().st_mtime for i, p in found.items() if i <= last), default=0.0)
        stale = [i for i, p in found.items() if i > last and p.stat().st_mtime < own]
        if stale:
            self._note(
                f'{counted(len(stale), "grid")} of samples after iteration {last:,} left out: of '
                'an earlier training in this folder.'
            )
        return {i: path for i, path in sorted(found.items()) if i not in stale}

    def _relative(self, path: Path) -> str:
        return path.relative_to(self.work_dir).as_posix()

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


def _is_start(folder: Path) -> bool:
    """Whether it is a folder of one start; logs that have not its name do not count."""
    if not folder.is_dir():
        return False
    if (folder / 'vis_data').is_dir() or (folder / 'evaluations.jsonl').is_file():
        return True
    is_stamped = _TIMESTAMP.fullmatch(folder.name) is not None
    return is_stamped and any(path.name.startswith(folder.name) for path in folder.glob('*.log'))


def _start_folders(work_dir: Path) -> list[Path]:
    if not work_dir.is_dir():
        raise ValueError(
            f"work_dir must be a folder that a training wrote to, got '{work_dir}', which does not "
            'exist. Pass work_dir of the config.'
        )
    folders = sorted(folder for folder in work_dir.iterdir() if _is_start(folder))
    if folders or (work_dir / 'samples').is_dir():
        return folders
    remedy = 'Pass work_dir of the config.'
    if _is_start(work_dir.resolve()):
        remedy = f"It is one start of a training: pass its parent, '{work_dir.resolve().parent}'."
    else:
        inside = [f for f in sorted(work_dir.iterdir()) if f.is_dir()]
        near = [f"'{f}'" for f in inside if any(_is_start(g) for g in f.iterdir())][:3]
        if near:
            remedy = f'Pass one of those in it, such as {", ".join(near)}.'
    raise ValueError(
        f"work_dir must be a folder that a training wrote to, got '{work_dir}', which has neither "
        f'<timestamp>/vis_data, nor <timestamp>/<timestamp>.log, nor samples. {remedy}'
    )


def _read_text_log(folder: Path, start: Start) -> None:
    """Read messages, environment, and the iteration at which it resumed."""
    for path in sorted(folder.glob('*.log')):
        for level, text in _records(path):
            if level in _LEVELS:
                start.messages[level, text] += 1
            elif 'System environment:' in text and not start.environment:
                start.environment = _parse_environment(text)
            elif match := _RESUMED.search(text):
                start.resumed_at = int(match[1])


def _records(path: Path) -> Iterator[tuple[str, str]]:
    """Level and text of each message, which may have many lines."""
    level, lines = '', []
    with path.open(encoding='utf-8', errors='replace') as file:
        for line in file:
            match = _HEADER.match(line)
            if match is None:
                lines.append(line.rstrip('\n'))
                continue
            if level:
                yield level, '\n'.join(lines).strip()
            level, lines = match[1], [match[2]]
    if level:
        yield level, '\n'.join(lines).strip()


def _parse_environment(text: str) -> dict[str, str]:
    """MMEngine's block of ``    name: value``; other lines continue the value."""
    environment: dict[str, str] = {}
    name = None
    for line in text.splitlines():
        match = re.match(r' {4}(\S[^:]*): (.*)', line)
        if match:
            name = match[1]
            environment[name] = match[2].strip()
        elif name is not None and line.startswith('  '):
            environment[name] += '\n' + line.strip()
        elif line.strip():
            name = None
    return environment


def _numbers(entry: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Names and values of a line, without those that count iterations."""
    return [
        (name, _to_float(value))
        for name, value in entry.items()
        if name not in ('step', 'iter', 'epoch') and _is_number(value)
    ]


def _add_validation(start: Start, entry: Mapping[str, Any], step: int, trained: bool) -> bool:
    """Add a line of a validation; returns whether it has any metric."""
    numbers = [pair for pair in _numbers(entry) if pair[0] not in ('time', 'data_time')]
    last = start.last if trained else start.resumed_at
    # MMEngine counts validations in epochs by default, and the iteration is not in the log: it is
    # not before that of the last training line.
    is_placed = last is not None and step < last
    at = last if last is not None and is_placed else step
    for name, value in numbers:
        points = start.validated.setdefault(name, {})
        if is_placed:
            start.placed[name] = start.placed.get(name, 0) + (at in points)
        points[at] = value
    return bool(numbers)


def _steps(curves: Mapping[str, Mapping[int, float]]) -> list[int]:
    return [step for points in curves.values() for step in points]


def _join_columns(
    parts: list[tuple[int, dict[str, dict[int, float]]]],
) -> dict[str, dict[int, float]]:
    """Join the scalars of several starts, each given with its first step."""
    names = sorted({name for _, columns in parts for name in columns})
    return {
        name: join((first, columns.get(name, {})) for first, columns in parts) for name in names
    }


def _placed_note(placed: Mapping[str, int]) -> str:
    lost = max(placed.values())
    left_out = f' {counted(lost, "value")} left out: a later one is drawn there.' if lost else ''
    return (
        f'The log counts the validations of {", ".join(sorted(placed))} in epochs: each value is '
        f'drawn at the last training line before it, which may be too early.{left_out} '
        'EvaluationLogHook, or LoggerHook with log_metric_by_epoch=False, logs the iteration.'
    )


def _exact_metrics(start: Start) -> None:
    """Take metrics from ``evaluations.jsonl``, which has the iteration, where it has them."""
    exact: dict[str, dict[int, float]] = {}
    for entry in start.evaluations:
        step = entry.get('iteration')
        if not isinstance(step, int):
            continue
        for name, score in entry['scores'].items():
            value = score.get('value') if isinstance(score, dict) else None
            if _is_number(value):
                exact.setdefault(name, {})[step] = _to_float(value)
    start.validated.update(exact)
    start.placed = {name: lost for name, lost in start.placed.items() if name not in exact}


def _last_real_scores(starts: list[Start]) -> dict[str, float]:
    """Scores of real images, of validations only: a test may have other images or fewer."""
    found = {}
    for start in starts:
        for entry in start.evaluations:
            if entry.get('loop') == 'test':
                continue
            for name, score in entry['scores'].items():
                value = real_score(score) if isinstance(score, dict) else None
                if _is_number(value) and math.isfinite(_to_float(value)):
                    found[name] = _to_float(value)
    return found


def real_score(score: Mapping[str, Any]) -> Any:
    """Score of real images in an entry of ``evaluations.jsonl``; older files call it ``floor``."""
    return score.get('real_score', score.get('floor'))


def _is_from(evaluation: Mapping[str, Any], first: int) -> bool:
    step = evaluation.get('iteration')
    return isinstance(step, int) and step >= first


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _to_float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:  # an int of more than 308 digits
        return math.inf


def _gaps_note(name: str, curve: Curve) -> str:
    first = next(s for s, v in zip(curve.steps, curve.values, strict=True) if not math.isfinite(v))
    return (
        f'{curve.num_gaps:,} of {counted(len(curve.values), "value")} of {name} not finite, the '
        f'first at iteration {first:,}: left out of the curve.'
    )
