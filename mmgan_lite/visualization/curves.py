"""Curves: joined over restarts, grouped into charts, thinned for drawing."""

import fnmatch
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

GROUPS = {
    'Losses': ('loss*',),
    'Logits': ('real_logits', 'fake_logits'),
    'Gradient norms': ('grad_norm*',),
    'Learning rates': ('lr', '*.lr', 'base_lr', '*.base_lr'),
    'Seconds an iteration': ('time', 'data_time'),
}

# Curves that GANHealthHook measures at intervals.
PROBED = 'health/'


@dataclass(frozen=True)
class Curve:
    """One number over iterations.

    Args:
        steps: Iterations, in rising order.
        values: As many numbers; those that are not finite are gaps.
        is_metric: Whether it is of a validation, not of training steps.
        real_score: Score of real images in place of generated ones, None if unknown.
    """

    steps: Sequence[int]
    values: Sequence[float]
    is_metric: bool = False
    real_score: float | None = None

    @property
    def num_gaps(self) -> int:
        """Number of values that are not finite."""
        return sum(not math.isfinite(value) for value in self.values)

    def is_rare(self, name: str) -> bool:
        """Whether it is measured at intervals and has so few points that each can be marked.

        Args:
            name: Name of the curve.
        """
        return len(self.values) <= 100 and (self.is_metric or name.startswith(PROBED))

    @property
    def is_count(self) -> bool:
        """Whether all values, and the score of real images, are integers >= 0."""
        known = [v for v in [*self.values, self.real_score] if v is not None and math.isfinite(v)]
        return bool(known) and all(v >= 0 and float(v).is_integer() for v in known)


def join(parts: Iterable[tuple[int, Mapping[int, float]]]) -> dict[int, float]:
    """Join the values by step of several starts of a training.

    Args:
        parts: For each start, oldest first, the first step at which it replaces earlier values,
            and its values by step.

    Example:
        >>> join([(10, {10: 1.0, 20: 2.0, 30: 3.0}), (20, {20: 2.5})])
        {10: 1.0, 20: 2.5}
    """
    joined: dict[int, float] = {}
    for first, points in parts:
        joined = {step: value for step, value in joined.items() if step < first}
        joined.update(points)
    return dict(sorted(joined.items()))


def drop_repeats(columns: Mapping[str, Mapping[int, float]]) -> dict[str, dict[int, float]]:
    """Drop the steps at which all of several scalars have the values of the step before.

    For scalars that are measured together and logged again until the next measurement: one of them
    may be the same twice, all of them hardly ever.

    Args:
        columns: Values by step of each scalar.

    Returns:
        The remaining values by step of each scalar, in rising order.

    Example:
        >>> drop_repeats({'a': {10: 1, 20: 1, 30: 1}, 'b': {10: 3, 20: 3, 30: 4}})
        {'a': {10: 1, 30: 1}, 'b': {10: 3, 30: 4}}
    """
    kept: dict[str, dict[int, float]] = {name: {} for name in columns}
    before: dict[str, str] = {}
    for step in sorted({step for points in columns.values() for step in points}):
        values = {name: points[step] for name, points in columns.items() if step in points}
        # As text: NaN is not equal to itself.
        row = {name: repr(value) for name, value in values.items()}
        if row != before:
            for name, value in values.items():
                kept[name][step] = value
        before = row
    return kept


def group(names: Iterable[str], metrics: Iterable[str] = ()) -> dict[str, list[str]]:
    """Group names of curves by the chart that they share, in the order of the page.

    A curve in no group, and each metric, has a chart of its own, as their scales differ.

    Args:
        names: Names of curves.
        metrics: Those of them that are metrics.

    Example:
        >>> group(['time', 'loss_gen', 'loss_disc', 'FID'], metrics=['FID'])
        {'Losses': ['loss_disc', 'loss_gen'], 'FID': ['FID'], 'Seconds an iteration': ['time']}
    """
    metrics, rest = set(metrics), sorted(names)
    charts: dict[str, list[str]] = {}
    for title, patterns in GROUPS.items():
        members = [name for name in rest if name not in metrics and any_match(name, patterns)]
        if members:
            charts[title] = members
            rest = [name for name in rest if name not in members]
    late = {title: charts.pop(title) for title in list(GROUPS)[-2:] if title in charts}
    own = {name: [name] for name in sorted(rest, key=lambda name: (name not in metrics, name))}
    return {**charts, **own, **late}


def any_match(name: str, patterns: Iterable[str]) -> bool:
    """Whether a name is one of the patterns, or matches one with ``*`` and ``?``.

    Square brackets are literal, as names of metrics have them.

    Example:
        >>> any_match('FID[pixels]', ['FID[*]'])
        True
    """
    return any(fnmatch.fnmatchcase(name, pattern.replace('[', '[[]')) for pattern in patterns)


def thin(curve: Curve, most: int = 1000) -> Curve:
    """Thin a curve to about ``most`` points: the extremes of each interval, and its gaps.

    Example:
        >>> thin(Curve(range(8), [0, 1, 9, 2, 3, -4, 5, 6]), most=4)
        Curve(steps=[0, 2, 5, 7], values=[0, 9, -4, 6], is_metric=False, real_score=None)
    """
    num = len(curve.steps)
    if num <= most:
        return curve
    size = math.ceil(num / (most // 2))
    kept = {0, num - 1}
    for start in range(0, num, size):
        interval = range(start, min(start + size, num))
        finite = [i for i in interval if math.isfinite(curve.values[i])]
        if finite:
            kept.add(min(finite, key=curve.values.__getitem__))
            kept.add(max(finite, key=curve.values.__getitem__))
        # One gap stands for all of its interval.
        kept.update([i for i in interval if not math.isfinite(curve.values[i])][:1])
    chosen = sorted(kept)
    return Curve(
        [curve.steps[i] for i in chosen],
        [curve.values[i] for i in chosen],
        curve.is_metric,
        curve.real_score,
    )


def choose(curves: Mapping[str, Curve], patterns: Sequence[str] | None) -> list[str]:
    """Names of the curves that match a pattern, or of all with None.

    Raises:
        ValueError: If a pattern matches none.
    """
    if patterns is None:
        return list(curves)
    for pattern in patterns:
        if not any(any_match(name, [pattern]) for name in curves):
            known = ', '.join(sorted(curves)) or 'no curve at all'
            raise ValueError(
                f'keys must name curves of the log, got {pattern!r}. There are: {known}.'
            )
    return [name for name in curves if any_match(name, patterns)]
