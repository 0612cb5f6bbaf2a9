"""Pack a folder of images into one file. The same as ``mmgan-lite pack-dataset``."""

from mmgan_lite.cli.pack_dataset import main

if __name__ == '__main__':
    main()
