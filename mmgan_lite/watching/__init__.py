"""What a training left in its work dir, drawn: curves as a picture, everything as one HTML page.

Loads neither torch nor MMEngine.
"""

from mmgan_lite.watching.curves import Curve
from mmgan_lite.watching.plots import plot_runs
from mmgan_lite.watching.run_log import RunLog
from mmgan_lite.watching.run_page import render_page, write_page

__all__ = ['Curve', 'RunLog', 'plot_runs', 'render_page', 'write_page']
