"""Print a config with its bases merged. The same as ``mmgan-lite print-config``."""

from mmgan_lite.cli.print_config import main

if __name__ == '__main__':
    main()
