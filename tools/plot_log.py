"""Draw the curves of trainings as a picture. The same as ``mmgan-lite plot-log``."""

from mmgan_lite.cli.plot_log import main

if __name__ == '__main__':
    main()
