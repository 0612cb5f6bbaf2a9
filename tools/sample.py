"""Draw images from a trained GAN. The same as ``mmgan-lite sample``."""

from mmgan_lite.cli.sample import main

if __name__ == '__main__':
    main()
