"""Numbers over iterations: joined over restarts, grouped into charts, thinned for drawing."""

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

# Curves of what GANHealthHook measures now and then.
PROBED = 'health/'


@dataclass(frozen=True)
class Curve:
    """One number over iterations.

    Args:
        steps: Iterations, in rising order.
        values: As many numbers; those that are not finite are gaps.
        is_metric: Whether a validation gave it, not a training step.
        floor: What real images score in the place of the fakes, None where it is not known.
    """

    steps: Sequence[int]
    values: Sequence[float]
    is_metric: bool = False
    floor: float | None = None

    @property
    def num_gaps(self) -> int:
        """How many values are not finite."""
        return sum(not math.isfinite(value) for value in self.values)

    def is_rare(self, name: str) -> bool:
        """Whether it was measured now and then, and so seldom that each point can be marked.

        Args:
            name: Of the curve.
        """
        return len(self.values) <= 100 and (self.is_metric or name.startswith(PROBED))

    @property
    def is_count(self) -> bool:
        """Whether all values, and that of real images, are whole and none is negative."""
        known = [v for v in [*self.values, self.floor] if v is not None and math.isfinite(v)]
        return bool(known) and all(v >= 0 and float(v).is_integer() for v in known)


def join(parts: Iterable[tuple[int, Mapping[int, float]]]) -> dict[int, float]:
    """Values by step, of one start of a training after another.

    Args:
        parts: For each start, oldest first, the step from which on it replaces what was there
            before, and the values by step that it wrote.

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
    """Values by step, without the steps at which none of several numbers differs from before.

    For numbers that are measured together, and written again and again until the next time. One of
    them alone may well come out the same twice; all of them hardly.

    Args:
        columns: For each number its values by step.

    Returns:
        The same with the steps that are left, in rising order.

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
    """Names by the chart that they share, charts in the order in which to look at them.

    What stands in no group, and each metric, has a chart of its own: their scales differ.

    Args:
        names: Of curves.
        metrics: Those among them that are metrics.

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
    """Whether a name is one of the patterns, or matches it with ``*`` and ``?``.

    Square brackets stand for themselves: names of metrics have them.

    Example:
        >>> any_match('FID[pixels]', ['FID[*]'])
        True
    """
    return any(fnmatch.fnmatchcase(name, pattern.replace('[', '[[]')) for pattern in patterns)


def thin(curve: Curve, most: int = 1000) -> Curve:
    """At most about so many points: the lowest and the highest of each stretch, and each gap.

    Example:
        >>> thin(Curve(range(8), [0, 1, 9, 2, 3, -4, 5, 6]), most=4)
        Curve(steps=[0, 2, 5, 7], values=[0, 9, -4, 6], is_metric=False, floor=None)
    """
    num = len(curve.steps)
    if num <= most:
        return curve
    size = math.ceil(num / (most // 2))
    kept = {0, num - 1}
    for start in range(0, num, size):
        stretch = range(start, min(start + size, num))
        finite = [i for i in stretch if math.isfinite(curve.values[i])]
        if finite:
            kept |= {
                min(finite, key=curve.values.__getitem__),
                max(finite, key=curve.values.__getitem__),
            }
        # One gap tells of all in the stretch.
        kept |= set([i for i in stretch if not math.isfinite(curve.values[i])][:1])
    chosen = sorted(kept)
    return Curve(
        [curve.steps[i] for i in chosen],
        [curve.values[i] for i in chosen],
        curve.is_metric,
        curve.floor,
    )


def choose(curves: Mapping[str, Curve], patterns: Sequence[str] | None) -> list[str]:
    """Names of the curves that are asked for, or of all with None.

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
