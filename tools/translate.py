"""Translate images by a trained model. The same as ``mmgan-lite translate``."""

from mmgan_lite.cli.translate import main

if __name__ == '__main__':
    main()
