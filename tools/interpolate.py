"""Draw ways between images of a trained GAN. The same as ``mmgan-lite interpolate``."""

from mmgan_lite.cli.interpolate import main

if __name__ == '__main__':
    main()
