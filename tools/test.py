"""Run a config's test loop on a checkpoint. The same as ``mmgan-lite test``."""

from mmgan_lite.cli.test import main

if __name__ == '__main__':
    main()
