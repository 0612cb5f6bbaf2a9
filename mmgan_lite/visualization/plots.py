"""Plots of the curves of one or several trainings."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmgan_lite.visualization.curves import choose, group
from mmgan_lite.visualization.run_log import RunLog

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLUMNS = 3


def plot_runs(logs: Sequence[RunLog], out: str | Path, keys: Sequence[str] | None = None) -> None:
    """Plot curves to an image file.

    For one training, related curves share a chart. For several, each curve has a chart that
    compares the trainings. Values that are not finite are gaps.

    Args:
        logs: The trainings; those without a curve are not in its chart.
        out: The image file; its ending gives the format, such as .png, .svg or .pdf.
        keys: Names of curves, with ``*`` for any text; None for all.

    Raises:
        ValueError: If a key matches no curve, there is no curve, or the format is unknown.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    curves = {name: curve for log in reversed(logs) for name, curve in log.curves.items()}
    names = choose(curves, keys)
    if not names:
        folders = ', '.join(f"'{log.work_dir}'" for log in logs)
        raise ValueError(
            f'There is no curve to draw in {folders}: <timestamp>/vis_data/scalars.json is empty '
            "or missing. It is written every LoggerHook.interval iterations by 'LocalVisBackend'."
        )
    metrics = [name for name in names if curves[name].is_metric]
    charts = group(names, metrics) if len(logs) == 1 else {n: [n] for n in _sorted(names, metrics)}
    columns = min(_COLUMNS, len(charts))
    rows = math.ceil(len(charts) / columns)
    # No pyplot: it would open windows where there is a display, and keeps figures.
    figure = Figure(figsize=(5 * columns, 3.2 * rows), layout='constrained')
    canvas = FigureCanvasAgg(figure)
    endings = canvas.get_supported_filetypes()
    if Path(out).suffix.lstrip('.').lower() not in endings:
        raise ValueError(
            f"out must end in one of .{', .'.join(sorted(endings))}, got '{out}'. Name it "
            f"'{Path(out).with_suffix('.png')}'."
        )
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axis, (title, members) in zip(axes, charts.items(), strict=False):
        _draw_chart(axis, title, members, logs)
    for axis in axes[len(charts) :]:
        axis.remove()
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=100)


def _sorted(names: Sequence[str], metrics: Sequence[str]) -> list[str]:
    return [name for members in group(names, metrics).values() for name in members]


def _draw_chart(axis: 'Axes', title: str, members: Sequence[str], logs: Sequence[RunLog]) -> None:
    labels = [log.name for log in logs]
    if len(set(labels)) < len(labels):
        labels = [str(log.work_dir) for log in logs]
    drawn, has_real_score = [], False
    for number, log in enumerate(logs):
        for name in members:
            curve = log.curves.get(name)
            if curve is None:
                continue
            drawn.append(curve)
            values = [value if math.isfinite(value) else math.nan for value in curve.values]
            style: dict[str, Any] = dict(color=f'C{number}') if len(logs) > 1 else {}
            marker = 'o' if curve.is_rare(name) or len(values) == 1 else None
            label = _plain(name if len(logs) == 1 else labels[number])
            (line,) = axis.plot(curve.steps, values, label=label, marker=marker, ms=3, **style)
            if curve.real_score is not None:
                axis.axhline(curve.real_score, color=line.get_color(), ls=':', lw=1)
                has_real_score = True
    if has_real_score:
        # In the legend once, after the trainings; the colors show which is whose.
        axis.plot([], [], color='gray', ls=':', lw=1, label='real images score')
    if drawn and all(curve.is_count for curve in drawn):
        _scale_counts(axis)
    axis.set_title(_plain(title), fontsize=10)
    axis.set_xlabel('iteration', fontsize=8)
    axis.tick_params(labelsize=8)
    axis.grid(alpha=0.3)
    if len(members) > 1 or len(logs) > 1 or has_real_score:
        axis.legend(fontsize=8)


def _scale_counts(axis: 'Axes') -> None:
    """Let the axis begin at zero, with integer ticks."""
    from matplotlib.ticker import MaxNLocator

    axis.set_ylim(0, max(1.05, axis.get_ylim()[1]))
    axis.yaxis.set_major_locator(MaxNLocator(integer=True))


def _plain(text: str) -> str:
    """Escape mathematics, and a leading underscore, which hides a curve from the legend."""
    return text.replace('$', r'\$').removeprefix('_')
