"""Curves: grouped into charts, thinned for drawing."""

import fnmatch
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

# Titles of shared charts and patterns of their curves, in the order of the page.
GROUPS = {
    'Losses': ('loss*',),
    'Logits': ('real_logits*', 'fake_logits*'),
    'Gradient norms': ('grad_norm*',),
    '': (),  # curves that have a chart of their own
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


def group(names: Iterable[str], metrics: Collection[str] = ()) -> dict[str, list[str]]:
    """Group names of curves by the chart that they share, in the order of the page.

    A curve in no group, and each metric, has a chart of its own, as their scales differ. The score
    of a translation's output shares one with that of its source.

    Args:
        names: Names of curves.
        metrics: Those of them that are metrics.

    Example:
        >>> group(['time', 'loss_gen', 'loss_disc', 'FID'], metrics=['FID'])
        {'Losses': ['loss_disc', 'loss_gen'], 'FID': ['FID'], 'Seconds an iteration': ['time']}
    """
    charts: dict[str, dict[str, list[str]]] = {title: {} for title in GROUPS}
    for name in sorted(names, key=lambda name: (name not in metrics, name)):
        titles = [] if name in metrics else [t for t in GROUPS if any_match(name, GROUPS[t])]
        title = titles[0] if titles else ''
        own = name.removeprefix('source_') if name in metrics else name
        charts[title].setdefault(title or own, []).append(name)
    return {title: members for found in charts.values() for title, members in found.items()}


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
        Curve(steps=(0, 2, 5, 7), values=(0, 9, -4, 6), is_metric=False, real_score=None)
    """
    num = len(curve.steps)
    if num <= most:
        return curve
    size = math.ceil(num / (most // 2))
    kept = {0, num - 1}
    for start in range(0, num, size):
        interval = range(start, min(start + size, num))
        finite = [i for i in interval if math.isfinite(curve.values[i])]
        extremes = sorted(finite, key=curve.values.__getitem__)
        gaps = [i for i in interval if not math.isfinite(curve.values[i])]
        # One gap stands for all of its interval.
        kept.update(extremes[:1] + extremes[-1:] + gaps[:1])
    steps, values = zip(*[(curve.steps[i], curve.values[i]) for i in sorted(kept)], strict=True)
    return replace(curve, steps=steps, values=values)


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
            raise ValueError(f'keys must name curves, got {pattern!r}. There are: {known}.')
    return [name for name in curves if any_match(name, patterns)]
