"""Download data for image translation. The same as ``mmgan-lite download-dataset``."""

from mmgan_lite.cli.download_dataset import main

if __name__ == '__main__':
    main()
