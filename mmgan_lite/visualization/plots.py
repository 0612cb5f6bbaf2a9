"""Plots of the curves of one or several trainings."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mmgan_lite.visualization.curves import choose, group
from mmgan_lite.visualization.run_log import RunLog

if TYPE_CHECKING:
    from matplotlib.axes import Axes


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
    from matplotlib.figure import Figure

    curves = {name: curve for log in reversed(logs) for name, curve in log.curves.items()}
    names = choose(curves, keys)
    if not names:
        folders = ', '.join(f"'{log.work_dir}'" for log in logs)
        raise ValueError(
            f'There is no curve in {folders}: <timestamp>/vis_data/scalars.json, which '
            'LocalVisBackend writes every LoggerHook.interval iterations, is empty or missing.'
        )
    charts = group(names, [name for name in names if curves[name].is_metric])
    if len(logs) > 1:
        charts = {name: [name] for members in charts.values() for name in members}
    columns = min(3, len(charts))
    rows = math.ceil(len(charts) / columns)
    # No pyplot: it would open windows where there is a display, and keeps figures.
    figure = Figure(figsize=(5 * columns, 3.2 * rows), layout='constrained')
    endings = sorted(f'.{ending}' for ending in figure.canvas.get_supported_filetypes())
    if Path(out).suffix.lower() not in endings:
        png = Path(out).with_suffix('.png')
        raise ValueError(f"out must end in {', '.join(endings)}, got '{out}'. Name it '{png}'.")
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axis, (title, members) in zip(axes, charts.items(), strict=False):
        _draw_chart(axis, title, members, logs)
    for axis in axes[len(charts) :]:
        axis.remove()
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=100)


def _draw_chart(axis: 'Axes', title: str, members: Sequence[str], logs: Sequence[RunLog]) -> None:
    from matplotlib.ticker import MaxNLocator

    names = [log.name for log in logs]
    drawn = []
    for number, log in enumerate(logs):
        label = log.name if names.count(log.name) == 1 else str(log.work_dir)
        for name in [name for name in members if name in log.curves]:
            curve = log.curves[name]
            drawn.append(curve)
            marker = 'o' if curve.is_rare(name) or len(curve.values) == 1 else None
            color = f'C{number if len(logs) > 1 else len(drawn) - 1}'
            text = _plain(label if len(logs) > 1 else name)
            axis.plot(curve.steps, curve.values, color, label=text, marker=marker, ms=3)
            if curve.real_score is not None:
                axis.axhline(curve.real_score, color=color, ls=':', lw=1)
    has_real_score = any(curve.real_score is not None for curve in drawn)
    if has_real_score:
        # In the legend once, after the trainings; the colors show which is whose.
        axis.plot([], [], color='gray', ls=':', lw=1, label='real images score')
    if drawn and all(curve.is_count for curve in drawn):
        axis.set_ylim(0, max(1.05, axis.get_ylim()[1]))
        axis.yaxis.set_major_locator(MaxNLocator(integer=True))
    axis.set_title(_plain(title), fontsize=10)
    axis.set_xlabel('iteration', fontsize=8)
    axis.tick_params(labelsize=8)
    axis.grid(alpha=0.3)
    if len(members) > 1 or len(logs) > 1 or has_real_score:
        axis.legend(fontsize=8)


def _plain(text: str) -> str:
    """Escape mathematics, and a leading underscore, which hides a curve from the legend."""
    return text.replace('$', r'\$').removeprefix('_')
