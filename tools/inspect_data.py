"""Print what is in a folder of images. The same as ``mmgan-lite inspect-data``."""

from mmgan_lite.cli.inspect_data import main

if __name__ == '__main__':
    main()
