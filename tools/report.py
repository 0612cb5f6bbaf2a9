"""Draw a training as one HTML page. The same as ``mmgan-lite report``."""

from mmgan_lite.cli.report import main

if __name__ == '__main__':
    main()
