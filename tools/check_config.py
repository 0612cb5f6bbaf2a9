"""Find all mistakes in configs, without data. The same as ``mmgan-lite check-config``."""

from mmgan_lite.cli.check_config import main

if __name__ == '__main__':
    main()
