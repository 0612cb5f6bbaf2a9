"""Grids of images, plots of curves, and the report page of a work dir.

Importing it loads neither torch nor MMEngine.
"""

from mmgan_lite.visualization.curves import Curve
from mmgan_lite.visualization.image_grid import (
    enlarge,
    make_picture,
    save_gif,
    save_png,
    viewing_scale,
)
from mmgan_lite.visualization.plots import plot_runs
from mmgan_lite.visualization.run_log import RunLog, Start
from mmgan_lite.visualization.run_page import render_page, write_page

__all__ = [
    'Curve',
    'RunLog',
    'Start',
    'enlarge',
    'make_picture',
    'plot_runs',
    'render_page',
    'save_gif',
    'save_png',
    'viewing_scale',
    'write_page',
]
