"""Score images against real ones. The same as ``mmgan-lite score``."""

from mmgan_lite.cli.score import main

if __name__ == '__main__':
    main()
