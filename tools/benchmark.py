"""Measure how fast a config trains. The same as ``mmgan-lite benchmark``."""

from mmgan_lite.cli.benchmark import main

if __name__ == '__main__':
    main()
