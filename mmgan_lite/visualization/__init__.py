"""What a training left in its work dir, drawn: curves as a picture, everything as one HTML page.

Loads neither torch nor MMEngine.
"""

from mmgan_lite.visualization.curves import Curve
from mmgan_lite.visualization.plots import plot_runs
from mmgan_lite.visualization.run_log import RunLog
from mmgan_lite.visualization.run_page import render_page, write_page

__all__ = ['Curve', 'RunLog', 'plot_runs', 'render_page', 'write_page']
